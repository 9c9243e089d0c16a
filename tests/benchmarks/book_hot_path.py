"""What ``book`` does for one frame, against the typed decode of that frame."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import msgspec
from harness import Outcome, Subject, ratio, side_by_side, spread
from recorded import decode_floor, recording

from lunomm.bus.client import Bus
from lunomm.config import RedisAddress
from lunomm.luno.wire import decode_market_frame
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.rules import PairRules

WORK = "decode + book + every field of the tick as published text, for each recorded XBTZAR update; 15,172 orders"
LEAVES_OUT = "the socket, Redis, the screen; no order of our own; the snapshot is loaded before the clock starts"
STAGES = ("decode", "book", "tick as text")
ENCODE = "msgspec's encoding of one ready tick"
SHOWN = 14


def hot_path(rules: PairRules, frames: list[str], stages: int) -> Subject:
    """The first ``stages`` of decode, book, tick as text."""
    stamped = Bus(RedisAddress("127.0.0.1", 1), "book").stamped

    def prepare() -> Callable[[], int]:
        observer = Observer(rules)
        snapshot = decode_market_frame(frames[0], rules)
        assert isinstance(snapshot, BookSnapshot)
        observer.on_snapshot(snapshot, Now(snapshot.exchange_ns, 0))
        updates = frames[1:]

        def work() -> int:
            for beat, raw in enumerate(updates):
                update = decode_market_frame(raw, rules)
                if stages == 1:
                    continue
                assert isinstance(update, BookUpdate)
                now = Now(update.exchange_ns, 0)
                observer.on_update(update, now)
                observer.drain()
                if stages == 2:
                    continue
                stamped(
                    rules.pair,
                    observer.written(now, beat=beat, wall_ms=float(now.exchange_ms), stream_age_ms=1.0, lag_ms=1.0),
                )
            return len(updates)

        return work

    return prepare


def encode_alone(rules: PairRules, frames: list[str]) -> Callable[[], int]:
    """The plain way to publish a tick, in C, without the work of making it: what the text alone is measured against."""
    observer = Observer(rules)
    snapshot = decode_market_frame(frames[0], rules)
    assert isinstance(snapshot, BookSnapshot)
    now = Now(snapshot.exchange_ns, 0)
    observer.on_snapshot(snapshot, now)
    tick = observer.tick(now, beat=0, wall_ms=float(now.exchange_ms), stream_age_ms=1.0, lag_ms=1.0)
    encode = msgspec.json.Encoder().encode

    def work() -> int:
        for _ in frames:
            encode(tick)
        return len(frames)

    return work


def run() -> Outcome:
    rules, frames = recording()
    subjects: dict[str, Subject] = {
        "decode floor": lambda: decode_floor(frames[1:]),
        ENCODE: lambda: encode_alone(rules, frames),
    }
    subjects |= {" + ".join(STAGES[:count]): hot_path(rules, frames, count) for count in range(1, len(STAGES) + 1)}
    found = side_by_side(subjects)
    floor = found["decode floor"]
    whole = " + ".join(STAGES)
    medians = {name: spread(times).median for name, times in found.items()}
    shares, before = {}, 0.0
    for stage, name in zip(STAGES, list(found)[2:], strict=True):
        shares[f"of which {stage}"] = f"{(medians[name] - before) / medians[whole]:.0%}"
        before = medians[name]
    return Outcome(
        "book_hot_path",
        WORK,
        LEAVES_OUT,
        {name: spread(times) for name, times in found.items()},
        {f"{name} / decode floor": ratio(times, floor) for name, times in found.items() if name != "decode floor"},
        shares,
        profile(hot_path(rules, frames, len(STAGES))()),
        {f"{whole} / decode floor": 10},
    )


def profile(work: Callable[[], int]) -> list[str]:
    """The functions in which the time is spent, own time only; a profiler's own cost is in it."""
    profiler = cProfile.Profile()
    profiler.enable()
    pieces = work()
    profiler.disable()
    stats: Any = pstats.Stats(profiler)
    rows = sorted(stats.stats.items(), key=lambda row: -row[1][2])
    total = sum(row[1][2] for row in rows)
    return [
        f"{own / total:5.1%} {calls / pieces:5.1f} calls  {file.rpartition('lunomm/')[2] or file}:{line} {name}"
        for (file, line, name), (_, calls, own, _, _) in rows[:SHOWN]
    ]
