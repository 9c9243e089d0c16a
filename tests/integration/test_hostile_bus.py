"""Ten thousand wanted states over a real bus, as fast as it takes them, to a gateway on the simulated exchange."""

from __future__ import annotations

from decimal import Decimal as D

import msgspec
from hostile import states
from test_gateway_command import LIMITS, PAIR, desk, ends, gateway, journal, process, until

from lunomm.bus.channels import HALT, QUOTES
from lunomm.commands.pipeline import clock_of
from lunomm.quoting.intents import WantedQuotes

BATCH = 500


async def test_a_flood_moves_nothing_outside_the_limits(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here, *LIMITS, "--max-open-value", "5000") as one:
        venue = await until(lambda: here.bus.venue, "the venue")
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        here.quoter.alive = False
        mid, epoch = await here.mid(), here.quoter.epoch + 1000

        async def flood(seed: int, count: int, first: int, sane: bool) -> None:
            pipe = here.bus.redis.pipeline(transaction=False)
            for n, message in enumerate(states(seed, count, mid, epoch=first, sane_only=sane)):
                message.ts_ms = clock_of(venue).exchange_ms()
                data = text(message)
                pipe.set(QUOTES.key(PAIR), data, px=3000)
                pipe.publish(QUOTES.key(PAIR), data)
                if n % BATCH == BATCH - 1:
                    await pipe.execute()
            await pipe.execute()

        def text(message: WantedQuotes) -> str:
            try:
                return here.bus.encode(message)
            except (msgspec.MsgspecError, ValueError):  # what cannot even be written as JSON
                return "not JSON"

        # Every kind: it halts, and is resumed twice.
        for turn in range(3):
            await flood(turn, 2_000, epoch + turn * 1000, sane=False)
            mark = await until(lambda: here.bus.get(HALT, PAIR), "HALT")
            assert mark.cause.partition(":")[0] in ("BAD_QUOTES", "UNREADABLE")
            await until(here.has, "flat after the trip")
            async with process(here.state_dir, "resume", PAIR) as word:
                await ends(word, 0)
        # Such as could be meant, changing all the time: borne.
        await flood(9, 4_000, epoch + 9_000, sane=True)

        async def again() -> bool:
            here.quoter.alive = True
            return await here.has(*wanted)

        here.quoter.epoch = epoch + 20_000
        wanted = await here.quote_around()
        await until(again, "an honest quoter is served after all that")
        one.terminate()
        await ends(one, 0)
        assert await here.has()
        placed = await here.rest.list_orders(PAIR, closed=True)
        assert len(placed) >= 4
        for order in placed:
            price, volume = D(order.limit_price), D(order.limit_volume)
            assert order.client_order_id.startswith(f"lm1-{PAIR}-")
            assert abs(price - mid) <= mid * D("0.06"), "the collar, and what the market moved meanwhile"
            assert price == int(price)
            assert price * volume <= 3_000
            assert volume <= D("0.05")
        states_ = dict(journal(state_dir).execute("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
        assert set(states_) <= {"CANCELLED", "REJECTED", "FILLED", "DEAD"}
