"""``lunomm doctor --live``: what a user with keys looks at before the first order. Places none, and has no way to.

Everything doctor checks comes first; what fails there ends it. Then the market is recorded for a while, the book held
against the exchange's own list of best prices, and what was recorded is judged: a calibration, what a round trip costs
against the touch, and what the user's own settings would have got in the queues (`lunomm backtest` on the tape just
made, with the account's balances, fees and the latency just measured). No Redis is needed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from lunomm.backtest_options import BacktestOptions
from lunomm.bus.clock import Clock
from lunomm.checks.venue import check_break_even
from lunomm.checks.verdicts import Level, Verdict, failed, passed, warned
from lunomm.commands import venue_finder
from lunomm.commands.auditing import audit
from lunomm.commands.backtest import backtest_data, judged
from lunomm.commands.calibration_data import params_data
from lunomm.commands.doctor import Examined, examine, show
from lunomm.commands.doctor_settings import Known
from lunomm.commands.feed import Feed, Venue, new_rest, watch_rules
from lunomm.commands.present import envelope, progress_bar, put_line, put_screen, say
from lunomm.commands.record import RecordingStopped
from lunomm.commands.recording import begin, end
from lunomm.commands.signals import ending
from lunomm.config import Common
from lunomm.errors import MarketDataError, UsageError
from lunomm.luno.hosts import endpoint
from lunomm.market.calibration import calibrate
from lunomm.market.records import BookAudit, GridRow, Params, TakerOrder
from lunomm.market.rules import PairRules
from lunomm.options.book import BookOptions
from lunomm.tape.lines import is_ours
from lunomm.views import palette
from lunomm.views.backtest import BacktestView, backtest_screen
from lunomm.views.calibrate import CalibrateView, calibrate_screen
from lunomm.views.doctor import doctor_data, verdict_lines
from lunomm.views.text import counted

PRINTED_HEIGHT = 200
AUDIT_S = 10.0
TAKE_S = 0.2
SAY_S = 30.0
"""Between two lines where nobody watches a bar."""

LEAST_LATENCY_MS = 1.0
"""Each way: a recording that reacts in no time at all would be kinder than any exchange."""


@dataclass
class Recorded:
    """What was seen. path: of the tape, None where no frame came. note: what went wrong last."""

    rules: PairRules
    orders: list[TakerOrder]
    rows: list[GridRow]
    paths: list[Path]
    audit: BookAudit
    frames: int
    resyncs: int
    seconds: float
    note: str


def run(known: Known, env: Mapping[str, str], *, for_s: float, into: Path) -> int:
    """Check, record, judge, print; the exit code.

    Raises:
        RecordingStopped (1), CredentialsError (3), ExchangeError (4): the stream is refused for good. UsageError (2):
            the folder cannot be written.
    """
    common = known.common
    found = asyncio.run(examine(known, env, first_run=True))
    if not common.json:
        show(found.view, json=False)
    if found.code or found.told.rules is None:
        if common.json:
            put_line(envelope("doctor", {**doctor_data(found.view), "recorded": None}))
        return found.code or 1
    say(f"recording {known.pair} for {for_s:g} s into {into}; Ctrl-C ends it earlier. No order is placed")
    seen = asyncio.run(record(common, found.told.rules, for_s, into))
    verdicts = [_stream(seen), _audited(seen)]
    if not seen.paths or not seen.frames:
        _print(common, found, seen, verdicts, None, None)
        return _code(verdicts)
    params = calibrate(seen.orders, seen.rows, seen.rules, provenance="market stream, own recording")
    verdicts.append(_fees(found))
    view = None
    try:
        view = made = judged(_trial(known, found, seen), bar=not common.json)
    except (UsageError, MarketDataError) as error:
        verdicts.append(failed("paper queue", f"the recording cannot be judged: {error}", "record again, longer", 1))
    else:
        verdicts.append(_filled(made, seen))
    _print(common, found, seen, verdicts, params, view)
    return _code(verdicts)


def _code(verdicts: list[Verdict]) -> int:
    return max((verdict.code for verdict in verdicts), default=0)


# --- recording -------------------------------------------------------------------------------------------------------


async def record(common: Common, rules: PairRules, for_s: float, into: Path) -> Recorded:
    """Follow the market until the time is over or it is stopped, into a tape, audited."""
    venue_info = venue_finder.live_venue(common)
    place = endpoint(venue_info.url)
    options = BookOptions(record=into, audit_s=AUDIT_S)
    before = set(_tapes(into, rules.pair))
    stop = asyncio.Event()
    began = time.monotonic()
    with ending(stop):
        async with new_rest(place, common.key) as rest:
            feed = Feed(rules, options, Venue(place, common.key, rest, Clock(), venue_info.title))
            await begin(feed, venue_info, options, 1)
            taken: list[TakerOrder | GridRow] = []
            try:
                await _follow(common, feed, taken, stop, for_s)
            finally:
                await end(feed)
    made = [path for path in _tapes(into, rules.pair) if path not in before]
    return Recorded(
        rules=rules,
        orders=[each for each in taken if isinstance(each, TakerOrder)],
        rows=[each for each in taken if isinstance(each, GridRow)],
        paths=made,
        audit=feed.auditor.result,
        frames=feed.frames,
        resyncs=feed.resyncs,
        seconds=time.monotonic() - began,
        note=feed.note or feed.audit_note,
    )


def _tapes(folder: Path, pair: str) -> list[Path]:
    """A pair's tapes, oldest first."""
    return sorted(path for path in folder.glob(f"{pair}*") if is_ours(path.name))


async def _follow(
    common: Common, feed: Feed, taken: list[TakerOrder | GridRow], stop: asyncio.Event, for_s: float
) -> None:
    """Raises: whatever ends the stream for good."""
    works = [
        asyncio.create_task(work, name=f"doctor:{name}")
        for name, work in (
            ("stream", feed.follow()), ("warm", feed.warm()), ("sample", feed.sample()), ("rules", watch_rules(feed)),
            ("audit", audit(feed)), ("take", _take(common, feed, taken, for_s)),
        )
    ]  # fmt: skip
    stopping = asyncio.create_task(stop.wait(), name="doctor:stop")
    try:
        # Some end by themselves, and well: the memory is warm, the audit is switched off.
        end_at = time.monotonic() + for_s
        while not stop.is_set() and (left := end_at - time.monotonic()) > 0:
            running = [work for work in works if not work.done()]
            done, _ = await asyncio.wait({stopping, *running}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for work in done - {stopping}:
                work.result()
    finally:
        for work in (*works, stopping):
            work.cancel()
        await asyncio.gather(*works, stopping, return_exceptions=True)
    feed.tick()
    taken.extend(feed.records)


async def _take(common: Common, feed: Feed, taken: list[TakerOrder | GridRow], for_s: float) -> None:
    """Records as they come, and how far it is."""
    bar = progress_bar(f"recording {feed.rules.pair}", round(for_s), shown=not common.json)
    began = told = time.monotonic()
    try:
        while True:
            await asyncio.sleep(TAKE_S)
            feed.tick()  # carries the records' time on while the market is quiet
            while feed.records:
                taken.append(feed.records.popleft())
            if feed.recorder is not None and feed.recorder.trouble:
                raise RecordingStopped(f"{feed.rules.pair}: {feed.recorder.trouble}. Make room or name another --into")
            now = time.monotonic()
            bar(min(round(now - began), round(for_s) - 1))
            if now - told > SAY_S:
                told = now
                takers = sum(isinstance(each, TakerOrder) for each in taken)
                words = f"{now - began:.0f} of {for_s:.0f} s: {feed.frames} frames, {takers} taker orders {feed.note}"
                say(words.rstrip())
    finally:
        bar(round(for_s))


# --- judging ---------------------------------------------------------------------------------------------------------


def _stream(seen: Recorded) -> Verdict:
    text = (
        f"{seen.frames} frames and {len(seen.orders)} taker orders in {seen.seconds:.0f} s, lost {seen.resyncs} times"
    )
    if not seen.frames:
        return failed("stream", f"no frame came in {seen.seconds:.0f} s {seen.note}".rstrip(), "try again, longer", 4)
    if seen.resyncs:
        return warned("stream", f"{text} {seen.note}".rstrip(), "look at the connection: quotes go down at each loss")
    return passed("stream", text)


def _audited(seen: Recorded) -> Verdict:
    done = seen.audit
    if done.drift is None:
        return warned("audit", f"the book was not compared {seen.note}".rstrip(), "record longer: --for 60 or more")
    text = f"the book was compared {done.checks} times with the exchange's own list of best prices"
    if done.resyncs:
        return failed("audit", f"{text}, and was wrong {done.resyncs} times", "do not trade; run it again", 4)
    if done.misses:
        return warned("audit", f"{text}, {done.misses} times not to the last lot", "run it again, longer")
    return passed("audit", f"{text}: no difference")


def _fees(found: Examined) -> Verdict:
    venue = found.told.venue
    assert venue.market is not None
    return check_break_even(venue.market, venue.taker_fee, venue.traded, venue.fees_said)


def _trial(known: Known, found: Examined, seen: Recorded) -> BacktestOptions:
    """The user's own settings on the tape just made, with his money, his fees and his distance to the exchange."""
    told, rules = found.told, seen.rules
    market = told.venue.market
    held = told.held or {}
    funded = any(held.values())
    percent = Decimal(100)
    return BacktestOptions(
        tapes=tuple(seen.paths),
        quote=known.quote,
        base=held.get(rules.base) if funded else None,
        counter=held.get(rules.counter) if funded else None,
        maker_fee=None if market is None or market.maker_fee is None else market.maker_fee * percent,
        taker_fee=None if told.venue.taker_fee is None else told.venue.taker_fee * percent,
        latency_ms=max(round((told.venue.took_ms or 0.0) / 2, 1), LEAST_LATENCY_MS),
    )


def _filled(view: BacktestView, seen: Recorded) -> Verdict:
    """What the queues gave, with what is strictly sure and what is possible at most."""
    lane = view.outcome.strategy
    least, queue, most = lane.bracket_base
    if not lane.placed:
        text = "no quote in this time: estimates were not ready, or a side was away for the reasons above"
        return warned("paper queue", text, "record longer: lunomm doctor --live --for 900")
    text = (
        f"{counted(lane.placed, 'order')} would have been placed, {_plain(queue)} {seen.rules.base} filled in "
        f"{counted(len(lane.fills), 'fill')} ({_plain(least)} by strict trade-through, {_plain(most)} at touch)"
    )
    return passed("paper queue", text, "try other settings on this tape: lunomm backtest TAPE --gamma 3")


def _plain(amount: Decimal) -> str:
    return format(amount.normalize() if amount else Decimal(0), "f")


# --- saying ----------------------------------------------------------------------------------------------------------


def _print(
    common: Common,
    found: Examined,
    seen: Recorded,
    verdicts: list[Verdict],
    params: Params | None,
    view: BacktestView | None,
) -> None:
    if common.json:
        data: dict[str, Any] = doctor_data(found.view)
        data["recorded"] = {
            "tapes": [str(path) for path in seen.paths],
            "seconds": seen.seconds,
            "frames": seen.frames,
            "resyncs": seen.resyncs,
            "taker_orders": len(seen.orders),
            "audit": {"checks": seen.audit.checks, "misses": seen.audit.misses, "drift": seen.audit.drift},
            "checks": [
                {"check": v.check, "level": v.level.value, "text": v.text, "next": v.step or None} for v in verdicts
            ],
            "calibration": None if params is None else params_data(params),
            "backtest": None if view is None else backtest_data(view),
            "orders_placed": 0,
        }
        data["exit_code"] = _code(verdicts)
        put_line(envelope("doctor", data))
        return
    if params is not None:
        shown = CalibrateView(params.pair, "the recording", params, seen.rules.counter, rules=seen.rules)
        put_screen(Group(Text(), calibrate_screen(shown)), trim=True, height=PRINTED_HEIGHT)
    if view is not None:
        put_screen(Group(Text(), backtest_screen(view)), trim=True)
    parts: list[RenderableType] = [Text()]
    for verdict in verdicts:
        parts += verdict_lines(verdict)
    put_screen(Group(*parts), trim=True)
    put_line("")
    for path in seen.paths:
        put_line(f"tape: {path}")  # whole, however narrow the terminal: it is to be copied
    put_screen(Text(_last(verdicts), palette.STRONG), trim=True)


def _last(verdicts: list[Verdict]) -> str:
    if any(verdict.level is Level.FAIL for verdict in verdicts):
        return "No order was placed. Do what stands below each failure before you trade"
    return "No order was placed. Next: paper trading, lunomm up --mode paper; then Going live in the README"
