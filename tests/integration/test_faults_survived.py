"""Our own clients under faults of the exchange: the book is right again, the gateway never has two orders for one."""

from __future__ import annotations

import json
import signal
import time
from decimal import Decimal as D
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from house import open_house, running, until
from test_gateway_command import PAIR, desk, ends, gateway

from lunomm.bus.channels import LOB
from lunomm.bus.client import Bus
from lunomm.commands import book
from lunomm.config import Common
from lunomm.market.records import BookState
from lunomm.options.book import BookOptions
from lunomm.simulator.fault_table import parse_fault
from lunomm.simulator.faults import Armed

if TYPE_CHECKING:
    from conftest import RedisServer

WORST_FIRST = ("market-drop:count=1", "market-corrupt:kind=overfill,count=1", "market-close:code=1006,count=1")


async def test_the_book_is_the_exchanges_again_after_each_fault(
    redis_server: RedisServer, bus: Bus, state_dir: Path
) -> None:
    async with open_house(speed=3.0) as house:
        common = Common(mode="sim", redis=redis_server.address, state_dir=state_dir, url=house.url, json=True)
        async with running(book.run(common, (PAIR,), BookOptions())):
            good = 0

            async def better() -> bool:
                nonlocal good
                tick = await bus.get(LOB, PAIR)
                if tick is None or tick.state is not BookState.OK or tick.sequence <= good:
                    return False
                good = tick.sequence
                return True

            await until(better, "the first book")
            for text in WORST_FIRST:
                armed = house.server.faults.arm(parse_fault(text), time.monotonic_ns())

                async def struck(armed: Armed = armed) -> bool:
                    return bool(armed.reached)

                await until(struck, text)
                good = house.exchange.venue.engine(PAIR).sequence
                await until(better, f"a book after {text}")
            house.halt()
            sequence = -1

            async def all_done() -> bool:
                """Under load it is behind its clock: each call brings it closer to the time of the halt."""
                nonlocal sequence
                before = sequence
                async with httpx.AsyncClient(trust_env=False) as http:
                    await http.get(f"{house.url}/api/1/orderbook_top", params={"pair": PAIR})
                sequence = int(json.loads(house.exchange.snapshot_raw(PAIR))["sequence"])
                return sequence == before

            await until(all_done, "the halt")

            async def at_the_end() -> bool:
                tick = await bus.get(LOB, PAIR)
                return tick is not None and tick.sequence == sequence and tick.state is BookState.OK

            await until(at_the_end, "the last frame")
            tick = await bus.get(LOB, PAIR)
            async with httpx.AsyncClient(trust_env=False) as http:
                top = (await http.get(f"{house.url}/api/1/orderbook_top", params={"pair": PAIR})).json()
    assert tick is not None
    for side, levels in (("bids", tick.bids), ("asks", tick.asks)):
        exact = [(D(row["price"]), D(row["volume"])) for row in top[side][:10]]
        assert [(level.price, level.volume) for level in levels] == exact


async def test_the_gateway_never_has_two_orders_for_one(redis_server: RedisServer, state_dir: Path) -> None:
    faults = (
        "black-hole:call=postorder,when=after,seconds=4,count=1",
        "error-502:call=postorder,when=after,count=1",
        "cancel-false:count=1",
        "user-duplicate:count=3",
        "user-drop:count=1",
    )
    async with desk(state_dir, redis_server.address, *(word for text in faults for word in ("--fault", text))) as here:
        async with gateway(here) as one:
            ids = await here.quote_around()

            async def both() -> bool:
                live = await here.open()
                sides = [order.side for order in live.values()]
                assert len(sides) == len(set(sides)), live
                return set(live) == set(ids)

            await until(both, "both orders", 60)
            one.send_signal(signal.SIGTERM)
            await ends(one, 0)
        assert await here.has()
        async with httpx.AsyncClient(trust_env=False) as http:
            armed = (await http.get(f"{here.url}/sim/faults")).json()["armed"]
        reached = {fault["name"]: fault["reached"] for fault in armed}
        assert reached["black-hole"] == reached["error-502"] == reached["cancel-false"] == 1
        closed = await here.rest.list_orders(PAIR, closed=True)
        assert sorted(order.client_order_id for order in closed) == sorted(ids)
