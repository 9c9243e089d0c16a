"""One market's queues with our orders among the upstream's: who stands before us, and what reaches us (pure).

The upstream's orders are known one by one (:class:`~lunomm.market.book.Book`, the *shadow*); ours are kept beside it,
each with the ids of the orders that stood at its price when it arrived. The rules, and what they cannot know:

- **Arrival.** An order joins behind everything that stands at its price. Whoever calls decides when that is: latency is
  the caller's, and a frame of the same millisecond was there first.
- **Moving up.** Deletes and used-up makers leave by id; a partly traded maker keeps its place before us. An order that
  came after ours is behind it for ever.
- **A taker** is as large as recorded: V, the sum of its trades, and its rest where that rests across our price. At each
  order of ours arrives V less what traded at better prices, with makers before us, and with our own orders before this
  one. So a maker behind us that traded was reached past us: we are filled first, at our price, partly or whole.
- **Crossing.** An order that comes to rest at or through our price would have met us: it trades with us, up to its
  size, at our price. (Had it been post-only it would have been refused: that cannot be seen.)
- **Taking.** Orders of ours that cross fill against the shadow at its makers' prices, best first, our own orders in
  their places among them; lots we took of an order we cannot take again.
- **Our size does not consume the others'.** The shadow is what the upstream says, always: makers we took from, or
  were filled before, stay in it, and nobody reacts to us. So fills are right for sizes that are small beside the
  market's, and too kind for large ones.
- **Gaps.** After a break the places are found again by id: what is not in the new snapshot has left, what is new came
  after us and stands behind. What traded in between is unknown and fills nothing (``Bracket.gaps`` counts such
  orders), except that orders of the snapshot across our price trade with us as above. While there is no book, new
  orders are refused, as if the market were off; cancels are not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from lunomm.errors import BookError
from lunomm.market.book import Applied, AppliedTrade, Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.matching import Placed, Refusal, TimeInForce, check_order
from lunomm.simulator.messages import Created, MarketFrame, MarketText, Trade
from lunomm.simulator.order_ids import OrderIds
from lunomm.simulator.queues import Resting
from lunomm.tape.arrival import Taker, reached
from lunomm.tape.bracket import Bracket, Brackets, Counts
from lunomm.tape.places import Maker, Place, Places, makers, queue_of


class PaperMarket:
    """The orders of all accounts in one market of the upstream; a :class:`~lunomm.simulator.matcher.Matcher`.

    Args:
        book: The upstream's, kept by somebody else and only read here; None: one of its own, see :meth:`on_event`.
        first_trade: Number of our first fill; they are counted apart from the upstream's trades.
    """

    def __init__(
        self,
        rules: PairRules,
        ids: OrderIds,
        *,
        book: Book | None = None,
        first_trade: int = 1,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.text = MarketText(rules, behaviour or Behaviour())
        self.listener: Callable[[MarketFrame], None] | None = None
        self.on_rest: Callable[[PaperMarket, Resting], None] | None = None
        """Is told of each order of ours that comes to rest."""
        self.on_took: Callable[[PaperMarket, str, int], None] | None = None
        """Is told how many lots of an order of the upstream's traded with us."""
        self.next_trade = first_trade
        self.last_trade: int | None = None
        """Ticks of the upstream's last trade."""
        self.brackets = Brackets()
        """Orders of ours that rested."""
        self.timestamp_ms = 0
        self.counts = Counts()
        self._ids = ids
        self._given = book is not None
        self.book = Book(rules) if book is None else book
        self._void = True
        self._places = Places()
        self._took: dict[str, int] = {}
        """Order of the upstream -> lots of it that traded with us."""

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> PairRules:
        return self.text.rules

    @property
    def orders(self) -> dict[str, Resting]:
        """Ours, by id."""
        return self._places.orders

    @property
    def sequence(self) -> int:
        return self.book.sequence

    @property
    def status(self) -> MarketStatus:
        """The upstream's; DISABLED while its book is not known."""
        return MarketStatus.DISABLED if self._void else self.book.status

    def best_bid(self) -> int | None:
        """The upstream's, ticks; so are all public figures."""
        return self.book.best_bid()

    def best_ask(self) -> int | None:
        return self.book.best_ask()

    def levels(self, side: Side, limit: int) -> list[tuple[int, int]]:
        return self.book.levels(side, limit)

    def snapshot_raw(self) -> str | None:
        return None if self._void else self.text.snapshot(self.book.snapshot())

    def resting(self, side: Side) -> Iterator[Resting]:
        """Everybody, in the order a taker would meet them; ours with their owner."""
        for maker in self._makers(side, None):
            if maker.place is not None:
                yield maker.place.order
            else:
                yield Resting(maker.order_id, side, maker.price, maker.lots, None)

    def would_trade(self, side: Side, price: int) -> bool:
        """Whether an order at ``price`` meets anything; an equal price does."""
        return any(True for _ in self._makers(side.other, price))

    def fillable(self, side: Side, price: int | None, lots: int) -> int:
        """How many of ``lots`` would trade at once at ``price`` or better (any price: None)."""
        found = 0
        for maker in self._makers(side.other, price):
            found += maker.lots
            if found >= lots:
                return lots
        return found

    def affordable(self, units: int) -> tuple[int, int]:
        """What ``units`` (ticks x lots) of counter money buy: (lots, units spent)."""
        lots = spent = 0
        for maker in self._makers(Side.ASK, None):
            take = min(maker.lots, (units - spent) // maker.price)
            lots += take
            spent += take * maker.price
            if take < maker.lots:
                break
        return lots, spent

    def queue_ahead(self, order_id: str) -> tuple[int, int]:
        """(lots, orders) of the upstream before our order at its price, less what we took of them.

        Raises KeyError: it does not rest.
        """
        place = self._place(order_id)
        queue = queue_of(self.book, place.order)
        left = [queue.get(ahead, 0) - self._took.get(ahead, 0) for ahead in place.ahead]
        return sum(lots for lots in left if lots > 0), sum(lots > 0 for lots in left)

    def ahead(self, order_id: str) -> frozenset[str]:
        """Ids of the upstream's orders before ours. Raises KeyError: it does not rest."""
        return frozenset(self._place(order_id).ahead)

    # --- the upstream ----------------------------------------------------------------------------------------------

    def on_event(self, event: BookSnapshot | BookUpdate, applied: Applied | None = None) -> bool:
        """One event of the upstream, in its order. Returns whether the market traded.

        With a book of somebody else's: to be called after that took the event; ``applied`` is what it returned.

        Raises:
            SequenceGap, BookError: it does not fit the book (of one's own): call :meth:`lost`.
        """
        if isinstance(event, BookSnapshot):
            if not self._given:
                self.book.load(event)
            self._found(event)
            return False
        if not self._given:
            if self._void:
                raise BookError(f"{self.rules.pair}: frame {event.sequence} without a snapshot", code="NO_SNAPSHOT")
            applied = self.book.apply(event)
        create, gone = event.create, event.delete_id
        trades = () if applied is None else applied.trades
        if trades:
            self.last_trade = trades[-1].price
        places = self._places
        if places.orders:
            self._now(event.exchange_ns // 1_000_000)
            # An order that is gone in the frame that brought it never stood anywhere.
            rest = None if create is None or create.order_id == gone else create
            if trades:
                maker_side = trades[0].maker_side
                taker = Taker(trades[0].taker_id, trades)
                if rest is not None and rest.side is not maker_side:
                    taker = taker._replace(rest_price=rest.price, rest_lots=rest.lots)
                self._arrive(maker_side, taker)
            elif rest is not None:
                # The usual frame: nearly none of them reaches across to us.
                across = Side.ASK if rest.side is Side.BID else Side.BID
                own = places.sides[across]
                if own and (rest.price if across is Side.BID else -rest.price) <= own[0].key:
                    self._arrive(across, Taker(rest.order_id, (), rest.price, rest.lots))
        if places.orders or self._took:
            for trade in trades:
                if trade.maker_id not in self.book:
                    self._left(trade.maker_id)
            if gone is not None:
                self._left(gone)
        if trades and self.listener is not None:
            self._tell(self._public(trades))
        return bool(trades)

    def lost(self) -> None:
        """The upstream's book is not known until the next snapshot."""
        if not self._void:
            self._void = True
            self._note_gap()

    def _note_gap(self) -> None:
        fresh = 0
        for place in self._places:
            fresh += place.bracket.gaps == 0
            place.bracket.gaps += 1
        if self._places:
            counts = self.counts
            self.counts = counts._replace(gaps=counts.gaps + 1, uncertain=counts.uncertain + fresh)

    def _found(self, book: BookSnapshot) -> None:
        """Our places again in a new book, and who in it stands across us."""
        if not self._void:
            self._note_gap()
        self._void = False
        self._now(book.exchange_ns // 1_000_000)
        self._places.find_again(self.book)
        self._took = {key: lots for key, lots in self._took.items() if key in self.book}
        for side in (Side.BID, Side.ASK):
            own = self._places.sides[side]
            if own:
                across = [maker for maker in self._makers(side.other, own[0].order.price) if maker.place is None]
                for maker in across:
                    self._arrive(side, Taker(maker.order_id, (), maker.price, maker.lots))

    # --- our orders ------------------------------------------------------------------------------------------------

    def place(
        self,
        now_ms: int,
        owner: str | None,
        side: Side,
        price: int | None,
        lots: int,
        *,
        tif: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        order_id: str | None = None,
    ) -> Placed:
        """Match an order with the shadow and ours, and rest what is left of it; as the engine's ``place``.

        Raises:
            BookError: DUPLICATE_ID, an order of that id rests.
            ValueError: price or lots not positive, or a resting order without a price.
        """
        check_order(price, lots, tif)
        gtc = tif is TimeInForce.GTC
        if order_id is None:
            order_id = self.new_id()
        elif order_id in self.orders or order_id in self.book:
            raise BookError(f"{self.rules.pair}: order {order_id} rests already", code="DUPLICATE_ID")
        self._now(now_ms)
        refusal: Refusal | None = None
        trades: tuple[Trade, ...] = ()
        crosses = price is None or self.would_trade(side, price)
        if self.status is MarketStatus.DISABLED:
            refusal = Refusal.DISABLED
        elif crosses and (post_only or self.status is not MarketStatus.ACTIVE):
            refusal = Refusal.WOULD_TRADE
        elif tif is TimeInForce.FOK and self.fillable(side, price, lots) < lots:
            refusal = Refusal.CANNOT_FILL
        elif crosses:
            trades = self._take(order_id, owner, side, price, lots)
        created: Created | None = None
        rest = 0
        if gtc and refusal is None and price is not None:
            rest = lots - sum(trade.lots for trade in trades)
            if rest:
                self.rest(now_ms, Resting(order_id, side, price, rest, owner))
                created = Created(order_id, side, price, rest)
        return Placed(order_id, trades, rest, self._tell(trades, created), refusal)

    def rest(self, now_ms: int, order: Resting, ahead: Collection[str] | None = None) -> None:
        """Let an order of ours stand without matching it. ahead: who was before it; None: everybody there."""
        bracket = Bracket(order.order_id, order.side, order.price, order.lots, now_ms)
        self.brackets.put(bracket)
        self._places.add(order, queue_of(self.book, order) if ahead is None else ahead, bracket)
        if self.on_rest is not None:
            self.on_rest(self, order)

    def restore(self, rested_ms: int, order: Resting, ahead: Collection[str]) -> None:
        """An order of a former life stands again: behind those of ``ahead`` that the next snapshot holds."""
        self.rest(rested_ms, order, ahead)
        self.brackets[order.order_id].gaps = 1
        self.counts = self.counts._replace(uncertain=self.counts.uncertain + 1)

    def remember(self, order_id: str, lots: int) -> None:
        """In a former life so much of an order of the upstream traded with us."""
        self._took[order_id] = self._took.get(order_id, 0) + lots

    def cancel(self, now_ms: int, order_id: str) -> MarketFrame | None:
        """Take an order of ours out; None when no such order rests."""
        place = self._places.get(order_id)
        if place is None:
            return None
        self._now(now_ms)
        self._remove(place)
        return self._tell((), None, order_id)

    def skip(self, now_ms: int) -> None:
        """The upstream's sequence is not ours to spend."""

    def relimit(self, rules: PairRules) -> None:
        """Other limits on the same grid, for orders to come.

        Raises:
            ValueError: another grid.
        """
        if (rules.price_scale, rules.volume_scale) != (self.rules.price_scale, self.rules.volume_scale):
            raise ValueError(f"{rules.pair}: another grid")
        self.text = self.text.under(rules)

    def regrid(self, rules: PairRules) -> None:
        """Go on under other scales, with no book until the next snapshot.

        Raises:
            ValueError: orders of ours rest.
        """
        if self.orders:
            raise ValueError(f"{rules.pair}: the grid of a market with orders cannot change")
        self.text = self.text.under(rules)
        if not self._given:
            self.book = Book(rules)
        self._void, self._took, self.last_trade = True, {}, None

    def new_id(self) -> str:
        """An order id that no resting order has."""
        order_id = self._ids.next()
        while order_id in self.orders or order_id in self.book:
            order_id = self._ids.next()
        return order_id

    # --- inside ----------------------------------------------------------------------------------------------------

    def _now(self, now_ms: int) -> None:
        if now_ms > self.timestamp_ms:
            self.timestamp_ms = now_ms

    def _place(self, order_id: str) -> Place:
        place = self._places.get(order_id)
        if place is None:
            raise KeyError(order_id)
        return place

    def _left(self, order_id: str) -> None:
        self._places.left(order_id)
        self._took.pop(order_id, None)

    def _took_of(self, order_id: str, lots: int) -> None:
        self.remember(order_id, lots)
        if self.on_took is not None:
            self.on_took(self, order_id, lots)

    def _makers(self, side: Side, limit: int | None) -> Iterator[Maker]:
        return makers(self.book, self._places, self._took, side, limit)

    def _take(self, order_id: str, owner: str | None, side: Side, price: int | None, lots: int) -> tuple[Trade, ...]:
        """Our taker against everybody up to its price."""
        hits: list[tuple[Maker, int]] = []
        for maker in self._makers(side.other, price):
            take = min(lots, maker.lots)
            hits.append((maker, take))
            lots -= take
            if not lots:
                break
        trades: list[Trade] = []
        for maker, take in hits:
            if maker.place is None:
                self._took_of(maker.order_id, take)
                left = maker.lots - take
                trades.append(self._trade(maker.price, take, maker.order_id, order_id, side.other, None, owner, left))
            else:
                maker.place.bracket.touched(take)  # a trade with oneself is no guess: all three have it
                trades.append(self._fill(maker.place, take, order_id, owner))
        self.counts = self.counts._replace(taken=self.counts.taken + len(trades))
        return tuple(trades)

    def _arrive(self, side: Side, taker: Taker) -> None:
        """A taker of the upstream reaches the makers of ``side``, and so perhaps us; see the rules above."""
        fills = reached(side, self._places.sides[side], taker)
        if not fills:
            return
        if taker.rest_price is not None:
            ours = min(taker.rest_lots, sum(lots for _, lots in fills))
            self._took_of(taker.order_id, ours)
        counts = self.counts
        crossings = len(fills) if not taker.trades else 0
        self.counts = counts._replace(fills=counts.fills + len(fills), crossings=counts.crossings + crossings)
        self._tell(tuple([self._fill(place, take, taker.order_id, None) for place, take in fills]))

    def _fill(self, place: Place, take: int, taker_id: str, taker: str | None) -> Trade:
        """Book lots of one of our orders as made; it leaves at zero."""
        order = place.order
        order.lots -= take
        place.bracket.queue += take
        if not order.lots:
            self._remove(place)
        return self._trade(order.price, take, order.order_id, taker_id, order.side, order.owner, taker, order.lots)

    def _trade(
        self,
        price: int,
        lots: int,
        maker_id: str,
        taker_id: str,
        maker_side: Side,
        maker: str | None,
        taker: str | None,
        left: int,
    ) -> Trade:
        number = self.next_trade
        self.next_trade = number + 1
        return Trade(number, price, lots, maker_id, taker_id, maker_side, maker, taker, left)

    def _public(self, trades: tuple[AppliedTrade, ...]) -> tuple[Trade, ...]:
        """The upstream's own trades, for those who watch its last price."""
        return tuple(
            Trade(t.trade_sequence or 0, t.price, t.lots, t.maker_id, t.taker_id, t.maker_side, None, None, 0)
            for t in trades
        )

    def _remove(self, place: Place) -> None:
        self._places.remove(place)
        place.bracket.ended_ms = self.timestamp_ms

    def _tell(
        self, trades: tuple[Trade, ...] = (), created: Created | None = None, delete_id: str | None = None
    ) -> MarketFrame:
        frame = MarketFrame(self.text, self.sequence, self.timestamp_ms, trades, created, delete_id)
        if self.listener is not None:
            self.listener(frame)
        return frame
