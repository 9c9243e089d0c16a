"""What the reconciler is told and what it asks for. The process around it only turns these into bytes and back.

Every event is a fact with no judgement in it; every action is complete in itself. The saves of one step must be
durable, in one transaction, before any other action of that step is begun: that is what makes an intent precede its
POST. Amounts are Decimal in base or counter as named, times exchange Unix ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Fill, OrderUpdate, OrderView
from lunomm.quoting.intents import WantedQuotes
from lunomm.trading.orders import Amounts, Order

# --- records of the venue, in our words ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """One order as a read or a listing shows it. open: AWAITING, PENDING or a word we do not know.

    completed_ms: when it left the book, 0 while it is in it; ``filled`` is final only when this is set. awaiting: the
    venue has it and has not put it into the book.
    """

    order_id: str
    client_order_id: str
    pair: str
    side: Side
    price: Decimal
    volume: Decimal
    open: bool
    filled: Amounts
    created_ms: int
    completed_ms: int
    awaiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTrade:
    """One row of the account's trades; ``sequence`` is unique in the pair but for a self-trade's two sides."""

    pair: str
    sequence: int
    order_id: str
    client_order_id: str
    side: Side
    price: Decimal
    amounts: Amounts
    maker: bool
    ts_ms: int


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """One account: total = reserved + free."""

    account_id: int
    asset: str
    total: Decimal
    reserved: Decimal


# --- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wake:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class QuotesSeen:
    """QUOTES::<pair> was read (None: the key does not exist) or heard."""

    pair: str
    quotes: WantedQuotes | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition for quoting opened or closed (bus, venue, guardian ...): while one is closed nothing is wanted."""

    name: str
    open: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UserStream:
    """heard_ns: own monotonic time of the last byte of a stream that is down, None when it is not known."""

    up: bool
    heard_ns: int | None = None


@dataclass(frozen=True, slots=True)
class RulesRead:
    pair: str
    rules: PairRules


@dataclass(frozen=True, slots=True)
class FeesRead:
    pair: str
    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class ReferenceRead:
    """The market by REST, apart from the quoter's: mid of the touch, None when it is not two-sided."""

    pair: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class BalancesRead:
    """asked_mono_ns: when the read began; stream rows that came after it are newer."""

    balances: tuple[VenueBalance, ...]
    asked_mono_ns: int


@dataclass(frozen=True, slots=True)
class Posted:
    pair: str
    client_order_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class PostRejected:
    """The venue, or this process before sending, proved that no order exists."""

    pair: str
    client_order_id: str
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class PostUnknown:
    pair: str
    client_order_id: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class CancelReturned:
    """A cancel call came back, however; only a read of the order says what became of it."""

    pair: str
    client_order_id: str


@dataclass(frozen=True, slots=True)
class OrderRead:
    """One order was read (by its id, or by client id); None: the venue does not know it."""

    pair: str
    client_order_id: str
    order: VenueOrder | None


@dataclass(frozen=True, slots=True)
class OpenOrdersRead:
    """All open orders of the pair, every page."""

    pair: str
    orders: tuple[VenueOrder, ...]


@dataclass(frozen=True, slots=True)
class TradesRead:
    pair: str
    trades: tuple[VenueTrade, ...]


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A read gave nothing; it is asked for again. kind: the action's class name; key: client order id or pair."""

    kind: str
    pair: str
    key: str
    code: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """User stream: the order is open, or complete (then a read must say how it ended)."""

    pair: str
    order_id: str
    client_order_id: str
    open: bool
    awaiting: bool = False


@dataclass(frozen=True, slots=True)
class FillSeen:
    """User stream: cumulative amounts of the order, and what this event says it added."""

    pair: str
    order_id: str
    client_order_id: str
    total: Amounts
    delta: Amounts


@dataclass(frozen=True, slots=True)
class BalanceSeen:
    """User stream: one row of an account's ledger."""

    account_id: int
    row_index: int
    total: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class HaltAsked:
    """Stop quoting for good, on someone's word or a check's."""

    reason: str


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """End the halt, on a person's word. request_id: each is answered once. pair: whose CONTROL it came by."""

    request_id: str
    pair: str
    who: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """A person's request of another piece, or that piece's answer: journaled, and said to be.

    step: ``asked`` or ``answered``. words: what, for a reader of the journal.
    """

    request_id: str
    step: str
    pair: str
    who: str
    words: str


@dataclass(frozen=True, slots=True)
class LimitsAsked:
    """Lower these limits, all or none: name of the field -> counter or base."""

    request_id: str
    pair: str
    who: str
    limits: Mapping[str, Decimal]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BadMessage:
    """Something on our channels could not be read. what: channel and reason."""

    what: str


@dataclass(frozen=True, slots=True)
class Stop:
    """This gateway ends: take everything down."""


Event = (
    Wake | QuotesSeen | Gate | UserStream | RulesRead | FeesRead | ReferenceRead | BalancesRead | Posted | PostRejected
    | PostUnknown | CancelReturned | OrderRead | OpenOrdersRead | TradesRead | ReadFailed | StatusSeen | FillSeen
    | BalanceSeen | HaltAsked | ResumeAsked | RequestSeen | LimitsAsked | BadMessage | Stop
)  # fmt: skip


# --- actions: saves ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaveOrder:
    order: Order


@dataclass(frozen=True, slots=True)
class SaveFill:
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Base or counter that came or went other than by our fills: an alien trade, a deposit, another program.

    ref: unique for ever in the pair; a repeat is no news. mark: fair price then, None if none was known.
    """

    pair: str
    ref: str
    base: Decimal
    counter: Decimal
    ts_ms: int
    mark: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SaveFlow:
    flow: Flow


@dataclass(frozen=True, slots=True)
class SaveNote:
    """One durable fact of a pair, by name."""

    pair: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SaveUpdate:
    """An ORDER_UPDATES message with its number: durable first, then published."""

    update: OrderUpdate


@dataclass(frozen=True, slots=True)
class SaveHalt:
    reason: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class SaveResume:
    """The standing halt is over. who: user@host, and the reason given."""

    who: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """A person's request, or what became of it; each step of each once."""

    request_id: str
    step: str
    pair: str
    who: str
    words: str
    ts_ms: int


# --- actions: the venue --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """POST this order, once, with its timestamp and ttl."""

    order: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    pair: str
    client_order_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """By order id when there is one, else by client id."""

    pair: str
    client_order_id: str
    order_id: str | None


@dataclass(frozen=True, slots=True)
class ReadOpenOrders:
    pair: str


@dataclass(frozen=True, slots=True)
class ReadTrades:
    """All trades from ``after_seq`` on (inclusive), or since a time."""

    pair: str
    after_seq: int | None
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class ReadBalances:
    pass


@dataclass(frozen=True, slots=True)
class ReadRules:
    pair: str


@dataclass(frozen=True, slots=True)
class ReadFees:
    pair: str


@dataclass(frozen=True, slots=True)
class ReadReference:
    pair: str


# --- actions: the bus ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PublishOrders:
    """ORDERS::<pair> as it stands now: all views, replacing what was there."""

    pair: str
    views: tuple[OrderView, ...]


@dataclass(frozen=True, slots=True)
class PublishAccount:
    account: Account


@dataclass(frozen=True, slots=True)
class Halted:
    """Quoting has stopped for good (also said once at a start under an old halt)."""

    reason: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The halt is over: its mirror goes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request, for whoever asked. changes: name, old, new of each limit."""

    request_id: str
    pair: str
    accepted: bool
    detail: str
    ts_ms: int
    changes: tuple[tuple[str, str, str], ...] = ()


Save = SaveOrder | SaveFill | SaveFlow | SaveNote | SaveUpdate | SaveHalt | SaveResume | SaveRequest
Read = ReadOrder | ReadOpenOrders | ReadTrades | ReadBalances | ReadRules | ReadFees | ReadReference
Action = Save | Place | Cancel | Read | PublishOrders | PublishAccount | Halted | Resumed | Answer
SAVES = (SaveOrder, SaveFill, SaveFlow, SaveNote, SaveUpdate, SaveHalt, SaveResume, SaveRequest)
