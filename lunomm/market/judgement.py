"""A sample of taker orders and the spread's history, judged: kappa and A by the method asked for, and a verdict.

GO: fifty orders and both intervals within 35 %. THIN: ten. NO: fewer, or kappa not identified. A rejected fit and
uneven sides are said, clustered arrivals widen the interval of A; they are no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lunomm.errors import ModelError
from lunomm.market.comparisons import Curve, document_fit, loglin_fit
from lunomm.market.goodness import KS_5_PERCENT, stephens, variation
from lunomm.market.intensity import (
    GO_SAMPLE,
    GO_WIDTH,
    THIN_SAMPLE,
    Exposure,
    Fit,
    Floats,
    Marks,
    depth_fit,
    exposure_fit,
    touch_fit,
)
from lunomm.market.records import Verdict

ESTIMATORS: Final = ("exposure", "touch", "depth", "loglin", "seed")
TRUSTED: Final = ("exposure", "touch")
"""Those a quoter may price with; the others are known to be biased or without a usable error, and only shown."""

WEIGHTS: Final = ("order", "size")

HALF_AT_TOUCH: Final = 0.5
"""With a larger share of orders that took the touch only, lambda inside the spread is an extrapolation."""

SIDES_DIFFER: Final = 2.58
"""Standard errors between the two sides' log kappa that are said: the 1 % point."""


@dataclass(frozen=True, slots=True)
class Method:
    """How kappa and A are found.

    prior_kappa: 1/price, believed beforehand, worth five taker orders (``exposure`` only).

    Raises:
        ModelError: an unknown estimator or weight, or a prior where it cannot be used.
    """

    estimator: str = "exposure"
    weight: str = "order"
    prior_kappa: float | None = None

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise ModelError(f"kappa can be estimated by {', '.join(ESTIMATORS)}, not by {self.estimator!r}")
        if self.weight not in WEIGHTS:
            raise ModelError(f"taker orders can be weighted by {' or '.join(WEIGHTS)}, not by {self.weight!r}")
        if self.weight == "size" and self.estimator in ("loglin", "seed"):
            raise ModelError(f"size weights belong to exposure, touch and depth, not to {self.estimator}")

    @property
    def trusted(self) -> bool:
        return self.estimator in TRUSTED


class Reached(NamedTuple):
    """One taker order. depth, half_spread, tick: relative to the mid before it. volume: base. on_ask: it bought."""

    at_ms: int
    depth: float
    half_spread: float
    tick: float
    volume: float
    on_ask: bool


@dataclass(frozen=True, slots=True)
class Orders:
    """Taker orders as arrays of one length, in order of time; fields as in `Reached`."""

    at_ms: Floats
    depths: Floats
    half_spreads: Floats
    ticks: Floats
    volumes: Floats
    on_ask: NDArray[np.bool_]

    @staticmethod
    def of(reached: Sequence[Reached] | Orders) -> Orders:
        if isinstance(reached, Orders):
            return reached
        columns = np.array(reached, dtype=float).reshape(-1, 6).T
        return Orders(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5] > 0.5)

    def only(self, rows: NDArray[np.bool_]) -> Orders:
        return Orders(
            self.at_ms[rows],
            self.depths[rows],
            self.half_spreads[rows],
            self.ticks[rows],
            self.volumes[rows],
            self.on_ask[rows],
        )

    def __len__(self) -> int:
        return len(self.at_ms)


class Window(NamedTuple):
    """What is judged: orders, the spread's history over the same time, and what is missing from it.

    holes_ms: when the stream came back after a loss; a wait for the next taker across one was not seen whole.
    mid: counter per base, for a prior given per price.
    """

    reached: Sequence[Reached] | Orders
    exposure: Exposure
    own_hits: int
    window_s: float
    holes_ms: Sequence[int] = ()
    mid: float | None = None


@dataclass(frozen=True, slots=True)
class Intensity:
    """kappa and A over one window, relative to the mid; ``fit`` is ``None`` where kappa is not identified.

    curve: instead of ``fit`` for estimators without an error bar. sample: taker orders used. own_hits: left out, they
    met only our own orders inside the others' touch (A is then a lower bound). window_s: span of the window.
    touch_share: share of orders that went no deeper than the touch. ks: Stephens' T* of the excesses, ks_rejects at
    5 %; arrival_ks likewise of the times between orders, arrival_cv their coefficient of variation.
    """

    fit: Fit | None = None
    sample: int = 0
    own_hits: int = 0
    window_s: float = 0.0
    touch_share: float | None = None
    ks: float | None = None
    ks_rejects: bool | None = None
    arrival_cv: float | None = None
    arrival_ks: float | None = None
    arrival_rejects: bool | None = None
    verdict: Verdict = Verdict.NO
    reason: str = ""
    curve: Curve | None = None


def marks_of(reached: Sequence[Reached] | Orders, weight: str = "order", sides: int = 2) -> Marks:
    """As arrays. Less than a quarter tick beyond the touch is the touch, written in floats."""
    orders = Orders.of(reached)
    halves, ticks = orders.half_spreads, orders.ticks
    depths = np.where(orders.depths - halves < 0.25 * ticks, halves, orders.depths)
    volumes = orders.volumes if weight == "size" else None
    return Marks(depths, halves, volumes, float(ticks.mean()) if len(ticks) else 0.0, sides)


@dataclass(slots=True)
class Sample:
    """What the orders of a window say before the spread's history is asked: the same until another one comes.

    marks: of all. by_side: of takers that hit the bids, of those that lifted the asks; ``None`` until they are asked
    for. The others as in `Intensity`.
    """

    orders: Orders
    marks: Marks
    touch_share: float
    ks: float | None
    arrival_cv: float | None
    arrival_ks: float | None
    by_side: tuple[Marks, Marks] | None = None


def sample_of(window: Window, method: Method) -> Sample:
    """Of a window with at least one order."""
    orders = Orders.of(window.reached)
    marks = marks_of(orders, method.weight)
    excesses = marks.depths - marks.half_spreads
    waits = _waits(orders, window.holes_ms)
    return Sample(
        orders=orders,
        marks=marks,
        touch_share=float((excesses == 0.0).mean()),
        ks=stephens(excesses, marks.tick),
        arrival_cv=variation(waits),
        arrival_ks=stephens(waits),
    )


def judge(window: Window, method: Method, sample: Sample | None = None) -> Intensity:
    """The verdict on one window. sample: of this window and method, where it is known already."""
    n = len(window.reached)
    if n == 0:
        reason = f"no taker order in {window.window_s:.0f} s, {THIN_SAMPLE} needed"
        return Intensity(own_hits=window.own_hits, window_s=window.window_s, reason=reason)
    if sample is None:
        sample = sample_of(window, method)
    marks, touch_share = sample.marks, sample.touch_share
    arrival_cv, arrival_ks = sample.arrival_cv, sample.arrival_ks
    clustered = arrival_ks is not None and arrival_ks > KS_5_PERCENT and arrival_cv is not None and arrival_cv > 1.0
    fit = _fit(marks, window, method) if touch_share < 1.0 else None
    if fit is not None and clustered and arrival_cv is not None:
        fit = fit.overdispersed(arrival_cv**2, n)
    curve = _curve(marks, window, method) if touch_share < 1.0 else None
    ks = sample.ks
    rejects = ks > KS_5_PERCENT if ks is not None else None
    verdict, reason = _verdict(fit, n, window.window_s)
    if curve is not None:
        verdict, reason = (Verdict.THIN if n >= THIN_SAMPLE else Verdict.NO), f"{n} taker orders"
    if verdict is not Verdict.NO:
        flags = _flags(sample, rejects, window, method)
        if clustered:
            flags.insert(0, f"takers come in clusters (CV {arrival_cv:.1f}): A is known that much less well")
        if not method.trusted:
            verdict = Verdict.THIN
            flags.insert(0, f"{method.estimator} is shown for comparison: it is not kept for quoting")
        reason = "; ".join(filter(None, [reason, *flags]))
    return Intensity(
        fit=fit,
        sample=n,
        own_hits=window.own_hits,
        window_s=window.window_s,
        touch_share=touch_share,
        ks=ks,
        ks_rejects=rejects,
        arrival_cv=arrival_cv,
        arrival_ks=arrival_ks,
        arrival_rejects=arrival_ks > KS_5_PERCENT if arrival_ks is not None else None,
        verdict=verdict,
        reason=reason,
        curve=curve,
    )


def sides(window: Window, method: Method) -> tuple[Fit | None, Fit | None]:
    """The fit of each side apart: of takers that hit the bids, and of those that lifted the asks."""
    bid, ask = _by_side(Orders.of(window.reached), method)
    return _side_fit(bid, window, method), _side_fit(ask, window, method)


def _by_side(orders: Orders, method: Method) -> tuple[Marks, Marks]:
    bid, ask = (marks_of(orders.only(orders.on_ask == on_ask), method.weight, sides=1) for on_ask in (False, True))
    return bid, ask


def _side_fit(marks: Marks, window: Window, method: Method) -> Fit | None:
    beyond = bool(len(marks.depths)) and bool((marks.depths > marks.half_spreads).any())
    return _fit(marks, window, method) if beyond else None


def compare(window: Window) -> dict[str, Curve]:
    """Every estimator's kappa and A on one window, by name; those that find nothing are left out."""
    if not len(window.reached):
        return {}
    window = window._replace(reached=Orders.of(window.reached))
    marks = marks_of(window.reached)
    found: dict[str, Curve] = {}
    for name in ESTIMATORS:
        method = Method(estimator=name)
        fit, curve = _fit(marks, window, method), _curve(marks, window, method)
        if fit is not None:
            found[name] = Curve(fit.kappa, fit.a)
        elif curve is not None:
            found[name] = curve
    return found


def _fit(marks: Marks, window: Window, method: Method) -> Fit | None:
    match method.estimator:
        case "exposure":
            prior = method.prior_kappa * window.mid if method.prior_kappa is not None and window.mid else None
            return exposure_fit(marks, window.exposure, prior_kappa=prior)
        case "touch":
            return touch_fit(marks, window.exposure.total_s)
        case "depth":
            return depth_fit(marks, window.exposure.total_s)
    return None


def _curve(marks: Marks, window: Window, method: Method) -> Curve | None:
    if method.estimator == "loglin":
        return loglin_fit(marks, window.exposure.total_s)
    if method.estimator == "seed":
        return document_fit(marks.depths, Orders.of(window.reached).volumes)
    return None


def _waits(orders: Orders, holes_ms: Sequence[int]) -> Floats:
    """Times between orders, ms, without those that span a hole."""
    times = orders.at_ms
    part = np.searchsorted(np.asarray(holes_ms, dtype=float), times, side="right")
    waits: Floats = np.diff(times)[np.diff(part) == 0]
    return waits


def _verdict(fit: Fit | None, n: int, window_s: float) -> tuple[Verdict, str]:
    if n < THIN_SAMPLE and fit is not None:
        return Verdict.NO, f"{n} taker orders in {window_s:.0f} s, {THIN_SAMPLE} needed"
    if fit is None:
        return Verdict.NO, f"kappa is not identified: {n} taker orders, none clearly beyond the touch"
    for name, (low, high), value in (("kappa", fit.kappa_interval, fit.kappa), ("A", fit.a_interval, fit.a)):
        if n >= GO_SAMPLE and (high > value * (1 + GO_WIDTH) or low < value * (1 - GO_WIDTH)):
            return Verdict.THIN, f"{name} is only known to -{1 - low / value:.0%} +{high / value - 1:.0%}"
    if n < GO_SAMPLE:
        width = fit.kappa_interval[1] / fit.kappa - 1
        return Verdict.THIN, f"only {n} taker orders ({GO_SAMPLE} for GO): kappa is known to about {width:.0%}"
    return Verdict.GO, ""


def _flags(sample: Sample, ks_rejects: bool | None, window: Window, method: Method) -> list[str]:
    flags = []
    if sample.touch_share > HALF_AT_TOUCH:
        flags.append(f"{sample.touch_share:.0%} took the touch only: inside the spread this is an extrapolation")
    if ks_rejects:
        flags.append("depths beyond the touch are not exponential")
    if sample.by_side is None:
        sample.by_side = _by_side(sample.orders, method)
    bid, ask = (_side_fit(marks, window, method) for marks in sample.by_side)
    if bid is not None and ask is not None:
        apart = abs(float(np.log(ask.kappa / bid.kappa))) / float(np.hypot(bid.se_log_kappa, ask.se_log_kappa))
        if apart > SIDES_DIFFER:
            flags.append(f"the sides differ: 1/kappa {1e4 / bid.kappa:.1f} bp on bids, {1e4 / ask.kappa:.1f} on asks")
    if window.own_hits:
        flags.append(f"{window.own_hits} met only our own orders and are left out: A is a lower bound")
    if method.prior_kappa is not None and method.estimator == "exposure":
        flags.append("with a prior kappa")
    return flags
