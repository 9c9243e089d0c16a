from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from lunomm.errors import ModelError
from lunomm.quoting import glft
from lunomm.quoting.glft import Flow, Method, closed_form, half_spread, indifference, table

PAPER = Flow(intensity=140.0, kappa=1.5, gamma_p=0.1, sigma=2.0)


def at(kappa_c: float, gamma: float = 0.1) -> Flow:
    """A = kappa = 1 and the sigma that gives this kappa C."""
    one = Flow(1.0, 1.0, gamma, 1.0).kappa_c
    return Flow(1.0, 1.0, gamma, kappa_c / one)


# --- second implementations, naive on purpose ----------------------------------------------------------------------


def by_power_iteration(flow: Flow, points: list[str]) -> list[float]:
    """ln(v_i/v_{i+1})/kappa with 60 digits: the matrix squared until one column is left."""
    with localcontext() as context:
        context.prec = 60
        a, k, g, s, mu, xi = (
            Decimal(repr(x)) for x in (flow.intensity, flow.kappa, flow.gamma_p, flow.sigma, flow.drift, flow.impact)
        )
        eta = a * (-(1 + k / g) * (1 + g / k).ln() - k * xi / 2).exp()
        alpha, beta = k * g * s * s / 2, k * mu
        q = [Decimal(x) for x in points]
        size = len(q)
        diagonal = [alpha * x * x - beta * x for x in q]
        shift = max(diagonal) + 2 * eta
        m = [[Decimal(0)] * size for _ in range(size)]
        for i in range(size):
            m[i][i] = shift - diagonal[i]
            if i:
                m[i][i - 1] = m[i - 1][i] = eta
        for _ in range(28):
            m = [[sum((m[i][h] * m[h][j] for h in range(size)), Decimal(0)) for j in range(size)] for i in range(size)]
            top = max(max(row) for row in m)
            m = [[x / top for x in row] for row in m]
        v = [row[size // 2] for row in m]
        return [float((v[i] / v[i + 1]).ln() / k) for i in range(size - 1)]


def by_taylor(flow: Flow, bound: int, tau: float) -> list[float]:
    """The same for exp(-M tau) v_T: one long alternating series with 120 digits."""
    with localcontext() as context:
        context.prec = 120
        a, k, g, s, xi, t = (
            Decimal(repr(x)) for x in (flow.intensity, flow.kappa, flow.gamma_p, flow.sigma, flow.impact, tau)
        )
        eta = a * (-(1 + k / g) * (1 + g / k).ln() - k * xi / 2).exp()
        alpha, beta = k * g * s * s / 2, k * Decimal(repr(flow.drift))
        q = [Decimal(x) for x in range(-bound, bound + 1)]
        term = [(-k * xi * x * x / 2).exp() for x in q]
        v = list(term)
        for step in range(1, 900):
            moved = [(alpha * x * x - beta * x) * y for x, y in zip(q, term, strict=True)]
            for i in range(len(q)):
                moved[i] -= eta * ((term[i - 1] if i else 0) + (term[i + 1] if i + 1 < len(q) else 0))
            term = [-t * x / step for x in moved]
            v = [x + y for x, y in zip(v, term, strict=True)]
        return [float((v[i] / v[i + 1]).ln() / k) for i in range(len(q) - 1)]


@pytest.mark.parametrize(
    ("flow", "points"),
    [
        (PAPER, [str(q) for q in range(-6, 7)]),
        (at(0.5), [str(q) for q in range(-6, 7)]),
        (at(3.0, gamma=2.0), [str(q) for q in range(-4, 5)]),
        (at(0.3), ["-4.7", "-3.7", "-2.7", "-1.7", "-0.7", "0.3", "1.3", "2.3", "3.3", "4.3"]),
        (Flow(1.0, 1.0, 0.1, 2.0, drift=0.3, impact=0.4), [str(q) for q in range(-5, 6)]),
        (Flow(0.03, 1 / 300, 1 / 300_000, 25.5), [str(q) for q in range(-5, 6)]),
    ],
)
def test_eigenvector_equals_a_naive_one(flow, points):
    expected = by_power_iteration(flow, points)
    found = [x / flow.kappa for x in glft._log_ratios(flow, [float(p) for p in points], None)[0]]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 / flow.kappa)


@pytest.mark.parametrize(
    ("flow", "tau"),
    [(PAPER, 0.05), (PAPER, 1.0), (at(1.0), 2.0), (Flow(1.0, 1.0, 0.1, 2.0, drift=0.2, impact=0.5), 5.0)],
)
def test_finite_horizon_equals_a_naive_series(flow, tau):
    expected = by_taylor(flow, 4, tau)
    rows = table(flow, 4, tau)
    found = [row.bid - flow.impact / 2 for row in rows if row.bid is not None]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 / flow.kappa)
    assert {row.method for row in rows} == {Method.FINITE}


def test_a_dense_solver_agrees_where_it_can():
    for kappa_c in (0.05, 0.4, 2.0):
        flow = at(kappa_c)
        q = np.arange(-5, 6)
        matrix = np.diag(flow.alpha / flow.eta * q * q) - np.eye(11, k=1) - np.eye(11, k=-1)
        v = abs(np.linalg.eigh(matrix)[1][:, 0])
        expected = np.log(v[:-1] / v[1:])
        assert glft._log_ratios(flow, list(q.astype(float)), None)[0] == pytest.approx(list(expected), abs=1e-7)


# --- the published closed form -------------------------------------------------------------------------------------


def test_closed_form_by_hand():
    g, k, a, s = 0.1, 1.5, 140.0, 2.0
    c = math.sqrt(s * s * g / (2 * k * a) * (1 + g / k) ** (1 + k / g))
    assert PAPER.c == pytest.approx(c, rel=1e-12)
    assert half_spread(g, k) == pytest.approx(math.log(1 + g / k) / g, rel=1e-12)
    for n in (-3.0, 0.0, 2.5):
        found = closed_form(PAPER, n)
        assert found.bid == pytest.approx((2 * n + 1) / 2 * c, rel=1e-12)
        assert found.ask == pytest.approx((1 - 2 * n) / 2 * c, rel=1e-12)


@pytest.mark.parametrize(
    ("kappa_c", "n", "closed", "exact"),
    [
        (0.11, 0, (1.008, 1.008), (1.009, 1.009)),
        (0.38, 1, (1.523, 0.763), (1.558, 0.748)),
        (1.51, 0, (1.708, 1.708), (2.009, 2.009)),
        (1.51, 6, (10.768, -7.352), (5.675, -3.463)),
    ],
)
def test_how_wrong_the_closed_form_is(kappa_c, n, closed, exact):
    flow, c1 = at(kappa_c), half_spread(0.1, 1.0)
    line, curve = closed_form(flow, n), glft._on_lattice(flow, float(n), None, None)
    assert (line.bid + c1, line.ask + c1) == pytest.approx(closed, abs=1e-3)
    assert (curve.bid + c1, curve.ask + c1) == pytest.approx(exact, abs=1e-3)


# --- which of the two ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kappa_c", "n", "bound", "method"),
    [
        (0.05, 0.0, None, Method.CLOSED),
        (0.1, 3.0, 20.0, Method.CLOSED),
        (0.11, 0.0, None, Method.EIGENVECTOR),
        (0.05, 18.0, 20.0, Method.EIGENVECTOR),  # two lots from the bound
        (0.05, -19.0, 20.0, Method.EIGENVECTOR),
        (0.05, 30.0, None, Method.EIGENVECTOR),  # skewed by more than 1/kappa
        (0.001, 0.0, 10.0, Method.EIGENVECTOR),  # a bound within the eigenvector's width
        (0.0, 0.0, 10.0, Method.EIGENVECTOR),
        (0.0, 5.0, None, Method.CLOSED),
    ],
)
def test_the_closed_form_is_used_only_where_it_holds(kappa_c, n, bound, method):
    flow = at(kappa_c) if kappa_c else Flow(1.0, 1.0, 0.0, 1.0)
    assert indifference(flow, n, bound).method is method


def test_wherever_the_closed_form_is_used_it_is_right():
    worst = 0.0
    for kappa_c in (1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1):
        for bound in (None, 3.0, 10.0, 30.0, 120.0):
            for n in (0.0, 0.4, 1.0, 3.0, 7.7, 12.0, 27.5, 110.0):
                if bound is not None and n > bound:
                    continue
                flow = at(kappa_c)
                found = indifference(flow, n, bound)
                if found.method is Method.CLOSED:
                    exact = glft._on_lattice(flow, n, bound, None)
                    assert exact.bid is not None and exact.ask is not None
                    worst = max(worst, abs(found.bid - exact.bid), abs(found.ask - exact.ask))
    assert 0.001 < worst < 0.05  # of 1/kappa


def test_a_near_bound_bends_the_skew_twenty_times():
    flow = at(0.001)
    near = indifference(flow, 3.0, 10.0)
    assert (near.bid - near.ask) / 2 > 15 * 3.0 * flow.c


# --- bounds, lattice, limits ---------------------------------------------------------------------------------------


def test_at_the_bounds_one_side_is_missing():
    flow = at(0.5)
    assert indifference(flow, 4.0, 4.0).bid is None
    assert indifference(flow, -4.0, 4.0).ask is None
    assert indifference(flow, 4.0, 4.0).ask == pytest.approx(table(flow, 4)[-1].ask)
    assert indifference(flow, 99.0, 4.0).ask == indifference(flow, 4.0, 4.0).ask
    alone = indifference(flow, 0.0, 0.5)
    assert (alone.bid, alone.ask) == (None, None)


def test_a_fraction_of_a_lot_is_priced_on_its_own_lattice():
    flow = at(0.5)
    between = [indifference(flow, n, 6.0) for n in (2.0, 2.2, 2.5, 2.8, 3.0)]
    bids = [found.bid for found in between]
    assert bids == sorted(bids)
    assert indifference(flow, 5.5, 6.0).bid is None  # a whole lot would pass the bound
    assert indifference(flow, 4.9999999999, 6.0).bid == pytest.approx(indifference(flow, 5.0, 6.0).bid, rel=1e-6)


def test_buying_from_here_is_selling_from_there():
    for row, above in zip(table(at(0.7), 5), table(at(0.7), 5)[1:], strict=False):
        assert row.bid == pytest.approx(-above.ask)


def test_limits():
    still = Flow(1.0, 2.0, 0.0, 1.0)
    assert (closed_form(still, 5.0).bid, closed_form(still, 5.0).ask) == (0.0, 0.0)
    assert Flow(1.0, 2.0, 1e-12, 1.0).eta == pytest.approx(still.eta, rel=1e-9) == pytest.approx(math.exp(-1))
    # Without risk aversion only the bound skews: the eigenvector is a cosine.
    expected = math.log(math.cos(2 * math.pi / 12) / math.cos(3 * math.pi / 12)) / 2.0
    assert indifference(still, 2.0, 5.0).bid == pytest.approx(expected, rel=1e-9)
    # At the end of time inventory is worth the fair price; long before it, what the eigenvector says.
    assert indifference(PAPER, 2.0, 5.0, tau=0.0).bid == 0.0
    late, never = indifference(PAPER, 2.0, 5.0, tau=1e6), glft._on_lattice(PAPER, 2.0, 5.0, None)
    assert late.bid == pytest.approx(never.bid, rel=1e-12)
    for tau in (5.0, 20.0):
        settled = indifference(PAPER, 2.0, 5.0, tau=tau)
        assert settled.bid == pytest.approx(never.bid, rel=1e-6)


def test_drift_moves_the_target_and_impact_widens():
    flow = Flow(1.0, 1.0, 0.1, 0.2, drift=0.008)
    assert flow.target == pytest.approx(2.0)
    moved, plain = closed_form(flow, 3.0), closed_form(Flow(1.0, 1.0, 0.1, 0.2), 1.0)
    assert (moved.bid, moved.ask) == (pytest.approx(plain.bid), pytest.approx(plain.ask))
    hit, calm = Flow(1.0, 1.0, 0.1, 0.2, impact=0.8), Flow(1.0, 1.0, 0.1, 0.2)
    assert hit.c == pytest.approx(calm.c * math.exp(0.2))
    assert closed_form(hit, 0.0).bid == pytest.approx(0.4 + hit.c / 2)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("name", ["intensity", "kappa", "gamma_p", "sigma", "drift", "impact"])
@pytest.mark.parametrize("value", [NAN, INF, -INF, -1.0, 1e308])
def test_nothing_that_cannot_be_priced_is(name, value):
    given = {"intensity": 1.0, "kappa": 1.0, "gamma_p": 0.1, "sigma": 1.0, name: value}
    if (name, value) in (("drift", -1.0), ("kappa", 1e308)):  # a falling market, flow at the touch only: markets
        found = indifference(Flow(**given), 0.0, 3.0)
        assert math.isfinite(found.bid) and math.isfinite(found.ask)
        return
    with pytest.raises(ModelError):
        indifference(Flow(**given), 1.0, 3.0)


@pytest.mark.parametrize(
    ("n", "bound", "tau", "words"),
    [
        (NAN, 3.0, None, "inventory"),
        (0.0, INF, None, "bound"),
        (0.0, -1.0, None, "bound"),
        (0.0, 5.0, -1.0, "horizon"),
        (0.0, None, 5.0, "needs an inventory bound"),
        (0.0, 300.0, 5.0, "at most 200 lots"),
        (1e9, None, None, "check the order size"),
        (0.0, 1e9, None, "check the order size"),
    ],
)
def test_what_is_refused(n, bound, tau, words):
    with pytest.raises(ModelError, match=words):
        indifference(at(0.5), n, bound, tau)
