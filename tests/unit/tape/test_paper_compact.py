"""A compacted paper account is the same account: money, statement numbers, trades, what rests and where."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.venue import AccountSpec
from lunomm.tape import paper_state
from lunomm.tape.paper import PaperVenue, paper_venue
from lunomm.tape.paper_compact import compacted
from lunomm.tape.paper_log import Opened, Rested, Row, Scribe, restore
from lunomm.tape.paper_state import PaperState

PAIR, NOW = "XBTMYR", 1_790_000_000_000
RULES = PairRules(
    pair=PAIR, base="XBT", counter="MYR", price_scale=0, volume_scale=2, min_price=Decimal(1),
    max_price=Decimal(100_000), min_volume=Decimal("0.01"), max_volume=Decimal(1000), fee_scale=8,
)  # fmt: skip
MONEY = {"XBT": Decimal(100), "MYR": Decimal(100_000)}


def new(maker: str = "0.001", taker: str = "0.002") -> PaperVenue:
    account = AccountSpec("sim", MONEY, {PAIR: FeeRates(Decimal(maker), Decimal(taker))})
    return paper_venue([RULES], [account], random.Random(7))


def book(sequence: int) -> BookSnapshot:
    bids, asks = (BookOrder("A", 90, 40),), (BookOrder("X", 110, 50_000),)
    return BookSnapshot(sequence, bids, asks, MarketStatus.ACTIVE, NOW * 1_000_000)


@pytest.fixture
def lived() -> tuple[PaperVenue, list[Row]]:
    """An account with cancelled, filled, taken and resting orders, and its rows."""
    paper, rows = new(), list[Row]([Opened("sim", {name: f"{amount:f}" for name, amount in MONEY.items()})])
    Scribe(paper, rows.append, ())
    paper.feed(PAIR, book(100))
    sequence = 100

    def order(side: Side, price: int, volume: str, **more: Any) -> str:
        reply = paper.venue.postorder(
            NOW + sequence, "sim", pair=PAIR, type=side.value, price=str(price), volume=volume, **more
        )
        return reply.order_id

    for n in range(40):
        sequence += 1
        price = 91 + n % 5
        mine = [order(Side.BID, price, "0.1", client_order_id=f"b{n}"), order(Side.ASK, 105, "0.2")]
        crossing = BookCreate(f"Z{n}", Side.ASK, price, 5) if n % 8 == 3 else None
        if crossing is not None:
            paper.feed(PAIR, BookUpdate(sequence, (), crossing, None, None, NOW * 1_000_000))
            sequence += 1
            paper.feed(PAIR, BookUpdate(sequence, (), None, f"Z{n}", None, NOW * 1_000_000))
        else:
            paper.feed(PAIR, BookUpdate(sequence, (), None, None, None, NOW * 1_000_000))
        if n % 10 == 4:
            order(Side.BID, 110, "0.07", time_in_force="IOC")
        for name in mine:
            paper.venue.stoporder(NOW + sequence, "sim", name)
    order(Side.BID, 90, "0.3", client_order_id="last", post_only=True)
    order(Side.ASK, 108, "0.3")
    return paper, rows


def told(paper: PaperVenue) -> dict[str, Any]:
    """All that a client who asks now is told, but for old orders without a fill."""
    venue = paper.venue
    return {
        "balances": venue.balance("sim"),
        "rows": [(wallet.asset, wallet.rows, wallet.reserved) for wallet in venue.ledger.wallets("sim")],
        "drift": [venue.ledger.drift(asset) for asset in MONEY],
        "trades": venue.listtrades("sim", PAIR, limit=100),
        "open": venue.listorders_v2("sim", pair=PAIR),
        "filled": [(order.order_id, order.filled_lots) for order in venue.orders() if order.filled_lots],
        "next": paper.market(PAIR).next_trade,
        "places": {name: paper.market(PAIR).ahead(name) for name in paper.market(PAIR).orders},
    }


@pytest.mark.parametrize("kept", [0, 3, 1000])
def test_it_is_the_same_account(lived: tuple[PaperVenue, list[Row]], kept: int) -> None:
    paper, rows = lived
    before = told(paper)
    assert before["trades"].trades and len(before["open"].orders or ()) == 2
    fewer = compacted(rows, kept)
    assert compacted(fewer, kept) == fewer
    assert len(fewer) < len(rows) // 2 if kept < 1000 else len(fewer) == len(rows)
    over = {order.order_id for order in paper.venue.orders() if not order.live}
    assert not any(row.ahead for row in fewer if isinstance(row, Rested) and row.order_id in over)
    again = new()
    assert restore(again, fewer) == 2
    again.feed(PAIR, book(paper.market(PAIR).book.sequence + 1))
    paper.feed(PAIR, book(paper.market(PAIR).book.sequence + 1))
    assert told(again) == told(paper)
    assert told(again)["balances"] == before["balances"]


def test_the_file_is_compacted_when_opened_and_when_it_has_doubled(
    lived: tuple[PaperVenue, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rows = lived
    monkeypatch.setattr(paper_state, "LEAST_ROWS", 60)
    monkeypatch.setattr(paper_state, "compacted", lambda rows: compacted(rows, 0))
    state = PaperState(tmp_path / "paper.sqlite3", "there")
    for row in rows:
        state.write(row)
        state.commit()
    grown = state.rows()
    assert len(grown) < len(rows) and compacted(grown, 0) == compacted(rows, 0)
    run_id = state.run_id
    assert state.compact(grown) == state.rows() == compacted(rows, 0)
    state.close()
    again = PaperState(tmp_path / "paper.sqlite3", "there")
    assert (again.rows(), again.run_id) == (compacted(rows, 0), run_id)
    again.close()


def test_a_compaction_that_fails_leaves_every_row(
    lived: tuple[PaperVenue, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rows = lived
    state = PaperState(tmp_path / "paper.sqlite3", "there")
    for row in rows:
        state.write(row)
    state.commit()

    class Torn(list[str]):
        def __iter__(self) -> Any:
            yield from list.__iter__(self)
            raise KeyboardInterrupt  # the process dies between the first row and the last

    replace = state._replace
    monkeypatch.setattr(paper_state, "compacted", lambda rows: compacted(rows, 0))
    monkeypatch.setattr(state, "_replace", lambda bodies: replace(Torn(bodies)))
    with pytest.raises(KeyboardInterrupt):
        state.compact(rows)
    assert state.rows() == rows
    state.close()


def test_an_account_that_was_opened_at_other_fees_pays_those_from_now_on(lived: tuple[PaperVenue, list[Row]]) -> None:
    old, rows = lived
    found = new("0.004", "0.006")
    restore(found, rows)
    assert found.venue.balance("sim") == old.venue.balance("sim")  # what was paid was paid
    assert found.venue.desk.rates("sim", PAIR) == FeeRates(Decimal("0.004"), Decimal("0.006"))
