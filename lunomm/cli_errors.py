"""How the command line says what went wrong: one line on stderr, with ``--json`` one object on stdout, an exit code."""

from __future__ import annotations

import contextlib
import difflib
import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, TextIO

import typer

from lunomm.config import show
from lunomm.errors import ConnectivityError, LunommError, OrdersMayBeLive, UsageError

# The command line library's own errors are told by their base class; it exports only the leaves.
CommandLineError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


SECRET_WORDS = ("secret", "key", "token", "password")
"""In the name of an option that somebody typed: such a value does not belong on a command line."""


def asked(argv: Sequence[str], name: str) -> bool:
    """Whether a flag such as ``json`` is set on a command line that may not be readable, or by its variable."""
    value = os.environ.get(f"LUNOMM_{name.upper()}", "").strip().lower()
    return f"--{name}" in argv or value in ("1", "true", "yes", "on")


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def no_room(error: OSError) -> LunommError:
    """A disk that is full, wherever it was met: the state folder's, or that of a file stdout goes into."""
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return LunommError(
        f"{where}{error.strerror}: the disk that is written to is full. Make room, set LUNOMM_STATE_DIR to another "
        "disk, or send the output elsewhere",
        code="NO_ROOM",
    )


def worst(group: BaseExceptionGroup[BaseException]) -> LunommError | None:
    """Of several errors at once, the one with the highest exit code."""
    matching, _ = group.split(LunommError)
    found: list[LunommError] = []
    stack: list[BaseException] = [matching] if matching is not None else []
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        elif isinstance(error, LunommError):
            found.append(error)
    return max(found, key=lambda e: e.exit_code, default=None)


def usage(error: Any, command: str, known: Sequence[str], *, as_json: bool, debug: bool) -> int:
    """Report what the command line library did not accept."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    if not command or error.__class__.__name__ == "NoArgsIsHelpError":
        sys.stderr.write(text + "\n")
        return 2
    if command not in known:
        near = difflib.get_close_matches(command, known, 1)
        hint = f"Did you mean `lunomm {near[0]}`?" if near else "See `lunomm --help`"
        return report(UsageError(f"no such command: {show(command)}. {hint}"), command, as_json=as_json, debug=debug)
    hint = f"See `lunomm {command} --help`"
    if any(word in str(getattr(error, "option_name", "")).lower() for word in SECRET_WORDS):
        hint = (
            "Everybody on this machine can read a command line: keys go into .env (LUNO_KEY_ID, LUNO_KEY_SECRET, "
            "mode 600) or the environment. Change a key that was typed"
        )
    said = text.strip().rstrip(".")
    end = "" if said.endswith(("?", "!")) else "."
    return report(UsageError(f"{said}{end} {hint}"), command, as_json=as_json, debug=debug)


def report(error: LunommError, command: str, *, as_json: bool, debug: bool) -> int:
    """Say one error; its exit code."""
    text = _clean(_advised(error))
    if isinstance(error, OrdersMayBeLive) and error.order_ids:
        text = f"{text} Orders: {_clean(' '.join(error.order_ids))}"
    if debug:
        traceback.print_exception(error)
    if as_json:
        body: dict[str, Any] = {"code": error.code, "exit_code": error.exit_code, "message": text}
        if isinstance(error, OrdersMayBeLive):
            body["order_ids"] = list(error.order_ids)
        sys.stdout.write(json.dumps({"v": 1, "command": command, "error": body}) + "\n")
    with contextlib.suppress(OSError):  # a full disk, as often as not, is the error
        sys.stderr.write(f"lunomm: {text}\n")
    return error.exit_code


def let_go(stream: TextIO) -> OSError | None:
    """Write what waits in a stream; where that cannot be, it goes nowhere, and why is returned.

    The interpreter's own flush at the very end would end the process with 120, whatever code it was to have.
    """
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _advised(error: LunommError) -> str:
    """A call that did not reach the exchange is told bare, for logs and screens; as the end of a command it needs what
    to do next."""
    text = str(error)
    if isinstance(error, ConnectivityError) and text.startswith(("GET ", "POST ")):
        return f"{text}. Check the connection, and see what lunomm doctor says"
    return text


def _clean(text: str, limit: int = 600) -> str:
    """One bounded line: whatever came from outside cannot move the cursor or forge a second line."""
    line = " ".join(text[: 4 * limit].split())
    line = "".join(ch if ch.isprintable() else "?" for ch in line)[:limit].strip()
    return line if line.endswith((".", "?", "!", "`")) else line + "."


def crash(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """A bug: one line too, and how to see more."""
    if asked(sys.argv, "debug"):
        traceback.print_exception(kind, error, trace)
    line = f"internal error: {kind.__name__}: {error}. Run again with --debug and report what it shows"
    sys.stderr.write(f"lunomm: {_clean(line)}\n")
