"""``lunomm exchange``: a Luno of ours on loopback, seeded, from a tape, or an upstream's market with orders on paper.

Others find it by the state folder.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lunomm.bus.clock import Clock
from lunomm.bus.process import is_running, state_folder, write_whole
from lunomm.commands.exchange_watch import Watch
from lunomm.commands.present import Presenter, say
from lunomm.commands.signals import ending
from lunomm.commands.venue_finder import FILES, WORDS, ask, noted_exchange
from lunomm.config import Common
from lunomm.errors import InstanceError, LunommError, UsageError
from lunomm.options.exchange import ExchangeOptions
from lunomm.simulator import profiles
from lunomm.simulator.behaviour import parse_behaviour
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import Exchange, replayed, seeded, tape_rules
from lunomm.simulator.fault_table import parse_fault
from lunomm.simulator.faults import Faults
from lunomm.simulator.keys import parse_key
from lunomm.simulator.replay import Recorded
from lunomm.simulator.server import ExchangeServer, bind
from lunomm.tape.reader import Tape, TapeFrame, read_tape

if TYPE_CHECKING:
    from lunomm.commands.paper_exchange import UpstreamMarket

USUAL_PORTS = {"sim": 8377, "paper": 8378}

_NEVER_S = 86_400.0
"""Longer than any exchange takes to open its doors."""

HANG_UP = (signal.SIGHUP,) if sys.platform != "win32" else ()
PARENT_S = 1.0


async def run(common: Common, options: ExchangeOptions) -> dict[str, Any] | None:
    """Serve until a signal, ``--for``, or the end of a supervising ``up``. The last state as data.

    Raises:
        UsageError: unlisted pair, unknown profile, bad tape, taken port.
        InstanceError: an exchange of this state folder runs already.
        ConfigError, CredentialsError, ConnectivityError, JournalError: of a paper exchange, as :func:`open_upstream`.
    """
    folder = state_folder(common.state_dir)
    await _refuse_second(folder, options.mode)
    if options.upstream is None:
        return await _serve(common, options, folder, *_open(options), _run_id(options.tape))
    from lunomm.commands.paper_exchange import open_upstream

    wall_ns = time.time_ns() // 1_000_000 * 1_000_000
    async with open_upstream(common, options, folder) as upstream:
        return await _serve(
            common, options, folder, upstream.exchange, Clock(1.0, wall_ns, wall_ns), upstream.run_id, upstream
        )


async def _serve(
    common: Common,
    options: ExchangeOptions,
    folder: Path,
    exchange: Exchange,
    clock: Clock,
    run_id: str,
    upstream: UpstreamMarket | None = None,
) -> dict[str, Any] | None:
    listening = _listen(options.port, USUAL_PORTS[options.mode])
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def info() -> dict[str, Any]:
        return _info(exchange, clock, url, run_id, options.speed)

    server = ExchangeServer(
        exchange,
        lambda: clock.exchange_ns(),
        speed=options.speed,
        info=info,
        faults=_armed(options, exchange.pairs),
        public=None if upstream is None else upstream.public.get,
        delay_s=None if upstream is None else upstream.delay_s,
    )
    watch = Watch(exchange, server, options, url, run_id)
    stop, started = asyncio.Event(), asyncio.Event()
    held = ExitStack()
    held.enter_context(ending(stop, *HANG_UP))
    note = folder / FILES[options.mode]
    presenter = Presenter("exchange", common.json, watch.screen, watch.line, watch.data)
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(server.serve(listening, started=started), name="exchange:serve"),
        asyncio.create_task(watch.sample(), name="exchange:watch"),
        asyncio.create_task(_until(stop, common), name="exchange:until"),
    ]
    if upstream is not None:
        tasks += [asyncio.create_task(work, name="exchange:upstream") for work in upstream.follow(server.streams)]
    try:
        await _first(tasks[0], started)
        if options.tape is not None:
            # Only now: reading the tape and opening the doors takes as long as it takes.
            clock = _begin(clock, options.tape_lead_s)
        write_whole(note, msgspec.json.encode({**info(), "pid": os.getpid()}).decode())
        tasks.append(asyncio.create_task(presenter.run(stop), name="exchange:screen"))
        stopping = asyncio.create_task(stop.wait(), name="exchange:stop")
        tasks.append(stopping)
        while not stop.is_set():
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            tasks = [task for task in tasks if task not in done]
    finally:
        _forget(note, run_id)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        held.close()
        presenter.finish()
    return watch.data()


async def _refuse_second(folder: Path, mode: str) -> None:
    noted = noted_exchange(folder, mode)
    if noted is not None and noted.pid != os.getpid() and is_running(noted.pid):
        answered = await ask(noted.url)
        if answered is not None and answered.run_id == noted.run_id:
            raise InstanceError(
                f"a {WORDS[mode]} exchange runs already at {noted.url} (process {noted.pid}). "
                "Use it, stop it with `lunomm down`, or set another LUNOMM_STATE_DIR"
            )


def _open(options: ExchangeOptions) -> tuple[Exchange, Clock]:
    """The exchange asked for, and its clock; that of a tape stands before the first frame until :func:`_begin`."""
    wall_ms = time.time_ns() // 1_000_000
    keys = [parse_key(text) for text in options.accounts]
    switches = parse_behaviour(options.behaviour)
    if options.tape is None:
        exchange = seeded(
            options.pairs,
            profile=options.profile,
            seed=options.seed,
            fee_tier=options.fee_tier,
            start_ns=wall_ms * 1_000_000,
            keys=keys,
            switches=switches,
        )
        return exchange, Clock(options.speed, wall_ms * 1_000_000, wall_ms * 1_000_000)
    if options.profile is not None:
        raise UsageError("--profile and --tape: a recording has no profile. Give one of them")
    tape = _read(options.tape, options.pairs[0])
    rules = tape_rules(tape.pair, tape.rules)
    exchange = replayed(
        rules,
        _frames(tape),
        name=options.tape.name,
        seed=options.seed,
        fee_tier=options.fee_tier,
        keys=keys,
        switches=switches,
    )
    if tape.torn is not None:
        say(f"{options.tape}: {tape.torn}; the rest of it is used")
    anchor_ns = exchange.next_ns or tape.started_ns
    return exchange, _begin(Clock(options.speed, 0, anchor_ns // 1_000_000 * 1_000_000), _NEVER_S)


def _begin(clock: Clock, lead_s: float) -> Clock:
    """The same clock, so that its exchange instant is ``lead_s`` of our seconds from now."""
    return replace(clock, anchor_wall_ns=time.time_ns() // 1_000_000 * 1_000_000 + int(lead_s * 1e9))


def _armed(options: ExchangeOptions, pairs: list[str]) -> Faults:
    """The faults asked for, armed as the doors open. Raises UsageError: as :func:`parse_fault`, or an unlisted pair."""
    faults = Faults(draws(options.seed, "faults").ids)
    for text in options.faults:
        asked = parse_fault(text)
        if asked.word("pair") and asked.word("pair") not in pairs:
            raise UsageError(f"--fault: {asked.kind.name}: pair: give one of {', '.join(pairs)}", code="BAD_FAULT")
        faults.arm(asked, time.monotonic_ns())
    return faults


def _read(path: Path, pair: str) -> Tape:
    """A tape under its own name; a plain file of frames under the one its file name says, else ``pair``."""
    try:
        return read_tape(path)
    except UsageError as error:
        if error.code != "TAPE_PAIR":
            raise
    words = re.findall(r"[A-Z0-9]+", path.name.upper())
    return read_tape(path, next((word for word in words if word in profiles.CATALOGUE), pair))


def _frames(tape: Tape) -> Iterator[Recorded]:
    for item in tape:
        if isinstance(item, TapeFrame):
            yield Recorded(item.raw, item.event)


def _listen(port: int | None, usual: int) -> Any:
    if port is not None:
        return bind(port)
    try:
        return bind(usual)
    except UsageError:
        return bind(0)


def _run_id(tape: Path | None) -> str:
    life = secrets.token_hex(4)
    return life if tape is None else f"{re.sub('[^0-9A-Za-z.-]', '-', tape.name)[:60]}-{life}"


def _info(exchange: Exchange, clock: Clock, url: str, run_id: str, speed: float) -> dict[str, Any]:
    """The object of ``GET /sim/info``: what this is, and one instant on both its clocks."""
    setting = exchange.setting
    return {
        "url": url,
        "profile": setting.profile,
        "seed": setting.seed,
        "speed": speed,
        "tape": setting.tape,
        "pairs": exchange.pairs,
        "run_id": run_id,
        "fee_tier": setting.fee_tier,
        "upstream": setting.upstream,
        "clock": {
            "wall_ms": clock.anchor_wall_ns // 1_000_000,
            "exchange_ms": clock.anchor_exchange_ns // 1_000_000,
            "speed": speed,
        },
        "truth": setting.truth,
    }


def _forget(note: Path, run_id: str) -> None:
    noted = noted_exchange(note.parent, next(mode for mode, file in FILES.items() if file == note.name))
    if noted is not None and noted.run_id == run_id:
        note.unlink(missing_ok=True)


async def _first(serving: asyncio.Task[Any], started: asyncio.Event) -> None:
    """Until the server is up, or has failed."""
    ready = asyncio.create_task(started.wait())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if serving.done():
        serving.result()
        raise LunommError("the exchange ended before it was up")


async def _until(stop: asyncio.Event, common: Common) -> None:
    """Ends the exchange after ``--for``, or when the ``up`` that started it is gone."""
    end = None if common.for_s is None else time.monotonic() + common.for_s
    while end is None or time.monotonic() < end:
        if common.supervised is not None and os.getppid() != common.supervised:
            break
        await asyncio.sleep(PARENT_S if end is None else min(PARENT_S, max(0.01, end - time.monotonic())))
    stop.set()
