"""Child processes of ``up``: started in sessions of their own, restarted when they die, ended in order.

A child that dies is started again after 1, 2, 4 seconds; the third death within five minutes is final, and so is an
exit that a restart cannot mend (usage, configuration, refusal, another instance): then the whole pipeline ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from lunomm.bus.embedded import last_line
from lunomm.errors import (
    ConfigError,
    ExchangeError,
    InstanceError,
    LunommError,
    OrdersMayBeLive,
    RefusedError,
    UsageError,
)

DELAYS_S = (1.0, 2.0, 4.0)
DEATHS = 3
WITHIN_S = 300.0
FULL_BYTES = 256 * 1024
"""Left on a disk on which nothing that matters can be written any more."""

LOG_KEPT = 1_000_000
"""Bytes of a log above which it is begun anew."""
LOG_LOOK_S = 60.0

_FINAL: dict[int, type[LunommError]] = {2: UsageError, 3: ConfigError, 5: RefusedError, 6: InstanceError}


class Child:
    """One supervised process.

    Args:
        name: for people, logs and states. args: after ``python -m lunomm``. folder: where its log goes.
        environment: the whole of it. on_death: told every unwanted end (name, exit code).
    """

    def __init__(
        self,
        name: str,
        args: Sequence[str],
        folder: Path,
        *,
        environment: dict[str, str],
        on_death: Callable[[str, int], None] | None = None,
    ) -> None:
        self.name = name
        self.args = tuple(args)
        self.log = folder / f"{name}.log"
        self.restarts = 0
        self.state = "NEW"
        self.exit_code: int | None = None
        self._environment = environment
        self._on_death = on_death
        self._process: asyncio.subprocess.Process | None = None
        self._deaths: deque[float] = deque()
        self._ending = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def keep(self) -> None:
        """Run it until :meth:`end`, starting it again when it dies.

        Raises:
            LunommError: it stays down (exit 1), or its own error where a restart is useless (exit 2, 3, 5, 6).
            OrdersMayBeLive: it stays down, and its last word was that.
            ExchangeError: it stays down because the exchange or Redis cannot be reached.
        """
        while not self._ending:
            code = await self._run_once()
            if self._asked_to_end():
                return
            self.state = "DEAD"
            if self._on_death is not None:
                self._on_death(self.name, code)
            if code in _FINAL:
                raise _FINAL[code](self._last_words(), code="CHILD")
            now = time.monotonic()
            self._deaths.append(now)
            while self._deaths and now - self._deaths[0] > WITHIN_S:
                self._deaths.popleft()
            if len(self._deaths) >= DEATHS:
                if (unreached := self.unreached()) is not None:
                    raise unreached
                text = (
                    f"{self.name} died {DEATHS} times within {WITHIN_S / 60:g} minutes and stays down "
                    f"(exit {code}: {self._last_words()}). See {self.log}"
                )
                if code == OrdersMayBeLive.exit_code:
                    raise OrdersMayBeLive(text, ())
                raise LunommError(text, code="STAYS_DOWN")
            await asyncio.sleep(DELAYS_S[min(len(self._deaths), len(DELAYS_S)) - 1])
            self.restarts += 1

    def unreached(self) -> ExchangeError | None:
        """What to say where it last ended because it does not reach something; None where it ended otherwise."""
        if self.exit_code != ExchangeError.exit_code:
            return None
        text = f"{self.name} does not reach what it needs: {self._last_words()}. See {self.log}"
        return ExchangeError(text, code="UNREACHABLE")

    def _asked_to_end(self) -> bool:
        return self._ending

    async def _run_once(self) -> int:
        self._bound_log()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lunomm",
                *self.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environment,
            )
        self.state = "UP"
        if self._ending:  # asked to end while it was being started
            self._process.terminate()
        while True:
            try:
                async with asyncio.timeout(LOG_LOOK_S):
                    self.exit_code = await self._process.wait()
                    return self.exit_code
            except TimeoutError:
                # It says a line every few seconds, for weeks.
                self._bound_log()

    def _last_words(self) -> str:
        free = shutil.disk_usage(self.log.parent).free
        if free < FULL_BYTES:
            return f"the disk of {self.log.parent} is full: {free // 1024} KB are free. Make room"
        return last_line(self.log).removeprefix("lunomm: ").rstrip(".")

    def _bound_log(self) -> None:
        """Written at its end, whoever has it open goes on in the empty file."""
        with contextlib.suppress(OSError):  # not there yet; what cannot be written is said when it is opened
            if self.log.stat().st_size >= LOG_KEPT:
                os.truncate(self.log, 0)

    async def end(self, *, within_s: float) -> int | None:
        """Ask it to stop and wait; killed when it does not within ``within_s``. Its exit code, None if it never ran."""
        self._ending = True
        process = self._process
        if process is None or process.returncode is not None:
            self.state = "ENDED"
            return self.exit_code
        self.state = "ENDING"
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                code = await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            code = await process.wait()
        self.state = "ENDED"
        self.exit_code = code
        return code
