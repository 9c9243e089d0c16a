"""What became of the orders of a paper venue, as rows that bring it back (pure).

An account's state is what was done with it, in turn: the rows are written as it happens and done again on another life
of the venue, through the same desk and ledger, so that balances, fees, order lists, fills and ledger rows come out the
same to the last digit. Who stood before a resting order is kept as it was on arrival: that set only shrinks, so what of
it is in the next snapshot stands before it still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from lunomm.errors import JournalError
from lunomm.market.rules import PairRules, Side
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import Trade
from lunomm.simulator.queues import Resting
from lunomm.simulator.visitor_orders import OrderRequest, VisitorOrder
from lunomm.tape.paper import PaperVenue
from lunomm.tape.paper_market import PaperMarket


class Opened(msgspec.Struct, tag=True, frozen=True):
    """An account, with the money it began with, by asset in the order of its wallets; decimal text."""

    owner: str
    balances: dict[str, str]


class Listed(msgspec.Struct, tag=True, frozen=True):
    """The scales a market's rows are written in, before the first of them."""

    rules: PairRules


class Accepted(msgspec.Struct, tag=True, frozen=True):
    """An order was admitted. price: ticks; reserve: 10**-18, as text since it may not fit 64 bits."""

    order_id: str
    owner: str
    at_ms: int
    pair: str
    side: Side
    price: int | None
    lots: int
    tif: str
    post_only: bool
    client_order_id: str
    reserve: str
    stop_price: int
    stop_direction: str


class Working(msgspec.Struct, tag=True, frozen=True):
    """It went to its book."""

    order_id: str
    at_ms: int


class Rested(msgspec.Struct, tag=True, frozen=True):
    """What was left of it came to rest behind these orders of the upstream."""

    order_id: str
    pair: str
    lots: int
    ahead: list[str]


class Took(msgspec.Struct, tag=True, frozen=True):
    """So many lots of a resting order of the upstream traded with us."""

    order_id: str
    pair: str
    lots: int


class Settled(msgspec.Struct, tag=True, frozen=True):
    """A trade, with the fees in force. owners: None for the upstream's."""

    pair: str
    at_ms: int
    number: int
    price: int
    lots: int
    maker_id: str
    taker_id: str
    maker_side: Side
    maker: str | None
    taker: str | None
    maker_fee: Decimal
    taker_fee: Decimal


class Finished(msgspec.Struct, tag=True, frozen=True):
    """It is COMPLETE. expired_ms: of a cancel, else 0."""

    order_id: str
    at_ms: int
    expired_ms: int


class Dropped(msgspec.Struct, tag=True, frozen=True):
    """So many ledger rows of an account were of orders that are not told any more (``paper_compact``)."""

    owner: str
    asset: str
    rows: int


Row = Opened | Listed | Accepted | Working | Rested | Took | Settled | Finished | Dropped

_ROW: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)


def encoded(row: Row) -> str:
    return msgspec.json.encode(row).decode()


def decoded(text: str) -> Row:
    """Raises msgspec.MsgspecError."""
    return _ROW.decode(text)


class Scribe:
    """Writes the rows of a paper venue; a :class:`~lunomm.simulator.desk.Witness`. write: takes each row, in turn."""

    def __init__(self, paper: PaperVenue, write: Callable[[Row], None], listed: Iterable[str]) -> None:
        self._paper = paper
        self._write = write
        self._listed = set(listed)
        paper.venue.desk.witness = self
        for pair in paper.pairs:
            paper.market(pair).on_rest = self.rested
            paper.market(pair).on_took = self.took

    def accepted(self, order: VisitorOrder) -> None:
        request = order.request
        if request.pair not in self._listed:
            self._listed.add(request.pair)
            self._write(Listed(order.text.rules))
        self._write(
            Accepted(
                order.order_id,
                order.owner,
                order.created_ms,
                request.pair,
                request.side,
                request.price,
                request.lots,
                request.tif.value,
                request.post_only,
                request.client_order_id,
                str(request.reserve),
                request.stop_price,
                request.stop_direction,
            )
        )

    def working(self, order: VisitorOrder, now_ms: int) -> None:
        self._write(Working(order.order_id, now_ms))

    def rested(self, market: PaperMarket, order: Resting) -> None:
        self._write(Rested(order.order_id, market.rules.pair, order.lots, sorted(market.ahead(order.order_id))))

    def took(self, market: PaperMarket, order_id: str, lots: int) -> None:
        self._write(Took(order_id, market.rules.pair, lots))

    def settled(self, trade: Trade, rules: PairRules, now_ms: int) -> None:
        owner = trade.maker_owner or trade.taker_owner
        assert owner is not None
        rates = self._paper.venue.desk.rates(owner, rules.pair)
        self._write(
            Settled(
                rules.pair,
                now_ms,
                trade.sequence,
                trade.price,
                trade.lots,
                trade.maker_id,
                trade.taker_id,
                trade.maker_side,
                trade.maker_owner,
                trade.taker_owner,
                rates.maker,
                rates.taker,
            )
        )

    def finished(self, order: VisitorOrder) -> None:
        self._write(Finished(order.order_id, order.completed_ms, order.expired_ms))


def restore(paper: PaperVenue, rows: Iterable[Row]) -> int:
    """Do all of it again at a venue on which nothing was done yet (and no scribe is set). Orders that rest.

    The accounts must have been opened as the rows say. User messages of it are dropped: they were sent before. Each
    trade is charged what it was; from then on the accounts pay what they were opened with.

    Raises:
        JournalError: rows that contradict each other or the venue.
    """
    try:
        return _restore(paper, rows)
    except (KeyError, ValueError, AssertionError, ArithmeticError) as error:
        raise JournalError(
            f"the state of the paper account contradicts itself ({type(error).__name__}: {str(error)[:80]}). "
            "Move it away to begin anew",
            code="PAPER_STATE",
        ) from error


def _restore(paper: PaperVenue, rows: Iterable[Row]) -> int:
    venue, desk = paper.venue, paper.venue.desk
    opened = {(owner, pair): desk.rates(owner, pair) for owner in desk.owners for pair in paper.pairs}
    found: dict[str, VisitorOrder] = {}
    rested: dict[str, Rested] = {}
    for row in rows:
        match row:
            case Accepted():
                request = OrderRequest(
                    row.pair,
                    row.side,
                    row.price,
                    row.lots,
                    TimeInForce(row.tif),
                    row.post_only,
                    row.client_order_id,
                    int(row.reserve),
                    row.stop_price,
                    row.stop_direction,
                )
                text = paper.market(row.pair).text
                found[row.order_id] = desk.accept(row.order_id, row.owner, request, text, row.at_ms, waits=True)
            case Working():
                desk.working(found[row.order_id], row.at_ms)
            case Rested():
                rested[row.order_id] = row
            case Dropped():
                venue.ledger.wallet(row.owner, row.asset).rows += row.rows
            case Took():
                paper.market(row.pair).remember(row.order_id, row.lots)
            case Settled():
                _settle(paper, row)
            case Finished():
                order = found[row.order_id]
                order.expired_ms = row.expired_ms
                if order.live:
                    desk.finish(order, row.at_ms)
            case _:
                pass
    for (owner, pair), rates in opened.items():
        desk.charge(owner, pair, rates)
    for order in venue.orders(live=True):
        if order.status == "AWAITING":
            venue.stops.wait(order, None)
            continue
        place, request = rested[order.order_id], order.request
        assert request.price is not None
        left = Resting(order.order_id, request.side, request.price, request.lots - order.filled_lots, order.owner)
        paper.market(place.pair).restore(order.created_ms, left, place.ahead)
    venue.drain()
    return len(venue.orders(live=True))


def _settle(paper: PaperVenue, row: Settled) -> None:
    owner = row.maker or row.taker
    assert owner is not None
    market = paper.market(row.pair)
    paper.venue.desk.charge(owner, row.pair, FeeRates(row.maker_fee, row.taker_fee))
    trade = Trade(row.number, row.price, row.lots, row.maker_id, row.taker_id, row.maker_side, row.maker, row.taker, 0)
    paper.venue.desk.settle(trade, market.rules, row.at_ms)
    market.next_trade = max(market.next_trade, row.number + 1)
