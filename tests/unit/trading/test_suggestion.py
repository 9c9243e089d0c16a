"""Limits to begin with: from the worth, on the lot step, never below the exchange's minimum."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from trading_driver import rules

from lunomm.trading.suggestion import suggest


@pytest.mark.parametrize(
    ("base", "counter", "options"),
    [
        ("0.1", "30000", "--max-position 0.02 --max-order-value 3000 --max-daily-loss 600"),
        ("0", "1000", "--max-position 0.000333 --max-order-value 50 --max-daily-loss 10"),
        ("0", "10", "--max-position 0.0001 --max-order-value 30 --max-daily-loss 0.1"),
    ],
)
def test_what_is_suggested(base: str, counter: str, options: str) -> None:
    found = suggest(D(base), D(counter), D(300_000), rules())
    assert found is not None
    assert found.options == options


def test_nothing_to_trade_with_is_nothing_to_suggest() -> None:
    assert suggest(D(0), D(0), D(300_000), rules()) is None
