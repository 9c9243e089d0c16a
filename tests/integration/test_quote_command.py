"""``lunomm quote`` as a process on a real Redis; the test plays book and gateway."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal as D
from pathlib import Path

import pytest

from lunomm.bus import embedded
from lunomm.bus.channels import ACCOUNT, LOB, ORDER_UPDATES, PARAMS, QUOTES, RULES
from lunomm.bus.client import Bus
from lunomm.bus.venue import peek
from lunomm.config import RedisAddress
from lunomm.errors import BusError
from lunomm.market.records import BookState, Estimates, Params, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, OrderState, OrderUpdate, UpdateKind
from lunomm.quoting.intents import Intent, WantedQuotes, Why

PAIR = "XBTMYR"
DEADLINE_S = 25.0
LIVE = ("--mode", "live", "--url", "http://127.0.0.1:9", "--json")
"""A venue that quote never connects to: it only reads the bus."""


async def until(found, what: str):
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE_S:g} s: {what}")


class Others:
    """Book and gateway: a beat five times a second, an account and rules; and an ear on QUOTES."""

    def __init__(self, address: RedisAddress) -> None:
        self.bus = Bus(address, "test")
        self.beat = 0
        self.mid = 300_000
        self.book_runs = True
        self.position = D("0.1")
        self.quoter_epoch: int | None = None
        self.heard: list[WantedQuotes] = []
        self.estimates = Estimates(sigma=0.025 / 86_400**0.5, kappa=1 / 300, verdict=Verdict.GO, sample=80)

    async def run(self) -> None:
        while True:
            try:
                await self._once()
            except BusError:
                pass  # the server is down in one test, and comes back
            await asyncio.sleep(0.2)

    async def _once(self) -> None:
        if self.bus.venue is None:
            self.bus.venue = await peek(self.bus, PAIR)
            return
        now_ms = time.time_ns() // 1_000_000
        rules = PairRules(
            pair=PAIR,
            base="XBT",
            counter="MYR",
            price_scale=0,
            volume_scale=6,
            min_price=D(1),
            max_price=D(10**8),
            min_volume=D("0.0005"),
            max_volume=D(100),
        )
        await self.bus.put(RULES, rules)
        account = Account(
            pair=PAIR,
            ts_ms=now_ms,
            base=Balance(asset="XBT", total=self.position, reserved=D(0)),
            counter=Balance(asset="MYR", total=D(30_000), reserved=D(0)),
            position=self.position,
            opening=D("0.1"),
            inventory_target=D("0.1"),
            max_position=D("0.1"),
            maker_fee=D(0),
            taker_fee=D(0),
            calls_used=0,
            calls_limit=300,
            quoter_epoch=self.quoter_epoch,
        )
        await self.bus.put(ACCOUNT, account)
        if self.book_runs:
            self.beat += 1
            tick = Tick(
                pair=PAIR,
                ts=float(now_ms),
                exchange_ts=now_ms,
                sequence=self.beat,
                state=BookState.OK,
                beat=self.beat,
                fair_mid=D(self.mid),
                fair_best_bid=D(self.mid - 500),
                fair_best_ask=D(self.mid + 500),
                estimates=self.estimates,
            )
            await self.bus.publish(LOB, tick)

    async def listen(self) -> None:
        async for message in self.bus.listen(QUOTES, PAIR):
            self.heard.append(message)

    async def event(self, intent: Intent, **changes: object) -> None:
        known: dict[str, object] = {
            "pair": PAIR,
            "number": 1,
            "ts_ms": time.time_ns() // 1_000_000,
            "intent_id": intent.id,
            "side": intent.side,
            "volume": intent.size,
        }
        await self.bus.publish(ORDER_UPDATES, OrderUpdate(**{**known, **changes}))  # type: ignore[arg-type]

    def now_wanted(self, fits: Callable[[WantedQuotes], bool]) -> Callable[[], WantedQuotes | None]:
        return lambda: self.heard[-1] if self.heard and fits(self.heard[-1]) else None


@asynccontextmanager
async def others(address: RedisAddress) -> AsyncIterator[Others]:
    them = Others(address)
    tasks = [asyncio.create_task(work) for work in (them.run(), them.listen())]
    try:
        yield them
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await them.bus.close()


@asynccontextmanager
async def quote(state_dir: Path, *options: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One ``lunomm quote`` process; killed if it still runs at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lunomm",
        "quote",
        PAIR,
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=state_dir,
        env={**os.environ, "LUNO_KEY_ID": "k", "LUNO_KEY_SECRET": "s", **env},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # to the end of its pipes, or their transports outlive the loop


async def until_shown(process: asyncio.subprocess.Process, reason: str) -> None:
    """Until the process itself shows ``reason`` for its bid."""
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        async for line in process.stdout:
            if json.loads(line)["data"]["reasons"].get("BID") == reason:
                return
    raise AssertionError("the process ended")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def two_sided(wanted: WantedQuotes) -> bool:
    return len(wanted.intents) == 2


def why(wanted: WantedQuotes, side: Side) -> Why | None:
    return next(report.why for report in wanted.sides if report.side is side)


@pytest.mark.parametrize(("age_s", "used"), [(3600, True), (2 * 86_400, False)], ids=["an hour old", "stale"])
async def test_a_restarted_book_quotes_from_the_last_good_calibration(redis_server, state_dir, age_s, used):
    """Its own kappa is a warm one, known to a third; the calibration's of an hour ago is better, of yesterday none."""
    sigma = 0.025 / 86_400**0.5
    good = Estimates(
        sigma=sigma, sigma_se=0.08 * sigma, kappa=1 / 900, kappa_low=1 / 1000, kappa_high=1 / 800, verdict=Verdict.GO
    )
    async with others(redis_server.address) as them:
        them.estimates = Estimates(
            sigma=sigma,
            sigma_se=0.2 * sigma,
            sigma_source="warm",
            kappa=1 / 300,
            kappa_low=1 / 600,
            kappa_high=1 / 150,
            kappa_source="warm",
            sample=12,
            verdict=Verdict.THIN,
        )
        async with quote(state_dir, *LIVE, "--order-size", "0.02"):
            first = await until(them.now_wanted(two_sided), "quotes from the warm start")
            assert 250 < first.half_spread < 600
            at_ms = time.time_ns() // 1_000_000 - age_s * 1000
            await them.bus.put(PARAMS, Params(pair=PAIR, at_ms=at_ms, provenance="test", mid=300_000.0, estimates=good))
        heard = len(them.heard)
        async with quote(state_dir, *LIVE, "--order-size", "0.02"):
            again = await until(lambda: next(filter(two_sided, them.heard[heard:]), None), "quotes of the next quoter")
            assert (again.half_spread > 800) is used and (again.half_spread < 600) is not used


async def test_a_clock_set_back_makes_no_older_quoter(redis_server, state_dir):
    """The gateway believed a quoter of next year; the next one's start is above that, whatever the clock says."""
    size = ("--order-size", "0.02")
    async with others(redis_server.address) as them:
        async with quote(state_dir, *LIVE, *size) as first:
            await until(them.now_wanted(two_sided), "two-sided quotes")
            future = them.quoter_epoch = time.time_ns() // 1_000_000 + 365 * 86_400_000
            number = them.heard[-1].number
            await until(lambda: them.heard[-1].number > number + 3, "the account told, several times over")
            first.kill()
            await first.wait()
        async with quote(state_dir, *LIVE, *size):
            await until(them.now_wanted(lambda w: w.epoch > future), "a successor above it")


async def test_a_life(redis_server, state_dir):
    size = ("--order-size", "0.02")
    async with others(redis_server.address) as them, quote(state_dir, *LIVE, *size) as process:
        first = await until(them.now_wanted(two_sided), "two-sided quotes")
        assert {intent.side: intent.price for intent in first.intents} == {Side.BID: 299_606, Side.ASK: 300_394}
        assert {intent.size for intent in first.intents} == {D("0.02")}

        # the key lives three seconds and is rewritten although nothing changes
        assert 0 < await them.bus.redis.pttl(QUOTES.key(PAIR)) <= 3000
        number = first.number
        await until(lambda: them.heard[-1].number > number + 2, "rewriting")
        assert [intent.id for intent in them.heard[-1].intents] == [intent.id for intent in first.intents]

        # drift re-prices, with new ids
        them.mid = 302_000
        moved = await until(them.now_wanted(lambda w: two_sided(w) and w.fair == 302_000.0), "drift")
        assert {i.id for i in moved.intents}.isdisjoint({i.id for i in first.intents})

        # a complete fill rests its side, the other goes on
        bid = next(intent for intent in moved.intents if intent.side is Side.BID)
        them.position += bid.size
        await them.event(bid, kind=UpdateKind.FILL, filled=bid.size, last_volume=bid.size, state=OrderState.FILLED)
        cooling = await until(them.now_wanted(lambda w: why(w, Side.BID) is Why.COOLDOWN), "cooldown")
        assert [intent.side for intent in cooling.intents] == [Side.ASK]

        # a refusal comes back with its code, and a new id after its wait
        ask = cooling.intents[0]
        await them.event(ask, kind=UpdateKind.REFUSAL, code="ErrOrderCanceled")
        await until(them.now_wanted(lambda w: why(w, Side.ASK) is Why.REFUSED), "refused")
        again = await until(them.now_wanted(lambda w: len(w.intents) == 1), "wanted anew")
        assert again.intents[0].id != ask.id

        # a kill and a restart keep the rest after the fill; the newer quoter outranks the older one
        process.kill()
        await process.wait()
        async with quote(state_dir, *LIVE, *size) as successor:
            back = await until(them.now_wanted(lambda w: w.epoch > first.epoch and len(w.intents) > 0), "a successor")
            assert [intent.side for intent in back.intents] == [Side.ASK]
            assert why(back, Side.BID) is Why.COOLDOWN

            # no beat: nothing is wanted within seconds
            them.book_runs = False
            began = time.monotonic()
            await until(them.now_wanted(lambda w: why(w, Side.ASK) is Why.STALE_BOOK), "stale")
            assert time.monotonic() - began < 6
            them.book_runs = True
            await until(them.now_wanted(lambda w: len(w.intents) == 1), "fresh again")

            # the end is said once, at once, and the lease is given back
            successor.send_signal(signal.SIGTERM)
            out, err = await successor.communicate()
            assert successor.returncode == 0, err
            last = await until(them.now_wanted(lambda w: why(w, Side.BID) is Why.STOPPING), "stopping")
            assert last.intents == []
            assert await them.bus.redis.exists(f"LEASE::quote::{PAIR}") == 0
            lines = [json.loads(line) for line in out.decode().splitlines()]
            assert {(line["v"], line["command"]) for line in lines} == {(1, "quote")}
            shown = [line["data"] for line in lines if line["data"]["quotes"] and line["data"]["quotes"]["intents"]]
            assert shown[0]["reasons"] == {"BID": "COOLDOWN", "ASK": None}
            assert shown[0]["quotes"]["intents"][0]["price"] == str(back.intents[0].price)


async def test_it_works_through_a_redis_restart(state_dir, tmp_path, monkeypatch):
    address, folder = RedisAddress(port=free_port()), tmp_path / "redis"
    folder.mkdir()
    assert await embedded.ensure(address, folder, {}, lambda _: None)
    try:
        monkeypatch.setenv("REDIS_HOST", address.host)
        monkeypatch.setenv("REDIS_PORT", str(address.port))
        async with others(address) as them, quote(state_dir, *LIVE, "--order-size", "0.02") as process:
            before = await until(them.now_wanted(two_sided), "two-sided quotes")
            await embedded.stop(address, folder)
            them.heard.clear()
            await until_shown(process, "STALE_BOOK")
            assert await embedded.ensure(address, folder, {}, lambda _: None)
            after = await until(them.now_wanted(two_sided), "two-sided quotes after the restart")
            assert process.returncode is None
            assert after.epoch == before.epoch
            assert {i.id for i in after.intents}.isdisjoint({i.id for i in before.intents})
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    finally:
        await embedded.stop(address, folder)


@pytest.mark.parametrize(
    ("options", "env", "code", "words"),
    [
        (LIVE, {}, 3, "--order-size"),
        ((*LIVE, "--order-size", "0.02"), {"LUNO_KEY_ID": "", "LUNO_KEY_SECRET": ""}, 3, "LUNO_KEY_ID"),
        ((*LIVE, "--order-size", "0"), {}, 2, "--order-size"),
        ((*LIVE, "--gamma", "nan"), {}, 2, "--gamma"),
        ((*LIVE, "--gamma", "-1"), {}, 2, "--gamma"),
        ((*LIVE, "--gamma", "1e400"), {}, 2, "--gamma"),
        ((*LIVE, "--size-rule", "grow"), {}, 2, "--size-rule"),
        ((*LIVE, "--inventory-target", "much"), {}, 2, "--inventory-target"),
    ],
)
async def test_refused_before_anything_is_wanted(redis_server, state_dir, options, env, code, words):
    async with quote(state_dir, *(o for o in options if o != "--json"), **env) as process:
        out, err = await process.communicate()
    assert process.returncode == code, err
    assert out == b""
    assert words in err.decode()
    assert len(err.decode().strip().splitlines()) == 1


async def test_an_order_size_from_the_environment_counts_as_said(redis_server, state_dir):
    async with others(redis_server.address) as them, quote(state_dir, *LIVE, LUNOMM_ORDER_SIZE="0.01") as process:
        wanted = await until(them.now_wanted(two_sided), "two-sided quotes")
        assert {intent.size for intent in wanted.intents} == {D("0.01")}
        # one quoter a pair
        async with quote(state_dir, *LIVE, "--order-size", "0.01") as second:
            _, err = await second.communicate()
            assert second.returncode == 6, err
            assert process.returncode is None


async def test_a_target_in_another_asset_ends_it_with_a_usage_error(redis_server, state_dir):
    options = (*LIVE, "--order-size", "0.01", "--inventory-target", "0.05ETH")
    async with others(redis_server.address), quote(state_dir, *options) as process:
        out, err = await process.communicate()
    assert process.returncode == 2, err
    assert "ETH" in (out + err).decode()


async def test_for_bounds_it(redis_server, state_dir):
    async with quote(state_dir, *LIVE, "--order-size", "0.01", "--for", "1") as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err
    last = json.loads(out.decode().splitlines()[-1])
    assert last["data"]["reasons"] == {"BID": "NO_RULES", "ASK": "NO_RULES"}
