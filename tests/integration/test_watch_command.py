"""``lunomm watch`` on a real Redis, with a real webhook and a real scrape: a gateway halts, dies, Redis goes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from test_gateway_command import PAIR, desk, gateway, process, until

from lunomm.bus.channels import HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.bus.venue import claim
from lunomm.commands import webhook
from lunomm.commands.pipeline import PipelineReader
from lunomm.commands.webhook import Webhook
from lunomm.journal.glance import glances
from lunomm.journal.request import FileRequest, write_request
from lunomm.market.presence import Health, VenueInfo
from lunomm.views.alerts import Alarms
from lunomm.views.metrics import samples


class Inbox:
    """Takes what is posted. answers: status codes, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.got: list[dict[str, str]] = []
        self.url = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 200:
            self.got.append(body)
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def inbox(*answers: int) -> AsyncIterator[Inbox]:
    one = Inbox(*answers)
    server = await asyncio.start_server(one.take, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/very-secret-token"
    try:
        yield one
    finally:
        server.close()


async def test_a_halt_and_a_death_reach_lines_webhook_and_metrics(redis_server, state_dir: Path, free_port: int):
    pytest.importorskip("prometheus_client", reason="the endpoint needs prometheus-client")
    metrics = f"http://127.0.0.1:{free_port}/metrics"

    async def scrape() -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(metrics)).text

    async with desk(state_dir, redis_server.address) as here, inbox(503, 200) as box, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        extra = {"LUNOMM_WEBHOOK_URL": box.url, "LUNOMM_METRICS_PORT": str(free_port)}
        async with process(state_dir, "watch", "--json", **extra) as watch:
            assert watch.stdout is not None and watch.stderr is not None
            assert b"watching" in await asyncio.wait_for(watch.stderr.readline(), 20)

            async def shows(text: str) -> bool:
                return text in await scrape()

            await until(lambda: shows(f'lunomm_piece_up{{pair="{PAIR}",piece="gateway"}} 1.0'), "the gateway's heart")
            (seen,) = glances(state_dir)
            write_request(seen.path, FileRequest(request_id="h1", verb="halt", who="ann@host", reason="enough"))
            raised = json.loads(await asyncio.wait_for(watch.stdout.readline(), 20))["data"]
            while raised["kind"] != "HALTED":
                raised = json.loads(await asyncio.wait_for(watch.stdout.readline(), 20))["data"]
            assert (raised["event"], raised["pair"]) == ("raised", PAIR)
            assert "enough" in raised["text"] and "lunomm resume" in raised["text"]
            await until(lambda: any(got["kind"] == "HALTED" for got in box.got), "the webhook, after a 503")
            await until(lambda: shows('lunomm_alarm{kind="HALTED"} 1.0'), "the metric")
            one.kill()
            await one.wait()
            while raised["kind"] != "PIECE":
                raised = json.loads(await asyncio.wait_for(watch.stdout.readline(), 20))["data"]
            assert raised["piece"] == "gateway"
            watch.terminate()
            assert await asyncio.wait_for(watch.wait(), 20) == 0
            assert b"very-secret-token" not in await watch.stderr.read() + await watch.stdout.read()


async def test_who_fell_silent_is_missed_and_who_said_goodbye_is_not(redis_server, bus: Bus):
    alarms, reader, now_ms = Alarms(), PipelineReader(bus, keep=True), 0.0
    bus.venue = await claim(bus, PAIR, VenueInfo(pair=PAIR, mode="live", url="https://api.luno.com", run_id=""))
    key = health_key("record", PAIR)
    up: float | None = None

    async def look() -> list[str]:
        nonlocal now_ms, up
        now_ms += 5_000
        view = await reader.read()
        told = alarms.look(view, now_ms)
        every = samples(view, alarms.raised, redis_up=True)
        found = {one.labels["piece"]: one.value for one in every if one.name == "lunomm_piece_up"}
        up = found.get("record")
        return [f"{alert.event} {alert.trouble.kind} {alert.trouble.piece}" for alert in told]

    async def beat(number: int, ago_ms: int = 0) -> None:
        at = time.time_ns() // 1_000_000 - ago_ms
        health = Health(pair=PAIR, piece="record", pid=1, host="h", started_ms=1, ts_ms=at, beat=number, mode="live")
        await bus.put(HEALTH, health, name=key)

    await beat(1)
    assert await look() == [] and up == 1
    await bus.clear(HEALTH, key)  # as `Piece.close` does
    assert await look() == await look() == [] and up is None
    # The last beat of one that died, as another watcher meets it; then its key runs out.
    reader = PipelineReader(bus, keep=True)
    await beat(2, ago_ms=4_000)
    assert await look() == [] and up == 0  # not yet held for long enough
    await bus.clear(HEALTH, key)
    assert await look() == ["raised PIECE record"] and up == 0
    assert await look() == [] and up == 0
    await beat(3)
    await look()
    assert await look() == ["ended PIECE record"] and up == 1


async def test_a_calibration_that_ends_by_itself_is_nobodys_loss(redis_server, bus: Bus, state_dir: Path):
    async with desk(state_dir, redis_server.address):
        seen: set[str] = set()

        async def ended() -> bool:
            seen.update(await bus.scan("HEALTH::calibrate::*"))
            return one.returncode is not None

        async with process(state_dir, "calibrate", PAIR, "--for", "3", "--json") as one:
            task = asyncio.create_task(one.communicate())
            await until(ended, "the calibration")
            await task
        assert one.returncode == 1, "three seconds calibrate nothing: verdict NO"
        assert not seen


async def test_what_cannot_be_delivered_is_said_without_the_address(capsys, monkeypatch, free_port: int):
    monkeypatch.setattr(webhook, "PAUSES_S", (0.0, 0.0, 0.0))
    url = f"http://127.0.0.1:{free_port}/very-secret-token"
    async with Webhook(url) as hook:
        hook.tell({"kind": "HALTED"}, "HALTED raised")
    async with Webhook("http://\u200b.example/very-secret-token") as hook:
        hook.tell({"kind": "LIMIT"}, "LIMIT raised")
        hook.tell({"kind": "PIECE"}, "PIECE raised")  # it lives on
    async with inbox(404) as box, Webhook(box.url) as hook:
        hook.tell({"kind": "BOOK"}, "BOOK raised")
    said = capsys.readouterr().err
    assert "HALTED was not delivered: ConnectError" in said
    assert "LIMIT was not delivered: " in said and "PIECE was not delivered: " in said
    assert "BOOK was not delivered: HTTP 404" in said
    assert "very-secret-token" not in said


@pytest.mark.parametrize(
    "url", ["http://example.com/hook", "ftp://a.example/x", "https:///hook", "no-hook", "http://[::1"]
)
async def test_an_address_that_is_none_is_exit_3_and_is_not_repeated(state_dir: Path, url: str):
    async with process(state_dir, "watch", LUNOMM_WEBHOOK_URL=url) as one:
        _, err = await one.communicate()
    assert one.returncode == 3
    assert b"LUNOMM_WEBHOOK_URL" in err and url.encode() not in err
