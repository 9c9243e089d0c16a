"""The fixed data of pictures.py as fixtures."""

from __future__ import annotations

import pictures
import pytest

from lunomm.market.presence import Health
from lunomm.market.records import Estimates, Params, TakerOrder, Tick
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Account, Fill, OrderView
from lunomm.quoting.intents import WantedQuotes


@pytest.fixture
def rules() -> PairRules:
    return pictures.rules()


@pytest.fixture
def estimates() -> Estimates:
    return pictures.estimates()


@pytest.fixture
def tick() -> Tick:
    return pictures.tick()


@pytest.fixture
def trades() -> tuple[TakerOrder, ...]:
    return pictures.trades()


@pytest.fixture
def params() -> Params:
    return pictures.params()


@pytest.fixture
def quotes() -> WantedQuotes:
    return pictures.quotes()


@pytest.fixture
def account() -> Account:
    return pictures.account()


@pytest.fixture
def orders() -> tuple[OrderView, ...]:
    return pictures.orders()


@pytest.fixture
def fills() -> tuple[Fill, ...]:
    return pictures.fills()


@pytest.fixture
def health() -> Health:
    return pictures.health()
