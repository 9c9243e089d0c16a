"""The paper venue gives the fills of the matching engine; a wrong rule of the queue is found out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from campaign.paper_truth import check, dense, flowing, run_seed
from lunomm.market.rules import Side
from lunomm.tape import paper_market
from lunomm.tape.arrival import Taker, reached
from lunomm.tape.places import Place

SEEDS = 32


def test_the_paper_venue_gives_the_fills_places_and_money_of_the_engine() -> None:
    total: Counter[str] = Counter()
    for seed in range(SEEDS):
        outcome = run_seed(seed)
        assert not outcome.wrong, (seed, outcome.wrong)
        total.update(outcome.reached)
    wanted = ("makes", "takes", "oneself", "partial", "refused", "brackets_open")
    assert all(total[name] > 20 for name in wanted), total
    assert total["pessimistic"] < total["queue"] < total["optimistic"]


def _found(seeds: range) -> int:
    return sum(bool(check(dense(seed, 300)).wrong) for seed in seeds)


def _without_queue(side: Side, own: Sequence[Place], taker: Taker) -> list[tuple[Place, int]]:
    for place in own:
        place.ahead.clear()
    return reached(side, own, taker)


def _whole_orders(side: Side, own: Sequence[Place], taker: Taker) -> list[tuple[Place, int]]:
    return [(place, place.order.lots) for place, _ in reached(side, own, taker)]


def _no_crossing(side: Side, own: Sequence[Place], taker: Taker) -> list[tuple[Place, int]]:
    return reached(side, own, taker._replace(rest_price=None, rest_lots=0))


def _all_alone(side: Side, own: Sequence[Place], taker: Taker) -> list[tuple[Place, int]]:
    return [hit for place in own for hit in reached(side, [place], taker)]


@pytest.mark.parametrize("broken", [_without_queue, _whole_orders, _no_crossing, _all_alone])
def test_a_wrong_rule_is_found_out(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_market, "reached", broken)
    assert _found(range(100, 108)) > 0


def test_a_recording_is_the_same_each_time() -> None:
    assert flowing(3).log == flowing(3).log
