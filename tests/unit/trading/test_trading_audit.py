"""The two books against each other: what agrees is silent, every kind of difference is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.audit import SHOWN, LedgerRow, compare_account, compare_trades, journaled
from lunomm.trading.events import Flow, VenueTrade
from lunomm.trading.orders import Amounts

PAIR = "XBTMYR"


def trade(sequence: int, side: Side = Side.BID, base: str = "0.1", fee: str = "0.00035", ts_ms: int = 50) -> VenueTrade:
    fees = (D(fee), D(0)) if side is Side.BID else (D(0), D(fee))
    return VenueTrade(
        pair=PAIR, sequence=sequence, order_id="BX1", client_order_id=f"lm1-{PAIR}-a-1-B0", side=side, price=D(300_000),
        amounts=Amounts(D(base), D(base) * 300_000, *fees), maker=True, ts_ms=ts_ms,
    )  # fmt: skip


def fill(of: VenueTrade) -> Fill:
    amounts = of.amounts
    return Fill(
        pair=of.pair,
        sequence=of.sequence,
        intent_id="a-1-B0",
        client_order_id=of.client_order_id,
        order_id=of.order_id,
        side=of.side,
        price=of.price,
        volume=amounts.base,
        counter=amounts.counter,
        fee_base=amounts.fee_base,
        fee_counter=amounts.fee_counter,
        maker=True,
        ts_ms=of.ts_ms,
    )


def test_books_that_agree_are_silent() -> None:
    trades = [trade(1), trade(2, Side.ASK), trade(2)]
    assert compare_trades(PAIR, [fill(t) for t in trades], trades, 0) == []


def test_every_kind_of_difference() -> None:
    mine, missing, other = trade(1), trade(2), trade(3)
    wrong = fill(other)
    wrong = msgspec.structs.replace(wrong, fee_base=D("0.000351"))
    told = compare_trades(PAIR, [fill(mine), wrong, fill(trade(9))], [mine, missing, other], 0)
    assert len(told) == 3
    assert any("trade 2 BID at the exchange is not in the journal" in text for text in told)
    assert any("fill 9 BID of the journal is not at the exchange" in text for text in told)
    assert any("0.000351" in text and "0.00035 " in text for text in told)


def test_other_hands_and_the_time_before_the_first_start_do_not_count() -> None:
    alien = replace(trade(5), client_order_id="by-hand")
    assert compare_trades(PAIR, [], [alien, trade(4, ts_ms=9)], 10) == []


def test_many_differences_are_counted() -> None:
    told = compare_trades(PAIR, [], [trade(n) for n in range(100)], 0)
    assert len(told) == SHOWN + 1 and told[-1] == "... and 80 more"


def rows(*deltas: str, first: int = 3) -> list[LedgerRow]:
    return [LedgerRow(first + n, 100 + n, D(0), D(delta)) for n, delta in enumerate(deltas)]


def test_an_account_to_the_last_digit() -> None:
    assert compare_account("XBT", D("0.09965"), rows("0.1", "0", "-0.00035"), 100) == []
    (told,) = compare_account("XBT", D("0.09965"), rows("0.1", "0", "-0.00034"), 100)
    assert "0.00001 apart" in told
    assert compare_account("XBT", D(0), rows("5", "0"), 101) == []


def test_a_hole_in_the_ledger_is_said() -> None:
    gap = rows("1", "1")
    gap[1] = replace(gap[1], row_index=9)
    assert "not neighbours" in compare_account("XBT", D(2), gap, 0)[0]


def test_what_the_journal_says_each_asset_gained() -> None:
    bought, sold = fill(trade(1)), fill(trade(2, Side.ASK, fee="10"))
    moved = Flow(pair=PAIR, ref="x", base=D("-0.01"), counter=D(5), ts_ms=60)
    early = fill(trade(3, ts_ms=1))
    sums = journaled({PAIR: [bought, sold, moved, early]}, {PAIR: ("XBT", "MYR")}, {PAIR: 10})
    assert sums == {"XBT": D("0.1") - D("0.00035") - D("0.1") - D("0.01"), "MYR": D(-30_000) + D(30_000) - 10 + 5}
