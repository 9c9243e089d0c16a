"""`book` against the simulated exchange over real sockets and a real Redis."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal as D
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis.asyncio as plain_redis
from house import House, open_house, running, serve, until

from lunomm import LunoOrderBook
from lunomm.bus.channels import GRID, HEALTH, LOB, ORDERS, RULES, TRADES, health_key
from lunomm.bus.client import Bus
from lunomm.bus.venue import peek
from lunomm.commands import book
from lunomm.config import Common
from lunomm.errors import InstanceError, RefusedError, UsageError
from lunomm.market.records import BookState, Tick
from lunomm.market.rules import Side
from lunomm.options.book import BookOptions
from lunomm.quoting.inputs import OrderState, OrderView
from lunomm.simulator.server import bind

if TYPE_CHECKING:
    from conftest import RedisServer

PAIR = "XBTMYR"
DOCUMENT = [
    "ts",
    "mid_price",
    "spread",
    "best_bid",
    "best_ask",
    "best_bid_size",
    "best_ask_size",
    "vamp",
    "order_imbalance",
    "volatility",
    "alpha",
    "kappa",
    "buffer_ready",
]


def common(server: RedisServer, house: House, folder: Path, **changes: Any) -> Common:
    fields: dict[str, Any] = {"json": True, **changes}
    return Common(mode="sim", redis=server.address, state_dir=folder, url=house.url, **fields)


async def ok_tick(bus: Bus, pair: str = PAIR, **wanted: Any) -> Tick:
    async def found() -> Tick | None:
        tick = await bus.get(LOB, pair)
        if tick is None or tick.state is not BookState.OK:
            return None
        return tick if all(getattr(tick, name) == value for name, value in wanted.items()) else None

    tick: Tick = await until(found, f"a tick with {wanted}")
    return tick


async def test_a_plain_client_sees_the_documents_fields_and_they_match_the_exchange(
    redis_server: RedisServer, bus: Bus, state_dir: Path
) -> None:
    async with open_house() as house, running(book.run(common(redis_server, house, state_dir), (PAIR,), BookOptions())):
        async with plain_redis.Redis(port=redis_server.address.port, decode_responses=True) as client:
            pubsub = client.pubsub(ignore_subscribe_messages=True)
            await pubsub.subscribe("LOB::XBTMYR")
            seen: list[dict[str, Any]] = []
            async with asyncio.timeout(30):
                while len(seen) < 20:
                    message = await pubsub.get_message(timeout=1.0)
                    if message is not None:
                        seen.append(json.loads(message["data"]))
            await pubsub.aclose()
        assert all(name in tick for tick in seen for name in DOCUMENT)
        beats = [tick["beat"] for tick in seen]
        assert beats == sorted(set(beats))
        last = seen[-1]
        assert D(last["mid_price"]) == (D(last["best_bid"]) + D(last["best_ask"])) / 2
        assert D(last["spread"]) == D(last["best_ask"]) - D(last["best_bid"])

        house.halt()
        sequence = json.loads(house.exchange.snapshot_raw(PAIR))["sequence"]
        tick = await ok_tick(bus, sequence=int(sequence))
        async with httpx.AsyncClient(trust_env=False) as http:
            top = (await http.get(f"{house.url}/api/1/orderbook_top", params={"pair": PAIR})).json()
        for side, levels in (("bids", tick.bids), ("asks", tick.asks)):
            exact = [(D(row["price"]), D(row["volume"])) for row in top[side][:10]]
            assert [(level.price, level.volume) for level in levels] == exact

        rules = await bus.get(RULES, PAIR)
        assert rules is not None and (rules.price_scale, rules.volume_scale) == (0, 6)
        health = await bus.get(HEALTH, PAIR, name=health_key("book", PAIR))
        assert health is not None and health.piece == "book"


async def test_it_is_warm_within_seconds_and_keeps_records(
    redis_server: RedisServer, bus: Bus, state_dir: Path
) -> None:
    async with (
        open_house(speed=20.0) as house,
        running(book.run(common(redis_server, house, state_dir), (PAIR,), BookOptions())),
    ):

        async def warm() -> bool:
            tick = await bus.get(LOB, PAIR)
            return tick is not None and tick.estimates.sigma_source in ("warm", "live")

        await until(warm, "sigma from the venue's memory", within_s=10)

        async def recorded() -> bool:
            rows, orders = await bus.read(GRID, PAIR), await bus.read(TRADES, PAIR)
            return len(rows) >= 3 and len(orders) >= 5

        await until(recorded, "grid rows and taker orders on the bus")
        rows = [row for _, row in await bus.read(GRID, PAIR)]
        starts = [row.start_ms for row in rows]
        assert starts == sorted(set(starts)) and all(start % 10_000 == 0 for start in starts)
        assert all(len(row.mids) == 10 for row in rows)
        sequences = [order.sequence for _, order in await bus.read(TRADES, PAIR)]
        assert sequences == sorted(set(sequences))


def view(intent_id: str, order_id: str | None, side: Side, price: D, volume: D) -> OrderView:
    return OrderView(
        pair=PAIR,
        intent_id=intent_id,
        client_order_id=f"lm1-{PAIR}-{intent_id}",
        order_id=order_id,
        side=side,
        level=0,
        price=price,
        volume=volume,
        filled=D(0),
        state=OrderState.WORKING if order_id else OrderState.SENT,
        created_ms=1,
        updated_ms=1,
    )


async def test_our_own_orders_are_taken_out_of_the_fair_market(
    redis_server: RedisServer, bus: Bus, state_dir: Path
) -> None:
    async with open_house() as house, running(book.run(common(redis_server, house, state_dir), (PAIR,), BookOptions())):
        await ok_tick(bus)
        house.halt()
        before = await ok_tick(bus, sequence=int(json.loads(house.exchange.snapshot_raw(PAIR))["sequence"]))
        assert before.best_bid is not None and before.fair_best_bid == before.best_bid
        ours = before.best_bid + 1
        form = {"pair": PAIR, "type": "BID", "volume": "0.001", "price": str(ours), "post_only": "true"}
        # The intent is on the bus before the order is sent, as the gateway has it.
        bus.venue = await peek(bus, PAIR)
        await bus.hash_put(ORDERS, PAIR, {"q-1-B0": view("q-1-B0", None, Side.BID, ours, D("0.001"))})
        async with httpx.AsyncClient(trust_env=False, auth=("sim", "sim")) as http:
            reply = await http.post(f"{house.url}/api/1/postorder", data=form)
        assert reply.status_code == 200, reply.text
        order_id = reply.json()["order_id"]
        tick = await ok_tick(bus, best_bid=ours, fair_best_bid=before.best_bid)
        assert tick.fair_mid == before.mid_price and tick.mid_price != before.mid_price
        assert [(own.intent_id, own.order_id, own.volume, own.orders_ahead) for own in tick.own] == [
            ("q-1-B0", order_id, D("0.001"), 0)
        ]
        await bus.hash_put(ORDERS, PAIR, {"q-1-B0": view("q-1-B0", order_id, Side.BID, ours, D("0.001"))})
        await bus.hash_put(ORDERS, PAIR, {}, delete=["q-1-B0"])

        async def forgotten() -> bool:
            tick = await bus.get(LOB, PAIR)
            return tick is not None and not tick.own and tick.fair_best_bid == ours

        await until(forgotten, "an order that is no longer ours counts as the market's")


async def test_a_lost_stream_is_said_at_once_and_the_book_comes_back(
    redis_server: RedisServer, bus: Bus, state_dir: Path
) -> None:
    async with open_house() as first:
        settings = common(redis_server, first, state_dir)
        port = int(first.url.rsplit(":", 1)[1])
        async with running(book.run(settings, (PAIR,), BookOptions())):
            before = await ok_tick(bus)
            exchange, clock = first.exchange, first.clock
            first.server.stop()

            async def void() -> bool:
                tick = await bus.get(LOB, PAIR)
                return tick is not None and tick.state is BookState.RESYNC

            await until(void, "RESYNC is published", within_s=5)
            lost = await bus.get(LOB, PAIR)
            assert lost is not None and lost.mid_price is None and lost.beat > before.beat

            async def free() -> Any:
                try:
                    return bind(port)
                except UsageError:
                    return None

            async with serve(exchange, clock, await until(free, "the port is free again")):
                after = await ok_tick(bus)
                assert after.beat > lost.beat


async def test_several_pairs_in_one_process(redis_server: RedisServer, bus: Bus, state_dir: Path) -> None:
    pairs = (PAIR, "ETHMYR")
    async with (
        open_house(pairs) as house,
        running(book.run(common(redis_server, house, state_dir), pairs, BookOptions())),
    ):
        ticks = [await ok_tick(bus, pair) for pair in pairs]
        assert [tick.pair for tick in ticks] == list(pairs)
        assert ticks[0].mid_price != ticks[1].mid_price


async def test_a_second_book_for_a_pair_is_refused(redis_server: RedisServer, bus: Bus, state_dir: Path) -> None:
    async with open_house() as house, running(book.run(common(redis_server, house, state_dir), (PAIR,), BookOptions())):
        await ok_tick(bus)
        with pytest.raises(InstanceError) as caught:
            await book.run(common(redis_server, house, state_dir, for_s=20.0), (PAIR,), BookOptions())
        assert caught.value.exit_code == 6 and PAIR in str(caught.value)


async def test_an_unknown_pair_names_what_there_is(redis_server: RedisServer, state_dir: Path) -> None:
    async with open_house() as house:
        with pytest.raises(UsageError) as caught:
            await book.run(common(redis_server, house, state_dir, for_s=5.0), ("NOPEMYR",), BookOptions())
        assert caught.value.code == "UNKNOWN_PAIR" and PAIR in str(caught.value)


async def test_the_documents_snippet(
    redis_server: RedisServer, bus: Bus, state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_house() as house:
        settings: dict[str, str | None] = {
            "LUNO_KEY_ID": "",
            "LUNO_KEY_SECRET": None,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis_server.address.port),
            "LUNOMM_STATE_DIR": str(state_dir),
            "LUNOMM_URL": house.url,
            "LUNOMM_DEPTH": "5",
        }
        ob = LunoOrderBook(settings, "xbtmyr")
        assert repr(ob) == "LunoOrderBook('XBTMYR', mode='sim')"
        async with running(ob.run()):
            tick = await ok_tick(bus)
            assert len(tick.bids) == 5
        for wrong in ({"LUNOMM_DEPTH": "5.5"}, {"LUNOMM_VOL_WINDOW": "x"}, {"LUNOMM_VOL_PRICE": "last"}):
            with pytest.raises(UsageError):
                LunoOrderBook({**settings, **wrong}, "XBTMYR")
        with pytest.raises(UsageError):
            LunoOrderBook(settings, "BTC/MYR")


OURS = Path(__file__).parents[1] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"


async def test_a_tape_is_published_as_a_venue_of_its_own(redis_server: RedisServer, bus: Bus, state_dir: Path) -> None:
    settings = Common(mode="sim", redis=redis_server.address, state_dir=state_dir, json=True)
    options = BookOptions(tape=OURS, speed=12.0, publish=True)
    playing = asyncio.create_task(book.run(settings, (PAIR,), options))

    async def claimed() -> Any:
        return await peek(bus, PAIR)

    venue = await until(claimed, "the tape's venue")
    assert (venue.mode, venue.tape) == ("tape", OURS.name)
    await ok_tick(bus)
    async with open_house() as house:
        with pytest.raises(RefusedError) as caught:
            await book.run(common(redis_server, house, state_dir, for_s=5.0), (PAIR,), BookOptions())
        assert "tape" in str(caught.value) and house.url in str(caught.value)
    data = await playing
    assert data is not None and data["taker_orders"] > 0
    bus.venue = venue
    assert len(await bus.read(TRADES, PAIR)) == data["taker_orders"]
    assert len(await bus.read(GRID, PAIR)) >= 6
    offline = await book.run(settings, (PAIR,), BookOptions(tape=OURS))
    assert offline is not None
    for name in ("sequence", "mid_price", "vamp", "fills", "taker_orders", "sigma", "kappa", "A", "verdict"):
        assert offline[name] == data[name], name
