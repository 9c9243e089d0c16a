from __future__ import annotations

import pytest
from quoting_cases import DAY_SIGMA, PAIR, START_MS, estimates, tick

from lunomm.market.records import Params, Verdict
from lunomm.quoting.estimates import InUse, Missing, choose

DAY_MS = 86_400_000
NONE = {"sigma": None, "kappa": None, "intensity": None, "sample": 3, "verdict": Verdict.NO, "reason": "3 taker orders"}


def params(**changes):
    given = {
        "pair": PAIR,
        "at_ms": START_MS - 3600_000,
        "provenance": "bus",
        "mid": 150_000.0,
        "estimates": estimates(sigma=2 * DAY_SIGMA, kappa=1 / 150),
    }
    return Params(**{**given, **changes})


NOTHING = estimates(**NONE)
SIGMA_ONLY = estimates(**{**NONE, "sigma": DAY_SIGMA})
THIN = estimates(verdict=Verdict.THIN, sample=12)
WARM_FIELDS = {"verdict": Verdict.THIN, "kappa_source": "warm"}
WARM = estimates(verdict=Verdict.THIN, kappa_source="warm")
NO = estimates(verdict=Verdict.NO, sample=40, reason="every order at the touch")
SEEN_NO = params(estimates=NO)


def chosen(live, stored=None, prior=None):
    return choose(tick(estimates=live), stored, prior, 300_000.0, START_MS)


@pytest.mark.parametrize(
    ("case", "live", "stored", "prior", "origin", "sigma", "kappa", "warned"),
    [
        ("live", estimates(), params(), 1.0, "live", 1, 1 / 300, False),
        ("thin is used and said", THIN, params(), None, "live", 1, 1 / 300, True),
        ("a warm start is labelled", WARM, None, None, "warm", 1, 1 / 300, True),
        ("a NO: the calibration, rescaled to the price", NOTHING, params(), 1.0, "calibration", 2, 1 / 300, False),
        ("with the live sigma once there is one", SIGMA_ONLY, params(), None, "calibration", 1, 1 / 300, False),
        ("a verdict of NO with numbers is still a NO", NO, params(), None, "calibration", 1, 1 / 300, False),
        ("the prior is used last, and said", SIGMA_ONLY, None, 0.01, "prior", 1, 0.01, True),
        ("the prior with the calibration's sigma", NOTHING, SEEN_NO, 0.01, "prior", 1, 0.01, True),
        ("in-sample is said", NOTHING, params(in_sample=True), None, "calibration", 2, 1 / 300, True),
        ("in-sample has no age", NOTHING, params(in_sample=True, at_ms=0), None, "calibration", 2, 1 / 300, True),
    ],
)
def test_estimates_in_use(case, live, stored, prior, origin, sigma, kappa, warned):
    found = chosen(live, stored, prior)
    assert isinstance(found, InUse), case
    assert found.origin == origin
    assert found.sigma == sigma * DAY_SIGMA
    assert found.kappa == pytest.approx(kappa, rel=1e-12)
    assert bool(found.warnings) is warned


@pytest.mark.parametrize(
    ("case", "live", "stored", "prior", "words"),
    [
        ("nothing at all", NOTHING, None, None, ["sigma", "kappa", "3 of 10", "--kappa-prior"]),
        ("a calibration of yesterday", NOTHING, params(at_ms=START_MS - DAY_MS), None, ["sigma", "kappa"]),
        ("one from the future", NOTHING, params(at_ms=START_MS + DAY_MS), None, ["kappa"]),
        ("a calibration of verdict NO", SIGMA_ONLY, SEEN_NO, None, ["kappa"]),
        ("a prior does not stand for sigma", NOTHING, None, 0.01, ["sigma"]),
        ("the verdict's reason is said", NO, None, None, ["every order at the touch"]),
    ],
)
def test_waiting_says_what_is_missing(case, live, stored, prior, words):
    found = chosen(live, stored, prior)
    assert isinstance(found, Missing), case
    for word in words:
        assert word in found.what


def sure(kappa, error, **changes):
    """Known to a standard error of the logarithm."""
    return estimates(kappa=kappa, kappa_low=kappa / (1 + 2 * error), kappa_high=kappa * (1 + 2 * error), **changes)


STORED = params(at_ms=START_MS - 60_000, mid=300_000.0, estimates=sure(1 / 200, 0.08, sigma_se=0.08 * DAY_SIGMA))


@pytest.mark.parametrize(
    ("case", "live", "origin"),
    [
        ("a warm start gives way to a good calibration", sure(1 / 300, 0.3, **WARM_FIELDS), "calibration"),
        ("so does a thin tick", sure(1 / 300, 0.3, verdict=Verdict.THIN), "calibration"),
        ("not to one that is hardly better", sure(1 / 300, 0.095, verdict=Verdict.THIN), "live"),
        ("a live GO is never replaced", sure(1 / 300, 0.17), "live"),
    ],
)
def test_a_restarted_book_quotes_from_the_last_good_calibration(case, live, origin):
    found = chosen(live, STORED)
    assert isinstance(found, InUse) and found.origin == origin, case
    assert found.kappa == pytest.approx(1 / 200 if origin == "calibration" else 1 / 300)
    old = params(at_ms=START_MS - DAY_MS, estimates=STORED.estimates)
    found = chosen(live, old)
    assert isinstance(found, InUse) and found.origin != "calibration", "a stale one never"


def test_sigma_is_the_one_known_better():
    fresh = estimates(sigma=DAY_SIGMA, sigma_se=0.42 * DAY_SIGMA)
    ready = estimates(sigma=DAY_SIGMA, sigma_se=0.15 * DAY_SIGMA)
    stored = params(
        at_ms=START_MS - 60_000, estimates=sure(1 / 300, 0.1, sigma=2 * DAY_SIGMA, sigma_se=0.16 * DAY_SIGMA)
    )
    assert chosen(fresh, stored).sigma == 2 * DAY_SIGMA
    assert chosen(ready, stored).sigma == DAY_SIGMA
    assert chosen(fresh, None).sigma == DAY_SIGMA


def test_a_stale_calibration_is_named_when_it_is_refused():
    found = chosen(NOTHING, params(at_ms=START_MS - 30 * 3_600_000))
    assert isinstance(found, Missing) and "30 h old" in found.what
