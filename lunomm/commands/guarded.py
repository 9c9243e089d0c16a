"""The gateway's side of its guardian: start it, beat, and shut the gate while there is none.

No net, no trapeze: until the guardian has said that the exchange answers its key, and whenever its pulse stops, nothing
may be wanted, so the reconciler takes everything down. A guardian that died is started again after 1, 2, 4 ... 30 s.

Rejected: asyncio's own child processes. Their transport kills the child when it is collected, and a guardian has to
outlive a gateway that ends without having shown that nothing rests.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from lunomm.bus.process import is_running
from lunomm.commands.guardian import BEAT_LINE, FAREWELL_LINE, PULSE_S, READY, Charge
from lunomm.commands.piece import Piece
from lunomm.commands.present import say
from lunomm.config import child_environment
from lunomm.errors import InstanceError
from lunomm.journal.lock import HEIR, JournalLock, lock_owner
from lunomm.luno.hosts import ApiKey
from lunomm.trading.events import Event, Gate

GATE = "guardian"
LOST_S = 2.5
"""Silence of the guardian that counts as its death."""

FIRST_S = 5.0
READY_S = 30.0
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
FAREWELL_S = 2.0
LOCK_S = 90.0
"""Longest wait for the guardian of a gateway that died."""

LOG_KEPT = 1_000_000


class Guarded:
    """One gateway's guardian.

    Args:
        key: what it logs in with. lock_fd: of the journal's lock, which it inherits. log: file of its words.
        alive: whether the gateway's own core has worked within the last moments: only then a beat is sent.
        tell: takes the gate's events.
    """

    def __init__(
        self,
        *,
        url: str,
        key: ApiKey,
        pairs: Sequence[str],
        settle_ns: int,
        lock_fd: int | None,
        log: Path,
        alive: Callable[[], bool],
        tell: Callable[[Event], None],
        simulated: bool = False,
    ) -> None:
        inherits = sys.platform != "win32"
        self._charge = Charge(url, key.id, key.secret, list(pairs), settle_ns, lock_fd if inherits else None, simulated)
        self._log, self._alive, self._tell = log, alive, tell
        self._process: subprocess.Popen[bytes] | None = None
        self._dismissed = False
        self._was_ready = asyncio.Event()
        self.state = "STARTING"
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def first_ready(self) -> None:
        """Wait until it was ready once, FIRST_S at most; later than that the gate is shut until it is."""
        try:
            async with asyncio.timeout(FIRST_S):
                await self._was_ready.wait()
        except TimeoutError:
            # Both may be due at once, after a sleep of ours: what the guardian said by then is newer.
            if not self._was_ready.is_set():
                self._tell(Gate(GATE, False, "the guardian is not up yet"))

    async def keep(self) -> None:
        """Have a guardian, for ever. Cancelling this leaves it alone: it outlives a gateway that is not flat."""
        failures = 0
        while not self._dismissed:
            process = self._process = self._start()
            if await self._watch(process):
                failures = 0
            if self._leaving():
                return
            self.state = "DOWN"
            self._tell(Gate(GATE, False, "the guardian is gone; starting another"))
            process.kill()
            await _ended(process, None)
            self.restarts += 1
            await asyncio.sleep(DELAYS_S[min(failures, len(DELAYS_S) - 1)])
            failures += 1

    def _leaving(self) -> bool:
        return self._dismissed

    def _start(self) -> subprocess.Popen[bytes]:
        small = self._log.exists() and self._log.stat().st_size < LOG_KEPT
        with self._log.open("ab" if small else "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lunomm.commands.guardian"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
                env=child_environment(),
                pass_fds=() if self._charge.lock_fd is None else (self._charge.lock_fd,),
            )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        _write(process, msgspec.json.encode(self._charge) + b"\n")
        return process

    async def _watch(self, process: subprocess.Popen[bytes]) -> bool:
        """Beat and listen until it is silent; whether it ever was ready."""
        pulse = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(pulse), process.stdout
        )
        beats = asyncio.create_task(self._beat(process))
        patience, ready = READY_S, False
        try:
            while True:
                async with asyncio.timeout(patience):
                    line = await pulse.readline()
                if not line:
                    return ready
                if line == READY:
                    ready, self.state = True, "UP"
                    self._was_ready.set()
                    self._tell(Gate(GATE, True))
                patience = LOST_S
        except TimeoutError:
            return ready
        finally:
            beats.cancel()
            transport.close()

    async def _beat(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            if self._alive():
                _write(process, BEAT_LINE)
            await asyncio.sleep(PULSE_S)

    async def dismiss(self) -> None:
        """Nothing is left to guard: say farewell and wait until it has gone (its share of the lock goes with it)."""
        self._dismissed = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        _write(process, FAREWELL_LINE)
        if not await _ended(process, FAREWELL_S):
            process.kill()
            await _ended(process, None)


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Without waiting: the pipe of a guardian that hangs fills, and its missing pulse says why."""
    assert process.stdin is not None
    if process.stdin.closed:
        return
    try:
        process.stdin.write(line)
    except (BlockingIOError, BrokenPipeError):
        return


async def _ended(process: subprocess.Popen[bytes], within_s: float | None) -> bool:
    clock = asyncio.get_running_loop().time
    end = None if within_s is None else clock() + within_s
    while process.poll() is None:
        if end is not None and clock() > end:
            return False
        await asyncio.sleep(0.02)
    if process.stdin is not None:
        process.stdin.close()
    return True


def is_heir(owner: str) -> bool:
    """Whether a lock's owner is the guardian of a gateway that is gone: it lets go once nothing rests."""
    return owner.startswith(HEIR) or (owner.isdigit() and not is_running(int(owner)))


async def lock_journal(piece: Piece, path: Path) -> JournalLock:
    """The journal's lock; while the guardian of a gateway that died still has it, that is waited for.

    Raises:
        InstanceError: a living gateway has it, or the guardian does not get its orders down within LOCK_S.
    """
    clock = asyncio.get_running_loop().time
    end, said = clock() + LOCK_S, False
    while True:
        owner = lock_owner(path)
        try:
            return JournalLock(path)
        except InstanceError:
            if not is_heir(owner) or clock() > end or piece.stop.is_set():
                raise
        if not said:
            said = True
            say("waiting for the guardian of the gateway that died: it is cancelling that one's orders")
        piece.last_error = "waiting for the guardian of the gateway that died"
        await asyncio.sleep(0.1)
