"""The fixed-spread quoter to compare with: where it quotes, what fills it, what it earns."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.errors import ModelError
from lunomm.market.records import BookState, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.trading.baseline import Baseline, BaselineOptions

PAIR = "XBTMYR"
RULES = PairRules(
    pair=PAIR,
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=6,
    min_price=Decimal(1),
    max_price=Decimal(10**8),
    min_volume=Decimal("0.0001"),
    max_volume=Decimal(100),
)


def tick(at_s: float, fair: str | None = "300000.5", state: BookState = BookState.OK) -> Tick:
    return Tick(
        pair=PAIR,
        ts=0,
        exchange_ts=int(at_s * 1000),
        sequence=1,
        state=state,
        beat=1,
        fair_mid=None if fair is None else Decimal(fair),
    )


def taker(at_s: float, side: Side, deepest: int, volume: str = "1") -> TakerOrder:
    return TakerOrder(
        pair=PAIR,
        taker_id="BX1",
        side=side,
        volume=Decimal(volume),
        counter=Decimal(1),
        deepest=Decimal(deepest),
        fills=1,
        mid=None,
        half_spread=None,
        own_only=False,
        sequence=1,
        trade_sequence=None,
        exchange_ms=int(at_s * 1000),
    )


def baseline(**options: object) -> Baseline:
    return Baseline(RULES, Decimal("0.01"), options=BaselineOptions(**options))  # type: ignore[arg-type]


def test_it_quotes_outward_of_ten_basis_points() -> None:
    quoter = baseline()
    assert quoter.pnl is None
    quoter.on_tick(tick(0))
    assert quoter.quotes == {Side.BID: Decimal(299_700), Side.ASK: Decimal(300_301)}
    assert quoter.pnl == 0


def test_it_follows_once_a_minute() -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_tick(tick(59, "310000"))
    assert quoter.quotes[Side.BID] == Decimal(299_700)
    quoter.on_tick(tick(60, "310000"))
    assert quoter.quotes == {Side.BID: Decimal(309_690), Side.ASK: Decimal(310_310)}


@pytest.mark.parametrize(
    ("side", "deepest", "inventory"),
    [
        (Side.BID, 300_302, "-0.01"),
        (Side.BID, 300_301, "0"),
        (Side.BID, 300_300, "0"),
        (Side.ASK, 299_699, "0.01"),
        (Side.ASK, 299_700, "0"),
        (Side.ASK, 299_701, "0"),
    ],
)
def test_only_a_taker_that_went_beyond_fills_it(side: Side, deepest: int, inventory: str) -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(1, side, deepest))
    assert quoter.inventory == Decimal(inventory)
    assert quoter.fills == int(inventory != "0")


def test_a_small_taker_fills_its_own_volume() -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(1, Side.BID, 300_400, "0.004"))
    assert quoter.inventory == Decimal("-0.004")


def test_a_filled_side_rests_a_minute() -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(10, Side.BID, 300_400))
    quoter.on_taker(taker(11, Side.BID, 300_400))
    quoter.on_tick(tick(60))
    assert set(quoter.quotes) == {Side.BID}
    quoter.on_tick(tick(70))
    assert set(quoter.quotes) == {Side.BID, Side.ASK}
    assert quoter.fills == 1


def test_a_round_trip_earns_the_spread_less_fees() -> None:
    quoter = Baseline(RULES, Decimal("0.01"), Decimal("0.0035"))
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(1, Side.BID, 300_400))
    quoter.on_taker(taker(2, Side.ASK, 299_600))
    gross = Decimal("0.01") * (300_301 - 299_700)
    fees = Decimal("0.0035") * Decimal("0.01") * (300_301 + 299_700)
    assert quoter.inventory == 0
    assert quoter.pnl == gross - fees


def test_inventory_is_marked_at_the_last_fair() -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(1, Side.BID, 300_400))
    quoter.on_tick(tick(2, "300401"))
    assert quoter.pnl == Decimal("0.01") * (300_301 - 300_401)


@pytest.mark.parametrize("state", [state for state in BookState if state is not BookState.OK])
def test_it_quotes_nothing_on_a_market_not_to_be_traded_on(state: BookState) -> None:
    quoter = baseline()
    quoter.on_tick(tick(0))
    quoter.on_tick(tick(1, state=state))
    assert quoter.quotes == {}
    quoter.on_tick(tick(2))
    assert len(quoter.quotes) == 2
    quoter.on_tick(tick(3, None))
    assert quoter.quotes == {}


def test_a_full_side_quotes_nothing() -> None:
    quoter = baseline(max_position=Decimal("0.015"))
    quoter.on_tick(tick(0))
    quoter.on_taker(taker(1, Side.ASK, 299_600))
    quoter.on_tick(tick(200))
    assert set(quoter.quotes) == {Side.ASK}


@pytest.mark.parametrize(("lot", "half"), [("0", 0.001), ("-1", 0.001), ("1", 0.0)])
def test_nonsense_is_refused(lot: str, half: float) -> None:
    with pytest.raises(ModelError):
        Baseline(RULES, Decimal(lot), options=BaselineOptions(half_spread=half))
