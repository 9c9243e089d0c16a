"""The pipeline over several machines on a real redis-server: TLS, a user a piece, and a fail-over by Sentinels.

A machine is a loopback address and a state folder of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
import redis
from house import House, open_house, running, until
from redis_servers import OPENSSL, SERVER, acl_of_readme, certificates, cluster, free_port, listens, server
from test_gateway_command import PAIR, Quoter

from lunomm.bus import lease as leases
from lunomm.bus.channels import FILLS, HEALTH, ORDERS, health_key
from lunomm.bus.client import Bus
from lunomm.bus.lease import Lease, acquire
from lunomm.bus.sentinels import most_named
from lunomm.commands import book, calibrate, control, gateway, quote, record, status
from lunomm.config import Common, RedisAddress
from lunomm.errors import BusError, InstanceError
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.market.rules import Side
from lunomm.options.book import BookOptions
from lunomm.options.calibrate import CalibrateOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.redis_address import read_redis

pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not on this machine (Debian: redis-server)")

BUS_KEY = "a-key-of-all-the-machines"
LIMITS = GatewayOptions(max_position=D("0.05"), max_order_value=D(3000), max_daily_loss=D(5000))


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A server that speaks TLS only, asks for a certificate and has the README's users: (its folder, its port)."""
    if OPENSSL is None:
        pytest.skip("openssl is not on this machine, so there is no certificate authority to make")
    folder = tmp_path / "redis"
    folder.mkdir()
    certificates(folder)
    (folder / "users.acl").write_text(acl_of_readme() + "user auditor on >of-the-test ~* &* +@all\n")
    port = free_port()
    lines = [
        "port 0", f"tls-port {port}", "bind 127.0.0.1 127.0.0.2", f"tls-cert-file {folder}/server.crt",
        f"tls-key-file {folder}/server.key", f"tls-ca-cert-file {folder}/ca.crt", "tls-auth-clients yes",
        f"aclfile {folder}/users.acl",
    ]  # fmt: skip
    with server(folder, "tls", lines):
        listens(port)
        yield folder, port


def as_user(name: str, folder: Path, port: int, host: str = "127.0.0.1") -> RedisAddress:
    env = {
        "LUNOMM_REDIS_URL": f"rediss://{name}:password-of-{name}@{host}:{port}",
        "LUNOMM_BUS_KEY": BUS_KEY,
        "LUNOMM_REDIS_CA": str(folder / "ca.crt"),
        "LUNOMM_REDIS_CERT": str(folder / "client.crt"),
        "LUNOMM_REDIS_CERT_KEY": str(folder / "client.key"),
    }
    return read_redis(env)


def machine(tmp_path: Path, name: str, address: RedisAddress, house: House) -> Common:
    """What a live piece on this machine is given."""
    folder = tmp_path / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return Common(
        mode="live", mode_explicit=True, url=house.url, redis=address, state_dir=folder, key=ApiKey("sim", "sim"),
        json=True,
    )  # fmt: skip


def auditor(folder: Path, port: int) -> redis.Redis:
    return redis.Redis(
        host="127.0.0.1", port=port, username="auditor", password="of-the-test", ssl=True,
        ssl_ca_certs=str(folder / "ca.crt"), ssl_certfile=str(folder / "client.crt"),
        ssl_keyfile=str(folder / "client.key"), decode_responses=True,
    )  # fmt: skip


async def test_two_machines_with_tls_and_a_user_for_each_piece_that_is_refused_nothing_it_needs(
    secured: tuple[Path, int], tmp_path: Path
) -> None:
    folder, port = secured

    def at(host: str, piece: str, house: House) -> Common:
        return machine(tmp_path, host, as_user(piece, folder, port, host), house)

    a, b = "127.0.0.1", "127.0.0.2"
    # One that the market takes at once comes back: both sides need not be there in the very first second.
    size = QuoteOptions(
        order_size=D("0.002"), order_size_explicit=True, kappa_prior=0.01, ignore_fees=True, filled_order_delay_s=1
    )
    async with open_house() as house, contextlib.AsyncExitStack() as pieces:
        for work in (
            book.run(at(b, "book", house), (PAIR,), BookOptions()),
            record.run(at(b, "record", house), (PAIR,), BookOptions(record=tmp_path / "tapes")),
            calibrate.run(at(b, "calibrate", house), (PAIR,), CalibrateOptions(watch=True)),
            quote.run(at(a, "quote", house), (PAIR,), size),
            gateway.run(at(a, "gateway", house), (PAIR,), LIMITS),
        ):
            await pieces.enter_async_context(running(work))
        async with Bus(as_user("status", folder, port), "test") as bus:

            async def both() -> bool:
                return {view.side for view in (await bus.hash_get(ORDERS, PAIR)).values() if view.order_id} == set(Side)

            await until(both, "a bid and an ask of a gateway on one machine, by a book on another")
            for piece in ("book", "record", "calibrate", "quote", "gateway"):
                assert await bus.get(HEALTH, PAIR, name=health_key(piece, PAIR)) is not None
        assert (await status.run(at(b, "status", house), (), once=True))["pairs"]
        done = await control.send_control(at(b, "operator", house), PAIR, "set", {"gamma": "2"})
        assert done.journaled and [change.new for change in done.changes] == ["2"]
        for verb in ("pause", "unpause"):
            await control.send_control(at(b, "operator", house), PAIR, verb)  # type: ignore[arg-type]
    with auditor(folder, port) as all_seeing:
        refused = {(row["username"], row["reason"], row["object"]) for row in all_seeing.acl_log()}
        assert refused == set(), "the README's users lack something"


FORBIDDEN = [
    ("book", ("SET", f"QUOTES::{PAIR}", "x")),
    ("book", ("PUBLISH", f"QUOTES::{PAIR}", "x")),
    ("book", ("XADD", f"CONTROL::{PAIR}", "*", "d", "x")),
    ("book", ("SET", f"LEASE::gateway::{PAIR}", "x")),
    ("record", ("SET", f"LOB::{PAIR}", "x")),
    ("calibrate", ("XADD", f"TRADES::{PAIR}", "*", "d", "x")),
    ("quote", ("SET", f"LOB::{PAIR}", "x")),
    ("quote", ("DEL", f"HALT::{PAIR}")),
    ("quote", ("HSET", f"ORDERS::{PAIR}", "a", "b")),
    ("gateway", ("SET", f"QUOTES::{PAIR}", "x")),
    ("gateway", ("SET", f"LOB::{PAIR}", "x")),
    ("status", ("SET", f"VENUE::{PAIR}", "x")),
    ("operator", ("SET", f"QUOTES::{PAIR}", "x")),
    *((name, word) for name in ("book", "quote", "gateway", "status", "lunomm") for word in
      (("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("KEYS", "*"), ("GET", "somebody-elses"))),
]  # fmt: skip

ALLOWED = [
    ("calibrate", ("SET", f"PARAMS::{PAIR}", "x")),
    ("gateway", ("XADD", f"FILLS::{PAIR}", "*", "d", "x")),
    ("gateway", ("SET", f"HALT::{PAIR}", "x")),
    ("gateway", ("DEL", f"FILLS::{PAIR}")),
    ("book", ("XADD", f"GRID::{PAIR}", "*", "d", "x")),
    ("operator", ("DEL", f"HALT::{PAIR}")),
]


async def test_a_user_may_not_speak_for_another_piece_and_tls_is_not_to_be_talked_out_of(
    secured: tuple[Path, int],
) -> None:
    folder, port = secured
    with auditor(folder, port) as all_seeing:
        for name, command in FORBIDDEN:
            answer = all_seeing.execute_command("ACL", "DRYRUN", name, *command)
            assert "no permissions" in str(answer), (name, command, answer)
        # What takes minutes of a market to come about, beside what the test above sees done.
        for name, command in ALLOWED:
            assert all_seeing.execute_command("ACL", "DRYRUN", name, *command) in (True, "OK"), (name, command)
    good = as_user("status", folder, port)
    for bad in (replace(good, ca=None), replace(good, cert=None, cert_key=None), replace(good, password="wrong")):
        with pytest.raises(BusError, match="LUNOMM_REDIS_URL") as caught:
            async with Bus(bad, "test") as bus:
                await bus.ping()
        assert "password-of" not in str(caught.value)
    # The name counts, not only who signed.
    with pytest.raises((ssl.SSLError, redis.ConnectionError)):
        redis.Redis(host="localhost", port=port, ssl=True, ssl_ca_certs=str(folder / "ca.crt"),
                    ssl_certfile=str(folder / "client.crt"), ssl_keyfile=str(folder / "client.key")).ping()  # fmt: skip


def by_sentinels(seats: list[int], tls: Path | None = None) -> RedisAddress:
    named = ",".join(f"127.0.0.1:{seat}" for seat in seats)
    secure = "" if tls is None else "s"
    files = {} if tls is None else {
        "LUNOMM_REDIS_CA": str(tls / "ca.crt"),
        "LUNOMM_REDIS_CERT": str(tls / "client.crt"),
        "LUNOMM_REDIS_CERT_KEY": str(tls / "client.key"),
    }  # fmt: skip
    url = f"redis{secure}+sentinel://{named}/lunomm"
    return read_redis({"LUNOMM_REDIS_URL": url, "LUNOMM_BUS_KEY": BUS_KEY, **files})


async def known(address: RedisAddress, replicas: int) -> None:
    """Wait until every Sentinel knows the replicas and the other Sentinels."""
    tls: Any = {
        "ssl": True, "ssl_ca_certs": address.ca, "ssl_certfile": address.cert, "ssl_keyfile": address.cert_key,
    } if address.tls else {}  # fmt: skip
    for host, port in address.sentinels:
        with redis.Redis(host=host, port=port, decode_responses=True, **tls) as seat:

            async def complete(seat: redis.Redis = seat) -> bool:
                state = seat.execute_command("SENTINEL", "MASTER", address.service)
                row = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
                return int(row["num-slaves"]) == replicas and int(row["num-other-sentinels"]) == 2

            await until(complete, "the Sentinels to know each other")


async def test_a_master_that_dies_takes_the_quotes_down_and_the_next_one_brings_them_back_with_every_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "SETTLE_S", 0.5)
    with cluster(tmp_path, down_after_ms=3000) as cloud:
        address = by_sentinels(cloud.seats)
        await known(address, 2)
        async with open_house(speed=2.0) as house:
            quoter = Quoter(address)
            common = replace(machine(tmp_path, "state", address, house), mode="sim")
            async with (
                quoter.bus,
                running(quoter.run()),
                running(gateway.run(common, (PAIR,), GatewayOptions())),
                LunoRest(endpoint(house.url), ApiKey("sim", "sim"), CallBudget()) as rest,
            ):

                async def sides() -> set[str]:
                    return {order.side for order in await rest.open_orders(PAIR) if order.client_order_id}

                async def two() -> bool:
                    await asyncio.sleep(0.2)
                    return len(await sides()) == 2

                ticker = await rest.ticker(PAIR)
                mid = int((D(ticker.bid) + D(ticker.ask)) / 2)
                quoter.fair = float(mid)
                quoter.want(Side.BID, mid - 3000)
                quoter.want(Side.ASK, mid + 3000)
                await until(two, "both orders")
                cloud.servers[0].send_signal(signal.SIGKILL)
                killed = time.monotonic()

                async def flat() -> bool:
                    await asyncio.sleep(0.1)
                    return not await sides()

                await until(flat, "no order while there is no master")
                assert time.monotonic() - killed < 6.0
                quoter.want(Side.BID, mid - 2900)
                quoter.want(Side.ASK, mid + 2900)
                await until(two, "both orders on the new master")
                async with Bus(address, "test") as bus:
                    await bus.ping()
                    await bus.check_master()
                    now = bus.redis.connection_pool.master_address
                    assert now is not None and now[1] in cloud.ports[1:]

                    # One that the market takes, so that the new master has a fill to tell.
                    quoter.want(Side.BID, mid - 1)
                    quoter.want(Side.ASK, mid + 1)

                    async def told() -> bool:
                        await asyncio.sleep(0.2)
                        bus.venue = quoter.bus.venue
                        return bool(await bus.read(FILLS, PAIR))

                    await until(told, "a fill on the new master")
                    quoter.intents.clear()
                    await until(flat, "nothing wanted")

                    async def the_same() -> bool:
                        fills = [fill.sequence for _, fill in await bus.read(FILLS, PAIR)]
                        truth = [row.sequence for row in await rest.list_trades(PAIR, since_ms=0, limit=1000)]
                        return sorted(fills) == sorted(truth)

                    await until(the_same, "every fill of the exchange on the new master, once")


async def test_a_lease_is_not_renewed_at_a_master_that_most_sentinels_have_left(
    tmp_path: Path,
) -> None:
    """The old master lives and says yes to everything: only the Sentinels' word keeps two gateways apart."""
    with cluster(tmp_path, down_after_ms=60_000) as cloud:
        address = by_sentinels(cloud.seats)
        await known(address, 2)
        async with Bus(address, "gateway") as bus:
            held: Lease = await acquire(bus, "gateway", "account")
            with redis.Redis(port=cloud.seats[0], decode_responses=True) as seat:
                seat.execute_command("SENTINEL", "FAILOVER", "lunomm")
            await until(lambda: _moved(held, cloud.ports[0]), "the lease at the new master")
            kept = asyncio.create_task(_renewed(held))
            async with Bus(address, "gateway") as other:
                with pytest.raises(InstanceError):
                    await acquire(other, "gateway", "account")
            kept.cancel()
            await asyncio.wait([kept])
            # Cut off from most Sentinels: the master is there and takes the renewal, but nobody says it is the master.
            await held.renew()
            until_s = held.until_s
            for frozen in cloud.sentinels[1:]:
                frozen.send_signal(signal.SIGSTOP)
            with pytest.raises(BusError, match="name no master"):
                await held.renew()
            assert held.until_s == until_s, "what no majority confirms prolongs nothing"


async def test_sentinels_and_servers_that_speak_tls_only(tmp_path: Path) -> None:
    if OPENSSL is None:
        pytest.skip("openssl is not on this machine, so there is no certificate authority to make")
    certificates(tmp_path)
    with cluster(tmp_path, down_after_ms=1000, tls=tmp_path) as cloud:
        address = by_sentinels(cloud.seats, tmp_path)
        await known(address, 2)
        async with Bus(address, "gateway") as bus:
            held = await acquire(bus, "gateway", "account")
            cloud.servers[0].send_signal(signal.SIGKILL)
            await until(lambda: _moved(held, cloud.ports[0]), "the lease at the new master")
        # A server that shows no certificate of this authority's is nobody's master.
        strangers = tmp_path / "strangers"
        strangers.mkdir()
        certificates(strangers)
        async with Bus(by_sentinels(cloud.seats, strangers), "gateway") as other:
            with pytest.raises(BusError, match="name no master"):
                await other.ping()


async def _renewed(held: Lease) -> None:
    while True:
        await held.renew()
        await asyncio.sleep(0.3)


async def _moved(held: Lease, old_port: int) -> bool:
    try:
        await held.renew()
    except BusError:
        await asyncio.sleep(0.1)
        return False
    place = held.bus.redis.connection_pool.master_address
    return place is not None and place[1] != old_port


def test_a_master_is_who_more_than_half_of_all_name() -> None:
    here, there = ("a", 1), ("b", 1)
    assert most_named([here, here, None]) == here
    assert most_named([here, None, None]) is None
    assert most_named([here, there, None]) is None
    assert most_named([here, there, there]) == there
    assert most_named([here]) == here
    assert most_named([here, here, there, there]) is None
