"""Which venue a piece talks to: Luno itself, or an exchange of ours (simulated, or paper), found or started.

An exchange of ours is found by its address in the state folder and recognised by the run id it answers there, never by
its port alone: a stranger on that port, or an exchange that died, is not mistaken for ours.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from lunomm.bus.embedded import last_line
from lunomm.bus.process import is_running, locked, state_folder
from lunomm.bus.venue import this_host
from lunomm.config import Common, child_environment, fee_tier, is_this_machine, upstream_key
from lunomm.errors import ConfigError, ConnectivityError, ExchangeError, UsageError
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.market.presence import VenueInfo

if TYPE_CHECKING:  # `status` asks venues, too, and shall not wait for the options of others
    from lunomm.options.exchange import ExchangeOptions

SIM_KEY = ApiKey("sim", "sim")
"""What clients log in with at an exchange of ours, whatever keys the user has."""

START_S = 30.0
ASK_S = 3.0
MAX_INFO = 2**20

FILE = "exchange.json"
FILES = {"sim": FILE, "paper": "paper.json"}
"""Where an exchange of a mode is noted, in the state folder."""

WORDS = {"sim": "simulated", "paper": "paper"}

_STARTED: list[subprocess.Popen[bytes]] = []
"""Exchanges this process started: they outlive it, but while it runs a dead one must be collected."""


class SimClock(msgspec.Struct, frozen=True):
    """One instant on both clocks, Unix ms."""

    wall_ms: int = 0
    exchange_ms: int = 0
    speed: float = 1.0


class SimInfo(msgspec.Struct, frozen=True):
    """What ``GET /sim/info`` answers (also in the state folder, with the pid). upstream: of a paper exchange."""

    url: str
    run_id: str
    seed: int | None = None
    profile: str | None = None
    speed: float = 1.0
    tape: str | None = None
    pairs: list[str] = []
    clock: SimClock = SimClock()
    pid: int = 0
    upstream: str | None = None
    truth: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def mode(self) -> str:
        return "sim" if self.upstream is None else "paper"


def live_venue(common: Common) -> VenueInfo:
    """The real Luno (or, in tests of live mode, a loopback URL given on the command line)."""
    place = endpoint(common.url)
    # One world without restarts: all pieces of all pairs, whenever started, are of the same run.
    return VenueInfo(pair="", mode="live", url=place.rest, run_id="live")


def sim_venue(info: SimInfo) -> VenueInfo:
    """The venue of an exchange of ours."""
    return VenueInfo(
        pair="",
        mode=info.mode,
        url=info.url,
        host=this_host(),
        seed=info.seed,
        profile=info.profile,
        tape=Path(info.tape).name if info.tape else None,
        speed=info.speed,
        run_id=info.run_id,
        anchor_wall_ms=info.clock.wall_ms,
        anchor_exchange_ms=info.clock.exchange_ms,
        upstream=info.upstream,
    )


async def ask(url: str) -> SimInfo | None:
    """What answers ``/sim/info`` at a loopback base URL, None when nothing (or something else) does.

    Asked by every piece every two seconds: a bare request, without an HTTP client's start-up and TLS context.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return None
    try:
        async with asyncio.timeout(ASK_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(f"GET /sim/info HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.read(MAX_INFO)
                while len(body) < MAX_INFO and (more := await reader.read(MAX_INFO)):
                    body += more
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    if not re.match(rb"HTTP/1\.[01] 200 ", head):
        return None
    try:
        return msgspec.json.decode(body, type=SimInfo)
    except (msgspec.MsgspecError, UnicodeError):
        return None


async def find(state_dir: Path, mode: str = "sim") -> SimInfo | None:
    """The running exchange of this state folder and mode, None when there is none.

    One that runs but does not answer yet (a busy machine) is waited for, not replaced.
    """
    deadline = time.monotonic() + START_S
    while True:
        _STARTED[:] = [process for process in _STARTED if process.poll() is None]
        noted = noted_exchange(state_dir, mode)
        if noted is None or not is_running(noted.pid):
            return None
        answered = await ask(noted.url)
        if answered is not None:
            return answered if answered.run_id == noted.run_id else None
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.1)


async def wait_for(state_dir: Path, mode: str = "sim") -> SimInfo:
    """The exchange that ``up`` starts, or starts again.

    Raises:
        ConnectivityError: it is not there within ``START_S``.
    """
    deadline = time.monotonic() + START_S
    while True:
        info = await find(state_dir, mode)
        if info is not None:
            return info
        if time.monotonic() > deadline:
            log = log_of(state_dir, mode).name
            raise ConnectivityError(f"the {WORDS[mode]} exchange is not there. Look into {log} of the state folder")
        await asyncio.sleep(0.1)


def log_of(folder: Path, mode: str) -> Path:
    """What an exchange that was started in the background says."""
    return folder / FILES[mode].replace(".json", ".log")


def noted_exchange(state_dir: Path, mode: str = "sim") -> SimInfo | None:
    """What the state folder says, running or not."""
    try:
        return msgspec.json.decode((state_dir / FILES[mode]).read_bytes()[:MAX_INFO], type=SimInfo)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None


async def sim_at(url: str, mode: str = "sim") -> SimInfo:
    """The exchange of ours at a URL the user gave.

    Raises:
        ConnectivityError: none answers there. UsageError: it is of another mode.
    """
    place = endpoint(url)
    if not is_this_machine(place.rest.split("//", 1)[-1].split("/")[0].rsplit(":", 1)[0].strip("[]")):
        raise UsageError(f"--url {place.rest}: the real Luno is not mode {mode}. Say --mode live, or leave --url away")
    info = await ask(place.rest)
    if info is None:
        raise ConnectivityError(f"--url {place.rest}: no {WORDS[mode]} exchange answers there. {how_to_start(mode)}")
    if info.mode != mode:
        raise UsageError(f"--url {place.rest}: is a {WORDS[info.mode]} exchange. Say --mode {info.mode}")
    return info


def how_to_start(mode: str) -> str:
    """For the end of an error message."""
    return "Start one: lunomm exchange" + ("" if mode == "sim" else " --upstream luno")


async def find_or_start(
    state_dir: Path,
    options: ExchangeOptions,
    say: Callable[[str], None],
    *,
    start: bool = True,
    key: ApiKey | None = None,
) -> SimInfo | None:
    """The exchange of this state folder; started (in a session of its own, its log in the folder) when there is none.

    key: the user's, which a paper exchange reads the market with.

    Raises:
        ExchangeError: it does not start; the end of its log says why.
    """
    mode = options.mode
    found = await find(state_dir, mode)
    if found is not None or not start:
        return found
    folder = state_folder(state_dir)
    async with locked(folder / "exchange.lock"):
        found = await find(state_dir, mode)
        if found is not None:
            return found
        process = spawn_exchange(folder, options, key=key)
        info = await wait_started(folder, process, mode)
    what = f"market of {info.upstream}" if info.upstream else f"profile {info.profile or 'tape'}"
    say(f"started a {WORDS[mode]} exchange at {info.url} ({what}); `lunomm down` stops it")
    return info


def own_exchange(common: Common, pairs: tuple[str, ...] = ()) -> ExchangeOptions:
    """The exchange that is started where none of the mode runs. pairs: none, the usual one."""
    from lunomm.options.exchange import ExchangeOptions

    options = ExchangeOptions(pairs=pairs) if pairs else ExchangeOptions()
    if common.mode != "paper":
        return options
    return replace(options, upstream=common.upstream, fee_tier=fee_tier(None, "paper"))


def exchange_args(options: ExchangeOptions) -> list[str]:
    """The command line of ``lunomm exchange``, everything said."""
    args = ["exchange", *options.pairs, f"--seed={options.seed}", f"--fee-tier={options.fee_tier}"]
    args.append(f"--speed={options.speed!r}")
    args += [f"--behaviour={setting}" for setting in options.behaviour]
    if options.profile is not None:
        args.append(f"--profile={options.profile}")
    if options.tape is not None:
        args.append(f"--tape={options.tape.absolute()}")
    if options.port is not None:
        args.append(f"--port={options.port}")
    if options.upstream is not None:
        args.append(f"--upstream={options.upstream}")
    args += [f"--balance={balance}" for balance in options.balances]
    if options.latency_ms is not None:
        args.append(f"--latency-ms={options.latency_ms!r}")
    return args


def spawn_exchange(
    folder: Path,
    options: ExchangeOptions,
    *,
    environment: dict[str, str] | None = None,
    key: ApiKey | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``lunomm exchange`` with these options. key: the user's, given to a paper exchange only."""
    mode = options.mode
    (folder / FILES[mode]).unlink(missing_ok=True)
    given = upstream_key(key) if mode == "paper" else {}
    args = [sys.executable, "-m", "lunomm", *exchange_args(options)]
    with log_of(folder, mode).open("wb") as log:
        try:
            process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment or child_environment(LUNOMM_STATE_DIR=str(folder), **given),
            )
        except OSError as e:
            raise ExchangeError(f"lunomm exchange cannot be started: {e.strerror}") from e
    _STARTED.append(process)
    return process


async def wait_started(folder: Path, process: subprocess.Popen[bytes], mode: str = "sim") -> SimInfo:
    """Until it has written its address and answers there.

    Raises:
        ExchangeError: it ended, or takes too long. UsageError, ConfigError: it refused what it was given.
    """
    deadline = time.monotonic() + START_S
    log = log_of(folder, mode)
    while time.monotonic() < deadline:
        noted = noted_exchange(folder, mode)
        if noted is not None and noted.pid == process.pid:
            info = await ask(noted.url)
            if info is not None and info.run_id == noted.run_id:
                return info
        if process.poll() is not None:
            text = last_line(log).removeprefix("lunomm: ")
            if process.returncode == 2:
                raise UsageError(text)
            if process.returncode == 3:
                raise ConfigError(text)
            raise ExchangeError(f"the {WORDS[mode]} exchange did not start: {text.rstrip('.')}. See {log}")
        await asyncio.sleep(0.05)
    process.terminate()
    raise ExchangeError(f"the {WORDS[mode]} exchange did not answer within {START_S:g} s. See {log}")


def check_pairs(info: SimInfo, pairs: Sequence[str]) -> None:
    """Refuse a pair the exchange does not list.

    Raises:
        UsageError: names what it lists.
    """
    for pair in pairs:
        if info.pairs and pair not in info.pairs:
            raise UsageError(
                f"unknown pair: {pair}: the {WORDS[info.mode]} exchange lists {', '.join(sorted(info.pairs)[:20])}. "
                "Choose one, or stop it with `lunomm down`",
                code="UNKNOWN_PAIR",
            )
