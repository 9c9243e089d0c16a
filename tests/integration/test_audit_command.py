"""``lunomm audit`` beside a gateway that trades, after it, and on a journal that somebody touched."""

from __future__ import annotations

import asyncio
import json
import sqlite3

from test_gateway_command import PAIR, Desk, desk, ends, gateway, process, until

from lunomm.market.rules import Side


async def audit(here: Desk, *args: str, code: int = 0) -> dict[str, object]:
    async with process(here.state_dir, "audit", *args, "--json") as one:
        out, err = await one.communicate()
    assert one.returncode == code, out.decode() + err.decode()
    return json.loads(out)


async def fills(here: Desk) -> int:
    return len(await here.rest.list_trades(PAIR, since_ms=1))


async def test_books_agree_while_it_trades_and_a_touched_journal_is_found(redis_server, state_dir):
    async with desk(state_dir, redis_server.address, "--fee-tier", "1", "--speed", "10") as here:
        async with gateway(here) as one:
            await until(lambda: here.bus.venue, "the venue")

            async def traded() -> bool:
                mid = await here.mid()
                here.quoter.fair = float(mid)
                here.quoter.want(Side.BID, mid - 20, "0.002")
                here.quoter.want(Side.ASK, mid + 20, "0.002")
                await asyncio.sleep(1.0)
                return await fills(here) >= 4

            await until(traded, "some fills", 90.0)
            data = (await audit(here))["data"]
            (book,) = data["journals"]
            assert book["fills"] >= 4 and book["rows"] > 8 and book["differences"] == []
            one.terminate()
            await ends(one, 0)
        assert (await audit(here, PAIR))["data"]["journals"][0]["differences"] == []

        (path,) = state_dir.glob("journal-*.sqlite3")
        with sqlite3.connect(path) as db:
            db.execute("DELETE FROM fills WHERE place = (SELECT max(place) FROM fills)")
        db.close()
        error = (await audit(here, code=1))["error"]
        assert error["code"] == "AUDIT" and "is not in the journal" in error["message"] and "apart" in error["message"]
        assert (await audit(here, "XBTZAR", code=2))["error"]["code"] == "NO_JOURNAL"
