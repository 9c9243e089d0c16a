"""``lunomm pairs`` against the simulated exchange over sockets: no Redis, with and without a key, at both tiers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from house import House, serve

from lunomm.bus.clock import Clock
from lunomm.commands.ranking import run
from lunomm.config import Common, RedisAddress
from lunomm.errors import ConnectivityError, UsageError
from lunomm.luno.hosts import ApiKey
from lunomm.market.rules import MarketStatus
from lunomm.options.pairs import PairsOptions
from lunomm.simulator.exchange import seeded
from lunomm.simulator.keys import Key
from lunomm.simulator.server import bind

pytestmark = pytest.mark.timeout(60)
ALL = PairsOptions()


@asynccontextmanager
async def market_place(fee_tier: int = 0, keys: tuple[Key, ...] = ()) -> AsyncIterator[House]:
    wall_ns = time.time_ns()
    exchange = seeded(("XBTMYR",), profile=None, seed=1, fee_tier=fee_tier, start_ns=wall_ns, keys=keys)
    async with serve(exchange, Clock(1.0, wall_ns, wall_ns), bind(0)) as house:
        yield house


@pytest.fixture
def common(tmp_path: Path) -> Common:
    # Nothing listens at port 1: a command that wanted Redis would fail.
    return Common(mode="sim", redis=RedisAddress(port=1), state_dir=tmp_path / "state", json=True)


async def test_every_market_is_ranked_and_no_redis_is_started(common: Common, capsys: pytest.CaptureFixture[str]):
    async with market_place() as house:
        data = await run(replace(common, url=house.url), ALL)
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["v"], envelope["command"], envelope["data"]["ranked"]) == (1, "pairs", data["ranked"])
    assert {row["pair"] for row in [*data["rows"], *data["not_ranked"]]} == set(house.exchange.pairs)
    # A seldom traded market has fewer prices than a volatility needs in the hour that this exchange has been open.
    assert all(row["why"].startswith("volatility not known") and row["sigma_prices"] < 20 for row in data["not_ranked"])
    scores = [row["score"] for row in data["rows"]]
    assert scores == sorted(scores, reverse=True) and data["paying"] == sum(score > 0 for score in scores) > 1
    for row in data["rows"]:
        assert row["score"] == pytest.approx(
            (row["spread_bp"] - 2 * row["maker_fee_bp"]) / 1e4 * row["value_24h"] / row["sigma_daily_percent"] * 100
        )
        # The truth of the simulated flows is 0.1 (stable coins) to 4 % a day.
        assert 0.05 < row["sigma_daily_percent"] < 8 and row["sigma_prices"] >= 20
    assert not (common.state_dir / "redis").exists() and not list(common.state_dir.glob("*redis*"))


async def test_at_the_entry_tier_it_says_that_nothing_pays(common: Common, capsys: pytest.CaptureFixture[str]):
    async with market_place(fee_tier=1) as house:
        data = await run(replace(common, url=house.url, json=False), PairsOptions(counters=("MYR",)))
    shown = capsys.readouterr().out
    assert "No market pays at this account's fees" in shown and "where two maker fees take 70.0 bp" in " ".join(
        shown.split()
    )
    assert data["paying"] == 0 and {row["counter"] for row in data["rows"]} == {"MYR"}
    assert {row["maker_fee_bp"] for row in data["rows"]} == {35.0} and data["fees"] == "account"


async def test_live_without_a_key_uses_public_trades_and_says_what_it_assumes(common: Common):
    async with market_place() as house:
        data = await run(replace(common, mode="live", url=house.url), ALL)
    assert data["fees"] == "assumed" and "no key" in data["note"]
    everything = [*data["rows"], *data["not_ranked"]]
    fees = {row["pair"]: row["maker_fee_bp"] for row in everything}
    assert (fees["XBTMYR"], fees["XBTZAR"]) == (35.0, 40.0)
    assert all(row["fee_assumed"] and row["sigma_prices"] <= 100 for row in everything)
    assert data["rows"] and all(row["why"].startswith("volatility") for row in data["not_ranked"])


async def test_a_key_that_may_not_read_fees_is_said_and_costs_one_refusal(common: Common):
    weak = Key("weak", "weak", "weak", 1)
    async with market_place(keys=(weak,)) as house:
        data = await run(replace(common, mode="live", url=house.url, key=ApiKey("weak", "weak")), ALL)
    assert "cannot be read" in data["note"] and data["fees"] == "assumed"
    fees = {row["pair"]: row["maker_fee_bp"] for row in data["rows"]}
    assert (fees["XBTMYR"], fees["XBTZAR"]) == (35.0, 40.0)
    # Candles need any key, and no permission.
    assert {row["pair"]: row["sigma_prices"] for row in data["rows"]}["XBTMYR"] >= 60


async def test_what_does_not_trade_stands_below_with_its_reason(common: Common):
    async with market_place() as house:
        now_ms = house.now_ns() // 1_000_000
        house.exchange.venue.set_status(now_ms, "ETHMYR", MarketStatus.POSTONLY, suspended=True)
        house.exchange.venue.set_status(now_ms, "XBTZAR", MarketStatus.DISABLED)
        data = await run(replace(common, url=house.url), ALL)
    below = {row["pair"]: row["why"] for row in data["not_ranked"]}
    assert below["ETHMYR"] == "does not trade: SUSPENDED" and below["XBTZAR"].startswith("does not trade:")
    assert not {"ETHMYR", "XBTZAR"} & {row["pair"] for row in data["rows"]}


async def test_a_currency_nobody_lists_and_an_exchange_that_is_not_there(common: Common):
    async with market_place() as house:
        with pytest.raises(UsageError, match=r"no market is in EUR\. Counter currencies here: MYR.*, ZAR"):
            await run(replace(common, url=house.url), PairsOptions(counters=("EUR",)))
    with pytest.raises(ConnectivityError):
        await run(replace(common, mode="live", url=house.url), ALL)
