"""`calibrate` from a running book, from the market stream, and as a watching piece; the flow's truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import House, open_house, running, until

from lunomm.bus.channels import GRID, PARAMS, TRADES
from lunomm.bus.client import Bus
from lunomm.bus.venue import peek
from lunomm.commands import book, calibrate
from lunomm.commands.calibrate import Stored, keep
from lunomm.config import Common
from lunomm.errors import UsageError
from lunomm.market.records import Estimates, GridRow, Params, TakerOrder, Verdict
from lunomm.options.book import BookOptions
from lunomm.options.calibrate import CalibrateOptions

if TYPE_CHECKING:
    from conftest import RedisServer

PAIR = "XBTMYR"
KEYS = [
    "kappa",
    "kappa_low",
    "kappa_high",
    "inv_kappa_bp",
    "intensity",
    "intensity_low",
    "intensity_high",
    "sigma",
    "sigma_daily_percent",
    "taker_orders",
    "fills",
    "touch_share",
    "ks",
    "verdict",
    "reason",
]


def common(server: RedisServer, house: House, folder: Path, **changes: Any) -> Common:
    fields: dict[str, Any] = {"json": True, **changes}
    return Common(mode="sim", redis=server.address, state_dir=folder, url=house.url, **fields)


async def test_without_a_book_it_watches_the_market_until_the_verdict_is_go(
    redis_server: RedisServer, bus: Bus, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_house(speed=100.0) as house:
        data = await calibrate.run(common(redis_server, house, state_dir), (PAIR,), CalibrateOptions(minutes=1))
        assert data is not None and set(KEYS) <= set(data)
        assert data["verdict"] == "GO" and data["taker_orders"] >= 50
        # Three standard errors of some fifty orders: a truth further off would be a wrong estimator, not bad luck.
        assert 6.0 < data["inv_kappa_bp"] < 16.0
        assert data["kappa_low"] < data["kappa"] < data["kappa_high"]
        assert data["intensity_low"] < data["intensity"] < data["intensity_high"]
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines and all(line["command"] == "calibrate" for line in lines), "progress while it collects"
        bus.venue = await peek(bus, PAIR)
        params = await bus.get(PARAMS, PAIR)
        assert params is not None and params.estimates.verdict is Verdict.GO and params.provenance


async def test_time_up_says_what_there_is(redis_server: RedisServer, bus: Bus, state_dir: Path) -> None:
    async with open_house() as house:
        data = await calibrate.run(
            common(redis_server, house, state_dir, for_s=3.0), (PAIR,), CalibrateOptions(minutes=10)
        )
        assert data is not None and data["verdict"] == "NO" and data["reason"]
        assert await bus.get(PARAMS, PAIR) is None, "a NO is not kept"


async def test_with_a_running_book_it_reads_what_that_stored_and_ends(
    redis_server: RedisServer, bus: Bus, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_house(speed=100.0) as house:
        settings = common(redis_server, house, state_dir)
        async with running(book.run(settings, (PAIR,), BookOptions())):

            async def stored() -> bool:
                return len(await bus.read(TRADES, PAIR)) >= 60 and len(await bus.read(GRID, PAIR)) >= 20

            await until(stored, "sixty taker orders on the bus")
            data = await calibrate.run(settings, (PAIR,), CalibrateOptions())
            assert data is not None
            assert data["verdict"] == "GO" and data["provenance"] == "TRADES and GRID of the running book"
            assert data["window_s"] > 100
            capsys.readouterr()
            drawn = await calibrate.run(common(redis_server, house, state_dir, json=False), (PAIR,), CalibrateOptions())
            assert drawn is not None
            out = capsys.readouterr().out
            assert "● GO" in out and "1/κ depth" in out and "touch share" in out


async def test_watching_keeps_params_fresh_whatever_book_comes_and_goes(
    redis_server: RedisServer, bus: Bus, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "EARLY_S", 0.2)
    monkeypatch.setattr(calibrate, "AGAIN_S", 0.3)
    async with open_house(speed=100.0) as house:
        settings = common(redis_server, house, state_dir)
        async with running(calibrate.run(settings, (PAIR,), CalibrateOptions(watch=True))):
            async with running(book.run(settings, (PAIR,), BookOptions())):

                async def usable() -> Params | None:
                    found = await bus.get(PARAMS, PAIR)
                    return found if found is not None and found.estimates.verdict is Verdict.GO else None

                first: Params = await until(usable, "a calibration that says GO")

                async def newer() -> bool:
                    now = await usable()
                    return now is not None and now.at_ms > first.at_ms

                await until(newer, "a newer one")
            async with running(book.run(settings, (PAIR,), BookOptions())):
                last: Params = await until(usable, "PARAMS outlive a book")

                async def newest() -> bool:
                    now = await usable()
                    return now is not None and now.at_ms > last.at_ms

                await until(newest, "the next book is followed too")


async def test_an_unknown_pair(redis_server: RedisServer, state_dir: Path) -> None:
    async with open_house() as house:
        with pytest.raises(UsageError):
            await calibrate.run(common(redis_server, house, state_dir), ("NOPEMYR",), CalibrateOptions())


async def test_a_no_never_replaces_what_was_known(bus: Bus) -> None:
    good = Params(pair=PAIR, at_ms=5, provenance="t", estimates=Estimates(verdict=Verdict.THIN))
    await keep(bus, good)
    await keep(bus, Params(pair=PAIR, at_ms=9, provenance="t", estimates=Estimates(verdict=Verdict.NO)))
    found = await bus.get(PARAMS, PAIR)
    assert found is not None and found.at_ms == 5


async def test_stored_records_are_read_once_and_a_day_is_kept(bus: Bus) -> None:
    def order(at_ms: int) -> TakerOrder:
        from decimal import Decimal as D

        from lunomm.market.rules import Side

        return TakerOrder(
            pair=PAIR,
            taker_id=str(at_ms),
            side=Side.BID,
            volume=D(1),
            counter=D(1),
            deepest=D(1),
            fills=1,
            mid=1.0,
            half_spread=0.1,
            own_only=False,
            sequence=at_ms,
            trade_sequence=None,
            exchange_ms=at_ms,
        )

    def row(at_ms: int) -> GridRow:
        return GridRow(
            pair=PAIR, start_ms=at_ms, step_s=1.0, mids=[1.0], exposure=[], first_sequence=1, last_sequence=1
        )

    stored = Stored(bus, PAIR)
    day = 86_400_000
    await bus.publish(TRADES, order(1_000))
    await bus.publish(GRID, row(0))
    await stored.catch_up()
    await stored.catch_up()
    assert ([o.sequence for o in stored.orders], [r.start_ms for r in stored.rows]) == ([1_000], [0])
    await bus.publish(TRADES, order(day))
    await bus.publish(GRID, row(day + 10_000))
    await stored.catch_up()
    assert ([o.sequence for o in stored.orders], [r.start_ms for r in stored.rows]) == ([day], [day + 10_000])
