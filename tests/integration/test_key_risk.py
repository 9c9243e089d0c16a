"""A key that can do more than trade is warned about; nothing is claimed without an answer."""

from __future__ import annotations

import pytest
from house import open_house

from lunomm.commands.gateway_watch import key_risk
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.simulator.keys import PERMISSIONS, Key, KeyRing

TRADING = 1 + 2 + 32 + 64


@pytest.mark.parametrize(
    ("perms", "risk"),
    [
        (TRADING, "can neither send nor withdraw"),
        (TRADING | PERMISSIONS["Perm_W_Send"], "may send money"),
        (TRADING | PERMISSIONS["Perm_R_Withdrawals"], "may see withdrawals, and perhaps make them"),
    ],
)
async def test_what_a_key_may_do(perms: int, risk: str) -> None:
    async with open_house() as house:
        house.exchange.keys = KeyRing([Key("one", "two", "sim", perms)])
        async with LunoRest(endpoint(house.url), ApiKey("one", "two"), CallBudget()) as rest:
            assert await key_risk(rest) == risk
            before = {w.asset: w.total for w in house.exchange.venue.ledger.wallets("sim")}
        assert {w.asset: w.total for w in house.exchange.venue.ledger.wallets("sim")} == before


@pytest.mark.parametrize(("perms", "may"), [(TRADING, True), (TRADING - PERMISSIONS["Perm_W_Orders"], False)])
async def test_whether_a_key_may_trade_is_asked_without_an_order(perms: int, may: bool) -> None:
    async with open_house() as house:
        house.exchange.keys = KeyRing([Key("one", "two", "sim", perms)])
        async with LunoRest(endpoint(house.url), ApiKey("one", "two"), CallBudget()) as rest:
            assert await rest.may_trade() is may
        assert house.exchange.venue.orders("sim", "XBTMYR") == []


async def test_no_answer_is_unknown(free_port: int) -> None:
    async with LunoRest(endpoint(f"http://127.0.0.1:{free_port}"), ApiKey("one", "two"), CallBudget()) as rest:
        assert await key_risk(rest) == "unknown"
        assert await rest.may_trade() is None
