"""How long a session's orders took to be acknowledged, by its journal: the latencies of a replay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.journal.glance import glance
from lunomm.journal.store import read_journal
from lunomm.quoting.inputs import OrderState, OrderUpdate, UpdateKind
from lunomm.tape.latency import MILLISECOND, RoundTrip


def round_trips(path: Path, pair: str) -> tuple[RoundTrip, ...]:
    """From each order's sending to the venue's answer, in the order of their sending.

    Raises:
        JournalError: it cannot be read. UsageError: no order of the pair was acknowledged in it.
    """
    seen = glance(path)
    journal = read_journal(path, account=seen.account, venue=seen.venue)
    try:
        updates = journal.updates(0)
    finally:
        journal.close_reading()
    trips = trips_of(updates, pair)
    if not trips:
        raise UsageError(f"{path}: no order of {pair} was acknowledged in this journal: it tells no latency")
    return trips


def trips_of(updates: Iterable[OrderUpdate], pair: str) -> tuple[RoundTrip, ...]:
    """From each order's sending to the venue's answer; none where no order was acknowledged."""
    sent: dict[str, int] = {}
    trips = []
    for update in updates:
        cid = update.client_order_id
        if update.kind is not UpdateKind.STATUS or update.pair != pair or cid is None:
            continue
        if update.state is OrderState.SENT:
            sent[cid] = update.ts_ms
        elif update.state is OrderState.WORKING and cid in sent:
            begun = sent.pop(cid)
            trips.append(RoundTrip(begun * MILLISECOND, max(0, update.ts_ms - begun) * MILLISECOND))
    return tuple(trips)
