"""``bash scripts.sh soak day``: a day of the simulated market through book, quoter and gateway, and their memory.

In one process, on a virtual clock: the feed of `book` with its observer, the text of every tick as the bus has it, that
text read again, and quoter and reconciler that trade on it. The exchange is a process of its own, since it remembers
every order for ever, as it must; its answers are waited for, so that both are on one time. Left out: sockets, Redis,
SQLite, screens and the event loop; `--processes` starts the real pieces instead and watches each.

The memory of this process is read every ten simulated minutes. After the first hour it may grow by five megabytes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from virtual_market import QUOTING, START_NS, settings

from lunomm.bus.channels import LOB
from lunomm.bus.client import Bus
from lunomm.bus.clock import Clock
from lunomm.commands.feed import Feed, Venue
from lunomm.config import RedisAddress
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.stream import Frame
from lunomm.luno.wire import decode_market_frame
from lunomm.market.clock import Now
from lunomm.market.own import OwnIntent
from lunomm.market.records import BookState, Tick
from lunomm.market.rules import PairRules
from lunomm.options.book import BookOptions
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator.exchange import seeded
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import VenueError
from lunomm.tape.counterparty import Counterparty
from lunomm.tape.lane import Lane, Record
from lunomm.tape.latency import Fixed

PAIR = PROFILE = "XBTZAR"
OWNER = "sim"
DAY_UPDATES = 1_650_000
"""At the recorded rate."""

MS, SECOND = 1_000_000, 1_000_000_000
LATENCY = Fixed(25)
SAMPLE_S, WARM_S = 600.0, 3600.0
MOST_MB = 5.0


# --- the exchange, in its own process -------------------------------------------------------------------------------


class Reply(NamedTuple):
    """What came of one word to the exchange: a value or an error, what the streams say, when the house acts next."""

    value: Any
    error: tuple[int, str, str] | None
    frames: list[tuple[int, str]]
    user: list[UserFrame]
    next_ns: int


def exchange(end: Connection, seed: int) -> None:
    """Serve words until there are no more: ``act`` for the house, or a call of the venue with its arguments."""
    sim = seeded([PAIR], profile=PROFILE, seed=seed, fee_tier=0, start_ns=START_NS)
    venue, house = sim.venue, sim.houses[PAIR]
    end.send((venue.engine(PAIR).rules, sim.snapshot_raw(PAIR), house.next_ns))
    while True:
        try:
            word, args, kwargs = end.recv()
        except EOFError:
            return
        value, error = None, None
        if word == "act":
            house.act(*args)
        else:
            try:
                value = getattr(venue, word)(*args, **kwargs)
            except VenueError as refused:
                error = refused.status, refused.code, str(refused)
            if word in ("postorder", "stoporder"):
                house.repair(args[0])
        frames, user = [], []
        for frame in venue.drain():
            if isinstance(frame, UserFrame):
                user.append(frame)
            else:
                frames.append((frame.timestamp_ms * MS, frame.raw))
        end.send(Reply(value, error, frames, user, house.next_ns))


class Far:
    """The exchange as seen from here: the calls of its venue, and what its streams said meanwhile.

    Attributes:
        frames: of the market, with their exchange time. next_ns: when the house acts next. pid: of its process.
    """

    def __init__(self, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=exchange, args=(theirs, seed), daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid
        self.rules: PairRules
        self.opening: str
        self.next_ns: int
        self.rules, self.opening, self.next_ns = self._end.recv()
        self.frames: deque[tuple[int, str]] = deque()
        self._user: list[UserFrame] = []

    def act(self) -> None:
        """Let the house do what is due next."""
        self._ask("act", (self.next_ns,), {})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._ask(name, args, kwargs)

    def _ask(self, word: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._end.send((word, args, kwargs))
        reply: Reply = self._end.recv()
        self.next_ns = reply.next_ns
        self.frames += reply.frames
        self._user += reply.user
        if reply.error is not None:
            status, code, text = reply.error
            raise VenueError(status, code, text)
        return reply.value

    @property
    def waiting(self) -> bool:
        return bool(self._user)

    def drain(self) -> list[UserFrame]:
        heard, self._user = self._user, []
        return heard

    def close(self) -> None:
        self._end.close()
        self._process.join(20)


# --- the pieces, in this one -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Virtual(Clock):
    """A clock that stands where it was put: exchange, wall and monotonic time are one."""

    def at(self, now_ns: int) -> None:
        object.__setattr__(self, "anchor_wall_ns", now_ns)

    def now(self) -> Now:
        return Now(self.anchor_wall_ns, self.anchor_wall_ns)

    def exchange_ns(self) -> int:
        return self.anchor_wall_ns

    def wall_ms(self) -> int:
        return self.anchor_wall_ns // MS

    def mono_ns(self) -> int:
        return self.anchor_wall_ns


class NoRest:
    """Nobody asks here: neither the candles nor the list of the audit."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a call of REST: {name}")


class Sample(NamedTuple):
    """At simulated second ``at_s``: what has been done by then, and the memory of both processes, MB."""

    at_s: float
    updates: int
    orders: int
    fills: int
    rss_mb: float
    exchange_mb: float

    def text(self) -> str:
        return (
            f"{self.at_s / 3600:6.2f} h  {self.updates:9,} updates  {self.orders:6,} orders  {self.fills:5,} fills  "
            f"{self.rss_mb:7.2f} MB  (the exchange, which remembers every order: {self.exchange_mb:.1f} MB)"
        )


class Day:
    """The pieces over one pair, and a clock for them all."""

    def __init__(self, seed: int) -> None:
        self.far = Far(seed)
        self.rules = self.far.rules
        self.updates = self.orders = self.fills = 0
        self._clock = Virtual()
        self._clock.at(START_NS)
        endpoint, key = Endpoint("http://127.0.0.1:1", "ws://127.0.0.1:1"), ApiKey(OWNER, OWNER)
        self.feed = Feed(self.rules, BookOptions(), Venue(endpoint, key, NoRest(), self._clock))  # type: ignore[arg-type]
        self._bus = Bus(RedisAddress("127.0.0.1", 1), "book")
        self._text = ""
        self._apply(START_NS, self.far.opening)
        now = self._clock.now()
        self._party = Counterparty(self.far, self.far.drain, OWNER, LATENCY)  # type: ignore[arg-type]
        quoter = Quoter(PAIR, QuoterOptions(**QUOTING), epoch_ms=START_NS // MS)
        self.lane = Lane("day", self.rules, quoter, self._party, settings(), self._look, now, moved=self._said)
        self._own: tuple[OwnIntent, ...] = ()
        self._sampled_ns = START_NS

    def _apply(self, now_ns: int, raw: str) -> None:
        """One frame, as `book` does it: applied, published, its records taken."""
        feed, before = self.feed, (self.feed.observer.touch, self.feed.observer.state)
        self._clock.at(now_ns)
        feed._apply(Frame(raw, decode_market_frame(raw, self.rules), now_ns, now_ns))
        if feed.void:
            raise AssertionError(f"the book gave up: {feed.note}")
        self._text = self._bus.stamped(PAIR, feed.written()).decode()
        for record in feed.records:
            self._bus.encode(record)
        feed.records.clear()
        if self.updates and (feed.observer.touch, feed.observer.state) != before:
            self._moved(now_ns, feed.observer.state is not before[1])

    def _moved(self, now_ns: int, changed: bool) -> None:
        mid = self.feed.observer.touch.mid(self.rules)
        if changed or mid is None:
            self.lane.stir(now_ns)
        else:
            self.lane.heed(mid, now_ns)

    def _look(self, _: Now) -> Tick:
        """The last tick, as who reads the bus has it."""
        tick = self._bus.decode(LOB, self._text, PAIR)
        assert tick is not None and tick.state is BookState.OK, self._bus.dropped
        return tick

    def _said(self, wanted: Any, _: int) -> None:
        self._bus.encode(wanted)

    def _own_orders(self, now_ns: int) -> None:
        """The gateway's orders, which `book` must know for ours."""
        rules = self.rules
        own = tuple(
            OwnIntent(
                order.intent_id, order.order_id, order.side,
                rules.price_ticks(f"{order.price:f}"), rules.volume_lots(f"{order.leaves:f}"),
            )
            for order in self.lane.live()
        )  # fmt: skip
        if own != self._own:
            self._own = own
            self._clock.at(now_ns)
            self.feed.set_own(own)

    def run(self, updates: int, sample_s: float) -> Iterator[Sample]:
        """So many updates, with a look at the memory every ``sample_s`` simulated seconds."""
        far, party, lane = self.far, self._party, self.lane
        step_ns, second_ns = round(sample_s * SECOND), START_NS
        while self.updates < updates:
            # Within a millisecond: the house, then calls that arrive, frames that do, and our own.
            due, at = far.next_ns, party.next_arrival_ns
            times = [(due // MS * MS, 0), (lane.next_ns, 3)]
            times += [(at // MS * MS, 1)] if at is not None else []
            times += [(far.frames[0][0] + LATENCY.back_ns, 2)] if far.frames else []
            now_ns, what = min(times)
            if now_ns >= second_ns:
                self._second()
                second_ns += SECOND
            if now_ns >= self._sampled_ns + step_ns:
                self._sampled_ns += step_ns
                yield self._sample()
            if what == 0:
                far.act()
                lane.hear(now_ns + LATENCY.back_ns)
            elif what == 1:
                party.arrive_before(now_ns + MS)
            elif what == 2:
                self._apply(now_ns, far.frames.popleft()[1])
                self.updates += 1
                self._own_orders(now_ns)
            else:
                lane.run_before(now_ns + 1)

    def _second(self) -> None:
        """What the pieces do by the clock: the counters and the screen of `book`."""
        feed = self.feed
        feed._mids.append(None if feed.last is None or feed.last.mid_price is None else float(feed.last.mid_price))
        feed.view()

    def _sample(self) -> Sample:
        record = self.lane.record
        if record.halts:
            raise AssertionError(f"the gateway halted: {record.halts}")
        self.orders += len(record.placed)
        self.fills += len(record.entries)
        self.lane.record = Record()  # the journal's part: what it holds is on the disk
        at_s = (self._sampled_ns - START_NS) / SECOND
        return Sample(at_s, self.updates, self.orders, self.fills, rss_mb(None), rss_mb(self.far.pid))


def rss_mb(pid: int | None) -> float:
    """Resident memory of a process (None: this one), MB."""
    return int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]) * 4096 / 1e6


def verdict(memory: Sequence[float]) -> tuple[bool, str]:
    """Whether it stayed within the bound, and the figures. memory: after the warm-up, oldest first, MB."""
    growth = max(memory) - memory[0]
    told = (
        f"after the warm-up: least {min(memory):.2f}, median {statistics.median(memory):.2f}, most {max(memory):.2f} "
        f"MB in {len(memory)} samples; grown by {growth:.2f} MB (at most {MOST_MB:g})"
    )
    return growth <= MOST_MB, told


def virtual(args: argparse.Namespace, say: Callable[[str], object], each: Callable[[Day], object] | None) -> int:
    """The day on the virtual clock. each: called with every sample, for who wants to look inside."""
    day = Day(args.seed)
    began, memory = time.monotonic(), []
    try:
        for sample in day.run(args.updates, args.sample_s):
            if each is not None:
                each(day)
            say(sample.text())
            if sample.at_s >= args.warm_s:
                memory.append(sample.rss_mb)
    finally:
        day.far.close()
    if len(memory) < 2 or not day.fills:
        say(f"too short: {len(memory)} samples after the warm-up, {day.orders} orders, {day.fills} fills")
        return 2
    fine, told = verdict(memory)
    took = time.monotonic() - began
    say(f"{day.updates:,} updates, {day.orders:,} orders, {day.fills:,} fills in {took:.0f} s; {told}")
    return 0 if fine else 1


def main(argv: list[str], each: Callable[[Day], object] | None = None) -> int:
    """The command line. 0: flat, 1: grown, 2: too short to say."""
    parser = argparse.ArgumentParser(prog="bash scripts.sh soak day", description=__doc__)
    parser.add_argument("--updates", type=int, default=DAY_UPDATES, help=f"of the market (a day: {DAY_UPDATES:,})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample-s", type=float, default=SAMPLE_S, help="simulated seconds between two looks")
    parser.add_argument("--warm-s", type=float, default=WARM_S, help="simulated seconds that do not count")
    parser.add_argument("--processes", action="store_true", help="the real pieces, each a process, in real time")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long, with --processes")
    parser.add_argument("--warm-minutes", type=float, default=8.0, help="of them that do not count")
    parser.add_argument("--speed", type=float, default=20.0, help="of the market, with --processes")
    args, say = parser.parse_args(argv), partial(print, flush=True)
    if args.processes:
        from day_of_processes import watch

        return asyncio.run(watch(args.minutes, args.warm_minutes, args.speed, say))
    return virtual(args, say, each)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
