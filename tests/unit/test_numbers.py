"""A number is ASCII digits, plainly written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.numbers import amount, number, whole


@pytest.mark.parametrize("text", ["1_0", "\uff11", "nan", "inf", "", "1,5", "0x1", "1e9999", "1 2"])
@pytest.mark.parametrize("reader", [number, amount, whole])
def test_what_is_not_plain_is_refused(reader, text):
    with pytest.raises(ValueError, match="is not a"):
        reader(text)


def test_what_is_plain_is_read_exactly():
    assert (number(" -5e-3 "), amount("0.10"), whole("+7")) == (-0.005, Decimal("0.10"), 7)
    assert str(amount("0.10")) == "0.10"
