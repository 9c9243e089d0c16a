"""Who may read the file with the keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lunomm.config import read_common
from lunomm.dotenv_file import exposed
from lunomm.errors import ConfigError

KEYS = "LUNO_KEY_ID=abc\nLUNO_KEY_SECRET=canary-secret\n"


@pytest.mark.parametrize(
    ("text", "mode", "complains"),
    [
        (KEYS, 0o600, False),
        (KEYS, 0o400, False),
        (KEYS, 0o640, True),
        (KEYS, 0o604, True),
        (KEYS, 0o602, True),
        (KEYS, 0o644, True),
        ("LUNO_GUARDIAN_KEY_ID=a\n", 0o644, True),
        ("LUNOMM_GAMMA=2\n", 0o644, False),
        ("LUNO_KEY_ID=\nLUNO_KEY_SECRET=\n", 0o644, False),
    ],
)
def test_modes(tmp_path: Path, text: str, mode: int, complains: bool) -> None:
    path = tmp_path / ".env"
    path.write_text(text)
    path.chmod(mode)
    complaint = exposed(path)
    assert (complaint is not None) == complains
    if complaint is not None:
        assert f"chmod 600 {path}" in complaint and "canary" not in complaint


def test_a_link_counts_as_what_it_points_to(tmp_path: Path) -> None:
    target = tmp_path / "keys"
    target.write_text(KEYS)
    target.chmod(0o644)
    link = tmp_path / ".env"
    link.symlink_to(target)
    assert exposed(link) is not None
    target.chmod(0o600)
    assert exposed(link) is None


def test_no_file_exposes_nothing(tmp_path: Path) -> None:
    assert exposed(tmp_path / ".env") is None


LIVE = {"LUNO_KEY_ID": "abc", "LUNO_KEY_SECRET": "canary-secret"}


def test_live_refuses_an_exposed_file_and_a_log_of_session_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {**LIVE, "LUNOMM_STATE_DIR": str(tmp_path)}
    assert read_common(env, mode="live").mode == "live"
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE"):
        read_common({**env, "SSLKEYLOGFILE": os.devnull}, mode="live")
    (tmp_path / ".env").write_text(KEYS)
    (tmp_path / ".env").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as raised:
        read_common(env, mode="live")
    assert "canary" not in str(raised.value)
    assert read_common(env, mode="sim").mode == "sim"
