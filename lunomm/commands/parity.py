"""``lunomm parity [PAIR]``: a recorded session replayed with its own parameters and latencies, and laid beside itself.

From the journal come what the quoter and the gateway were asked, what the account held, and how long each call took;
from the tape the market, our own orders of then taken out. Whatever the two do not say is said in the notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from lunomm.backtest_options import BacktestOptions
from lunomm.bus.clock import USUAL_TTL_MS
from lunomm.commands.backtest import PRINTED_WIDTH, setup_of
from lunomm.commands.fair_function import resolve
from lunomm.commands.gateway_loops import GATEWAY
from lunomm.commands.present import envelope, put_line, put_screen
from lunomm.commands.recorded_market import Recorded, load
from lunomm.commands.report import chosen, tapes_beside
from lunomm.config import Common
from lunomm.errors import UsageError
from lunomm.journal.latencies import trips_of
from lunomm.journal.store import read_journal
from lunomm.market.events import BookUpdate
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.options.report import ReportOptions
from lunomm.quoting.inputs import OrderState, OrderUpdate, UpdateKind
from lunomm.tape.attention import Attention, attention_of
from lunomm.tape.attribution import attribute
from lunomm.tape.beside import read_sidecar
from lunomm.tape.decoded import Frame
from lunomm.tape.lane import FAR_NS
from lunomm.tape.latency import RoundTrip
from lunomm.tape.lines import Sidecar, Warmth
from lunomm.tape.parity import compare
from lunomm.tape.reader import TapeLost, read_looks
from lunomm.tape.session import tell
from lunomm.tape.setup import Setup
from lunomm.tape.trial import run_trial
from lunomm.tape.walk import market_path
from lunomm.trading.desk import ASKED
from lunomm.trading.ledger import FIRST_MS, OPENING, OPENING_MARK, SHARE
from lunomm.trading.orders import Order
from lunomm.trading.restored import RestoredPair
from lunomm.views.parity import ParityView, parity_data, parity_screen

MS = 1_000_000


@dataclass(frozen=True)
class _Asked:
    """What a session's quoter and gateway were asked. epoch_ms: the quoter's start. notes: what is guessed."""

    quote: QuoteOptions
    gateway: GatewayOptions
    epoch_ms: int
    text: str
    notes: tuple[str, ...]


def run(common: Common, pair: str | None, options: ReportOptions) -> dict[str, Any]:
    """Replay, compare, print, and return what ``--json`` prints.

    Raises:
        UsageError: no journal, no tape of it, or a journal that does not say what its quoter was asked.
        JournalError: the journal cannot be trusted.
    """
    here = chosen(common.state_dir, pair, options)
    journal = read_journal(here.path, account=here.account, venue=here.venue)
    try:
        kept, updates = journal.restore(0).pairs, journal.updates(0)
    finally:
        journal.close_reading()
    name = pair or here.pairs[0]
    if name not in kept:
        raise UsageError(f"parity: {here.path.name} has nothing of {name}. Name one of {', '.join(here.pairs)}")
    notes: list[str] = []
    record = kept[name]
    window = tell(name, record, updates).session
    tapes = tapes_beside(common, here, name, (window.start_ns, window.end_ns), options, notes)
    if not tapes:
        raise UsageError(
            f"parity: no tape of {name} was recorded beside {here.path.name}. Record with `lunomm up` or "
            "`book --record`, or name it with --tape",
            code="TAPE_MISSING",
        )
    path = market_path(tapes, tapes[0].rules)
    told = tell(name, record, updates, path)
    market = load([tape.path for tape in tapes], name)
    asked = _asked(record)
    setup = _setup(market, record, updates, asked, name, notes)
    outcome = run_trial(
        market.rules, market.decoded, setup, own=frozenset(market.decoded.own), price=resolve(asked.quote.fair_price)
    )
    replayed = outcome.strategy
    found = compare(_reached(record.orders), _reached(replayed.orders), told.fills, replayed.fills, _lost(market))
    real = attribute(told.session).pnl.total
    simulated = None if replayed.attribution is None else replayed.attribution.pnl.total
    view = ParityView(
        name, market.rules.counter, here.path.name, found, (real, simulated),
        [tape.path.name for tape in tapes], asked.text, [*asked.notes, *notes, *told.notes, *market.notes],
    )  # fmt: skip
    data = parity_data(view)
    if common.json:
        put_line(envelope("parity", data))
    else:
        put_screen(parity_screen(view), least=PRINTED_WIDTH, trim=True)
    return data


def _reached(orders: Sequence[Order]) -> list[Order]:
    """Those that stood on the venue, in order of time."""
    never = (OrderState.INTENT, OrderState.SENT, OrderState.REJECTED, OrderState.DEAD)
    return sorted((order for order in orders if order.state not in never), key=lambda order: order.created_ms)


def _asked(record: RestoredPair) -> _Asked:
    """Raises UsageError: the journal does not say it, or says what this version cannot take."""
    starts = {int(name.removeprefix(ASKED)): text for name, text in record.notes.items() if name.startswith(ASKED)}
    if not starts:
        raise UsageError(
            "parity: the journal does not say what its quoter was asked: it is of an older lunomm. Run a new session",
            code="NO_PARAMETERS",
        )
    epoch_ms = min(starts)
    text = starts[epoch_ms]
    said = [] if len(starts) == 1 else [f"{len(starts)} quoters traded; the first one's options are replayed."]
    try:
        quote = msgspec.convert(_known(text, QuoteOptions), QuoteOptions, strict=False)
        limits = record.notes.get(GATEWAY, "{}")
        gateway = msgspec.convert(_known(limits, GatewayOptions), GatewayOptions, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"parity: the journal's parameters cannot be read: {str(error)[:120]}") from None
    if quote.reference is not None:
        raise UsageError("parity: this session quoted around two other markets, which its tape does not hold")
    return _Asked(quote, gateway, epoch_ms, text, tuple(said))


def _known(text: str, kind: type) -> Mapping[str, Any]:
    given = msgspec.json.decode(text, type=dict[str, Any])
    return {name: value for name, value in given.items() if name in kind.__dataclass_fields__}  # type: ignore[attr-defined]


def _setup(
    market: Recorded,
    record: RestoredPair,
    updates: Sequence[OrderUpdate],
    asked: _Asked,
    pair: str,
    notes: list[str],
) -> Setup:
    attention = attention_of(
        [looks for path in market.paths for looks in read_looks(path)], asked.epoch_ms, record.orders,
        [update for update in updates if update.pair == pair],
    )  # fmt: skip
    if attention is None:
        notes.append("The tapes do not say when the quoter looked: the replay looks at every move of the market.")
    elif attention.gaps:
        notes.append(f"{len(attention.gaps)} stretches are not known in which the quoter looked.")
    if any(order.ttl_ms > USUAL_TTL_MS for order in record.orders):
        notes.append(
            "The session's market ran faster than its processes' own clocks: the gateway's waits were longer in it "
            "than they are in the replay."
        )
    options = BacktestOptions(tapes=market.paths, pair=pair, quote=asked.quote, gateway=asked.gateway)
    base, counter = _opening(market, record, updates)
    trips = _there_and_back(trips_of(updates, pair), market, record.orders)
    ended_ms = max((order.updated_ms for order in record.orders), default=None)
    last_placed = max((order.created_ms for order in record.orders), default=0)
    warm = _warm(market.paths)
    if warm is None:
        notes.append("The tapes do not say what the book began from: estimates begin anew with them.")
    if not trips:
        notes.append("No order was acknowledged in what the journal still has: no latency is known.")
    return replace(
        setup_of(options, market),
        base=base,
        counter=counter,
        trips=trips,
        one_way_ms=0.0,
        epoch_ms=asked.epoch_ms,
        start_ns=int(record.notes[FIRST_MS]) * MS,
        end_ns=None if ended_ms is None else max(ended_ms - 1, last_placed) * MS,
        warm=warm,
        attention=attention,
        opening={name: record.notes[name] for name in (OPENING, OPENING_MARK, SHARE) if name in record.notes},
        unseen=market.mode == "paper",
        quote_from_ns=_quoted_from_ns(attention, record.orders),
        baseline=False,
    )


def _quoted_from_ns(attention: Attention | None, orders: Sequence[Order]) -> int:
    """The pieces of a session are started one after another: what quoting waited for is not in the records."""
    known = None if attention is None else attention.quoted_from_ns
    return known or min((order.created_ms for order in orders), default=0) * MS


def _there_and_back(trips: Sequence[RoundTrip], market: Recorded, orders: Sequence[Order]) -> tuple[RoundTrip, ...]:
    """Each trip with the way there, as far as the tape shows when the order came to the exchange.

    A paper exchange lets an order meet the market as it is seen there when the answer goes out.
    """
    sent = {order.order_id: order.created_ms * MS for order in orders if order.order_id is not None}
    came: dict[int, int] = {}
    times: list[tuple[int, int]] = []
    for item in market.decoded:
        if not isinstance(item, Frame):
            continue
        event = item.event
        times.append((item.recv_ns, event.exchange_ns))
        if isinstance(event, BookUpdate) and event.create is not None and event.create.order_id in sent:
            came.setdefault(sent[event.create.order_id], event.exchange_ns)
    if market.mode == "paper":
        for trip in trips:
            i = bisect_right(times, (trip.sent_ns + trip.took_ns, FAR_NS)) - 1
            if i >= 0:
                received_ns, exchange_ns = times[i]
                came[trip.sent_ns] = trip.sent_ns + trip.took_ns - max(0, received_ns - exchange_ns)
    return tuple(
        trip._replace(out_ns=max(0, came[trip.sent_ns] - trip.sent_ns)) if trip.sent_ns in came else trip
        for trip in trips
    )


def _opening(market: Recorded, record: RestoredPair, updates: Sequence[OrderUpdate]) -> tuple[Decimal, Decimal]:
    """What the account held: as the first balances said, else as the opening's note has it."""
    seen: dict[str, Decimal] = {}
    first = min((update.number for update in updates), default=0)
    for update in updates:
        if update.kind is UpdateKind.BALANCE and update.asset is not None and update.total is not None:
            seen.setdefault(update.asset, update.total)
    opening = Decimal(record.notes[OPENING])
    mark, share = Decimal(record.notes[OPENING_MARK]), Decimal(record.notes[SHARE])
    base, counter = seen.get(market.rules.base), seen.get(market.rules.counter)
    if first > 1 or base is None or counter is None:
        worth = opening * mark / share if share else Decimal(0)
        return opening, (worth - opening * mark).quantize(Decimal("0.01"))
    return base, counter


def _warm(paths: Sequence[Path]) -> Warmth | None:
    for path in paths:
        said = read_sidecar(path)
        if isinstance(said, Sidecar) and said.warm is not None:
            return said.warm
    return None


def _lost(market: Recorded) -> list[tuple[int, int]]:
    """Stretches in which the tape knew nothing, exchange ms."""
    found: list[tuple[int, int]] = []
    begun: int | None = None
    for item in market.decoded:
        if isinstance(item, TapeLost):
            begun = item.recv_ns // MS if begun is None else begun
        elif begun is not None:
            found.append((begun, item.recv_ns // MS))
            begun = None
    return found
