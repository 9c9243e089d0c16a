"""Settings read for doctor: each with its source, and one that is wrong ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunomm import cli_options, config
from lunomm.commands.doctor_settings import Known, read_settings
from lunomm.config import Common, RedisAddress
from lunomm.errors import UsageError

KEYS = {"LUNO_KEY_ID": "id-of-mine", "LUNO_KEY_SECRET": "secret-of-mine"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUNOMM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(config, "_FROM_DOTENV", set())


def read(monkeypatch: pytest.MonkeyPatch, mode: str | None = None, pair: str | None = None, **env: str) -> Known:
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    return read_settings(
        config.environment(),
        cli_options.variables(),
        pair=pair,
        mode=mode,
        url=None,
        typed=frozenset(name for name, said in (("mode", mode), ("pair", pair)) if said),
        common=Common(mode="sim", redis=RedisAddress(), state_dir=Path()),
    )


def sources(known: Known) -> dict[str, tuple[str, str]]:
    return {each.name: (each.value, each.source) for each in known.settings}


def test_every_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LUNOMM_PAIR=XBTZAR\nLUNOMM_GAMMA=2\nREDIS_PORT=7000\n")
    shown = sources(read(monkeypatch, mode="sim", REDIS_PORT="7001"))
    assert shown["mode"] == ("sim", "option")
    assert shown["pair"] == ("XBTZAR", ".env")
    assert shown["gamma"] == ("2", ".env")
    assert shown["redis"] == ("127.0.0.1:7001", "environment")
    assert shown["url"][1] == shown["key"][1] == "default"
    assert sources(read(monkeypatch, pair="ethmyr"))["pair"] == ("ETHMYR", "option")


def test_the_mode_follows_the_key_and_neither_half_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    known = read(monkeypatch, **KEYS)
    assert sources(known)["mode"] == ("paper", "default")
    assert "of-mine" not in str(known.settings) and sources(known)["key"] == ("set, not shown", "environment")


def test_what_is_wrong_is_kept_and_the_rest_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = read(
        monkeypatch, LUNOMM_GAMMA="much", LUNOMM_LEVELS="99", LUNOMM_SEED="x", LUNOMM_ETA="-0.5", REDIS_PORT="port",
        LUNO_KEY_ID="half",
    )  # fmt: skip
    assert [each.variable for each in known.wrong] == ["LUNOMM_GAMMA", "LUNOMM_LEVELS", "LUNOMM_SEED"]
    assert "REDIS_PORT" in (known.redis_error or "") and "other half" in (known.key_error or "")
    assert (known.quote.eta, known.quote.gamma, known.common.mode) == (-0.5, 1.0, "sim")
    assert sources(known)["redis"][0] == "no address"


def test_half_a_guardian_key_is_wrong_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    (wrong,) = read(monkeypatch, LUNO_GUARDIAN_KEY_SECRET="secret-of-the-guardian").wrong
    assert wrong.variable == "LUNO_GUARDIAN_KEY_SECRET" and "other half" in wrong.said
    assert "of-the-guardian" not in repr(wrong)
    whole = {"LUNO_GUARDIAN_KEY_ID": "guard", "LUNO_GUARDIAN_KEY_SECRET": "secret-of-the-guardian"}
    assert not read(monkeypatch, **whole).wrong


def test_what_live_must_still_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = read(monkeypatch, mode="live", LUNOMM_ORDER_SIZE="0.01", LUNOMM_MAX_POSITION="1", **KEYS)
    assert known.missing == ("--max-order-value", "--max-daily-loss")
    assert read(monkeypatch, mode="sim").missing == ()


def test_an_unknown_mode_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--mode"):
        read(monkeypatch, mode="real")
