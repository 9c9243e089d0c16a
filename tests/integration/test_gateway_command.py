"""``lunomm gateway`` as a process against the real simulated exchange and a real Redis; the test plays the quoter."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal as D
from pathlib import Path

import pytest

from lunomm import __version__
from lunomm.bus import embedded
from lunomm.bus.channels import ACCOUNT, FILLS, HEALTH, ORDER_UPDATES, ORDERS, QUOTES, VENUE, health_key
from lunomm.bus.client import Bus
from lunomm.bus.process import is_running
from lunomm.bus.venue import peek
from lunomm.commands.pipeline import clock_of
from lunomm.config import RedisAddress
from lunomm.errors import BusError
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.luno.wire_rest import OrderV2
from lunomm.market.presence import VenueInfo
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Account, OrderState, UpdateKind
from lunomm.quoting.intents import Intent, WantedQuotes

PAIR = "XBTMYR"
DEADLINE_S = 30.0
LIMITS = ("--max-position", "0.05", "--max-order-value", "3000", "--max-daily-loss", "5000")
SIM_KEY = {"LUNO_KEY_ID": "sim", "LUNO_KEY_SECRET": "sim"}


async def until(found: Callable[[], object], what: str, within_s: float = DEADLINE_S):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        value = found()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        # Test and gateway share the key's 300 calls a minute.
        await asyncio.sleep(0.4)
    raise AssertionError(f"not within {within_s:g} s: {what}")


class Quoter:
    """Rewrites what is wanted five times a second, as long as it lives."""

    def __init__(self, address: RedisAddress, epoch: int | None = None) -> None:
        self.bus = Bus(address, "test")
        self.epoch = epoch if epoch is not None else time.time_ns() // 1_000_000
        self.number = self.counter = 0
        self.intents: dict[Side, Intent] = {}
        self.fair = 300_000.0
        self.alive = True
        self.late_ms = 0
        self.build = __version__

    def want(self, side: Side, price: int, size: str = "0.004") -> Intent:
        self.counter += 1
        name = f"{self.epoch:x}-{self.counter}-{side.value[0]}0"
        self.intents[side] = Intent(id=name, side=side, level=0, price=D(price), size=D(size), created_ms=0)
        return self.intents[side]

    async def run(self) -> None:
        while True:
            try:
                if self.bus.venue is None:
                    self.bus.venue = await peek(self.bus, PAIR)
                elif self.alive:
                    self.number += 1
                    message = WantedQuotes(
                        pair=PAIR, epoch=self.epoch, number=self.number, intents=list(self.intents.values()),
                        fair=self.fair, ts_ms=clock_of(self.bus.venue).exchange_ms() - self.late_ms,
                    )  # fmt: skip
                    if self.build == __version__:
                        await self.bus.publish(QUOTES, message)
                    else:
                        other = self.bus.encode(message).replace(__version__, self.build)
                        await self.bus.call(self.bus.redis.set(QUOTES.key(PAIR), other, px=3_000))
            except BusError:
                pass  # the server is down in one test, and comes back
            await asyncio.sleep(0.2)


@asynccontextmanager
async def process(state_dir: Path, *args: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One ``lunomm`` process; killed if it still runs at the end."""
    one = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lunomm", *args, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=state_dir, env={**os.environ, **env},
    )  # fmt: skip
    try:
        yield one
    except BaseException:
        if one.returncode is None:
            one.kill()
        out, err = await one.communicate()
        # Shown with the failure: what the process itself thought.
        sys.stderr.write(f"{args[0]}: {out[-1500:].decode()}\n{err[-1500:].decode()}\n")
        raise
    finally:
        if one.returncode is None:
            one.kill()
        await one.communicate()


class Desk:
    """The exchange as it really is, and the quoter."""

    def __init__(self, state_dir: Path, rest: LunoRest, quoter: Quoter, url: str) -> None:
        self.state_dir, self.rest, self.quoter, self.url = state_dir, rest, quoter, url
        self.bus = quoter.bus

    async def open(self) -> dict[str, OrderV2]:
        return {order.client_order_id: order for order in await self.rest.open_orders(PAIR)}

    async def mid(self) -> int:
        ticker = await self.rest.ticker(PAIR)
        return int((D(ticker.bid) + D(ticker.ask)) / 2)

    async def quote_around(self, half: int = 3000) -> tuple[str, str]:
        """Want a bid and an ask far from the touch; their client ids."""
        mid = await self.mid()
        self.quoter.fair = float(mid)
        bid, ask = self.quoter.want(Side.BID, mid - half), self.quoter.want(Side.ASK, mid + half)
        return f"lm1-{PAIR}-{bid.id}", f"lm1-{PAIR}-{ask.id}"

    async def has(self, *ids: str) -> bool:
        return set(await self.open()) == set(ids)


@asynccontextmanager
async def desk(state_dir: Path, address: RedisAddress, *exchange: str) -> AsyncIterator[Desk]:
    """A simulated exchange of its own (theory profile) and a quoter that wants nothing yet."""
    async with process(state_dir, "exchange", PAIR, "--seed", "3", *exchange):
        note = state_dir / "exchange.json"
        await until(note.exists, "the exchange's address")
        url = json.loads(note.read_text())["url"]
        quoter = Quoter(address)
        task = asyncio.create_task(quoter.run())
        try:
            async with LunoRest(endpoint(url), ApiKey("sim", "sim"), CallBudget()) as rest:
                yield Desk(state_dir, rest, quoter, url)
        finally:
            task.cancel()
            await asyncio.wait((task,))
            await quoter.bus.close()


def gateway(where: Desk, *options: str, **env: str):
    return process(where.state_dir, "gateway", PAIR, "--json", *options, **env)


async def ends(one: asyncio.subprocess.Process, code: int) -> str:
    """Its stderr, once it ended with ``code``."""
    async with asyncio.timeout(DEADLINE_S):
        _, err = await one.communicate()
    assert one.returncode == code, err.decode()
    return err.decode()


def children(pid: int) -> list[int]:
    """Process ids whose parent is ``pid``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue  # it ended while we looked
        if stat and int(stat.rpartition(")")[2].split()[1]) == pid:
            found.append(int(entry.name))
    return found


def child_of(pid: int) -> int:
    """The one child of a process: a gateway's guardian."""
    (child,) = children(pid)
    return child


def journal(state_dir: Path) -> sqlite3.Connection:
    (path,) = state_dir.glob("journal-*.sqlite3")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


async def test_a_life(redis_server, state_dir):
    """Place, replace, the quoter's death, a second gateway, and a flat end."""
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        views = await until(lambda: here.bus.hash_get(ORDERS, PAIR), "ORDERS")
        assert {v.client_order_id for v in views.values()} == set(ids)

        async def reserved() -> Account | None:
            account = await here.bus.get(ACCOUNT, PAIR)
            return account if account is not None and account.base.reserved == D("0.004") else None

        account = await until(reserved, "ACCOUNT with the ask's reserve")
        assert account.position == account.opening == D("0.1")
        assert {order.limit_volume for order in (await here.open()).values()} == {"0.004"}

        # a second gateway of the account is refused and changes nothing
        async with gateway(here) as second:
            assert "already" in await ends(second, 6)
        assert await here.has(*ids)

        # a new id replaces: the old order is gone first
        old_bid = ids[0]
        bid = here.quoter.want(Side.BID, await here.mid() - 2900)
        new_bid = f"lm1-{PAIR}-{bid.id}"
        await until(lambda: here.has(new_bid, ids[1]), "the replacement")
        old = await here.rest.find_order(client_order_id=old_bid)
        assert old is not None
        assert old.status == "COMPLETE"

        # the quoter dies: flat within five seconds; it comes back: quotes again, with new ids only
        here.quoter.alive = False
        began = time.monotonic()
        await until(here.has, "flat after the quoter's death", 6)
        assert time.monotonic() - began < 5.5
        here.quoter.alive = True
        await asyncio.sleep(1)
        assert await here.has()
        again = await here.quote_around()
        await until(lambda: here.has(*again), "orders after the quoter came back")

        # a quoter of another build is not believed, and both are named
        here.quoter.build = "9.9.9"
        await until(here.has, "flat after a half upgrade", 3)

        async def named() -> bool:
            health = await here.bus.get(HEALTH, PAIR, name=health_key("gateway", PAIR))
            return health is not None and "lunomm 9.9.9, this is " + __version__ in (health.last_error or "")

        await until(named, "both builds in the heartbeat", 5)

        one.send_signal(signal.SIGTERM)
        await ends(one, 0)
        assert await here.has()
        assert await here.bus.hash_get(ORDERS, PAIR) == {}
        numbers = [update.number for _, update in await here.bus.read(ORDER_UPDATES, PAIR)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        states = [state for (state,) in journal(state_dir).execute("SELECT DISTINCT state FROM orders")]
        assert states == ["CANCELLED"]


async def test_fills_agree_everywhere(redis_server, state_dir):
    """Journal, FILLS, the exchange's own trades and its balances, to the last digit, across a kill."""
    async with desk(state_dir, redis_server.address, "--fee-tier", "1") as here:
        async with gateway(here) as one:
            await _quote_until_fills(here, 2)
            one.kill()
            await one.wait()
        async with gateway(here) as two:
            await _quote_until_fills(here, 4)
            here.quoter.intents.clear()
            await until(here.has, "flat")
            two.send_signal(signal.SIGINT)
            await ends(two, 0)
        rows = await here.rest.list_trades(PAIR, since_ms=0)
        ours = [row for row in rows if row.client_order_id.startswith("lm1-")]
        booked = journal(state_dir).execute(
            "SELECT sequence, volume, counter, fee_base, fee_counter, side FROM fills ORDER BY sequence"
        )
        fills = booked.fetchall()
        assert [(f[0], D(f[1]), D(f[2])) for f in fills] == [(r.sequence, D(r.base), D(r.counter)) for r in ours]
        streamed = await here.bus.read(FILLS, PAIR)
        assert [(fill.sequence, fill.volume) for _, fill in streamed] == [(f[0], D(f[1])) for f in fills]
        assert all(fill.maker for _, fill in streamed)
        # What filled while no gateway lived was met by no fair price anybody knew.
        assert sum(fill.fair is not None for _, fill in streamed) >= 2
        base = sum((D(f[1]) if f[5] == "BID" else -D(f[1])) - D(f[3]) for f in fills)
        counter = sum((-D(f[2]) if f[5] == "BID" else D(f[2])) - D(f[4]) for f in fills)
        held = {row.asset: D(row.balance) for row in await here.rest.balances()}
        opening = dict(journal(state_dir).execute("SELECT name, value FROM notes WHERE pair = 'XBTMYR'"))["opening"]
        assert held["XBT"] == D(opening) + base
        assert held["MYR"] == D(30_000) + counter
        told = [u for _, u in await here.bus.read(ORDER_UPDATES, PAIR) if u.kind is UpdateKind.FILL]
        assert sum(u.last_volume for u in told if u.last_volume is not None) == sum(D(f[1]) for f in fills)


async def _quote_until_fills(here: Desk, count: int) -> None:
    """Stay close to the market until so many fills are in FILLS."""

    async def enough() -> bool:
        return len(await here.bus.read(FILLS, PAIR)) >= count

    end = time.monotonic() + 60
    while not await enough():
        assert time.monotonic() < end, "too few fills"
        mid = await here.mid()
        here.quoter.fair = float(mid)
        here.quoter.want(Side.BID, mid - 10, "0.002")
        here.quoter.want(Side.ASK, mid + 10, "0.002")
        await asyncio.sleep(1.5)


async def test_killed_and_restarted_it_adopts_what_is_wanted_and_never_doubles(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here) as one:
            bid, ask = await here.quote_around()
            await until(lambda: here.has(bid, ask), "both orders")
            before = {cid: order.order_id for cid, order in (await here.open()).items()}
            # Its guardian dies with it (as in a loss of power): the journal is all that is left.
            os.killpg(os.getsid(guardian := child_of(one.pid)), signal.SIGKILL)
            one.send_signal(signal.SIGKILL)
            await one.wait()
            await until(lambda: not is_running(guardian), "the guardian's end")
        # While it is away the quoter changes its mind about the ask.
        new_ask = f"lm1-{PAIR}-{here.quoter.want(Side.ASK, await here.mid() + 3500).id}"
        async with gateway(here) as two:
            await until(lambda: here.has(bid, new_ask), "adopted and replaced")
            assert (await here.open())[bid].order_id == before[bid]
            two.send_signal(signal.SIGTERM)
            await ends(two, 0)
        assert await here.has()
        closed = await here.rest.list_orders(PAIR, closed=True)
        ids = [order.client_order_id for order in closed]
        assert len(ids) == len(set(ids)) == 3


async def test_orders_of_a_pair_that_is_not_served_any_more_are_cancelled(redis_server, state_dir):
    async with desk(state_dir, redis_server.address, "ETHMYR") as here:
        async with gateway(here) as one:
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            os.killpg(os.getsid(guardian := child_of(one.pid)), signal.SIGKILL)
            one.send_signal(signal.SIGKILL)
            await one.wait()
            await until(lambda: not is_running(guardian), "the guardian's end")
        async with process(state_dir, "gateway", "ETHMYR", "--json") as two:
            await until(here.has, "nothing of ours")
            two.send_signal(signal.SIGTERM)
            assert "XBTMYR: not served by this gateway" in await ends(two, 0)
        # That is done: it is no news at the next start.
        async with process(state_dir, "gateway", "ETHMYR", "--json", "--for", "2") as again:
            assert "not served" not in await ends(again, 0)
        # Who serves the pair again reads how they ended.
        here.quoter.intents.clear()
        async with gateway(here) as three:
            await until(lambda: _ended(state_dir) == {"CANCELLED"}, "both ends in the journal")
            three.send_signal(signal.SIGTERM)
            await ends(three, 0)


def _ended(state_dir: Path) -> set[str]:
    return {str(row[0]) for row in journal(state_dir).execute("SELECT state FROM orders")}


async def test_a_quoter_three_seconds_late_is_not_believed_and_one_in_time_is(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        here.quoter.late_ms = 3_000
        ids = await here.quote_around()

        async def refused() -> bool:
            health = await here.bus.get(HEALTH, PAIR, name=health_key("gateway", PAIR))
            return health is not None and health.state == "OK" and (health.counters.get("quotes_refused") or 0) > 5

        await until(refused, "quotes refused")
        assert await here.has()
        here.quoter.late_ms = 0
        await until(lambda: here.has(*ids), "both orders")
        # Late from now on: what stands dies with the last message in time.
        here.quoter.late_ms = 3_000
        await until(here.has, "nothing of ours")
        one.send_signal(signal.SIGTERM)
        await ends(one, 0)


async def test_redis_dies_orders_go_and_come_back_with_it(state_dir, tmp_path, monkeypatch, free_port):
    address, folder = RedisAddress(port=free_port), tmp_path / "redis"
    folder.mkdir()
    assert await embedded.ensure(address, folder, {}, lambda _: None)
    monkeypatch.setenv("REDIS_HOST", address.host)
    monkeypatch.setenv("REDIS_PORT", str(address.port))
    try:
        async with desk(state_dir, address) as here, gateway(here) as one:
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            await embedded.stop(address, folder)
            began = time.monotonic()
            await until(here.has, "flat without Redis", 6)
            assert time.monotonic() - began < 5.5
            assert await embedded.ensure(address, folder, {}, lambda _: None)
            again = await here.quote_around()
            await until(lambda: here.has(*again), "orders after the restart")
            assert one.returncode is None
            one.send_signal(signal.SIGTERM)
            await ends(one, 0)
            assert await here.has()
            numbers = [u.number for _, u in await here.bus.read(ORDER_UPDATES, PAIR)]
            assert numbers == sorted(set(numbers))
    finally:
        await embedded.stop(address, folder)


async def test_redis_hangs_orders_go_and_come_back_with_it(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        server = int((await here.bus.redis.info("server"))["process_id"])
        os.kill(server, signal.SIGSTOP)
        try:
            began = time.monotonic()
            await until(here.has, "flat while Redis hangs", 6)
            assert time.monotonic() - began < 5.5
        finally:
            os.kill(server, signal.SIGCONT)
        again = await here.quote_around()
        await until(lambda: here.has(*again), "orders once it answers")
        one.send_signal(signal.SIGTERM)
        await ends(one, 0)
        assert await here.has()


async def test_another_venue_on_this_redis_is_refused_and_nothing_is_posted(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here) as one:
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            mine = await peek(here.bus, PAIR)
            assert mine is not None
            # Another venue takes the pair under a running gateway: flat, and exit 5 naming both.
            other = VenueInfo(pair=PAIR, mode="live", url="https://api.luno.com", run_id="x")
            await here.bus.redis.set(VENUE.key(PAIR), here.bus.encode(other))
            here.quoter.want(Side.BID, await here.mid() - 3100)
            err = await ends(one, 5)
            assert "live" in err
            assert "sim" in err
            assert await here.has()
        closed = len(await here.rest.list_orders(PAIR, closed=True))
        async with gateway(here) as two:
            assert "live" in await ends(two, 5)
        assert len(await here.rest.list_orders(PAIR, closed=True)) == closed


async def test_live_mode_by_url_with_key_and_limits(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        live = ("--mode", "live", "--url", here.url)
        async with gateway(here, *live, **SIM_KEY) as bare:
            err = await ends(bare, 3)
            assert all(name in err for name in ("--max-position", "--max-order-value", "--max-daily-loss"))
        async with gateway(here, *live, *LIMITS) as keyless:
            assert "LUNO_KEY_ID" in await ends(keyless, 3)
        async with gateway(here, *live, *LIMITS, **SIM_KEY) as one:
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            # A quote above the order value comes back with its code.
            too_big = here.quoter.want(Side.BID, await here.mid() - 3000, "0.02")

            async def refused() -> list[str]:
                updates = await here.bus.read(ORDER_UPDATES, PAIR)
                return [u.code or "" for _, u in updates if u.kind is UpdateKind.REFUSAL and u.intent_id == too_big.id]

            assert await until(refused, "a refusal") == ["ORDER_VALUE"]
            one.send_signal(signal.SIGINT)
            await ends(one, 0)
        assert await here.has()


async def test_orders_by_other_hands_stay(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        mid, now_ms = await here.mid(), time.time_ns() // 1_000_000
        await here.rest.post_order(
            pair=PAIR, side=Side.BID, volume=D("0.001"), price=D(mid - 9000), client_order_id="manual-1",
            timestamp_ms=now_ms, ttl_ms=10_000,
        )  # fmt: skip
        await here.rest.post_order(
            pair=PAIR, side=Side.ASK, volume=D("0.001"), price=D(mid + 9000), client_order_id=f"lm1-{PAIR}-lost-1-A0",
            timestamp_ms=now_ms, ttl_ms=10_000,
        )  # fmt: skip
        async with gateway(here, "--for", "6") as one:
            # Ours by its prefix, unknown to this journal: taken down. The other one is not ours to touch.
            await until(lambda: here.has("manual-1"), "the orphan's end")
            await ends(one, 0)
        assert await here.has("manual-1")


@pytest.mark.parametrize("damage", ["foreign", "garbage"])
async def test_a_journal_that_cannot_be_trusted_is_refused(redis_server, state_dir, damage):
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here, "--for", "3") as one:
            await ends(one, 0)
        (path,) = state_dir.glob("journal-*.sqlite3")
        if damage == "garbage":
            path.write_bytes(b"not a database" * 100)
        else:
            db = sqlite3.connect(path)
            db.execute("UPDATE header SET value = 'somebody' WHERE name = 'account'")
            db.commit()
            db.close()
        await here.quote_around()
        async with gateway(here) as two:
            err = await ends(two, 5)
        assert "journal" in err
        assert len(err.strip().splitlines()) == 1
        assert await here.has()


async def test_states_are_told_in_order(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        bid, _ = await here.quote_around()
        await until(lambda: here.open(), "an order")
        one.send_signal(signal.SIGTERM)
        await ends(one, 0)
        updates = [u for _, u in await here.bus.read(ORDER_UPDATES, PAIR) if u.client_order_id == bid]
        states = [u.state for u in updates if u.kind is UpdateKind.STATUS]
        assert states == [OrderState.SENT, OrderState.WORKING, OrderState.CANCELLING, OrderState.CANCELLED]
