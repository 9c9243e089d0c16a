"""What one cycle does to the pipeline, and what must hold after it.

| fault | must hold |
|---|---|
| gateway killed | nobody's orders: none of ours rests DEAD_S later that no living gateway knows; never two of a side |
| gateway frozen | flat within DEAD_S when frozen that long; quotes again after it thaws |
| book, quote, Redis or guardian killed | flat within FLAT_S of the kill; quotes again |
| double start | the second instance exits 6, and the first one's orders stay |
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.chaos.rig import TYPED, Rig, until

DEAD_S = 10.0
FLAT_S = 5.0
LOOK_S = 0.5
"""A bound is judged by looks some tenths of a second apart, on a machine that is not idle."""

BORNE_S = 2.0
"""A Redis that is back so soon (a piece that had missed it already starts it at once) was never lost to a quoter whose
word counts for three seconds: quotes may stay."""

AGAIN_S = 60.0


def gateway(rig: Rig, chance: random.Random) -> list[str]:
    """kill -9 at a random moment; the successor comes at once, soon, or not before the bound."""
    time.sleep(chance.uniform(0.0, 3.0))
    killed = rig.kill("gateway")
    pause = chance.choice([0.0, chance.uniform(0.0, 3.0), DEAD_S + 1.5])
    if rig.under_up:
        pause = 0.0
    elif pause < DEAD_S:
        time.sleep(pause)
        rig.again("gateway")
    wrong: list[str] = []
    time.sleep(max(0.0, killed + DEAD_S - time.monotonic()))
    assert rig.watcher is not None
    if pause > DEAD_S:
        taken = rig.watcher.flat_after(killed)
        if taken is None or taken > DEAD_S + LOOK_S:
            wrong.append(f"orders of a dead gateway after {DEAD_S:g} s: {rig.watcher.last()}")
        rig.again("gateway")
    elif orphans := _orphans(rig):
        wrong.append(f"orphans {DEAD_S:g} s after the kill: {orphans}")
    return wrong + _quotes_again(rig)


def _orphans(rig: Rig) -> set[str]:
    """Orders of ours at the exchange that the living gateway does not know, in two looks in a row."""
    assert rig.watcher is not None

    def look() -> set[str]:
        last = rig.watcher.last() if rig.watcher is not None else None
        return set() if last is None else {cid for _, cid in last.orders} - rig.known()

    first = look()
    time.sleep(0.6)
    return first & look()


def frozen(rig: Rig, chance: random.Random) -> list[str]:
    """SIGSTOP for up to a minute."""
    return freeze(rig, chance.choice([chance.uniform(0.2, 3.0), chance.uniform(3.0, 60.0), chance.uniform(11.0, 60.0)]))


def freeze(rig: Rig, seconds: float) -> list[str]:
    """SIGSTOP for so long."""
    stopped = rig.kill("gateway", signal.SIGSTOP)
    time.sleep(seconds)
    wrong: list[str] = []
    assert rig.watcher is not None
    if seconds > DEAD_S + LOOK_S:
        taken = rig.watcher.flat_after(stopped)
        if taken is None or taken > DEAD_S + LOOK_S:
            wrong.append(f"frozen for {seconds:.1f} s, not flat within {DEAD_S:g} s")
    rig.kill("gateway", signal.SIGCONT)
    return wrong + _quotes_again(rig)


def _flat_then_again(name: str) -> Callable[[Rig, random.Random], list[str]]:
    def cycle(rig: Rig, chance: random.Random) -> list[str]:
        time.sleep(chance.uniform(0.0, 2.0))
        killed = rig.kill(name)
        wrong: list[str] = []
        assert rig.watcher is not None
        try:
            until(lambda: rig.watcher is not None and rig.watcher.flat_after(killed) is not None, FLAT_S + 5, "flat")
        except AssertionError:
            if name == "redis" and rig.redis_up_since() < killed + BORNE_S:
                return _quotes_again(rig)
            wrong.append(f"{name} killed: not flat at all")
        else:
            taken = rig.watcher.flat_after(killed)
            borne = name == "redis" and rig.redis_up_since() < killed + BORNE_S
            if taken is not None and taken > FLAT_S + LOOK_S and not borne:
                wrong.append(f"{name} killed: flat only after {taken:.1f} s")
        rig.again(name)
        return wrong + _quotes_again(rig)

    return cycle


def _quotes_again(rig: Rig) -> list[str]:
    try:
        rig.two_sided(AGAIN_S)
    except AssertionError as error:
        return [f"no quotes again: {error}"]
    return []


def double(rig: Rig, chance: random.Random) -> list[str]:
    """A second gateway or quoter of the same account or pair, while the first one serves."""
    name = chance.choice(["gateway", "quote"])
    second = rig.spawn(*TYPED[name])
    code = second.wait(60)
    wrong = [] if code == 6 else [f"a second {name} ended with {code}, not 6"]
    return wrong + _quotes_again(rig)


CYCLES: dict[str, Callable[[Rig, random.Random], list[str]]] = {
    "gateway": gateway,
    "frozen": frozen,
    "book": _flat_then_again("book"),
    "quote": _flat_then_again("quote"),
    "redis": _flat_then_again("redis"),
    "guardian": _flat_then_again("guardian"),
    "double": double,
}

UP_LIMIT = 2
"""Deaths of one child that `up` bears in five minutes; the third is final, so a new `up` is started before it."""
