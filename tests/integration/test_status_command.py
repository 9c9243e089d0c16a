"""`status` on a real Redis: what is there, what is not, and never a wait for what is dead."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal as D
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lunomm.bus.census import census
from lunomm.bus.channels import FILLS, HALT, HEALTH, LOB, ORDERS, PARAMS, QUOTES, RULES, health_key
from lunomm.bus.client import Bus
from lunomm.bus.venue import claim
from lunomm.commands import status
from lunomm.commands.pipeline import ASK_S, PipelineReader
from lunomm.commands.present import envelope
from lunomm.config import Common, RedisAddress
from lunomm.errors import BusError
from lunomm.market.presence import HaltMark, Health, VenueInfo
from lunomm.market.records import BookState, Estimates, Params, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Fill, OrderState, OrderView
from lunomm.quoting.intents import WantedQuotes
from lunomm.views.status import status_line

if TYPE_CHECKING:
    from conftest import RedisServer

VENUE = VenueInfo(pair="XBTMYR", mode="live", url="https://api.luno.com", run_id="live")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def tick(pair: str = "XBTMYR", **changes: Any) -> Tick:
    fields: dict[str, Any] = {
        "pair": pair,
        "ts": float(now_ms()),
        "exchange_ts": now_ms(),
        "sequence": 7,
        "state": BookState.OK,
        "beat": 1,
        "stream_age_ms": 20.0,
        "mid_price": D("300000.5"),
        "best_bid": D(300000),
        "best_ask": D(300001),
        "spread": D(1),
    }
    return Tick(**{**fields, **changes})


def rules(pair: str = "XBTMYR") -> PairRules:
    return PairRules(
        pair=pair,
        base=pair[:3],
        counter=pair[3:],
        price_scale=0,
        volume_scale=6,
        min_price=D(1),
        max_price=D(10**7),
        min_volume=D("0.0001"),
        max_volume=D(100),
    )


def health(piece: str, pair: str = "XBTMYR", beat: int = 1) -> Health:
    return Health(pair=pair, piece=piece, pid=1, host="h", started_ms=now_ms(), ts_ms=now_ms(), beat=beat)


def order(intent_id: str, side: Side, price: int) -> OrderView:
    return OrderView(
        pair="XBTMYR",
        intent_id=intent_id,
        client_order_id=f"lm1-XBTMYR-{intent_id}",
        order_id="BX1",
        side=side,
        level=0,
        price=D(price),
        volume=D("0.001"),
        filled=D(0),
        state=OrderState.WORKING,
        created_ms=now_ms() - 5_000,
        updated_ms=now_ms(),
    )


async def fill_bus(bus: Bus) -> None:
    bus.venue = await claim(bus, "XBTMYR", VENUE)
    await bus.publish(LOB, tick())
    await bus.publish(RULES, rules())
    await bus.publish(
        QUOTES, WantedQuotes(pair="XBTMYR", epoch=1, number=1, ts_ms=now_ms(), fair=300000.5, reservation=299990.0)
    )
    await bus.hash_put(ORDERS, "XBTMYR", {"b": order("b", Side.BID, 299800), "a": order("a", Side.ASK, 300200)})
    for piece in ("book", "quote"):
        await bus.put(HEALTH, health(piece), name=health_key(piece, "XBTMYR"))
    known = Estimates(sigma=1e-4, verdict=Verdict.GO)
    await bus.put(PARAMS, Params(pair="XBTMYR", at_ms=now_ms() - 60_000, provenance="t", estimates=known))
    await bus.append(
        FILLS,
        Fill(
            pair="XBTMYR",
            sequence=5,
            intent_id="b",
            client_order_id=None,
            order_id="BX1",
            side=Side.BID,
            price=D(299800),
            volume=D("0.001"),
            counter=D("299.8"),
            fee_base=D(0),
            fee_counter=D(0),
            maker=True,
            ts_ms=now_ms(),
        ),
    )


def common(address: RedisAddress, folder: Path, **changes: Any) -> Common:
    return Common(mode="sim", redis=address, state_dir=folder, **changes)


async def test_prints_everything_once_without_a_terminal(
    bus: Bus, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill_bus(bus)
    assert await status.run(common(redis_server.address, tmp_path), ()) is None
    out = capsys.readouterr().out
    for wanted in ("300,000.5", "reservation", "299,990.0", "open orders 2", "299,800", "300,200", "live at https"):
        assert wanted in out, out
    pieces = out[out.index("pieces") :]
    assert "book      XBTMYR   ● OK" in pieces.replace("  ● OK", " ● OK", 1) or "● OK" in pieces
    assert "gateway" in pieces and "not running" in pieces
    assert len(out.splitlines()) < 60


async def test_json_is_one_object_with_every_part(bus: Bus, redis_server: RedisServer, tmp_path: Path) -> None:
    await fill_bus(bus)
    data = await status.run(common(redis_server.address, tmp_path, json=True), ("XBTMYR",))
    assert data is not None
    data = json.loads(envelope("status", data))["data"]
    (pair,) = data["pairs"]
    assert pair["tick"]["mid_price"] == "300000.5"
    assert pair["quotes"]["reservation"] == 299990.0
    assert sorted(row["price"] for row in pair["orders"]) == ["299800", "300200"]
    assert [row["sequence"] for row in pair["fills"]] == [5]
    assert 59_000 < pair["params_age_ms"] < 70_000
    assert {row["piece"]: row["health"] is not None for row in data["pieces"]} == {
        "book": True,
        "calibrate": False,
        "quote": True,
        "gateway": False,
    }
    assert data["problems"] == []


async def test_an_empty_redis_says_how_to_start(
    redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await status.run(common(redis_server.address, tmp_path), ())
    assert "lunomm up" in capsys.readouterr().out


@pytest.mark.parametrize("host", ["127.0.0.1", "redis.invalid"])
async def test_a_dead_redis_is_one_error_at_once(host: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(BusError) as caught:
        await status.run(common(RedisAddress(host=host, port=free_port()), tmp_path), (), once=True)
    assert time.monotonic() - started < 5
    assert caught.value.exit_code == 4
    assert host in str(caught.value) and "\n" not in str(caught.value)


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_redis_that_hangs_is_given_up_at_the_bound_of_one_print(as_json: bool, tmp_path: Path) -> None:
    with silent_listener() as port:
        address = RedisAddress(host="127.0.0.1", port=port)
        with pytest.raises(BusError, match=r"no answer within 0\.15 s: it hangs.*REDIS_HOST") as caught:
            await status.run(common(address, tmp_path, json=as_json), (), once=True)
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)


async def test_a_machine_that_is_off_is_given_up_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio, "open_connection", silence)
    with pytest.raises(BusError, match=r"192\.0\.2\.1.*no connection within 1 s"):
        await status.run(common(RedisAddress(host="192.0.2.1", port=6379), tmp_path), (), once=True)
    # Of several Sentinels the first named may be the one that is off: it is no gate.
    seats = RedisAddress(host="192.0.2.1", port=26379, sentinels=(("192.0.2.1", 26379), ("192.0.2.2", 26379)))
    async with asyncio.timeout(1):
        await status._connects(seats)


def test_far_away_an_answer_may_take_longer() -> None:
    assert status.patience_s(RedisAddress(host="127.0.0.1", port=1)) == status.ONCE_S
    assert status.patience_s(RedisAddress(host="192.0.2.1", port=1)) == status.FAR_S
    seats = (("127.0.0.1", 1), ("192.0.2.1", 1))
    assert status.patience_s(RedisAddress(host="127.0.0.1", port=1, sentinels=seats)) == status.FAR_S
    assert ASK_S < status.ONCE_S < 0.3


async def test_an_exchange_that_hangs_is_said_beside_everything_else(
    bus: Bus, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lunomm.bus.venue import this_host

    with silent_listener() as port:
        url = f"http://127.0.0.1:{port}"
        await claim(bus, "XBTMYR", VenueInfo(pair="XBTMYR", mode="sim", url=url, host=this_host(), run_id="r"))
        await bus.put(HEALTH, health("book"), name=health_key("book", "XBTMYR"))
        await status.run(common(redis_server.address, tmp_path), (), once=True)
    out = capsys.readouterr().out
    assert out.startswith(f"✖ the simulated exchange at {url} does not answer") and "calibrate" in out


async def test_from_another_machine_it_asks_no_exchange_and_needs_no_state(
    bus: Bus, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = VenueInfo(pair="XBTMYR", mode="sim", url="http://127.0.0.1:9", host="another", run_id="r")
    await claim(bus, "XBTMYR", there)
    bus.venue = there
    await bus.publish(LOB, tick())
    empty = tmp_path / "elsewhere"
    await status.run(common(redis_server.address, empty), (), once=True)
    out = capsys.readouterr().out
    assert "300,000.5" in out and "does not answer" not in out
    assert not empty.exists()


async def test_what_is_not_a_redis_is_said_so(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"<html>no</html>\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(BusError, match="that is not a Redis") as caught:
            await status.run(common(RedisAddress(host="127.0.0.1", port=port), tmp_path), ())
    assert caught.value.exit_code == 4


async def test_in_a_terminal_it_waits_for_a_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "is_screen", lambda console: True)
    port = free_port()
    address = RedisAddress(host="127.0.0.1", port=port)
    assert await status.run(common(address, tmp_path, for_s=0.6), ()) is None
    wanted = f"waiting: nothing listens at 127.0.0.1:{port} yet. Start one: lunomm up"
    assert wanted in capsys.readouterr().out
    assert wanted in status_line(status.waiting(address))


async def test_pairs_and_pieces_are_found(bus: Bus) -> None:
    await fill_bus(bus)
    await bus.put(HEALTH, health("book", "ETHMYR"), name=health_key("book", "ETHMYR"))
    await bus.redis.set("HEALTH::x", "1")
    await bus.redis.set("HEALTH::book::\x1b[31m", "1")
    await bus.redis.set("VENUE::nope nope", "1")
    found = await census(bus)
    assert found.pairs == ("ETHMYR", "XBTMYR")
    assert found.pieces == (("book", "ETHMYR"), ("book", "XBTMYR"), ("quote", "XBTMYR"))


async def test_ages_count_from_the_last_change_seen_here(bus: Bus) -> None:
    await fill_bus(bus)
    # A writer whose clock is a day ahead, and one whose clock is a minute behind, beat alike.
    ahead, behind = health("book"), health("quote")
    ahead.ts_ms += 86_400_000
    behind.ts_ms -= 60_000
    await bus.put(HEALTH, ahead, name=health_key("book", "XBTMYR"))
    await bus.put(HEALTH, behind, name=health_key("quote", "XBTMYR"))
    reader = PipelineReader(bus)
    first = {piece.piece: piece.age_ms for piece in (await reader.read()).pieces}
    assert first["book"] is not None and first["book"] < 1_000
    assert first["quote"] is not None and first["quote"] >= 60_000
    ahead.beat = behind.beat = 2
    await bus.put(HEALTH, ahead, name=health_key("book", "XBTMYR"))
    await bus.put(HEALTH, behind, name=health_key("quote", "XBTMYR"))
    await bus.publish(LOB, tick(beat=2))
    view = await reader.read()
    assert all(piece.age_ms is None or piece.age_ms < 1_000 for piece in view.pieces)
    assert view.pairs[0].tick_age_ms is not None and view.pairs[0].tick_age_ms < 1_000


async def test_messages_of_another_venue_are_not_shown(bus: Bus) -> None:
    await fill_bus(bus)
    bus.venue = VenueInfo(pair="XBTMYR", mode="tape", url="tape:x", run_id="1")
    await bus.publish(LOB, tick(mid_price=D(1)))
    view = await PipelineReader(bus).read()
    assert view.pairs[0].tick is None
    assert view.pairs[0].rules is not None


async def test_each_pair_is_read_of_its_own_venue(bus: Bus) -> None:
    """Venues are claimed for a pair: one on paper beside one that is live is lawful, and neither hides the other."""
    paper = VenueInfo(pair="ETHMYR", mode="paper", url="http://10.1.1.1:8377", host="elsewhere", run_id="p")
    live = VenueInfo(pair="XBTMYR", mode="live", url="https://api.luno.com", host="here", run_id="")
    for venue in (paper, live):
        bus.venue = await claim(bus, venue.pair, venue)
        await bus.publish(LOB, tick(pair=venue.pair))
        beat = health("gateway")
        beat.pair = venue.pair
        await bus.put(HEALTH, beat, name=health_key("gateway", venue.pair))
        await bus.put(HALT, HaltMark(pair=venue.pair, since_ms=1, cause=f"a halt of {venue.mode}"))
    reader = PipelineReader(bus)
    for _ in range(2):
        view = await reader.read()
        assert [(pair.pair, pair.halted, pair.tick is not None) for pair in view.pairs] == [
            ("ETHMYR", "a halt of paper", True),
            ("XBTMYR", "a halt of live", True),
        ]
        alive = [(piece.pair, piece.piece) for piece in view.pieces if piece.health is not None]
        assert alive == [("ETHMYR", "gateway"), ("XBTMYR", "gateway")]
        assert paper.title in view.venue and live.title in view.venue


async def test_a_dead_simulated_exchange_is_said(bus: Bus) -> None:
    from lunomm.bus.venue import this_host

    gone = VenueInfo(pair="XBTMYR", mode="sim", url=f"http://127.0.0.1:{free_port()}", host=this_host(), run_id="r")
    await claim(bus, "XBTMYR", gone)
    started = time.monotonic()
    view = await PipelineReader(bus).read()
    assert time.monotonic() - started < 2
    assert view.problems == (f"the simulated exchange at {gone.url} does not answer",)


async def test_a_redis_that_dies_keeps_the_last_picture(bus: Bus) -> None:
    await fill_bus(bus)
    reader = PipelineReader(bus)
    view = await reader.read()
    silent = reader.silent(BusError("Redis at x: no answer"))
    assert silent.pairs == view.pairs
    assert silent.problems == ("Redis at x: no answer",) and silent.pieces == ()


async def test_json_lines_for_a_while(
    bus: Bus, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill_bus(bus)
    assert await status.run(common(redis_server.address, tmp_path, json=True, for_s=0.6), ()) is None
    lines = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert lines and all(row["command"] == "status" and row["data"]["pairs"] for row in lines)
