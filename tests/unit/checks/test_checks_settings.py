"""Settings: typing errors are found, secrets are not shown, and `.env` is its owner's alone."""

from __future__ import annotations

import pytest

from lunomm.checks.settings import (
    HIDDEN_VALUE,
    EnvFile,
    Setting,
    Wrong,
    check_env_file,
    check_limits,
    check_settings,
    shown,
)
from lunomm.checks.verdicts import Level

KNOWN = {"LUNOMM_GAMMA", "LUNOMM_ETA"}


def test_nothing_set_and_all_well() -> None:
    (only,) = check_settings([], [], KNOWN)
    assert (only.level, only.text) == (Level.PASS, "nothing is set: all defaults")
    here = [Setting("gamma", "2", ".env", "LUNOMM_GAMMA"), Setting("h", "x", "environment", "REDIS_HOST")]
    (only,) = check_settings(here, [], KNOWN)
    assert (only.level, only.text) == (Level.PASS, "1 from environment, 1 from .env")


def test_a_name_nobody_reads_and_a_value_nobody_takes() -> None:
    here = [Setting("gama", "2", ".env", "LUNOMM_GAMA"), Setting("x", "2", ".env", "LUNOMM_QQQQQQ")]
    bad = [Wrong("LUNOMM_ETA", "environment", "--eta: 'x' is no number. Give one such as -0.5")]
    value, near, far = check_settings(here, bad, KNOWN)
    assert (value.level, value.code, value.step) == (Level.FAIL, 3, "Give one such as -0.5")
    assert "LUNOMM_ETA (environment)" in value.text
    assert (near.level, near.step) == (Level.WARN, "rename it to LUNOMM_GAMMA")
    assert (far.level, ".env" in far.step) == (Level.WARN, True)


@pytest.mark.parametrize(
    "name", ["LUNO_KEY_SECRET", "LUNOMM_BUS_KEY", "LUNOMM_REDIS_URL", "LUNOMM_ACCOUNT", "LUNOMM_WEBHOOK", "A_TOKEN"]
)
def test_what_may_be_a_secret_is_not_shown(name: str) -> None:
    assert shown(name, "hunter2") == HIDDEN_VALUE


def test_what_is_shown_is_bounded_and_harmless() -> None:
    assert shown("LUNOMM_GAMMA", "1\x1b[31m") == "1?[31m"
    assert len(shown("LUNOMM_GAMMA", "9" * 500)) < 70


def test_the_file_of_keys() -> None:
    assert check_env_file(EnvFile("/a/.env", False), "live").level is Level.PASS
    well = check_env_file(EnvFile("/a/.env", True, 0o600, True), "live")
    assert (well.level, "0600" in well.text) == (Level.PASS, True)
    open_to_all = EnvFile(
        "/a/.env", True, 0o644, True, "/a/.env: others may read it (mode 0644). Run: chmod 600 /a/.env"
    )
    live = check_env_file(open_to_all, "live")
    assert (live.level, live.code, live.step) == (Level.FAIL, 3, "Run: chmod 600 /a/.env")
    assert check_env_file(open_to_all, "sim").level is Level.WARN


def test_limits_are_wanted_before_trading_only() -> None:
    assert check_limits([], "", first_run=False).level is Level.PASS
    refused = check_limits(["--max-position"], "begin with 1", first_run=False)
    assert (refused.level, refused.code, refused.step) == (Level.FAIL, 3, "begin with 1")
    assert check_limits(["--max-position"], "", first_run=True).level is Level.WARN
