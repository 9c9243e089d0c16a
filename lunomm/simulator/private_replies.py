"""What an account may read of itself: balances, fees, its orders and fills (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from lunomm.luno.wire import AccountBalance, Balances, FeeInfo, UserTrades
from lunomm.luno.wire_rest import AccountTransaction, AccountTransactions
from lunomm.simulator.call_arguments import FillsAsked, OrdersAsked
from lunomm.simulator.ledger import FeeRates, Ledger, Row
from lunomm.simulator.public_replies import plain
from lunomm.simulator.refusals import refuse
from lunomm.simulator.visitor_orders import Fill, VisitorOrder, money_text, user_trade

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def balances(ledger: Ledger, owner: str, assets: Sequence[str]) -> Balances:
    """Of all assets, or the named ones; an asset that is not held gives no row."""
    return Balances(
        [
            AccountBalance(
                account_id=str(wallet.account_id),
                asset=wallet.asset,
                balance=money_text(wallet.total),
                reserved=money_text(wallet.reserved),
                name=f"{wallet.asset} wallet",
            )
            for wallet in ledger.wallets(owner)
            if not assets or wallet.asset in assets
        ]
    )


def transactions(
    account_id: int, asset: str, last_row: int, rows: Sequence[tuple[int, Row]], low: int | None, high: int | None
) -> AccountTransactions:
    """Ledger rows ``low`` to before ``high``, newest first; not positive: counted back from the newest.

    Raises:
        VenueError: ErrTooManyRowsRequested: more than 1000; ErrInvalidArguments: one of the two is missing.
    """
    if low is None or high is None:
        raise refuse("ErrInvalidArguments", detail="min_row and max_row are needed")
    first = low if low > 0 else last_row + 1 + low
    end = high if high > 0 else last_row + 1 + high
    if end - first > MAX_LIMIT:
        raise refuse("ErrTooManyRowsRequested")
    return AccountTransactions(
        str(account_id),
        [
            AccountTransaction(
                row_index=row.row_index,
                timestamp=at_ms,
                balance=money_text(row.balance),
                available=money_text(row.available),
                balance_delta=money_text(row.balance_delta),
                available_delta=money_text(row.available_delta),
                currency=asset,
            )
            for at_ms, row in reversed(rows)
            if first <= row.row_index < end
        ],
    )


def fee_info(rates: FeeRates, month_volume: int = 0) -> FeeInfo:
    """month_volume: counter money traded in thirty days, 10**-18."""
    maker, taker = plain(rates.maker), plain(rates.taker)
    return FeeInfo(maker, taker, maker, maker, taker, taker, money_text(month_volume))


def newest(orders: Sequence[VisitorOrder], asked: OrdersAsked) -> list[VisitorOrder]:
    """Newest first. orders: oldest first. Raises VenueError: ErrLimitOutOfRange."""
    count = _count(asked.get("limit"))
    before_ms = asked.get("created_before_ms")
    found = [order for order in orders if before_ms is None or order.created_ms < before_ms]
    return found[: -count - 1 : -1]


def trades(fills: Sequence[Fill], asked: FillsAsked) -> UserTrades:
    """fills: oldest first.

    Raises:
        VenueError: ErrLimitOutOfRange.
    """
    count = _count(asked.get("limit"))
    since_ms, before_ms = asked.get("since_ms"), asked.get("before_ms")
    after_seq, before_seq = asked.get("after_seq"), asked.get("before_seq")
    found = [
        fill
        for fill in fills
        if (since_ms is None or fill.timestamp_ms >= since_ms)
        and (before_ms is None or fill.timestamp_ms < before_ms)
        and (after_seq is None or fill.sequence >= after_seq)
        and (before_seq is None or fill.sequence < before_seq)
    ]
    if before_ms is not None or asked.get("sort_desc"):
        found = found[: -count - 1 : -1]
    elif since_ms is None and after_seq is None:
        found = found[-count:]
    else:
        found = found[:count]
    return UserTrades([user_trade(fill) for fill in found])


def _count(limit: int | None) -> int:
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise refuse("ErrLimitOutOfRange")
    return limit
