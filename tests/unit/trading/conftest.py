"""The driven reconciler as a fixture."""

from __future__ import annotations

import pytest
from trading_driver import Driver, make


@pytest.fixture
def driver() -> Driver:
    """Started, ready, with nothing wanted yet."""
    return make().started()
