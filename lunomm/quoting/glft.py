"""Guéant, Lehalle & Fernandez-Tapia's long-run quotes with inventory bounds, in lots.

Unlike Avellaneda & Stoikov's closed form these quotes know the arrival rate A (a busy market skews less), have no
clock, and respect a bound of Q lots. Three ways to the same quantity, how far a side's *indifference price* lies from
the fair price (the half-spread paid by order flow comes on top):

* closed form: linear in inventory, the limit of many lots and no bound. Its error grows with ``kappa C``.
* eigenvector: exact for the infinite horizon. ``v`` is the positive eigenvector of the tridiagonal matrix with
  diagonal ``alpha q^2 - beta q`` and off-diagonal ``-eta``; the bid's distance is ``ln(v_q / v_{q+1}) / kappa``.
* finite horizon: exact; the same with ``v = exp(-M tau) v_T``.

A fractional inventory (partial fills) is priced on the lattice ``n + integers`` inside the bounds.

The lowest eigenvalue is bisected on the signs of the pivots of the shifted matrix, and the pivots *are* the ratios of
neighbouring entries. Rejected: a dense eigen-solver, whose entries are right to 1e-16 of the largest, while far from
the centre the ratio of two entries of 1e-20 is needed.

Source: Guéant, Lehalle & Fernandez-Tapia (2013), Dealing with the inventory risk, Math. Finan. Econ. 7, 477-507:
propositions 1-2, theorems 1-2, sections 4, 5.1 (drift) and 5.2 (adverse selection).
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lunomm.errors import ModelError
from lunomm.quoting.avellaneda_stoikov import finite, intensity_half_spread

CLOSED_BELOW = 0.1
"""Largest kappa C for which the closed form is used."""

CLOSED_SKEW = 1.0
"""Largest skew, in 1/kappa, for which the closed form is used: the exact one grows like a logarithm where the closed
form goes on in a straight line, and at 1/kappa they differ by 4 % of it."""

NEAR_BOUND = 2.0
"""Within so many lots of the bound the closed form, which knows none, is never used."""

FAR_BOUND = 9.0
"""Least (Q^2 - n^2) kappa C for the closed form: the bound's share in the eigenvector at n falls like e to minus this.
Two lots of distance alone do not do: at kappa C = 0.001 the eigenvector is 32 lots wide, a bound of ten bends it
everywhere, and the exact skew is twenty times the closed form's."""

MAX_LOTS = 5_000
"""Largest lattice on either side of the target; a larger one is a mistaken unit."""

MAX_FINITE_LOTS = 200
"""The same for the finite horizon, which needs a whole matrix."""

_WIDTHS, _SPARE = 12.0, 40
"""Without a bound the lattice ends where the eigenvector is below 1e-30 of its peak."""

_SLACK = 1e-9
"""Lots by which rounding of inventory/lot may pass a bound."""

_SETTLED = 60.0
"""Once exp(-gap tau) is below e^-60 the finite horizon is the infinite one."""


class Method(enum.StrEnum):
    """How a model was evaluated."""

    CLOSED = "closed form"
    EIGENVECTOR = "eigenvector"
    FINITE = "finite horizon"


@dataclass(frozen=True)
class Flow:
    """Market and taste, per lot. Together they are all a GLFT quote depends on.

    intensity: A, 1/s a side, > 0. kappa: 1/price, > 0. gamma_p: 1/price, >= 0. sigma: price/sqrt(s), > 0. drift: of
    the fair price, price/s. impact: what the fair price moves against us at each fill, price, >= 0.

    Raises:
        ModelError: anything out of range or not finite.
    """

    intensity: float
    kappa: float
    gamma_p: float
    sigma: float
    drift: float = 0.0
    impact: float = 0.0

    def __post_init__(self) -> None:
        finite("A", self.intensity, above=0.0)
        finite("kappa", self.kappa, above=0.0)
        finite("gamma per lot", self.gamma_p, low=0.0)
        finite("sigma", self.sigma, above=0.0)
        finite("drift", self.drift)
        finite("adverse selection", self.impact, low=0.0)

    @property
    def alpha(self) -> float:
        """kappa gamma_p sigma^2 / 2, 1/s: what inventory costs."""
        return finite("alpha", 0.5 * self.kappa * self.gamma_p * self.sigma * self.sigma)

    @property
    def eta(self) -> float:
        """A (1 + gamma/kappa)^-(1 + kappa/gamma) exp(-kappa impact/2), 1/s: what trading brings. Not the size rule's
        eta."""
        log = math.log(self.intensity) - _log_power(self.gamma_p / self.kappa) - 0.5 * self.kappa * self.impact
        if not -700.0 < log < 700.0:
            raise ModelError(f"A, gamma/kappa and the adverse selection are beyond any market: eta is e^{log:.4g}")
        return math.exp(log)

    @property
    def c(self) -> float:
        """C, price: fall of the closed form's reservation price a lot, and its risk part of the spread."""
        return finite("C", math.sqrt(self.alpha / self.eta) / self.kappa)

    @property
    def kappa_c(self) -> float:
        return self.kappa * self.c

    @property
    def target(self) -> float:
        """Inventory in lots that the drift makes worth holding: drift / (gamma sigma^2); 0 without drift."""
        if self.drift == 0.0:
            return 0.0
        risk = self.gamma_p * self.sigma * self.sigma
        return finite("drift/(gamma sigma^2)", self.drift / risk if risk > 0.0 else math.copysign(math.inf, self.drift))


@dataclass(frozen=True)
class Indifference:
    """Distances from the fair price at which one more lot is worth neither more nor less, bid down and ask up.

    Prices; negative where inventory makes a side eager; None where the bound forbids the side.
    """

    bid: float | None
    ask: float | None
    method: Method


def indifference(flow: Flow, n: float, bound: float | None = None, tau: float | None = None) -> Indifference:
    """The exact distances, or the closed form's where that is as good.

    Args:
        n: Inventory minus target, lots, long positive.
        bound: Q, lots, >= 0; None = none.
        tau: Horizon left, seconds, >= 0; None = infinite. A finite one needs a bound.

    Raises: ModelError: an input not finite or out of range; a lattice beyond ``MAX_LOTS``.
    """
    finite("inventory", n)
    if bound is not None:
        finite("inventory bound", bound, low=0.0)
    if tau is not None:
        return _on_lattice(flow, n, bound, finite("horizon", tau, low=0.0))
    if _closed_form_holds(flow, n, bound):
        return closed_form(flow, n)
    return _on_lattice(flow, n, bound, None)


def closed_form(flow: Flow, n: float) -> Indifference:
    """(2n+1)/2 C below and (1-2n)/2 C above, less drift/(gamma sigma^2) C, plus half the adverse selection.

    Source: section 4 (and 5.1, 5.2); Guéant (2016), Optimal market making, (4.6)-(4.7), with C per lot.
    """
    c, half_impact = flow.c, 0.5 * flow.impact
    excess = n - flow.target
    bid = finite("bid distance", (excess + 0.5) * c + half_impact)
    ask = finite("ask distance", (0.5 - excess) * c + half_impact)
    return Indifference(bid, ask, Method.CLOSED)


def half_spread(gamma_p: float, kappa: float) -> float:
    """What order flow pays on top of the indifference distance: (1/gamma) ln(1 + gamma/kappa), as in A-S."""
    return intensity_half_spread(gamma_p, kappa)


def table(flow: Flow, bound: int, tau: float | None = None) -> list[Indifference]:
    """The exact distances at every inventory -bound .. bound, for simulations: one solution serves all.

    Raises: ModelError: as :func:`indifference`.
    """
    points = _points(0.0, float(bound), float(bound), MAX_LOTS)
    logs, method = _log_ratios(flow, points, tau)
    return [_at(flow, logs, i, method) for i in range(len(points))]


def _closed_form_holds(flow: Flow, n: float, bound: float | None) -> bool:
    kappa_c = flow.kappa_c
    if kappa_c > CLOSED_BELOW or (flow.gamma_p == 0.0 and flow.drift != 0.0):
        return False
    excess = abs(n - flow.target)
    if kappa_c * excess > CLOSED_SKEW:
        return False
    if bound is None:
        return True
    room = bound - abs(flow.target)
    return bound - abs(n) > NEAR_BOUND and room > 0.0 and (room * room - excess * excess) * kappa_c >= FAR_BOUND


def _on_lattice(flow: Flow, n: float, bound: float | None, tau: float | None) -> Indifference:
    if bound is None:
        if tau is not None:
            raise ModelError("a finite horizon needs an inventory bound")
        width = 1.0 / math.sqrt(flow.kappa_c) if flow.kappa_c > 0.0 else math.inf
        reach = finite("lattice", abs(flow.target) + abs(n) + _WIDTHS * width + _SPARE)
        points = _points(n, reach, reach, MAX_LOTS)
    else:
        if abs(n) > bound + _SLACK:
            n = math.copysign(bound, n)
        points = _points(n, bound, bound, MAX_LOTS)
    logs, method = _log_ratios(flow, points, tau)
    here = min(range(len(points)), key=lambda i: abs(points[i] - n))
    return _at(flow, logs, here, method)


def _points(n: float, below: float, above: float, most: int) -> list[float]:
    """``n + integers`` in [-below, above]."""
    down, up = math.floor(n + below + _SLACK), math.floor(above - n + _SLACK)
    if max(down, up) > 2 * most:
        raise ModelError(f"inventory may reach {max(below, above):g} lots, more than {most}: check the order size")
    return [n + k for k in range(-down, up + 1)]


def _at(flow: Flow, logs: Sequence[float], i: int, method: Method) -> Indifference:
    """logs[i]: ln(v_i / v_{i+1})."""
    half_impact = 0.5 * flow.impact
    bid = finite("bid distance", logs[i] / flow.kappa + half_impact) if i < len(logs) else None
    ask = finite("ask distance", -logs[i - 1] / flow.kappa + half_impact) if i > 0 else None
    return Indifference(bid, ask, method)


def _log_ratios(flow: Flow, points: Sequence[float], tau: float | None) -> tuple[list[float], Method]:
    """ln(v_i / v_{i+1}) for every pair of neighbours."""
    eta = flow.eta
    curve = finite("alpha/eta", flow.alpha / eta)
    slope = finite("drift/eta", flow.kappa * flow.drift / eta)
    diagonal = [finite("alpha q^2/eta", curve * q * q - slope * q) for q in points]
    if tau is None:
        return _eigenvector(diagonal), Method.EIGENVECTOR
    if len(points) > 2 * MAX_FINITE_LOTS + 1:
        raise ModelError(f"a finite horizon is for at most {MAX_FINITE_LOTS} lots, not {len(points) // 2}")
    start = [-0.5 * flow.kappa * flow.impact * q * q for q in points]
    return _propagate(diagonal, start, finite("eta tau", eta * tau)), Method.FINITE


def _eigenvector(diagonal: Sequence[float]) -> list[float]:
    """ln(v_i / v_{i+1}) of the positive eigenvector of tridiag(diagonal, -1) for its lowest eigenvalue."""
    if len(diagonal) == 1:
        return []
    high = min(diagonal)
    low = high - 2.0  # Gershgorin
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if _all_pivots_positive(diagonal, middle):
            low = middle
        else:
            high = middle
    bottom = min(range(len(diagonal)), key=diagonal.__getitem__)
    logs = [0.0] * (len(diagonal) - 1)
    # From either end towards the potential's bottom the recurrence only damps its errors.
    pivot = math.inf
    for i in range(len(diagonal) - 1, bottom, -1):
        pivot = diagonal[i] - low - 1.0 / pivot
        logs[i - 1] = math.log(pivot)
    pivot = math.inf
    for i in range(bottom):
        pivot = diagonal[i] - low - 1.0 / pivot
        logs[i] = -math.log(pivot)
    return logs


def _all_pivots_positive(diagonal: Sequence[float], x: float) -> bool:
    """Whether ``x`` is below every eigenvalue of tridiag(diagonal, -1) (Sylvester)."""
    pivot = math.inf
    for entry in diagonal:
        pivot = entry - x - 1.0 / pivot
        if pivot <= 0.0:
            return False
    return True


def _propagate(diagonal: Sequence[float], start: Sequence[float], time: float) -> list[float]:
    """ln(v_i / v_{i+1}) of exp(-M time) exp(start), M = tridiag(diagonal, -1).

    exp(-M t) = e^-ct exp((cI - M) t) with a non-negative matrix: sums and products of non-negative numbers keep every
    entry right to its own last digits, and e^-ct cancels in the ratios.
    """
    import numpy as np

    size = len(diagonal)
    matrix = np.diag(max(diagonal) - np.array(diagonal)) + np.eye(size, k=1) + np.eye(size, k=-1)
    if size > 1:
        levels = np.linalg.eigvalsh(matrix)
        if (levels[-1] - levels[-2]) * time > _SETTLED:
            return _eigenvector(diagonal)
    squarings = max(0, math.ceil(math.log2(max(float(matrix.sum(axis=1).max()) * time, 1.0))))
    step = matrix * (time / 2.0**squarings)
    term = grown = np.eye(size)
    for k in range(1, 24):  # the step's norm is at most 1: 1/24! is below the last digit
        term = term @ step / k
        grown = grown + term
    for _ in range(squarings):
        grown = grown @ grown
        grown = grown / grown.max()
    peak = max(start)
    v = grown @ np.exp(np.array(start) - peak)
    if not bool(np.all(np.isfinite(v)) and np.all(v > 0.0)):
        raise ModelError("the finite horizon's values underflow: the risk over it is beyond any market")
    logs = np.log(v)
    return [float(a - b) for a, b in itertools.pairwise(logs)]


def _log_power(g: float) -> float:
    """(1 + 1/g) ln(1 + g), whose limit at 0 is 1."""
    if g < 1e-6:
        return 1.0 + g / 2.0 - g * g / 6.0
    return (1.0 + 1.0 / g) * math.log1p(g)
