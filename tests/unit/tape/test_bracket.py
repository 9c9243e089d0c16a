"""Brackets are kept one by one up to a bound; their sum is of all there ever were."""

from __future__ import annotations

import random

from lunomm.market.rules import Side
from lunomm.tape.bracket import Bracket, Brackets, bracket_sum


def test_the_sum_is_of_all_and_what_is_kept_is_bounded() -> None:
    chance, kept, every = random.Random(3), Brackets(kept=50), []
    for n in range(1_000):
        row = Bracket(f"B{n}", Side.BID, 100, 10, n, chance.randrange(3), chance.randrange(3, 6), 10, n % 7 == 0)
        every.append(row)
        kept.put(row)
        if n % 100:  # every hundredth rests for ever
            row.ended_ms = n
        assert kept.sum() == bracket_sum(every)
    assert len(kept) <= 2 * 50
    assert list(kept) == sorted(kept, key=lambda name: int(name[1:]))
    assert all(row.ended_ms is not None or row.order_id in kept for row in every)
    assert all(row.order_id in kept for row in every[-40:])
