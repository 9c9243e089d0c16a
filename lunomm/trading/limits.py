"""What may be sent, decided apart from the quoter and never by its word.

`check` is the only maker of :class:`Approved`, and only an `Approved` becomes an order. It answers one of three things:
approved; refused with a code (final for this intent: the quoter may want a new one after a second); held with a code
(cannot be said yet, or the way is not free yet: the same intent is asked again).

The worst case counts everything that may still trade: position by the less favourable of two accounts, plus all that
rests, travels, or is unknown. A side that brings the position back towards its bounds is never limited by them. An
order may not reach our own other side, in whatever state that is. All orders are post-only, so the venue refuses what
would take.

An `Approved` cannot be made elsewhere, and carries the side, price and size that were checked: `place` builds the order
from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from lunomm.errors import BookError, OrderStateError
from lunomm.market.rules import EXACT, MarketStatus, PairRules, Side
from lunomm.quoting.intents import Intent
from lunomm.trading.orders import ZERO

COLLAR = Decimal("0.05")
"""Largest distance of an order from the REST reference, as a share of it; Luno's own circuit breaker is at 10 %."""

ORDERS_OPEN = 20
"""Largest orders that may be open together where no open value was given: ten levels a side."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user allows. max_position: base, largest worst-case |position - target|; None = what the account can
    hold.

    max_order_value, max_daily_loss: counter, None = none. max_open_value: counter, of all live and unknown orders of a
    pair together; None = :func:`open_value`.
    """

    max_position: Decimal | None = None
    max_order_value: Decimal | None = None
    max_daily_loss: Decimal | None = None
    collar: Decimal = COLLAR
    max_open_value: Decimal | None = None


def open_value(limits: Limits, worth: Decimal) -> Decimal:
    """Largest open value, counter: as given, else what the account is worth, and not more than
    :data:`ORDERS_OPEN` of the largest orders. worth: counter."""
    if limits.max_open_value is not None:
        return limits.max_open_value
    if limits.max_order_value is None:
        return max(worth, ZERO)
    return min(max(worth, ZERO), ORDERS_OPEN * limits.max_order_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a check looks at, for one pair, at one moment.

    position_low, position_high: base, bounds of what we hold. target, max_position: base. bids_open, asks_open: base
    that may still trade on each side, unknown included. lowest_ask, highest_bid: of our own live orders; *_wanted:
    whether that order is still wanted. free_base, free_counter: what new orders may use, after everything live;
    settled: those figures are newer than the last change of our orders. reference: by REST, None when unknown or old;
    good: the last price on which the REST price and the quoter's market agreed. open_now, max_open_value: counter.
    resting: sides that filled too often without the other. crowded: too many new orders this minute.
    """

    rules: PairRules
    position_low: Decimal
    position_high: Decimal
    target: Decimal
    max_position: Decimal
    bids_open: Decimal
    asks_open: Decimal
    highest_bid: Decimal | None
    lowest_ask: Decimal | None
    highest_bid_wanted: bool
    lowest_ask_wanted: bool
    free_base: Decimal
    free_counter: Decimal
    settled: bool
    reference: Decimal | None
    good: Decimal | None
    open_now: Decimal
    max_open_value: Decimal
    resting: frozenset[Side] = frozenset()
    crowded: bool = False


_MADE_HERE = object()


@dataclass(frozen=True, slots=True)
class Approved:
    """An intent that passed every limit; made by :func:`check` only.

    Raises:
        OrderStateError: made elsewhere.
    """

    intent: Intent
    _maker: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._maker is not _MADE_HERE:
            raise OrderStateError("an approval that no check has given")


@dataclass(frozen=True, slots=True)
class Refused:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Held:
    code: str


Verdict = Approved | Refused | Held


def check(intent: Intent, now: Situation, limits: Limits) -> Verdict:
    """Whether this intent may become an order now.

    Raises: nothing on purpose; the caller treats any exception as a tripped limit.
    """
    # Looked up by name, so that a test can break each one in turn.
    return (
        _grid(intent, now.rules)
        or _market(now)
        or _value(intent, limits)
        or _collar(intent, now, limits)
        or _own_side(intent, now)
        or _position(intent, now)
        or _open_value(intent, now)
        or _money(intent, now)
        or _pace(intent, now)
        or Approved(intent, _MADE_HERE)
    )


def _grid(intent: Intent, rules: PairRules) -> Refused | None:
    """On the tick and the lot step, inside the pair's bounds."""
    try:
        rules.price_ticks(format(intent.price, "f"))
        rules.volume_lots(format(intent.size, "f"))
    except BookError as error:
        return Refused("OFF_GRID", str(error)[:120])
    if not rules.min_price <= intent.price <= rules.max_price or intent.price <= 0:
        return Refused("PRICE_BOUNDS", f"price {intent.price} is outside {rules.min_price} to {rules.max_price}")
    if not rules.min_volume <= intent.size <= rules.max_volume or intent.size <= 0:
        return Refused("VOLUME_BOUNDS", f"volume {intent.size} is outside {rules.min_volume} to {rules.max_volume}")
    return None


def _market(now: Situation) -> Held | None:
    return None if now.rules.status == MarketStatus.ACTIVE.value else Held("MARKET_STATUS")


def _value(intent: Intent, limits: Limits) -> Refused | None:
    if limits.max_order_value is None:
        return None
    value = EXACT.multiply(intent.price, intent.size)
    if value > limits.max_order_value:
        return Refused("ORDER_VALUE", f"value {value:f} is above the limit of {limits.max_order_value:f}")
    return None


def _collar(intent: Intent, now: Situation, limits: Limits) -> Refused | Held | None:
    if now.reference is None or now.good is None:
        return Held("NO_REFERENCE")
    for price, name in ((now.reference, "the market"), (now.good, "the last good price")):
        if abs(EXACT.subtract(intent.price, price)) > EXACT.multiply(limits.collar, price):
            percent = format(limits.collar * 100, "f").rstrip("0").rstrip(".")
            return Refused("COLLAR", f"price {intent.price} is more than {percent} % from {name} at {price:f}")
    return None


def _own_side(intent: Intent, now: Situation) -> Refused | Held | None:
    """Equal prices cross too: either order would take the other."""
    if intent.side is Side.BID:
        crosses = now.lowest_ask is not None and intent.price >= now.lowest_ask
        wanted = now.lowest_ask_wanted
    else:
        crosses = now.highest_bid is not None and intent.price <= now.highest_bid
        wanted = now.highest_bid_wanted
    if not crosses:
        return None
    return Refused("OWN_ORDER", f"price {intent.price} reaches our own other side") if wanted else Held("OWN_ORDER")


def _position(intent: Intent, now: Situation) -> Refused | None:
    if intent.side is Side.BID:
        worst = now.position_high + now.bids_open + intent.size - now.target
    else:
        worst = now.target - (now.position_low - now.asks_open - intent.size)
    if worst > now.max_position:
        return Refused(
            "POSITION_LIMIT", f"worst case {worst:f} from the target is above the limit of {now.max_position:f}"
        )
    return None


def _open_value(intent: Intent, now: Situation) -> Refused | None:
    value = EXACT.add(now.open_now, EXACT.multiply(intent.price, intent.size))
    if value > now.max_open_value:
        return Refused("OPEN_VALUE", f"{value:f} open is above the limit of {now.max_open_value:f}")
    return None


def _pace(intent: Intent, now: Situation) -> Held | None:
    if intent.side in now.resting:
        return Held("ONE_SIDED")
    return Held("ORDER_RATE") if now.crowded else None


def _money(intent: Intent, now: Situation) -> Refused | Held | None:
    if intent.side is Side.BID:
        need, free = EXACT.multiply(intent.price, intent.size), now.free_counter
    else:
        need, free = intent.size, now.free_base
    if need <= free:
        return None
    # A balance read before our last change may still hold the reserve of an order that is gone.
    if not now.settled:
        return Held("BALANCE")
    asset = now.rules.counter if intent.side is Side.BID else now.rules.base
    return Refused("BALANCE", f"needs {need:f} {asset}, {max(free, ZERO):f} is free")


class DailyLoss:
    """Loss of one pair since the start of the exchange-clock day (UTC).

    Args:
        day, total: the day in whole days since 1970 and the profit at its first judgement, from the journal; None if
        none.
    """

    def __init__(self, day: int | None = None, total: Decimal | None = None) -> None:
        self.day = day
        self.total = total
        self.loss = ZERO

    def take(self, total: Decimal, now_ms: int) -> bool:
        """The profit now; True when this began a new count (the first figure, or a new day)."""
        today = now_ms // 86_400_000
        begins = self.day is None or self.total is None or today > self.day
        if self.total is None or begins:
            self.day, self.total = today, total
        self.loss = EXACT.subtract(self.total, total)
        return begins

    def forgive(self) -> None:
        """Someone resumed: the count begins anew with the next figure."""
        self.day = self.total = None
        self.loss = ZERO


def too_much_lost(loss: Decimal, counter: str, limits: Limits) -> str | None:
    """The reason to halt, or None. loss: of all pairs in this counter currency together, today."""
    if limits.max_daily_loss is not None and loss >= limits.max_daily_loss:
        return f"MAX_DAILY_LOSS: lost {loss:f} {counter} today, the limit is {limits.max_daily_loss:f}"
    return None
