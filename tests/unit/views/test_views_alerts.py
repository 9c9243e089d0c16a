"""Which troubles a picture shows, and when somebody is told; the metrics of the same pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest
from pictures import pipeline

from lunomm.market.presence import HaltMark
from lunomm.market.records import BookState
from lunomm.quoting.inputs import LimitUse
from lunomm.views.alerts import AGAIN_MS, HOLD_MS, KINDS, Alarms, troubles
from lunomm.views.metrics import METRICS, samples
from lunomm.views.pipeline import PieceView, PipelineView

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SEEN = {("book", "XBTMYR"), ("quote", "XBTMYR"), ("gateway", "XBTMYR")}
HOSTILE = "\x1b[31mred[/]\n\u202e" + "x" * 1000


def well() -> PipelineView:
    view = pipeline()
    (pair,) = view.pairs
    assert pair.account is not None
    account = msgspec.structs.replace(pair.account, halted=None, limits=[])
    return replace(view, pairs=(replace(pair, account=account),))


def changed(view: PipelineView, **fields: object) -> PipelineView:
    (pair,) = view.pairs
    return replace(view, pairs=(replace(pair, **fields),))  # type: ignore[arg-type]


def kinds(view: PipelineView) -> list[str]:
    return [one.kind for one in troubles(view, SEEN)]


def test_nothing_is_wrong_with_a_pipeline_that_runs() -> None:
    assert kinds(well()) == []


def test_each_trouble_is_seen() -> None:
    view = well()
    (pair,) = view.pairs
    assert pair.account is not None and pair.tick is not None
    halt = HaltMark(pair="XBTMYR", venue="v", build="b", since_ms=1, cause="MAX_DAILY_LOSS: 500 MYR")
    assert kinds(changed(view, halt=halt)) == ["HALTED"]
    halted = msgspec.structs.replace(pair.account, halted="ASKED")
    assert kinds(changed(view, account=halted)) == ["HALTED"]
    assert kinds(changed(view, tick=msgspec.structs.replace(pair.tick, state=BookState.CROSSED))) == ["BOOK"]
    assert kinds(changed(view, tick_age_ms=5_001.0)) == ["BOOK"]
    assert kinds(changed(view, tick=None)) == ["BOOK"]
    near = [LimitUse(name="loss today", used=D(90), limit=D(100)), LimitUse(name="position", used=D(5))]
    assert kinds(changed(view, account=msgspec.structs.replace(pair.account, limits=near))) == ["LIMIT"]
    less = [LimitUse(name="loss today", used=D("89.9"), limit=D(100))]
    assert kinds(changed(view, account=msgspec.structs.replace(pair.account, limits=less))) == []
    assert kinds(replace(view, problems=("the simulated exchange does not answer",))) == ["EXCHANGE"]


def test_a_piece_is_missed_only_if_it_ever_ran() -> None:
    view = replace(well(), pieces=(PieceView("quote", "XBTMYR"), PieceView("calibrate", "XBTMYR")))
    (one,) = troubles(view, SEEN)
    assert (one.kind, one.piece) == ("PIECE", "quote")
    silent = replace(well(), pieces=tuple(replace(piece, age_ms=4_000.0) for piece in well().pieces[:1]))
    assert [one.kind for one in troubles(silent, ())] == ["PIECE"]


@pytest.mark.parametrize(
    ("state", "stream", "told"), [("OK", "down", True), ("OK", "up", False), ("STARTING", "down", False)]
)
def test_the_user_stream(state: str, stream: str, told: bool) -> None:
    gateway = next(piece for piece in well().pieces if piece.piece == "gateway")
    assert gateway.health is not None
    health = msgspec.structs.replace(gateway.health, state=state, counters={"user_stream": stream})
    view = replace(well(), pieces=(replace(gateway, health=health),))
    assert ("USER_STREAM" in [one.kind for one in troubles(view, ())]) is told


def test_an_alarm_is_told_after_it_stood_and_when_it_is_over_and_not_again_at_once() -> None:
    alarms, bad = Alarms(), changed(well(), tick_age_ms=9_000.0)
    assert alarms.look(well(), 0) == ()
    assert alarms.look(bad, 1_000) == ()
    assert alarms.look(bad, 1_000 + HOLD_MS - 1) == ()
    (told,) = alarms.look(bad, 1_000 + HOLD_MS)
    assert (told.event, told.trouble.kind, told.stood_ms) == ("raised", "BOOK", HOLD_MS)
    assert alarms.look(bad, 9_000) == ()
    assert alarms.look(well(), 10_000) == ()
    assert alarms.look(bad, 11_000) == (), "back before its end was believed"
    assert alarms.look(well(), 20_000) == ()
    (over,) = alarms.look(well(), 20_000 + HOLD_MS)
    assert (over.event, over.stood_ms) == ("ended", 19_000)
    assert alarms.raised == ()
    for at in range(30_000, int(1_000 + HOLD_MS + AGAIN_MS), 1_000):
        assert alarms.look(bad, at) == ()
    (again,) = alarms.look(bad, 1_000 + HOLD_MS + AGAIN_MS)
    assert again.event == "raised"


def test_a_moment_of_trouble_is_not_told() -> None:
    alarms = Alarms()
    for at in range(0, 60_000, 1_000):
        assert alarms.look(changed(well(), tick_age_ms=9_000.0) if at % 3_000 == 0 else well(), at) == ()


def test_without_redis_nothing_else_begins_or_ends() -> None:
    alarms, bad = Alarms(), changed(well(), tick_age_ms=9_000.0)
    alarms.look(well(), 0)
    alarms.look(bad, 0)
    alarms.look(bad, HOLD_MS)
    for at in range(4_000, 20_000, 1_000):
        told = alarms.blind("Redis at h:1: refused", at)
        assert [one.trouble.kind for one in told] == (["REDIS"] if at == 7_000 else [])
    assert {one.kind for one in alarms.raised} == {"BOOK", "REDIS"}
    assert alarms.look(bad, 20_000) == ()
    assert [(one.event, one.trouble.kind) for one in alarms.look(bad, 20_000 + HOLD_MS)] == [("ended", "REDIS")]


def test_hostile_words_are_one_bounded_printable_line() -> None:
    halt = HaltMark(pair=HOSTILE, venue=HOSTILE, build="b", since_ms=1, cause=HOSTILE)
    view = changed(replace(well(), problems=(HOSTILE,)), pair=HOSTILE, halt=halt)
    for one in troubles(view, SEEN):
        assert one.kind in KINDS
        for text in (one.pair, one.piece, one.text):
            assert text.isprintable() and len(text) < 300


def test_metrics_are_those_that_are_documented() -> None:
    view = well()
    (pair,) = view.pairs
    assert pair.account is not None
    limits = [LimitUse(name="position", used=D("0.05"), limit=D("0.1"))]
    view = changed(view, account=msgspec.structs.replace(pair.account, limits=limits))
    found = samples(view, troubles(changed(view, tick=None), SEEN), redis_up=True)
    values = {(name, *labels.values()): value for name, labels, value in found}
    assert {name for name, _, _ in found} == set(METRICS)
    assert values["lunomm_limit_used_ratio", "XBTMYR", "position"] == 0.5
    assert values["lunomm_alarm", "BOOK"] == 1 and values["lunomm_alarm", "HALTED"] == 0
    assert values["lunomm_piece_up", "calibrate", "XBTMYR"] == 0
    documented = set(re.findall(r"^\| `(lunomm_[a-z_]+)` \|", README, re.M))
    assert documented == set(METRICS)
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README.split("| alarm |")[1].split("\n\n")[0], re.M)) == set(KINDS)


def test_without_redis_only_that_is_known() -> None:
    found = samples(well(), (), redis_up=False)
    assert {name for name, _, _ in found} == {"lunomm_redis_up", "lunomm_alarm"}
    assert found[0].value == 0
