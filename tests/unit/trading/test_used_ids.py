"""Used ids: what a set would say, in a hundredth of its memory."""

from __future__ import annotations

import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from lunomm.trading.used_ids import UsedIds

USUAL = st.builds(
    lambda epoch, counter, slot: f"{epoch}-{counter}-{slot}",
    st.sampled_from(["k", "mubbs7i8", ""]),
    st.integers(0, 3000) | st.integers(0, 10**18),
    st.sampled_from(["B0", "A0", "B9", "", "B0-1"]),
)
ODD = st.sampled_from(["", "-", "--", "k-01-B0", "k-1-B0", "k-1", "k-+1-B0", "k-1_0-B0", "k-¹-B0", "k-١-B0", "k--B0"])
IDS = USUAL | ODD | st.text(alphabet="k-01B", max_size=8)


@given(st.lists(IDS), st.lists(IDS), st.lists(IDS))
def test_it_is_a_set(first: list[str], later: list[str], asked: list[str]) -> None:
    used, known = UsedIds(first), set(first)
    for each in later:
        assert (each in used) is (each in known)
        used.add(each)
        known.add(each)
    for each in [*first, *later, *asked]:
        assert (each in used) is (each in known), each


def test_a_day_of_orders_takes_little_room() -> None:
    tracemalloc.start()
    try:
        used = UsedIds()
        for counter in range(0, 20_000, 2):
            used.add(f"mubbs7i8-{counter}-B0")
            used.add(f"mubbs7i8-{counter + 1}-A0")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 20_000 < 20_000 * sys.getsizeof("mubbs7i8-100000-B0") / 50
    assert "mubbs7i8-19998-B0" in used and "mubbs7i8-19998-A0" not in used
