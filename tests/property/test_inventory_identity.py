"""total = spread + inventory - fees, to the last digit, for any fills, flows and marks."""

from __future__ import annotations

from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.market.rules import EXACT, Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.events import Flow
from lunomm.trading.inventory import Inventory, mark_of

price = st.integers(1, 10**9).map(lambda ticks: D(ticks).scaleb(-2))
volume = st.integers(1, 10**12).map(lambda lots: D(lots).scaleb(-8))
fee = st.integers(-(10**9), 10**9).map(lambda units: D(units).scaleb(-8))
fair = st.floats(0.01, 1e7, allow_nan=False)


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    at, base, side = draw(price), draw(volume), draw(st.sampled_from(Side))
    fees = (draw(fee), D(0)) if side is Side.BID else (D(0), draw(fee))
    return Fill(
        pair="P", sequence=1, intent_id=None, client_order_id=None, order_id="B", side=side, price=at, volume=base,
        counter=at * base, fee_base=fees[0], fee_counter=fees[1], maker=True, ts_ms=0, fair=draw(st.none() | fair),
    )  # fmt: skip


flows = st.builds(
    Flow,
    pair=st.just("P"),
    ref=st.just("r"),
    base=fee,
    counter=fee,
    ts_ms=st.just(0),
    mark=st.none() | fair.map(mark_of),
)


@settings(deadline=None, max_examples=100)
@given(volume, price, st.lists(fills() | flows, max_size=30), fair)
def test_the_identity_holds_exactly_and_equals_a_naive_account(
    opening: D, mark: D, entries: list[Fill | Flow], last: float
) -> None:
    inventory = Inventory(opening, mark)
    base, cash, flowed, at = opening, D(0), D(0), mark
    for entry in entries:
        if isinstance(entry, Fill):
            inventory.fill(entry)
            sign = entry.side.sign
            base = EXACT.add(base, EXACT.subtract(sign * entry.volume, entry.fee_base))
            cash = EXACT.subtract(cash, EXACT.add(sign * entry.counter, entry.fee_counter))
            at = mark_of(entry.fair) if entry.fair is not None else entry.price
        else:
            inventory.flow(entry.base, entry.counter, entry.mark)
            at = entry.mark if entry.mark is not None else at
            base, cash = EXACT.add(base, entry.base), EXACT.add(cash, entry.counter)
            flowed = EXACT.add(flowed, EXACT.add(entry.counter, EXACT.multiply(entry.base, at)))
    end = mark_of(last)
    pnl = inventory.pnl(end)
    assert inventory.position == base
    assert pnl.total == EXACT.subtract(EXACT.add(pnl.spread, pnl.inventory), pnl.fees)
    worth = EXACT.add(cash, EXACT.multiply(base, end))
    assert pnl.total == EXACT.subtract(EXACT.subtract(worth, EXACT.multiply(opening, mark)), flowed)
