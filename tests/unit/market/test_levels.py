from __future__ import annotations

import random

import pytest

from lunomm.market.levels import SideLevels
from lunomm.market.rules import Side


def naive_sums(levels: SideLevels) -> tuple[int, int]:
    best = sorted(levels.lots, reverse=True)[: levels.depth]
    return sum(levels.lots[key] for key in best), sum(key * levels.lots[key] for key in best)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("depth", [1, 3, 10])
def test_running_sums_equal_sums(side: Side, depth: int) -> None:
    """Levels come and go around the edge of the window, one at a time."""
    draw = random.Random(depth)
    levels = SideLevels(side, depth)
    orders: dict[str, int] = {}
    for number in range(4000):
        if orders and draw.random() < 0.5:
            order_id, key = draw.choice(list(orders.items()))
            left = levels.queues[key][order_id]
            if levels.take(order_id, key, draw.choice((left, draw.randint(1, left)))) == 0:
                del orders[order_id]
        else:
            key = side.sign * draw.randint(100, 100 + 2 * depth)
            levels.add(str(number), key, draw.randint(1, 9))
            orders[str(number)] = key
        assert (levels.top_lots, levels.top_notional) == naive_sums(levels)
        assert levels.keys == sorted(levels.lots) == sorted(levels.queues)
    fresh = SideLevels(side, depth)
    fresh.fill([(order_id, key, lots) for key, queue in levels.queues.items() for order_id, lots in queue.items()])
    assert (fresh.top_lots, fresh.top_notional, fresh.keys) == (levels.top_lots, levels.top_notional, levels.keys)


def test_the_revision_moves_only_with_the_top() -> None:
    levels = SideLevels(Side.ASK, 2)
    for number, price in enumerate((10, 20, 30)):
        levels.add(str(number), -price, 5)
    seen = levels.revision
    levels.add("deep", -30, 1)
    levels.add("deeper", -40, 1)
    levels.take("deeper", -40, 1)
    levels.take("2", -30, 2)
    assert levels.revision == seen
    levels.take("1", -20, 1)
    assert levels.revision == seen + 1


@pytest.mark.parametrize("depth", [1, 3])
def test_touches_grow_with_the_best_price_and_its_volume_only(depth: int) -> None:
    draw = random.Random(depth)
    levels = SideLevels(Side.BID, depth)
    orders: dict[str, int] = {}
    seen = {True: 0, False: 0}
    for number in range(3000):
        best = levels.best()
        stood, touches = (best, levels.lots[best] if best is not None else 0), levels.touches
        if orders and draw.random() < 0.5:
            order_id, key = draw.choice(list(orders.items()))
            if levels.take(order_id, key, draw.randint(1, levels.queues[key][order_id])) == 0:
                del orders[order_id]
        else:
            orders[str(number)] = key = draw.randint(1, 12)
            levels.add(str(number), key, draw.randint(1, 3))
        best = levels.best()
        moved = (best, levels.lots[best] if best is not None else 0) != stood
        assert (levels.touches == touches + 1) == moved and levels.touches <= touches + 1
        seen[moved] += 1
    assert min(seen.values()) > 200


def test_top_and_best() -> None:
    levels = SideLevels(Side.ASK, 10)
    assert (levels.best(), levels.top(3)) == (None, [])
    levels.add("a", -20, 1)
    levels.add("b", -10, 2)
    assert (levels.best(), levels.top(1), levels.top(9), levels.top(0)) == (10, [(10, 2)], [(10, 2), (20, 1)], [])
