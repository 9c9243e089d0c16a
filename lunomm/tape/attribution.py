"""What a session came to: profit split into spread capture, inventory and fees, and the figures around it (pure).

One computation for a live, paper or simulated session (``lunomm report``, from the journal and the tape) and for a
backtest, so that their figures can be compared. The profit is `trading.inventory`'s, the very bookkeeping the gateway
runs; that its parts add up to the change in worth, computed apart from them, is checked here to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any

import msgspec

from lunomm.errors import ModelError
from lunomm.market.rules import EXACT, PairRules, Side
from lunomm.quoting.inputs import Fill, Pnl
from lunomm.tape.equity import Curve, Sharpe, course, drawdown, inventory, sharpe, steps, thinned
from lunomm.tape.lives import OrderLife, at_touch, filled, presence
from lunomm.tape.market_path import MarketPath
from lunomm.tape.markouts import HORIZONS_S, Markout, markouts
from lunomm.tape.round_trips import RoundTrips, round_trips
from lunomm.trading.events import Flow
from lunomm.trading.inventory import Inventory, mark_of, plain

__all__ = [
    "HORIZONS_S",
    "Attribution",
    "Curve",
    "MarketPath",
    "Markout",
    "OrderLife",
    "RoundTrips",
    "Session",
    "Sharpe",
    "attribute",
    "attribution_data",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is judged.

    Times: exchange, Unix ns. opening: base held at the start; the marks: fair prices then and at the end.
    entries: fills and flows in the order they were booked; a fill without a fair price is marked at its own.
    lives: of the orders that reached the venue; None: not known. path: the others' best prices; None: not known.
    target: base meant to be held (None: the opening). capital: what the account was worth at the start, counter.
    """

    rules: PairRules
    start_ns: int
    end_ns: int
    opening: Decimal
    opening_mark: Decimal
    closing_mark: Decimal
    entries: Sequence[Fill | Flow]
    lives: Sequence[OrderLife] | None = None
    path: MarketPath | None = None
    target: Decimal | None = None
    capital: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The figures. Money and amounts exact, statistics in floats; None is not known.

    bought, sold, opening, closing, target, max_inventory, mean_inventory (distance from the target): base.
    turnover, pnl, beyond_holding (profit less what the opening position alone would have made), target_holding (what
    the target alone would have made), drawdown: counter. fees_base, fees_counter: each in its own currency.
    marked: fills whose fair price was known. orders: that reached the venue, orders_filled: with any fill;
    fill_ratio, volume_ratio: shares of them, by number and by volume. uptime, one_sided: shares of the window with both
    sides, and with exactly one, working. at_touch_bid, at_touch_ask: shares of the known time with our best as good as
    the others' or better.
    """

    pair: str
    base: str
    counter: str
    start_ns: int
    end_ns: int
    fills: int
    maker_fills: int
    bought: Decimal
    sold: Decimal
    turnover: Decimal
    pnl: Pnl
    beyond_holding: Decimal
    target_holding: Decimal
    fees_base: Decimal
    fees_counter: Decimal
    opening: Decimal
    closing: Decimal
    target: Decimal
    opening_mark: Decimal
    closing_mark: Decimal
    marked: int
    markouts: tuple[Markout, ...]
    orders: int | None
    orders_filled: int | None
    fill_ratio: float | None
    volume_ratio: float | None
    uptime: float | None
    one_sided: float | None
    at_touch_bid: float | None
    at_touch_ask: float | None
    max_inventory: float
    mean_inventory: float
    max_drawdown: float
    max_drawdown_share: float | None
    sharpe: Sharpe | None
    round_trips: RoundTrips | None
    curve: Curve

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def attribute(session: Session) -> Attribution:
    """Judge a session.

    Raises:
        ModelError: the window is empty or reversed, or the parts of the profit do not add up to it.
    """
    if session.end_ns < session.start_ns:
        raise ModelError(f"a session cannot end ({session.end_ns} ns) before it starts ({session.start_ns} ns)")
    window = (session.start_ns, session.end_ns)
    opening_mark, closing_mark = mark_of(session.opening_mark), mark_of(session.closing_mark)
    books = Inventory(session.opening, opening_mark)
    for entry in session.entries:
        if isinstance(entry, Fill):
            books.fill(entry)
        else:
            books.flow(entry.base, entry.counter, entry.mark)
    pnl = books.pnl(closing_mark)
    _check(pnl)
    fills = [entry for entry in session.entries if isinstance(entry, Fill)]
    target = session.opening if session.target is None else session.target
    held = steps(session.opening, opening_mark, session.entries)
    whole = course(held, session.path, window, float(opening_mark), (float(pnl.total), float(closing_mark)))
    deepest = drawdown(whole)
    most, mean = inventory(held, float(target), window)
    lives, path = session.lives, session.path
    placed = None if lives is None else filled(lives)
    shares = None if lives is None else presence(lives, *window)
    touch = {
        side: None if lives is None or path is None else at_touch(lives, side, path, *window)
        for side in (Side.BID, Side.ASK)
    }
    return Attribution(
        pair=session.rules.pair,
        base=session.rules.base,
        counter=session.rules.counter,
        start_ns=session.start_ns,
        end_ns=session.end_ns,
        fills=len(fills),
        maker_fills=sum(fill.maker for fill in fills),
        bought=plain(books.bought),
        sold=plain(books.sold),
        turnover=plain(books.traded_counter),
        pnl=pnl,
        beyond_holding=plain(EXACT.subtract(pnl.total, pnl.holding)),
        target_holding=plain(EXACT.multiply(target, EXACT.subtract(closing_mark, opening_mark))),
        fees_base=plain(sum((fill.fee_base for fill in fills), Decimal(0))),
        fees_counter=plain(sum((fill.fee_counter for fill in fills), Decimal(0))),
        opening=session.opening,
        closing=books.position,
        target=target,
        opening_mark=opening_mark,
        closing_mark=closing_mark,
        marked=sum(fill.fair is not None for fill in fills),
        markouts=markouts(fills, path),
        orders=placed.orders if placed else None,
        orders_filled=placed.filled if placed else None,
        fill_ratio=placed.ratio if placed else None,
        volume_ratio=placed.by_volume if placed else None,
        uptime=shares[0] if shares else None,
        one_sided=shares[1] if shares else None,
        at_touch_bid=touch[Side.BID],
        at_touch_ask=touch[Side.ASK],
        max_inventory=most,
        mean_inventory=mean,
        max_drawdown=deepest,
        max_drawdown_share=deepest / float(session.capital) if session.capital else None,
        sharpe=sharpe(whole, path, window),
        round_trips=round_trips(fills),
        curve=thinned(whole),
    )


def _check(pnl: Pnl) -> None:
    parts = EXACT.subtract(EXACT.add(pnl.spread, pnl.inventory), pnl.fees)
    if parts != pnl.total:
        raise ModelError(f"spread + inventory - fees is {parts:f}, the change in worth {pnl.total:f}: a bug, report it")


def attribution_data(found: Attribution, *, curve: bool = False) -> dict[str, Any]:
    """The object of ``--json``; the curve only where asked for."""
    data = {field.name: _written(getattr(found, field.name)) for field in fields(found) if field.name != "curve"}
    data["duration_s"] = found.duration_s
    if curve:
        data["curve"] = _written(found.curve)
    return data


def _written(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _written(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    return value
