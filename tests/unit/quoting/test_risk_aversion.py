from __future__ import annotations

import math

import pytest

from lunomm.errors import ModelError, UsageError
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew, for_target, parse_target_skew, per_lot


def test_the_three_references():
    assert per_lot(2.0, GammaRef.LOT, fair=400.0, lot=0.5) == 0.005
    assert per_lot(2.0, GammaRef.CAPITAL, fair=400.0, lot=0.5, capital=10.0) == pytest.approx(0.005 / 20)
    assert per_lot(2.0, GammaRef.ABSOLUTE, fair=400.0, lot=0.5) == 1.0


@pytest.mark.parametrize(
    ("ref", "changes"),
    [
        (GammaRef.CAPITAL, {}),
        (GammaRef.CAPITAL, {"capital": 0.0}),
        (GammaRef.CAPITAL, {"capital": float("nan")}),
        (GammaRef.ABSOLUTE, {"lot": 0.0}),
        (GammaRef.LOT, {"gamma": -1.0}),
        (GammaRef.ABSOLUTE, {"gamma": float("inf")}),
        (GammaRef.LOT, {"fair": 0.0}),
    ],
)
def test_what_has_no_gamma(ref, changes):
    given = {"gamma": 1.0, "fair": 400.0, "lot": 0.5, **changes}
    with pytest.raises(ModelError):
        per_lot(given.pop("gamma"), ref, **given)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("25%", TargetSkew(share=0.25)),
        (" 0.1 ", TargetSkew(share=0.1)),
        ("5bp", TargetSkew(bp=5.0)),
        ("6.25 BP", TargetSkew(bp=6.25)),
    ],
)
def test_target_skew_is_read(text, found):
    assert parse_target_skew(text) == found


@pytest.mark.parametrize("text", ["", "0", "0%", "100%", "0bp", "2000bp", "-5bp", "nan", "1e3bp", "５bp", "5 percent"])
def test_target_skew_is_refused(text):
    with pytest.raises(UsageError, match="--target-skew"):
        parse_target_skew(text)


def test_the_gamma_of_a_target():
    # shift = 4 g, spread = 4 g + 2: a share of a half is reached at g = 1/2.
    found = for_target(TargetSkew(share=0.5), 1.0, lambda g: 4 * g, lambda g: 4 * g + 2)
    assert found == pytest.approx(0.5, rel=1e-12)
    assert for_target(TargetSkew(bp=8.0), 100.0, lambda g: 4 * g, lambda g: 1.0) == pytest.approx(0.02, rel=1e-12)


def test_an_unreachable_target_is_refused():
    with pytest.raises(ModelError, match="no risk aversion"):
        for_target(TargetSkew(bp=8.0), 100.0, lambda g: min(g, 1e-9), lambda g: 1.0)
    with pytest.raises(ModelError, match="no risk aversion"):
        for_target(TargetSkew(bp=8.0), 100.0, lambda g: 1.0, lambda g: 1.0)


def test_overflow_on_the_way_is_too_much_gamma():
    def shift(g: float) -> float:
        if g > 1e3:
            raise ModelError("overflow")
        return g

    assert math.isclose(for_target(TargetSkew(bp=1e4), 1.0, shift, lambda g: 1.0), 1.0, rel_tol=1e-12)
