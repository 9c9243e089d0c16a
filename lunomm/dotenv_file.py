"""The ``.env`` file: read as data, never run by a shell; private where it holds keys that trade."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from lunomm.errors import ConfigError

MAX_DOTENV = 2**20


def read_dotenv(path: Path) -> dict[str, str]:
    """Names and values of a ``.env`` file, empty values left out; ``{}`` when there is none.

    Raises:
        ConfigError: unreadable, not UTF-8, or larger than 1 MiB.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_DOTENV + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return {}
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}. Fix its permissions or remove it") from e
    if len(raw) > MAX_DOTENV:
        raise ConfigError(f"{path}: larger than 1 MiB. It should hold a few settings only")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: not UTF-8 at byte {e.start}. Save it as UTF-8") from e
    from dotenv import dotenv_values  # where there is such a file: it takes longer than all that is ours here

    # No interpolation: a secret may hold a dollar sign.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value.strip() for name, value in values.items() if value is not None and value.strip()}


def exposed(path: Path) -> str | None:
    """Who else could read or change the keys in this file, and what to do about it; None where nobody can.

    A file without a key, or none at all, exposes nothing. A link counts as what it points to.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    if os.name != "posix" or not any(name.startswith("LUNO_") and "KEY" in name for name in read_dotenv(path)):
        return None
    if found.st_uid != os.getuid():
        return f"{path}: holds API keys and belongs to another user. Make a copy of your own and chmod 600 it"
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return f"{path}: holds API keys, and others may read it (mode {mode:04o}). Run: chmod 600 {path}"
    return None
