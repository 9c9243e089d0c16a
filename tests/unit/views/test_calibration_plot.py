"""The calibration's picture: what is in it, and that it is drawn whatever is unknown."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
from drawing import HOSTILE

from lunomm.market.hours import Hour, VolPoint
from lunomm.market.intensity import Fit
from lunomm.market.reach import ReachPoint
from lunomm.market.records import Estimates, Params
from lunomm.views.calibration_plot import calibration_svg

SVG = "{http://www.w3.org/2000/svg}"
FIT = Fit(1000.0, 0.1, 0.09, 0.12, 4e-4)
REACHED = [ReachPoint(k * 1e-4, 0.09 * 2.718 ** (-k / 10), 0.05, 0.12) for k in range(1, 30)]
PATH = [VolPoint(10_000 * k, 8e-5 if k > 6 else None, 1e-5 if k > 6 else None) for k in range(60)]
HOURS = [Hour(3_600_000 * k, 3600.0, 8e-5, 1e-6, 2e-4, k, float(k)) for k in range(4)]


def test_fit_with_its_band_points_path_and_hours(params: Params) -> None:
    root = ElementTree.fromstring(calibration_svg(params, FIT, REACHED, PATH, HOURS))
    assert len(root.findall(f".//{SVG}circle")) == len(REACHED)
    assert len(root.findall(f".//{SVG}polygon")) == 2, "a band for the fit and one for sigma"
    assert len(root.findall(f".//{SVG}polyline")) == 3, "fit, sigma, hours"
    words = "".join(root.itertext())
    assert "1/kappa 10.0 bp" in words and "73 taker orders" in words and "GO" in words


def test_a_single_hour_needs_no_panel(params: Params) -> None:
    root = ElementTree.fromstring(calibration_svg(params, FIT, REACHED, PATH, HOURS[:1]))
    assert len(root.findall(f".//{SVG}polyline")) == 2


def test_nothing_known_and_hostile(params: Params) -> None:
    empty = msgspec.structs.replace(params, pair=HOSTILE, provenance=HOSTILE, estimates=Estimates(), mid=None)
    text = calibration_svg(empty, None, [], [], [])
    ElementTree.fromstring(text)
    assert "nothing known yet" in text and "\x1b" not in text
    curve_only = calibration_svg(params, None, REACHED, PATH, [replace_none(hour) for hour in HOURS])
    ElementTree.fromstring(curve_only)


def replace_none(hour: Hour) -> Hour:
    return hour._replace(per_hour=None)
