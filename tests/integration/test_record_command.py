"""`record`: tapes of the simulated exchange's markets, whole when it is stopped, cut but true when it is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import open_house, running, until

from lunomm.bus.channels import HEALTH, ORDERS, health_key
from lunomm.bus.client import Bus
from lunomm.bus.venue import peek
from lunomm.commands import record
from lunomm.config import Common
from lunomm.errors import InstanceError
from lunomm.market.rules import Side
from lunomm.options.book import BookOptions
from lunomm.quoting.inputs import OrderState, OrderView
from lunomm.tape.beside import contradictions, read_sidecar
from lunomm.tape.lines import Sidecar, is_ours
from lunomm.tape.reader import TapeOwn, read_tape
from lunomm.tape.recorder import Recorder
from lunomm.tape.walk import survey

if TYPE_CHECKING:
    from conftest import RedisServer

PAIRS = ("XBTMYR", "XBTZAR")


def tapes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if is_ours(path.name)) if folder.exists() else []


def options(folder: Path) -> BookOptions:
    return BookOptions(audit_s=0.0, record=folder, record_max_mb=64.0)


async def test_whole_tapes_with_our_orders_in_them(
    redis_server: RedisServer, bus: Bus, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = state_dir / "tapes"
    async with open_house(PAIRS, speed=10.0) as house:
        common = Common(mode="sim", redis=redis_server.address, state_dir=state_dir, url=house.url, json=True)
        async with running(record.run(common, PAIRS, options(folder))):

            async def beats() -> float:
                health = await bus.get(HEALTH, PAIRS[0], name=health_key("record", PAIRS[0]))
                return float((health.counters.get("frames") if health is not None else 0) or 0)

            await until(beats, "frames in the heartbeat")
            with pytest.raises(InstanceError):
                async with asyncio.timeout(30):
                    await record.run(common, PAIRS[:1], options(folder))
            order = OrderView(
                pair=PAIRS[0], intent_id="i", client_order_id="c", order_id="BXOURS", side=Side.BID, level=0,
                price=D(200_000), volume=D("0.01"), filled=D(0), state=OrderState.WORKING, created_ms=1, updated_ms=1,
            )  # fmt: skip
            bus.venue = await peek(bus, PAIRS[0])
            await bus.hash_put(ORDERS, PAIRS[0], {"i": order})

            async def marked() -> bool:
                first = [path for path in tapes(folder) if path.name.startswith(PAIRS[0])]
                return any(isinstance(item, TapeOwn) and item.own for path in first for item in read_tape(path))

            await until(marked, "our order in the tape")
    found = tapes(folder)
    assert [path.name[:6] for path in found] == list(PAIRS)
    for path in found:
        tape = read_tape(path)
        facts, walk = survey(tape)
        said = read_sidecar(path)
        assert isinstance(said, Sidecar) and said.closed and said.provenance.run_id == "house"
        assert (walk.counts.total(), tape.torn, contradictions(tape, said, facts.last_sequence)) == (0, None, [])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["data"]["pair"] for line in lines} == set(PAIRS) and lines[0]["command"] == "record"


async def test_killed_it_leaves_all_but_the_last_seconds(redis_server: RedisServer, state_dir: Path) -> None:
    folder = state_dir / "tapes"
    env = {
        **os.environ,
        "LUNOMM_STATE_DIR": str(state_dir),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_server.address.port),
    }
    async with open_house(PAIRS[:1], speed=10.0) as house:
        words = ["record", PAIRS[0], "--mode", "sim", "--url", house.url, "--into", str(folder), "--json"]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lunomm", *words, env=env, stdout=subprocess.DEVNULL
        )
        try:

            async def written() -> bool:
                return any(path.stat().st_size > 5_000 for path in tapes(folder))

            await until(written, "a tape of some size")
        finally:
            child.send_signal(signal.SIGKILL)
            await child.wait()
    (path,) = tapes(folder)
    tape = read_tape(path)
    facts, walk = survey(tape)
    said = read_sidecar(path)
    assert tape.torn is not None and "ends early" in tape.torn and tape.frames > 10
    assert walk.counts.total() == 0 and facts.fills >= 0
    assert isinstance(said, Sidecar) and not said.closed and contradictions(tape, said, facts.last_sequence) == []


async def test_a_full_disk_ends_it(redis_server: RedisServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Recorder] = []
    plain = Recorder.__init__

    def no_room(self: Recorder, *args: Any, **named: Any) -> None:
        made.append(self)
        plain(self, *args, **named, free=lambda _: 0)

    monkeypatch.setattr(Recorder, "__init__", no_room)
    async with open_house(PAIRS[:1]) as house:
        common = Common(mode="sim", redis=redis_server.address, state_dir=state_dir, url=house.url, json=True)
        with pytest.raises(record.RecordingStopped, match="left to the journal"):
            async with asyncio.timeout(30):
                await record.run(common, PAIRS[:1], options(state_dir / "tapes"))
    assert made
