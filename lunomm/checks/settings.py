"""Settings and the file they stand in (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lunomm.checks.verdicts import Verdict, failed, passed, split_advice, warned

CONFIG = 3
HIDDEN = ("KEY", "SECRET", "PASSWORD", "TOKEN", "ACCOUNT", "URL", "WEBHOOK")
"""In the name of a setting: its value may hold a secret, and is not shown."""

HIDDEN_VALUE = "set, not shown"
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force. source: ``option``, ``environment``, ``.env`` or ``default``; variable: how it is named
    there, empty where it has no name of its own."""

    name: str
    value: str
    source: str
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A setting that a command will refuse. said: by the option's own rule."""

    variable: str
    source: str
    said: str


def shown(variable: str, value: str) -> str:
    """A setting's value for people: bounded, nothing of a secret."""
    if any(word in variable for word in HIDDEN):
        return HIDDEN_VALUE
    clean = "".join(character if " " <= character <= "~" else "?" for character in value[:LONGEST])
    return clean + ("..." if len(value) > LONGEST else "")


def check_settings(set_here: Sequence[Setting], wrong: Sequence[Wrong], known: Collection[str]) -> list[Verdict]:
    """Names nobody reads, values that are refused, and how many stand where.

    Args:
        set_here: every variable of ours in the environment or in ``.env``. known: all names that are read.
    """
    verdicts = []
    for bad in wrong:
        head, step = split_advice(bad.said)
        verdicts.append(failed("settings", f"{bad.variable} ({bad.source}): {head}", step or "correct it", CONFIG))
    for each in set_here:
        if each.variable.startswith("LUNOMM_") and each.variable not in known:
            bare = [name.removeprefix("LUNOMM_") for name in known]
            near = difflib.get_close_matches(each.variable.removeprefix("LUNOMM_"), bare, 1)
            step = f"rename it to LUNOMM_{near[0]}" if near else f"take it out of {each.source}; .env.example lists all"
            verdicts.append(
                warned("settings", f"{each.variable} ({each.source}): no such setting, nobody reads it", step)
            )
    if not verdicts:
        counts = {source: sum(each.source == source for each in set_here) for source in ("environment", ".env")}
        where = ", ".join(f"{count} from {source}" for source, count in counts.items() if count)
        verdicts.append(passed("settings", where or "nothing is set: all defaults"))
    return verdicts


@dataclass(frozen=True, slots=True)
class EnvFile:
    """``.env`` of the working directory. mode: permission bits, None where the system has none. complaint: who else
    could read or change the keys in it. holds_keys: a key stands in it."""

    path: str
    there: bool
    mode: int | None = None
    holds_keys: bool = False
    complaint: str | None = None


def check_env_file(file: EnvFile, mode: str) -> Verdict:
    """Keys in it are for their owner alone; live mode refuses anything else."""
    if not file.there:
        return passed(".env", f"none in {file.path.rpartition('/')[0] or '/'}: nothing is read from a file")
    bits = "" if file.mode is None else f", mode {file.mode:04o}"
    if file.complaint is None:
        return passed(
            ".env", f"{file.path}{bits}: {'keys, yours alone to read' if file.holds_keys else 'no keys in it'}"
        )
    head, step = split_advice(file.complaint)
    if mode == "live":
        return failed(".env", head, step, CONFIG)
    return warned(".env", head, step)


def check_limits(missing: Sequence[str], suggestion: str, *, first_run: bool) -> Verdict:
    """The size and the limits that live trading must be told. first_run: nothing is traded now."""
    if not missing:
        return passed("limits", "order size and all three limits are set")
    text = f"not set: {', '.join(missing)}; live quotes and orders are refused without"
    step = suggestion or "give them on the command line, or as LUNOMM_... in .env"
    return warned("limits", text, step) if first_run else failed("limits", text, step, CONFIG)
