"""The book's audit against the venue's own list of best prices: asks, waits, and does what the auditor decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lunomm.errors import ExchangeError, MarketDataError, RateLimited
from lunomm.market.audit import CACHE_NS, SETTLE_NS, Listed, Outcome

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed
    from lunomm.luno.wire import OrderBookReply, PriceVolume

WHOLE_AGAIN_S = 0.25
CATCH_UP_S = 3.0
"""How far the stream may be behind the list; a market further behind is stale in any case."""

POLL_S = 0.1


async def audit(feed: Feed) -> None:
    """Audit one feed for ever; returns at once when it is switched off."""
    auditor, clock = feed.auditor, feed.venue.clock
    while True:
        at_ns = auditor.next_ns(clock.mono_ns())
        if at_ns is None:
            return
        await asyncio.sleep(max(0.0, (at_ns - clock.mono_ns()) / 1e9))
        if feed.void:
            await asyncio.sleep(WHOLE_AGAIN_S)
            continue
        auditor.open(feed.observer.book, clock.mono_ns())
        # The venue's cache lives by its own clock, which may be slower than ours.
        await asyncio.sleep(CACHE_NS / 1e9 / min(clock.speed, 1.0))
        reply = await _ask(feed)
        if reply is not None:
            await _settle(feed, reply.timestamp)
        outcome = auditor.judge(_listed(feed, reply), clock.mono_ns(), clock.wall_ms())
        feed.observer.doubt = auditor.doubt(clock.mono_ns())
        if outcome is Outcome.DRIFT:
            feed.drop("the book differs from the exchange's own list of best prices")
        feed.changed.set()


async def _ask(feed: Feed) -> OrderBookReply | None:
    try:
        return await feed.venue.rest.orderbook_top(feed.rules.pair)
    except RateLimited as error:
        feed.audit_note = f"not audited: {error}"
        await asyncio.sleep(error.retry_after_s or 0.0)
    except (ExchangeError, MarketDataError) as error:
        feed.audit_note = f"not audited: {error}"
    return None


async def _settle(feed: Feed, listed_ms: int) -> None:
    """Until the stream has brought what was in the list, and a little longer for what shares its millisecond."""
    await asyncio.sleep(SETTLE_NS / 1e9)
    for _ in range(round((CATCH_UP_S - SETTLE_NS / 1e9) / POLL_S)):
        if feed.void or feed.observer.book.exchange_ns // 1_000_000 >= listed_ms:
            return
        await asyncio.sleep(POLL_S)


def _listed(feed: Feed, reply: OrderBookReply | None) -> Listed | None:
    if reply is None:
        return None
    rules = feed.rules

    def rows(listed: list[PriceVolume]) -> list[tuple[int, int]]:
        return [(rules.price_ticks(row.price), rules.volume_lots(row.volume)) for row in listed]

    try:
        found = Listed(rows(reply.bids), rows(reply.asks))
    except MarketDataError as error:
        feed.audit_note = f"not audited: {error}"
        return None
    feed.audit_note = ""
    return found
