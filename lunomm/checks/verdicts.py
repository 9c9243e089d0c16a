"""A check's verdict: pass, warn or fail, in one line, with the next step in another (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Level(enum.StrEnum):
    """PASS: as it should be, or not needed here. WARN: works, but look at it. FAIL: a command would end on it."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Verdict:
    """check: a stable word. step: what to do next, empty where nothing is to be done. code: of the exit, where it
    fails: the one a command that needs this would end with."""

    check: str
    level: Level
    text: str
    step: str = ""
    code: int = 0


def passed(check: str, text: str, step: str = "") -> Verdict:
    return Verdict(check, Level.PASS, text, step)


def warned(check: str, text: str, step: str) -> Verdict:
    return Verdict(check, Level.WARN, text, step)


def failed(check: str, text: str, step: str, code: int) -> Verdict:
    return Verdict(check, Level.FAIL, text, step, code)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 where nothing fails, else the highest of the failures': what outranks the rest elsewhere does here."""
    return max((verdict.code for verdict in verdicts if verdict.level is Level.FAIL), default=0)


def split_advice(message: str) -> tuple[str, str]:
    """An error of ours, ``what is wrong. What to do``, as its two parts."""
    text = message.strip()
    head, stop, tail = text.rpartition(". ")
    return (head, tail) if stop else (text, "")
