"""The log of a quoter's looks: all of them once, in messages whose numbers say when one is missing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.market.records import Params
from lunomm.market.rules import Side
from lunomm.quoting import looks as module
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.quoting.looks import Look, LookLog, counter_of


def wanted(*counters: int) -> WantedQuotes:
    intents = [
        Intent(id=f"k3-{n}-B0", side=Side.BID, level=0, price=Decimal(1), size=Decimal(1), created_ms=1)
        for n in counters
    ]
    return WantedQuotes(pair="XBTMYR", epoch=7, number=1, ts_ms=1, intents=intents)


def test_each_look_says_what_was_known_by_then() -> None:
    log = LookLog("XBTMYR", 7)
    log.looked(wanted(), 10)
    log.ticked(5)
    log.heard(41)
    log.heard(40)  # what was read at the start comes before what follows
    log.polled()
    log.looked(wanted(1, 2), 20)
    log.looked(wanted(1), 30)  # an intent that is withdrawn was made all the same
    told = log.take()
    assert told is not None
    assert (told.epoch, told.number) == (7, 1)
    assert told.looks == [Look(10, None, 0, 0, False), Look(20, 5, 41, 2, True), Look(30, 5, 41, 2, False)]
    assert log.take() is None
    log.looked(wanted(), 40)
    assert (again := log.take()) is not None and again.number == 2 and len(again.looks) == 1


def test_a_calibration_is_told_once_with_the_time_it_was_heard() -> None:
    log = LookLog("XBTMYR", 7)
    first, second = (Params(pair="XBTMYR", at_ms=ms, provenance="a test") for ms in (100, 200))
    told = []
    for now_ns, params in ((1, first), (2, first), (3, second), (4, second)):
        log.calibrated(params, now_ns)
        log.looked(wanted(), now_ns)
        told.append(log.take())
    assert [(message.params, message.params_ns) for message in told if message is not None] == [
        (first, 1), (None, 0), (second, 3), (None, 0),
    ]  # fmt: skip


def test_what_is_given_up_leaves_a_number_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    log = LookLog("XBTMYR", 7)
    for now_ns in range(4):
        log.looked(wanted(), now_ns)
    told = log.take()
    assert told is not None and told.number == 2 and [look.at_ns for look in told.looks] == [3]


def test_which_intent_it_was() -> None:
    found = [counter_of(name) for name in ("k3-12-B0", "k3-x-B0", "k3", "", "a-1-b-c", "a-" + "9" * 20 + "-b")]
    assert found == [12, 0, 0, 0, 0, 0]
