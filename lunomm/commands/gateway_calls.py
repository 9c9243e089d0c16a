"""The gateway's hands: one task a call to the venue, its outcome an event; nothing is decided here.

A slow POST never delays a cancel, a read or the user stream. The journal is written before anything else of a step.
Before every POST: the order stands in ORDERS, the pair's VENUE on Redis is still ours, and the order's own time to live
has not passed. That time ends before our lease does: whatever holds a request up on its way, the venue refuses it once
another gateway can have the account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lunomm.bus.venue import VenueReplaced, compare, peek
from lunomm.commands.gateway_out import Publisher
from lunomm.commands.piece import Piece
from lunomm.errors import (
    BusError,
    ConnectivityError,
    CredentialsError,
    LunommError,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    UsageError,
)
from lunomm.journal.store import Journal
from lunomm.luno import as_events
from lunomm.trading import events as ev
from lunomm.trading.orders import intent_of
from lunomm.trading.working import RATE_LIMITED

if TYPE_CHECKING:
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.rest import LunoRest
    from lunomm.luno.wire_rest import MarketInfo
    from lunomm.market.presence import VenueInfo

TRADES_PAGE = 100
ANNOUNCE_AGAIN_S = (0.05, 0.2)
SKEW_S = 1.0
"""Allowed between this machine's clock and the venue's; a gateway beyond it places nothing."""


class Calls:
    """Performs the actions of the reconciler's steps.

    Args:
        piece: bus, clock, venue and supervision. rest: the venue. tell: takes each outcome. legs: pair -> (base,
            counter). accounts: asset -> id of the account to trade on, where it was said.
    """

    def __init__(
        self,
        piece: Piece,
        rest: LunoRest,
        budget: CallBudget,
        journal: Journal,
        publisher: Publisher,
        tell: Callable[[ev.Event], None],
        legs: Mapping[str, tuple[str, str]],
        accounts: Mapping[str, int],
    ) -> None:
        self._piece, self._rest, self._budget, self._journal = piece, rest, budget, journal
        self._publisher, self._tell = publisher, tell
        self._legs, self._accounts = legs, accounts

    def perform(self, actions: Sequence[ev.Action]) -> None:
        """Save, then begin the rest.

        Raises:
            JournalError: nothing of this step was begun.
        """
        saves = [action for action in actions if isinstance(action, ev.SAVES)]
        self._journal.commit(saves)
        for save in saves:
            if isinstance(save, ev.SaveUpdate):
                self._publisher.update(save.update)
            elif isinstance(save, ev.SaveFill):
                self._publisher.fill(save.fill)
        for action in actions:
            if not isinstance(action, ev.SAVES):
                self._begin(action)

    def _begin(self, action: ev.Action) -> None:
        if isinstance(action, ev.PublishOrders):
            self._publisher.orders(action.pair, action.views)
        elif isinstance(action, ev.PublishAccount):
            action.account.calls_used = self._budget.used(self._piece.clock.mono_ns())
            self._publisher.account(action.account)
        elif isinstance(action, ev.Halted):
            self._publisher.halt(action.reason, action.ts_ms)
        elif isinstance(action, ev.Resumed):
            self._publisher.resumed()
        elif isinstance(action, ev.Answer):
            self._publisher.answer(action)
        elif isinstance(action, ev.Place):
            place = self._piece.start(self._place(action), f"place {action.order.client_order_id}")
            self._publisher.orders_first(place)
        elif isinstance(action, ev.Cancel):
            self._piece.start(self._cancel(action), f"cancel {action.client_order_id}")
        elif isinstance(
            action,
            (
                ev.ReadOrder,
                ev.ReadOpenOrders,
                ev.ReadTrades,
                ev.ReadBalances,
                ev.ReadRules,
                ev.ReadFees,
                ev.ReadReference,
            ),
        ):
            self._piece.start(self._read(action), type(action).__name__)

    # --- orders ---

    async def _place(self, action: ev.Place) -> None:
        order = action.order
        try:
            await self._announce(order.pair)
        except BusError as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, "NOT_SENT", str(e)))
            return
        except LunommError as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, "NOT_SENT", str(e)))
            raise
        ttl_ms = min(order.ttl_ms, self._leased_ms())
        if ttl_ms <= 0:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, "NOT_SENT", "our lease is running out"))
            return
        if self._piece.clock.exchange_ms() >= order.timestamp_ms + ttl_ms:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, "NOT_SENT", "too late to be sent"))
            return
        try:
            order_id = await self._rest.post_order(
                pair=order.pair,
                side=order.side,
                volume=order.volume,
                price=order.price,
                client_order_id=order.client_order_id,
                timestamp_ms=order.timestamp_ms,
                ttl_ms=ttl_ms,
                post_only=True,
                base_account_id=self._accounts.get(self._legs[order.pair][0]),
                counter_account_id=self._accounts.get(self._legs[order.pair][1]),
            )
        except OrderRejected as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, e.code, str(e)))
        except RateLimited as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, RATE_LIMITED, str(e)))
        except ConnectivityError as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, "NOT_SENT", str(e)))
        except CredentialsError as e:
            self._tell(ev.PostRejected(order.pair, order.client_order_id, e.code, str(e)))
            raise
        except LunommError as e:
            self._tell(ev.PostUnknown(order.pair, order.client_order_id, str(e)))
        else:
            self._tell(ev.Posted(order.pair, order.client_order_id, order_id))

    def _leased_ms(self) -> int:
        """Exchange ms from now until our lease, less the clocks' skew, ends."""
        return int((self._piece.lease_left_s() - SKEW_S) * 1_000 * self._piece.clock.speed)

    async def _announce(self, pair: str) -> None:
        """ORDERS holds the order, VENUE is ours. Both may be asked again: a pooled connection may be a dead server's.

        Raises:
            BusError: Redis does not take it, or says no venue.
            RefusedError, VenueReplaced: as `check_venue`.
        """
        for wait_s in ANNOUNCE_AGAIN_S:
            try:
                self._compare(pair, await self._publisher.announce(pair))
            except BusError as e:
                self._piece.last_error = str(e)
            else:
                return
            await asyncio.sleep(wait_s)
        self._compare(pair, await self._publisher.announce(pair))

    async def check_venue(self, pair: str) -> None:
        """The pair's VENUE on Redis is the one we trade on.

        Raises:
            RefusedError, VenueReplaced: it is another one; names both.
            BusError: that cannot be known now.
        """
        self._compare(pair, await peek(self._piece.bus, pair))

    def _compare(self, pair: str, there: VenueInfo | None) -> None:
        mine = self._piece.venue
        if self._piece.bus.address.sentinels and self._piece.lease_left_s() <= 0:
            raise BusError("our lease has run out: most of the Sentinels do not confirm the Redis we write to")
        if there is None or mine is None:
            raise BusError(f"VENUE::{pair} is not on Redis: not sent")
        compare(there, mine)
        if there.run_id != mine.run_id:
            raise VenueReplaced(f"{pair}: the exchange was restarted (run {there.run_id})")

    async def _cancel(self, action: ev.Cancel) -> None:
        try:
            await self._rest.stop_order(action.order_id)
        except (OrderRejected, OutcomeUnknown, ConnectivityError, RateLimited) as e:
            # Refused means "not live any more, look": like every other outcome, a read decides.
            self._piece.last_error = str(e)
        except LunommError as e:
            self._tell(ev.CancelReturned(action.pair, action.client_order_id))
            self._note(e)
            return
        self._tell(ev.CancelReturned(action.pair, action.client_order_id))

    # --- reads ---

    async def _read(self, action: ev.Read) -> None:
        pair = getattr(action, "pair", "")
        try:
            event = await self._answer(action)
        except LunommError as e:
            retry = e.retry_after_s if isinstance(e, RateLimited) else None
            key = action.client_order_id if isinstance(action, ev.ReadOrder) else pair
            self._tell(ev.ReadFailed(type(action).__name__, pair, key, e.code, retry))
            self._note(e)
        else:
            self._tell(event)

    def _note(self, error: LunommError) -> None:
        """A failed call is tried again; a key that is no longer accepted ends the gateway."""
        self._piece.last_error = str(error)
        if isinstance(error, CredentialsError):
            raise error

    async def _answer(self, action: ev.Read) -> ev.Event:
        rest = self._rest
        if isinstance(action, ev.ReadOrder):
            if action.order_id is not None:
                order = await rest.find_order(order_id=action.order_id)
            else:
                order = await rest.find_order(client_order_id=action.client_order_id)
            found = as_events.venue_order(order) if order is not None else None
            return ev.OrderRead(action.pair, action.client_order_id, found)
        if isinstance(action, ev.ReadOpenOrders):
            orders = await rest.open_orders(action.pair)
            # Others' orders are none of our business, and may be of kinds we cannot read.
            ours = [order for order in orders if intent_of(order.client_order_id, action.pair) is not None]
            return ev.OpenOrdersRead(action.pair, tuple(as_events.venue_order(order) for order in ours))
        if isinstance(action, ev.ReadTrades):
            return ev.TradesRead(
                action.pair, await all_trades(self._rest, action.pair, action.after_seq, action.since_ms)
            )
        if isinstance(action, ev.ReadBalances):
            asked = self._piece.clock.mono_ns()
            return ev.BalancesRead(as_events.venue_balances(await rest.balances()), asked)
        if isinstance(action, ev.ReadRules):
            return ev.RulesRead(action.pair, (await market(rest, action.pair)).rules())
        if isinstance(action, ev.ReadFees):
            maker, taker = (await rest.fee_info(action.pair)).rates()
            return ev.FeesRead(action.pair, maker, taker)
        return ev.ReferenceRead(action.pair, as_events.mid(await rest.ticker(action.pair)))


async def all_trades(
    rest: LunoRest, pair: str, after_seq: int | None, since_ms: int | None
) -> tuple[ev.VenueTrade, ...]:
    """The account's trades of a pair, every page. after_seq and since_ms: inclusive."""
    found: dict[tuple[int, str], ev.VenueTrade] = {}
    after, since = after_seq, since_ms
    while True:
        page = await rest.list_trades(pair, after_seq=after, since_ms=since, limit=TRADES_PAGE)
        before = len(found)
        for row in page:
            found[(row.sequence, row.type)] = as_events.venue_trade(row)
        if len(page) < TRADES_PAGE or len(found) == before:
            return tuple(found.values())
        # Inclusive: a self-trade's second row carries the same sequence as its first.
        after, since = max(row.sequence for row in page), None


async def market(rest: LunoRest, pair: str) -> MarketInfo:
    """One row of the markets.

    Raises:
        UsageError: the venue does not list the pair.
    """
    for row in await rest.markets(pair):
        if row.market_id == pair:
            return row
    raise UsageError(f"unknown pair: {pair}: the exchange does not list it", code="UNKNOWN_PAIR")
