"""The pipeline as numbers for a time-series database: names, what they mean, and their values in one picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lunomm.views.alerts import KINDS, Trouble
from lunomm.views.pipeline import PairView, PipelineView, sound_view
from lunomm.views.text import safe

METRICS = {
    "lunomm_redis_up": "1 while Redis answers",
    "lunomm_piece_up": "1 while the piece's heart beats; labels piece, pair",
    "lunomm_piece_lag_seconds": "since its last heartbeat; labels piece, pair",
    "lunomm_alarm": "1 while the alarm is raised, of every kind; label kind",
    "lunomm_halted": "1 while the pair's gateway is halted",
    "lunomm_book_ok": "1 while the book may be traded on",
    "lunomm_book_age_seconds": "since the last tick",
    "lunomm_mid_price": "counter currency",
    "lunomm_reservation_price": "counter currency",
    "lunomm_position": "base currency held",
    "lunomm_position_target": "base currency wanted",
    "lunomm_open_orders": "orders of ours that rest; label side",
    "lunomm_fills_total": "since the journal began",
    "lunomm_pnl": "counter currency, after fees",
    "lunomm_pnl_spread": "of it earned by spread",
    "lunomm_pnl_inventory": "of it by the mark's moves",
    "lunomm_fees": "counter currency paid (negative: earned)",
    "lunomm_quote_uptime_ratio": "share of the gateway's time with a bid and an ask working",
    "lunomm_limit_used_ratio": "share of a limit that is used; label limit",
    "lunomm_calls_used": "calls to the exchange in the last minute",
}
"""Every name. All are of one pair (label pair) but where other labels are named. What is unknown is left out."""


class Sample(NamedTuple):
    """One value. labels: name to value."""

    name: str
    labels: dict[str, str]
    value: float


def samples(view: PipelineView, raised: Iterable[Trouble], *, redis_up: bool) -> list[Sample]:
    """The picture in numbers. While Redis does not answer only that and the alarms are known."""
    kinds = {trouble.kind for trouble in raised}
    found = [Sample("lunomm_redis_up", {}, float(redis_up))]
    found += [Sample("lunomm_alarm", {"kind": kind}, float(kind in kinds)) for kind in KINDS]
    if not redis_up:
        return found
    view = sound_view(view)
    for piece in view.pieces:
        labels = {"piece": safe(piece.piece, 20), "pair": safe(piece.pair, 20)}
        found.append(Sample("lunomm_piece_up", labels, float(piece.beats)))
        if piece.health is not None and piece.age_ms is not None:
            found.append(Sample("lunomm_piece_lag_seconds", labels, piece.age_ms / 1000))
    for pair in view.pairs:
        found += _pair(pair)
    return found


def _pair(view: PairView) -> Iterator[Sample]:
    labels = {"pair": safe(view.pair, 20)}
    tick, account, quotes = view.tick, view.account, view.quotes
    yield Sample("lunomm_halted", labels, float(view.halted is not None))
    if tick is not None:
        yield Sample("lunomm_book_ok", labels, float(tick.state == "OK"))
        if view.tick_age_ms is not None:
            yield Sample("lunomm_book_age_seconds", labels, view.tick_age_ms / 1000)
        if tick.mid_price is not None:
            yield Sample("lunomm_mid_price", labels, float(tick.mid_price))
    if quotes is not None and quotes.reservation is not None:
        yield Sample("lunomm_reservation_price", labels, quotes.reservation)
    for side in ("BID", "ASK"):
        resting = sum(1 for order in view.orders if order.side == side)
        yield Sample("lunomm_open_orders", {**labels, "side": side}, float(resting))
    if account is None:
        return
    yield Sample("lunomm_position", labels, float(account.position))
    yield Sample("lunomm_position_target", labels, float(account.inventory_target))
    yield Sample("lunomm_fills_total", labels, float(account.fills))
    yield Sample("lunomm_calls_used", labels, float(account.calls_used))
    if account.pnl is not None:
        yield Sample("lunomm_pnl", labels, float(account.pnl.total))
        yield Sample("lunomm_pnl_spread", labels, float(account.pnl.spread))
        yield Sample("lunomm_pnl_inventory", labels, float(account.pnl.inventory))
        yield Sample("lunomm_fees", labels, float(account.pnl.fees))
    if account.quote_uptime is not None:
        yield Sample("lunomm_quote_uptime_ratio", labels, account.quote_uptime)
    for limit in account.limits:
        if limit.limit is not None and limit.limit > 0:
            share = float(limit.used / limit.limit)
            yield Sample("lunomm_limit_used_ratio", {**labels, "limit": safe(limit.name, 20)}, share)
