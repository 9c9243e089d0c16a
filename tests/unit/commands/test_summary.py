"""The last line's object: its fields, what several pairs add up to, what tier 1 would have earned."""

from __future__ import annotations

from decimal import Decimal

from lunomm.commands.summary import PairRun, note, summarise, summary_line, tier_1_pnl
from lunomm.quoting.inputs import Account, Balance, Pnl

FIELDS = {
    "fills", "inventory", "pnl", "pnl_spread", "pnl_inventory", "fees", "quote_uptime", "orders_left",
    "fee_tier", "pnl_at_tier_1", "baseline_pnl",
}  # fmt: skip


def account(
    pair: str = "XBTMYR", counter: str = "MYR", *, base: str = "XBT", fee: str = "0", pnl: Pnl | None = None
) -> Account:
    return Account(
        pair=pair,
        ts_ms=1,
        base=Balance(asset=base, total=Decimal("0.11"), reserved=Decimal(0)),
        counter=Balance(asset=counter, total=Decimal(30_000), reserved=Decimal(0)),
        position=Decimal("0.11"),
        opening=Decimal("0.1"),
        inventory_target=Decimal("0.1"),
        max_position=Decimal("0.1"),
        maker_fee=Decimal(fee),
        taker_fee=Decimal(0),
        calls_used=0,
        calls_limit=300,
        pnl=pnl,
        fills=3,
        traded_counter=Decimal(10_000),
        quote_uptime=0.9,
    )


PNL = Pnl(total=Decimal(5), spread=Decimal(6), inventory=Decimal(0), fees=Decimal(1))


def test_tier_1_takes_its_fee_instead_of_the_one_paid() -> None:
    assert tier_1_pnl(account(pnl=PNL)) == Decimal(5) + Decimal(1) - Decimal("35.0000")
    assert tier_1_pnl(account(counter="ZAR", pnl=PNL)) == Decimal(6) - Decimal(40)
    # Luno pays for dollar coins in rand, and takes less for a coin in a coin.
    assert tier_1_pnl(account("USDTZAR", "ZAR", base="USDT", pnl=PNL)) == Decimal(6) + 1
    assert tier_1_pnl(account("ETHXBT", "XBT", base="ETH", pnl=PNL)) == Decimal(6) - 8
    assert tier_1_pnl(account()) is None


def test_one_pair() -> None:
    data = summarise([PairRun("XBTMYR", account(pnl=PNL), None, ())], fee_tier=0, mode="sim")
    assert set(data) >= FIELDS
    assert (data["fills"], data["orders_left"], data["inventory"]) == (3, 0, Decimal("0.01"))
    assert data["pnl"] == data["pnl_spread"] + data["pnl_inventory"] - data["fees"]
    assert data["fee_tier"] == 0
    assert data["baseline_pnl"] is None


def test_nothing_known() -> None:
    data = summarise([PairRun("XBTMYR")], fee_tier=None, mode="live")
    assert set(data) >= FIELDS
    assert (data["fills"], data["pnl"], data["orders_left"], data["quote_uptime"]) == (0, None, None, None)


def test_money_of_different_currencies_is_not_added() -> None:
    runs = [
        PairRun("XBTMYR", account(pnl=PNL), None, ()),
        PairRun("XBTZAR", account("XBTZAR", "ZAR", pnl=PNL), None, ("BX1",)),
    ]
    data = summarise(runs, fee_tier=0, mode="sim")
    assert (data["fills"], data["orders_left"], data["pnl"], data["inventory"]) == (6, 1, None, None)
    assert data["pairs"]["XBTZAR"]["pnl"] == 5
    same = [PairRun("XBTMYR", account(pnl=PNL), None, ()), PairRun("ETHMYR", account("ETHMYR", pnl=PNL), None, ())]
    assert summarise(same, fee_tier=0, mode="sim")["pnl"] == 10


def test_the_note_never_suggests_more_than_it_is() -> None:
    text = note(account(pnl=PNL), None, fee_tier=0)
    assert "pays no maker fee" in text
    assert "tier 1 (0.35" in text
    assert "-29.00 MYR" in text
    assert "0.350" in note(account(fee="0.0035", pnl=PNL), None, fee_tier=1)


def test_the_line_for_people() -> None:
    line = summary_line(summarise([PairRun("XBTMYR", account(pnl=PNL), None, ())], fee_tier=0, mode="sim"))
    assert line == (
        "XBTMYR: 3 fills, inventory +0.01, pnl +5.00 MYR, at tier 1 -29.00 MYR, orders left on the exchange: 0"
    )
    assert "unknown" in summary_line(summarise([PairRun("XBTMYR")], fee_tier=None, mode="live"))
