"""One virtual clock under asyncio: time passes only when nobody can do anything; processes can be held and killed.

A process is a context variable: every task it starts inherits it, so the loop knows whose callback it is about to run.
A killed process's callbacks are dropped, as SIGKILL drops them: nothing of it runs again, not even a ``finally``. A
paused one's are held, as SIGSTOP holds them. There is no selector: a socket cannot even be opened.
"""

from __future__ import annotations

import asyncio
import heapq
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any

START_S = 1_000.0
STEP_S = 5e-5
"""What every callback takes: whoever asks again and again for the same instant gets past it, as on a real machine."""

EPOCH_NS = 1_767_225_600_000_000_000
"""Wall clock at the start: 2026-01-01 00:00 UTC."""


class Process:
    """One process of the world.

    paused_s: loop time until which it is held. skew_ns: its wall clock minus the true one. world: it lives in.
    """

    def __init__(self, name: str, pid: int, world: Any) -> None:
        self.name = name
        self.world = world
        self.pid = pid
        self.dead = False
        self.paused_s = 0.0
        self.skew_ns = 0
        self.held: list[asyncio.Handle] = []
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.grave: list[Any] = []
        self.stop: Callable[[], None] | None = None
        self.pipes: list[Any] = []
        self.stdout: Any = None
        self.complain: Callable[[Any, dict[str, Any]], object] | None = None

    def __repr__(self) -> str:
        return f"{self.name}#{self.pid}"


PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)


class Stuck(RuntimeError):
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop over a heap of timers."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START_S
        self.steps = 0
        self.errors: list[str] = []
        self.world = Context()
        self.set_task_factory(_task)

    def time(self) -> float:
        return self._now

    @property
    def now_ns(self) -> int:
        """Of the true clock, since the world's beginning (arbitrary origin)."""
        return round(self._now * 1e9)

    def later(self, seconds: float, call: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Something the world does, whatever becomes of the process that set it off."""
        return self.call_at(self._now + seconds, call, *args, context=self.world)

    def kill(self, process: Process) -> None:
        """Nothing of it ever runs again."""
        process.dead = True
        # Kept: a collected coroutine would run its finally clauses.
        process.grave = [*process.tasks, *process.held]
        process.held = []

    def pause(self, process: Process, seconds: float) -> None:
        until = self._now + seconds
        if until > process.paused_s:
            process.paused_s = until
            self.later(seconds, self._release, process)

    def _release(self, process: Process) -> None:
        if process.paused_s <= self._now and not process.dead:
            held, process.held = process.held, []
            self._ready.extend(held)  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if self._timer_cancelled_count > 40 and 2 * self._timer_cancelled_count > len(scheduled):
            kept = [handle for handle in scheduled if not handle._cancelled]
            for handle in scheduled:
                handle._scheduled = not handle._cancelled
            heapq.heapify(kept)
            self._scheduled, scheduled = kept, kept
            self._timer_cancelled_count = 0
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False
                self._timer_cancelled_count -= 1
            if not scheduled:
                raise Stuck("nothing is scheduled")
            first = heapq.heappop(scheduled)
            first._scheduled = False
            self._now = max(self._now, first._when)
            ready.append(first)
            while scheduled and scheduled[0]._when <= self._now:
                due = heapq.heappop(scheduled)
                due._scheduled = False
                if due._cancelled:
                    self._timer_cancelled_count -= 1
                else:
                    ready.append(due)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process: Process | None = handle._context.get(PROCESS)
            if process is not None:
                if process.dead:
                    process.grave.append(handle)
                    continue
                if process.paused_s > self._now:
                    process.held.append(handle)
                    continue
            self.steps += 1
            handle._run()
            self._now += STEP_S

    def set_exception_handler(self, handler: Any) -> None:
        process = PROCESS.get()
        assert process is not None
        process.complain = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        process, error = PROCESS.get(), context.get("exception")
        if (process is not None and process.dead) or type(error).__name__ == "Violation":
            return
        if process is not None and process.complain is not None:
            process.complain(self, context)
            return
        # The world itself is wrong: nothing it would still say counts.
        self.errors.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    async def connect_read_pipe(self, protocol_factory: Callable[[], Any], pipe: Any) -> tuple[Any, Any]:
        """A pipe of this world (`campaign.guards`)."""
        protocol = protocol_factory()
        pipe.listen(protocol)
        return pipe, protocol

    def _process_events(self, event_list: Any) -> None:
        return

    def _write_to_self(self) -> None:
        return


def _task(loop: asyncio.AbstractEventLoop, work: Any, **given: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **given)
    context = given.get("context")
    process = PROCESS.get() if context is None else context.get(PROCESS)
    if process is not None:
        process.tasks.add(task)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    return task


@contextmanager
def clocks(loop: VirtualLoop) -> Iterator[None]:
    """The time module tells the loop's time, the wall clock with the skew of the process that asks."""

    def mono_ns() -> int:
        return round(loop._now * 1e9)

    def wall_ns() -> int:
        process = PROCESS.get()
        return EPOCH_NS + round(loop._now * 1e9) + (0 if process is None else process.skew_ns)

    names: dict[str, Callable[[], float]] = {
        "monotonic_ns": mono_ns,
        "monotonic": lambda: loop._now,
        "time_ns": wall_ns,
        "time": lambda: wall_ns() / 1e9,
    }
    before = {name: getattr(time, name) for name in names}
    for name, call in names.items():
        setattr(time, name, call)
    try:
        yield
    finally:
        for name, call in before.items():
            setattr(time, name, call)
