"""The guardian as a process of the world: the real one, over pipes that end with their writers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec

from campaign.loop import PROCESS, Process
from lunomm.commands import guardian
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest

TRAVEL_S = 0.001


class Pipe:
    """One direction: bytes written by a living process reach the reader, the writer's end ends it."""

    def __init__(self, writer: Process) -> None:
        self._writer = writer
        self._protocol: Any = None
        self._early: list[bytes] = []
        self._ended = False
        self.closed = False

    def listen(self, protocol: Any) -> None:
        self._protocol = protocol
        protocol.connection_made(self)
        for data in self._early:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()

    def write(self, data: bytes) -> int:
        self._writer.world.loop.later(TRAVEL_S, self._arrive, data)
        return len(data)

    def flush(self) -> None:
        return

    def _arrive(self, data: bytes) -> None:
        if self._protocol is None:
            self._early.append(data)
        elif not self._ended:
            self._protocol.data_received(data)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._protocol is not None:
                self._protocol.eof_received()
                self._protocol.connection_lost(None)

    # --- as a transport ---

    def close(self) -> None:
        """By its reader, or by its writer (then the reader sees the end)."""
        self.closed = True
        if PROCESS.get() is self._writer:
            self._writer.world.loop.later(TRAVEL_S, self.end)
        else:
            self._protocol = None
            self._ended = True

    def is_closing(self) -> bool:
        return self._ended

    def get_extra_info(self, *_: object) -> None:
        return None

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return

    def fileno(self) -> int:
        return -1


class Child:
    """What `Guarded` uses of ``subprocess.Popen``."""

    def __init__(self, *_: object, **__: object) -> None:
        parent = PROCESS.get()
        assert parent is not None
        world = parent.world
        self.process: Process = world.child("guardian")
        self.stdin, self.stdout = Pipe(parent), Pipe(self.process)
        parent.pipes.append(self.stdin)
        self.process.pipes.append(self.stdout)
        self.process.stdout = self.stdout
        world.run(self.process, _guard(self.process, self.stdin))

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> int | None:
        return 0 if self.process.dead else None

    def kill(self) -> None:
        self.process.world.kill(self.process, "by its gateway")


async def _guard(process: Process, stdin: Pipe) -> str:
    """As `lunomm.commands.guardian.guard`, its pipe being one of ours."""
    await asyncio.sleep(process.world.rng.uniform(0.2, 0.6))
    gateway = asyncio.StreamReader(limit=guardian.MAX_LINE)
    await process.world.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(gateway), stdin)
    line = await gateway.readline()
    if not line:
        return "exit 0"
    charge = msgspec.json.decode(line, type=guardian.Charge)
    if charge.lock_fd is not None:
        process.world.disk.descriptors[charge.lock_fd].inherit(process)
    key = ApiKey(charge.key_id, charge.key_secret)
    call_s = guardian.CALL_S
    async with LunoRest(endpoint(None), key, CallBudget(), timeout_s=call_s, write_timeout_s=call_s) as rest:
        await guardian.Watch(charge, rest, gateway).run()
    return "exit 0"


def _pwrite(fd: int, data: bytes, _: int) -> None:
    process = PROCESS.get()
    assert process is not None
    process.world.disk.descriptors[fd].text = data.decode()


def _pid() -> int:
    process = PROCESS.get()
    assert process is not None
    return process.pid


class _Out:
    """``sys`` as the guardian uses it."""

    stderr = None

    @property
    def stdout(self) -> SimpleNamespace:
        process = PROCESS.get()
        assert process is not None
        return SimpleNamespace(buffer=process.stdout)


def _say(text: str) -> None:
    process = PROCESS.get()
    assert process is not None
    process.world.trace(process, text)


GUARDIAN_OS = SimpleNamespace(ftruncate=lambda fd, size: None, pwrite=_pwrite, getpid=_pid)
GUARDED_OS = SimpleNamespace(set_blocking=lambda fd, blocking: None)
SUBPROCESS = SimpleNamespace(Popen=Child, PIPE=-1)
SYS, SAY = _Out(), _say


class Log:
    """The folder's guardian.log, which nobody reads here."""

    def exists(self) -> bool:
        return False

    def open(self, mode: str) -> Log:
        return self

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        return
