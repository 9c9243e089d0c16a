"""What doctor found, drawn and as data."""

from __future__ import annotations

import json

import pytest
from drawing import HOSTILE, draw

from lunomm.checks.settings import Setting
from lunomm.checks.verdicts import failed, passed, warned
from lunomm.views.doctor import DoctorView, doctor_data, doctor_screen, summary

VIEW = DoctorView(
    "XBTMYR",
    "live",
    "lunomm 1",
    [Setting("gamma", HOSTILE, ".env", "LUNOMM_GAMMA"), Setting("mode", "live", "option", "--mode")],
    [
        passed("disk", "70 GB free"),
        warned("key", "may send money " * 12, "make another"),
        failed("redis", "gone", "start it", 4),
    ],
)


@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_line_with_its_next_step(width: int) -> None:
    text = draw(doctor_screen(VIEW), width, 200)
    flat = " ".join(text.split())
    for words in ("pass disk", "warn key", "next: make another", "fail redis", "next: start it", "LUNOMM_GAMMA"):
        assert words in flat, (words, text)


def test_the_last_line_counts_and_the_data_say_the_same() -> None:
    assert summary(VIEW).startswith("1 passed, 1 warning, 1 failed")
    well = DoctorView("XBTMYR", "sim", "", [], [passed("disk", "x")])
    assert summary(well) == "1 passed, 0 warnings, 0 failed: nothing stands in the way of mode sim"
    data = json.loads(json.dumps(doctor_data(VIEW)))
    assert (data["passed"], data["warnings"], data["failed"], data["exit_code"]) == (1, 1, 1, 4)
    assert data["checks"][0]["next"] is None and data["checks"][2]["next"] == "start it"
