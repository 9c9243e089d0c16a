"""Where the real commands touch the outside, and what stands there instead; everything else of them runs as it is.

Replaced: the clocks, httpx, websockets' dial, redis-py, the journal's file and lock, signals, process ids, the screen,
and the jitter's randomness. Paces that only keep caches warm are slowed down, for speed (`PACES`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lunomm.bus.client as bus_client
import lunomm.bus.lease as bus_lease
import lunomm.commands.book as book_command
import lunomm.commands.gateway as gateway_command
import lunomm.commands.gateway_loops as gateway_loops
import lunomm.commands.guarded as guarded
import lunomm.commands.guardian as guardian
import lunomm.commands.piece as piece_module
import lunomm.commands.publishing as publishing
import lunomm.commands.quote as quote_command
import lunomm.luno.connection as connection
import lunomm.luno.transport as transport_module
from campaign import guards
from campaign.disk import Lock
from campaign.loop import PROCESS, VirtualLoop, clocks
from campaign.redis_link import Client as RedisClient
from campaign.rest_link import Client as RestClient
from campaign.stream_links import Dial, Socket
from lunomm.luno.transport import Transport

if TYPE_CHECKING:
    from campaign.world import World

PACES = (
    (book_command, "OWN_EVERY_S", 0.5),
    (publishing, "RECORD_PAUSE_S", 5.0),
    (piece_module, "BEAT_S", 2.0),
)

Command = Callable[..., Coroutine[Any, Any, Any]]


def mine() -> World:
    process = PROCESS.get()
    assert process is not None
    return process.world


class _Presenter:
    """Nobody looks."""

    def __init__(self, *_: object) -> None:
        return

    async def run(self, stop: Any) -> None:
        await stop.wait()

    def finish(self) -> None:
        return


class _Signals:
    """How this world asks a process to stop."""

    def __init__(self, piece: Any) -> None:
        process = PROCESS.get()
        assert process is not None
        process.stop = piece.stop.set

    def restore(self) -> None:
        return


async def _nothing(*_: object, **__: object) -> bool:
    return False


def _pid() -> int:
    process = PROCESS.get()
    assert process is not None
    return process.pid


async def _open(transport: Transport) -> None:
    transport._client = RestClient(mine().rest)  # type: ignore[assignment]


def _replacements() -> list[tuple[object, str, object]]:
    here = SimpleNamespace(getpid=_pid, getppid=lambda: 1)
    chance = SimpleNamespace(random=lambda: mine().rng.random())
    embedded = SimpleNamespace(ensure=_nothing, was_ours=lambda *_: False)
    return [
        (piece_module, "embedded", embedded),
        (piece_module, "state_folder", lambda _: Path()),
        (piece_module, "environment", dict),
        (piece_module, "_Signals", _Signals),
        (piece_module, "Presenter", _Presenter),
        (piece_module, "os", here),
        (piece_module, "say", lambda _: None),
        (quote_command, "say", lambda _: None),
        (gateway_command, "say", lambda _: None),
        (bus_lease, "os", here),
        (bus_lease, "is_running", lambda pid: mine().is_running(pid)),
        (bus_client.Bus, "_client", lambda bus, retry, part: RedisClient(mine().redis)),
        (gateway_loops, "Guarded", lambda **given: guarded.Guarded(**{**given, "log": guards.Log()})),
        (guarded, "JournalLock", Lock),
        (guarded, "lock_owner", lambda path: mine().disk.lock_owner(path)),
        (guarded, "is_running", lambda pid: mine().is_running(pid)),
        (guarded, "subprocess", guards.SUBPROCESS),
        (guarded, "os", guards.GUARDED_OS),
        (guarded, "say", lambda _: None),
        (guardian, "os", guards.GUARDIAN_OS),
        (guardian, "sys", guards.SYS),
        (guardian, "say", guards.SAY),
        (gateway_command, "open_journal", lambda path, **given: mine().disk.open_journal(path, **given)),
        (Transport, "open", _open),
        (connection, "_Dial", Dial),
        (connection, "_Heard", Socket),
        (connection, "random", chance),
        (transport_module, "random", chance),
        *PACES,
    ]


@contextmanager
def replaced(loop: VirtualLoop) -> Iterator[None]:
    """Inside, every command runs in the world of the process that runs it."""
    swaps = _replacements()
    before = [(where, name, getattr(where, name)) for where, name, _ in swaps]
    for where, name, what in swaps:
        setattr(where, name, what)
    try:
        with clocks(loop):
            yield
    finally:
        for where, name, what in before:
            setattr(where, name, what)


def commands() -> dict[str, Command]:
    return {"book": book_command.run, "quote": quote_command.run, "gateway": gateway_command.run}
