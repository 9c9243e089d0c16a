"""A small market and fills in it, for the tests of figures."""

from __future__ import annotations

from decimal import Decimal as D

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Fill
from lunomm.tape.lives import OrderLife
from lunomm.tape.market_path import MarketPath

S = 10**9
RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=4,
    min_price=D(1),
    max_price=D(10**6),
    min_volume=D("0.0001"),
    max_volume=D(100),
)


def fill(side: Side, price: str, volume: str, at_s: float, fair: float | None, fee: str = "0") -> Fill:
    """A buy's fee is in base, a sale's in counter, as at Luno."""
    base, counter = (D(fee), D(0)) if side is Side.BID else (D(0), D(fee))
    return Fill(
        pair="XBTMYR", sequence=round(at_s * 1000), intent_id=None, client_order_id=None, order_id="O", side=side,
        price=D(price), volume=D(volume), counter=D(price) * D(volume), fee_base=base, fee_counter=counter, maker=True,
        ts_ms=round(at_s * 1000), fair=fair,
    )  # fmt: skip


def life(side: Side, price: str, begin_s: float, end_s: float | None, filled: str = "0") -> OrderLife:
    return OrderLife(
        side=side,
        price=D(price),
        volume=D(1),
        filled=D(filled),
        working_ns=round(begin_s * S),
        ended_ns=None if end_s is None else round(end_s * S),
    )


def path(*rows: tuple[float, int | None, int | None], end_s: float) -> MarketPath:
    found = MarketPath(RULES)
    for at_s, bid, ask in rows:
        found.add(round(at_s * S), bid, ask)
    found.end(round(end_s * S))
    return found
