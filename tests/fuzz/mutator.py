"""Damages texts: by character, by token, by JSON value. One seed is one sequence of damage."""

from __future__ import annotations

import json
import random
from typing import Any

NASTY: tuple[str, ...] = (
    "NaN", "Infinity", "-Infinity", "-0", "0", "-1", "1e999999", "1E400", "1e-999999", "0x10", "1_000", "٣", "３００",
    "9" * 400, "0." + "0" * 400 + "1", "null", "true", "false", '""', '"null"', "[]", "{}", "[[[[[[[[", "]", "}", ",",
    '"', "\\", "\\u0000", "\\ud800", "\x00", "\x1b[2J", "\u202e", "\ufeff", "é", " ", "\n", '"ACTIVE"',
    '"BID"', '"ASK"',
    '"lm1-XBTMYR-abc-1-B0"', "18446744073709551616", "9223372036854775808", "-9223372036854775809",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 1.5, 1e308, "", "0", "-0", "0.00",
    "-1.00", "NaN", "Infinity", "1e5", "1e999999", "1_0", "３", "9" * 60, "0." + "0" * 30 + "1", "x", "\x1b[31m",
    "BID", "ASK", "BUY", "COMPLETE", "PENDING", "ACTIVE", "[bold]", [], {}, [None], {"a": 1}, "A" * 5000,
)  # fmt: skip


class Mutator:
    """Args: seed: of every choice."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def damage(self, text: str) -> str:
        """``text`` with one to three wounds; sometimes none of them shows."""
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            kind = self.random.random()
            text = self._value(text) if kind < 0.55 else self._token(text) if kind < 0.75 else self._character(text)
        return text

    def _character(self, text: str) -> str:
        if not text:
            return self.random.choice(NASTY)
        at = self.random.randrange(len(text))
        to = min(len(text), at + self.random.choice((1, 1, 2, 8, len(text))))
        kind = self.random.randrange(4)
        if kind == 0:
            return text[:at] + text[to:]
        if kind == 1:
            return text[:at] + text[at:to] * 2 + text[to:]
        if kind == 2:
            return (
                text[:at]
                + chr(self.random.choice((0, 9, 27, 34, 44, 48, 58, 91, 123, 0x7F, 0x9B, 0x2028)))
                + text[at + 1 :]
            )
        return text[:at]

    def _token(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        return text[:at] + self.random.choice(NASTY) + text[at:]

    def _value(self, text: str) -> str:
        """Change, drop, copy or add one value of a JSON document."""
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            return self._token(text)
        places = list(self._places(whole))
        if not places:
            return self._token(text)
        holder, key = self.random.choice(places)
        kind = self.random.random()
        if kind < 0.6:
            holder[key] = self.random.choice(VALUES)
        elif kind < 0.75:
            del holder[key]
        elif kind < 0.9:
            other, there = self.random.choice(places)
            # Copied as text: a value must not come to hold itself.
            holder[key] = json.loads(json.dumps(other[there]))
        elif isinstance(holder, dict):
            holder[self.random.choice(("x", "sequence", "error_code", "pair", "v"))] = self.random.choice(VALUES)
        else:
            holder.append(self.random.choice(VALUES))
        return json.dumps(whole, ensure_ascii=self.random.random() < 0.5)

    def _places(self, value: Any) -> Any:
        if isinstance(value, dict):
            for key in list(value):
                yield value, key
                yield from self._places(value[key])
        elif isinstance(value, list):
            for index in range(len(value)):
                yield value, index
                yield from self._places(value[index])
