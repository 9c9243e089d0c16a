"""One small market for the market's tests: prices with one decimal, volumes with two."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.market.rules import PairRules


@pytest.fixture
def pair() -> PairRules:
    return PairRules(
        pair="XBTMYR",
        base="XBT",
        counter="MYR",
        price_scale=1,
        volume_scale=2,
        min_price=Decimal(1),
        max_price=Decimal(1_000_000),
        min_volume=Decimal("0.01"),
        max_volume=Decimal(100),
    )
