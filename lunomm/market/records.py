"""What `book` and `calibrate` tell the others: the tick, the taker order, the grid row, the calibration.

All are bus messages (:class:`~lunomm.market.stamp.Stamped`). Prices and volumes are Decimal (decimal strings on the
wire), model quantities floats, unknown ``None``. Times ending in ``_ms`` are the exchange's clock, Unix milliseconds.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from lunomm.market.rules import Side
from lunomm.market.stamp import Stamped


class BookState(enum.StrEnum):
    """Whether a tick may be traded on; anything but OK may not.

    DOUBT: the audit has proven the book wrong twice within an hour.
    """

    OK = "OK"
    ONE_SIDED = "ONE_SIDED"
    EMPTY = "EMPTY"
    CROSSED = "CROSSED"
    POSTONLY = "POSTONLY"
    DISABLED = "DISABLED"
    RESYNC = "RESYNC"
    STALE = "STALE"
    DOUBT = "DOUBT"


class Verdict(enum.StrEnum):
    """How far a calibration can be trusted (theory F)."""

    GO = "GO"
    THIN = "THIN"
    NO = "NO"


class Level(msgspec.Struct, array_like=True, frozen=True):
    """One aggregated price level."""

    price: Decimal
    volume: Decimal


class OwnOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One of our own orders as it stands in the book.

    volume: base left. volume_ahead, orders_ahead: others' volume and orders before it at its price (FIFO).
    """

    order_id: str
    intent_id: str
    side: Side
    price: Decimal
    volume: Decimal
    volume_ahead: Decimal
    orders_ahead: int


class Estimates(msgspec.Struct, frozen=True, kw_only=True):
    """Sigma, kappa and A with what they rest on; every number ``None`` until known.

    sigma: relative, 1/sqrt(s); sigma_se its standard error, same unit (interval sigma +- 1.96 sigma_se).
    kappa: 1/price. intensity (A): 1/s a side.
    *_low, *_high: 95 % interval. sample: taker orders. window_s: lookback used. mid: the price kappa is relative to.
    source: ``live``, ``warm`` (candles and recent trades) or ``prior``.
    """

    sigma: float | None = None
    sigma_se: float | None = None
    sigma_source: str | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    intensity: float | None = None
    intensity_low: float | None = None
    intensity_high: float | None = None
    sample: int = 0
    window_s: float = 0.0
    touch_share: float | None = None
    mid: float | None = None
    kappa_source: str | None = None
    verdict: Verdict = Verdict.NO
    reason: str = ""


class BookAudit(msgspec.Struct, frozen=True, kw_only=True):
    """How the book compares with the venue's own list of its best prices, asked for by REST.

    drift: share of the compared levels that differed from the book in every state around the request, in [0, 1]; None
    before the first comparison. at_ms: the publisher's clock at it. checks, misses: comparisons, and those that
    differed. resyncs: times the book was dropped because three in a row differed.
    """

    at_ms: int | None = None
    drift: float | None = None
    checks: int = 0
    misses: int = 0
    resyncs: int = 0


class Tick(Stamped, kw_only=True):
    """LOB::<pair>: one complete picture of the market after one frame (design 4).

    ts: wall clock of the publisher, ms. volatility: relative per sqrt(s); volatility_daily_pct: percent per sqrt(day).
    alpha: A, 1/s a side. kappa: 1/price. order_imbalance: Qb/(Qa+Qb) over ``depth`` levels, in [0, 1].
    fair_*: the same with our own orders removed. own: our orders with their queue places.
    micro_price: expected future mid of the others' market. Prices that summarise the book (mid, spread, vamp, weighted
    mid, micro-price and the fair mids) are None while the market is not open with two sides.
    volatility_ready, volatility_document_ready: of the live two-scale estimator, of the document's.
    beat: counts up at least once a second. stream_age_ms: since any byte from the venue. lag_ms: arrival minus
    exchange time (None where it cannot be judged). reason: why the state is not OK, where there is more to say.
    The fields stand in the order of how often they change: ``written.py`` keeps the later ones as text.
    """

    ts: float
    exchange_ts: int | None
    sequence: int | None
    state: BookState
    beat: int
    stream_age_ms: float | None = None
    lag_ms: float | None = None
    reason: str = ""
    orders: int = 0
    levels: int = 0
    trades_per_minute: float | None = None
    volatility_document_pct: float | None = None
    volatility_document_ready: bool = False
    mid_price: Decimal | None = None
    spread: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    best_bid_size: Decimal | None = None
    best_ask_size: Decimal | None = None
    weighted_mid: Decimal | None = None
    micro_price: Decimal | None = None
    fair_mid: Decimal | None = None
    fair_weighted_mid: Decimal | None = None
    fair_best_bid: Decimal | None = None
    fair_best_ask: Decimal | None = None
    vamp: Decimal | None = None
    order_imbalance: float | None = None
    bids: list[Level] = []
    asks: list[Level] = []
    own: list[OwnOrder] = []
    volatility: float | None = None
    volatility_daily_pct: float | None = None
    volatility_ready: bool = False
    alpha: float | None = None
    kappa: float | None = None
    buffer_ready: bool = False
    estimates: Estimates = Estimates()
    audit: BookAudit | None = None


class TakerOrder(Stamped, kw_only=True):
    """TRADES::<pair>: one taker order, its fills grouped.

    side: the taker's (BID bought). volume: base. counter: sum of base x price. deepest: worst price it reached.
    mid, half_spread: the fair market just before it (own orders removed); None when it was not two-sided.
    own_only: it met only our own orders (left out of kappa).
    """

    taker_id: str
    side: Side
    volume: Decimal
    counter: Decimal
    deepest: Decimal
    fills: int
    mid: float | None
    half_spread: float | None
    own_only: bool
    sequence: int
    trade_sequence: int | None
    exchange_ms: int


class GridRow(Stamped, kw_only=True):
    """GRID::<pair>: ten seconds of the fair market, enough to redo every estimate offline.

    start_ms: exchange time of mids[0]; mids: one fair mid a second (None = no two-sided market; never repeated).
    exposure: half-spread relative to mid (as float) -> seconds it stood, own orders removed.
    gap: the stream was interrupted inside this row: the ring of the volatility grid must be cleared before it.
    """

    start_ms: int
    step_s: float
    mids: list[float | None]
    exposure: list[tuple[float, float]]
    first_sequence: int
    last_sequence: int
    gap: bool = False


class SideFit(msgspec.Struct, frozen=True, kw_only=True):
    """kappa and A of one side of the book, 95 % intervals (units as :class:`Estimates`)."""

    kappa: float
    kappa_low: float
    kappa_high: float
    intensity: float
    intensity_low: float
    intensity_high: float


class Params(Stamped, kw_only=True):
    """PARAMS::<pair>: the last calibration, dated, with its provenance (units as :class:`Estimates`).

    ks, arrival_ks: Stephens' T* of the excesses over the touch and of the times between orders; *_rejects at 5 %.
    estimator, weight: how kappa was found. bid, ask: of takers that hit the bids and lifted the asks, apart.
    others: kappa (1/price) of every estimator by name, to compare.
    """

    at_ms: int
    provenance: str
    in_sample: bool = False
    mid: float | None = None
    estimates: Estimates = Estimates()
    sigma_low: float | None = None
    sigma_high: float | None = None
    ks: float | None = None
    ks_rejects: bool | None = None
    arrival_cv: float | None = None
    arrival_ks: float | None = None
    arrival_rejects: bool | None = None
    estimator: str = "exposure"
    weight: str = "order"
    bid: SideFit | None = None
    ask: SideFit | None = None
    others: dict[str, float] = {}
    fills: int = 0
    own_hits: int = 0
