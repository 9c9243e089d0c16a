"""Wanted states of a quoter that is out of its mind, from a seed: every size, crossed, off the tick, stale, foreign."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal as D

from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, WantedQuotes

PAIR = "XBTMYR"
KINDS = (
    "sane", "sane", "sane", "huge", "dust", "off_tick", "off_lot", "crossed", "far", "negative", "zero", "nan",
    "endless", "many", "double", "old_epoch", "new_epoch", "repeat", "other_pair", "bad_schema", "bad_id", "used_id",
    "jump", "levels", "touching", "same_side",
)  # fmt: skip


def states(
    seed: int, count: int, mid: int = 300_000, *, epoch: int = 10, sane_only: bool = False
) -> Iterator[WantedQuotes]:
    """``count`` wanted states; prices around ``mid``. sane_only: only such as could be meant, each with new ids."""
    r = random.Random(seed)
    number, ids, centre = 0, 0, mid
    used: list[str] = []

    def name(side: Side, level: int = 0) -> str:
        nonlocal ids
        ids += 1
        made = f"e{epoch}-{ids}-{side.value[0]}{level}"
        used.append(made)
        return made

    def one(side: Side, level: int = 0, price: D | None = None, size: D | None = None, id: str | None = None) -> Intent:
        away = r.randint(1, 6_000)
        return Intent(
            id=name(side, level) if id is None else id,
            side=side,
            level=level,
            price=D(centre - away if side is Side.BID else centre + away) if price is None else price,
            size=D(r.choice(("0.0001", "0.001", "0.004", "0.008", "0.01", "0.03"))) if size is None else size,
            created_ms=0,
        )

    for _ in range(count):
        kind = "sane" if sane_only else r.choice(KINDS)
        number += 1
        side = r.choice(list(Side))
        centre = mid + r.randint(-6_000, 6_000)
        intents = [one(Side.BID), one(Side.ASK)]
        fair: float | None = float(mid + r.randint(-500, 500))
        message = WantedQuotes(pair=PAIR, epoch=epoch, number=number, ts_ms=0)
        match kind:
            case "huge":
                intents = [one(side, size=D(10) ** r.randint(1, 14))]
            case "dust":
                intents = [one(side, size=D(1).scaleb(-r.randint(5, 17)))]
            case "off_tick":
                intents = [one(side, price=D(mid) + D(r.randint(1, 9)) / 10)]
            case "off_lot":
                intents = [one(side, size=D("0.0040000001"))]
            case "crossed":
                intents = [one(Side.BID, price=D(mid + 5)), one(Side.ASK, price=D(mid - 5))]
            case "touching":
                intents = [one(Side.BID, price=D(mid)), one(Side.ASK, price=D(mid))]
            case "far":
                intents = [one(side, price=D(r.choice((1, 10, mid // 2, mid * 2, mid * 1000, 10**15))))]
            case "negative":
                intents = [one(side, price=D(-mid)), one(side.other, size=D(-1))]
            case "zero":
                intents = [one(side, price=D(0)), one(side.other, size=D(0))]
            case "nan":
                intents = [one(side, price=D(r.choice(("NaN", "sNaN", "Infinity", "-Infinity"))))]
                fair = r.choice((float("nan"), float("inf"), -1.0, 0.0))
            case "endless":
                intents = [one(side, price=D(r.choice(("1e999999", "1e-999999"))))]
            case "many":
                intents = [one(side, level=n % 10, price=D(mid - 50 - n)) for n in range(r.randint(11, 60))]
            case "double" | "same_side":
                intents = [one(Side.BID), one(Side.BID)]
            case "levels":
                intents = [one(each, level=n) for n in range(10) for each in Side]
            case "old_epoch":
                message.epoch = epoch - r.randint(1, 9)
            case "new_epoch":
                epoch += 1
                number = 1
                message.epoch, message.number = epoch, number
            case "repeat":
                number -= 1
                message.number = max(1, number)
            case "other_pair":
                message.pair = r.choice(("XBTZAR", "xbtmyr", "", "../../etc"))
            case "bad_schema":
                message.v = r.choice((0, 2, 99))
            case "bad_id":
                intents = [one(side, id=r.choice(("", "x" * 200, "a b", "\x1b[2J", "e1;e2", "é-1-B0")))]
            case "used_id":
                intents = [one(side, id=r.choice(used))]
            case "jump":
                fair = float(mid * r.choice((0.1, 0.5, 1.5, 10)))
        message.intents = intents
        message.fair = fair
        yield message
