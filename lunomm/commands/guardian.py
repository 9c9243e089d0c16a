"""The guardian's process: ``python -m lunomm.commands.guardian``, started by a gateway, never by hand.

What it needs comes as one line on its standard input (never as arguments or environment, which other processes can
read); after that line each further one is a beat, and the end of the pipe without a farewell means that the gateway is
gone. It is in a session of its own and ignores Ctrl-C and a closed terminal. It inherits the gateway's lock on the
journal and keeps it until nothing of ours rests: a gateway started meanwhile waits. `trading.guardian` decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time

import msgspec

from lunomm.errors import ConnectivityError, LunommError
from lunomm.journal.lock import HEIR
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.trading.guardian import (
    Beat,
    CancelAll,
    Farewell,
    GuardAction,
    GuardEvent,
    Guardian,
    GuardState,
    ListAll,
    Listed,
    ListFailed,
    Orphaned,
    Say,
    Tick,
)
from lunomm.trading.orders import is_ours

READY, PULSE = b"ready\n", b"beat\n"
BEAT_LINE, FAREWELL_LINE = b"beat\n", b"bye\n"
PULSE_S = 0.5
MAX_LINE = 2**16
CALL_S = 3.0
"""Longest single call: a guardian that waits ten seconds for one answer is late for everything else."""


class Charge(msgspec.Struct, frozen=True):
    """What a guardian guards. url: of the exchange. lock_fd: the inherited journal lock, None where there is none.

    simulated: its exchange is a process of this machine; when nobody listens there any more its orders are gone too.
    """

    url: str
    key_id: str
    key_secret: str
    pairs: list[str]
    settle_ns: int
    lock_fd: int | None = None
    simulated: bool = False

    def __repr__(self) -> str:
        return f"Charge(url={self.url!r}, pairs={self.pairs!r})"


class Watch:
    """The loop around one :class:`Guardian`."""

    def __init__(self, charge: Charge, rest: LunoRest, gateway: asyncio.StreamReader) -> None:
        self._charge, self._rest, self._gateway = charge, rest, gateway
        self._core = Guardian(time.monotonic_ns(), charge.settle_ns)
        self._events: asyncio.Queue[GuardEvent] = asyncio.Queue()
        self._work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the gateway said farewell, or is gone and none of its orders is left."""
        listener = asyncio.create_task(self._listen())
        pulse = asyncio.create_task(self._pulse())
        try:
            while self._core.state is not GuardState.DONE:
                event = await self._next()
                now_ns = time.monotonic_ns()
                for action in self._core.step(event, now_ns):
                    self._do(action)
        finally:
            for task in (listener, pulse, *self._work):
                task.cancel()

    async def _next(self) -> GuardEvent:
        wait_s = max(self._core.wake_ns() - time.monotonic_ns(), 0) / 1e9
        try:
            async with asyncio.timeout(min(wait_s, 1.0) + 0.01):
                return await self._events.get()
        except TimeoutError:
            return Tick()

    async def _listen(self) -> None:
        while line := await self._gateway.readline():
            self._events.put_nowait(Farewell() if line == FAREWELL_LINE else Beat())
            if line == FAREWELL_LINE:
                return
        self._claim_lock()
        self._events.put_nowait(Orphaned())

    def _claim_lock(self) -> None:
        """Say in the lock file who holds it now, so that a new gateway waits instead of giving up."""
        fd = self._charge.lock_fd
        if fd is None:
            return
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{HEIR} {os.getpid()}".encode(), 0)
        except OSError as error:
            say(f"the lock file cannot be written: {error.strerror}")

    async def _pulse(self) -> None:
        """Ready once the exchange has answered this key; then a beat for the gateway, for ever."""
        while True:
            try:
                await self._listing()
                break
            except LunommError as error:
                say(f"not ready: {error}")
                await asyncio.sleep(1.0)
        line = READY
        # A gateway that is gone reads no pulse; its orders still need us.
        with contextlib.suppress(BrokenPipeError):
            while True:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
                line = PULSE
                await asyncio.sleep(PULSE_S)

    def _do(self, action: GuardAction) -> None:
        if isinstance(action, Say):
            say(action.text)
            return
        task = asyncio.create_task(self._list() if isinstance(action, ListAll) else self._cancel(action))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _list(self) -> None:
        try:
            self._events.put_nowait(Listed(await self._listing()))
        except ConnectivityError as error:
            gone = self._charge.simulated and self._core.orphaned and "cannot connect" in str(error)
            self._events.put_nowait(Farewell() if gone else ListFailed(str(error)))
        except LunommError as error:
            self._events.put_nowait(ListFailed(str(error)))

    async def _listing(self) -> tuple[str, ...]:
        found: list[str] = []
        for pair in self._charge.pairs:
            orders = await self._rest.open_orders(pair)
            found += [o.order_id for o in orders if is_ours(o.client_order_id, pair)]
        return tuple(found)

    async def _cancel(self, action: CancelAll) -> None:
        """One after the other, as the venue lets us; the next listing tells what came of it."""
        failed: LunommError | None = None
        for order_id in action.order_ids:
            try:
                await self._rest.stop_order(order_id)
            except LunommError as error:
                failed = error
        if failed is not None:
            say(f"a cancel was not answered as it should: {failed}")


def say(text: str) -> None:
    """One line for the log."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with contextlib.suppress(OSError):  # its disk is full: it is here to cancel, not to tell of it
        print(f"{stamp} guardian {os.getpid()}: {text}", file=sys.stderr, flush=True)  # noqa: T201 (its log)


async def guard() -> None:
    """Read the charge, then watch."""
    loop = asyncio.get_running_loop()
    gateway = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(gateway), sys.stdin.buffer)
    line = await gateway.readline()
    if not line:
        return
    charge = msgspec.json.decode(line, type=Charge)
    key = ApiKey(charge.key_id, charge.key_secret)
    async with LunoRest(
        endpoint(charge.url or None), key, CallBudget(), timeout_s=CALL_S, write_timeout_s=CALL_S
    ) as rest:
        await Watch(charge, rest, gateway).run()


def main() -> None:
    """Entry point of the process."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    asyncio.run(guard())


if __name__ == "__main__":
    main()
