"""One run of the whole system: the real book, quote and gateway on a virtual clock, and everything that can go wrong.

The commands run as users start them, whole; only what they touch outside is replaced (`campaign.ports`). The exchange
is the simulator's own engine. A seed fixes everything: which faults are armed, when they fire, each delay, each trade.
After the troubled part come 120 calm seconds in which the system must find back by itself; then it is stopped, and what
the journal says must be what the exchange says, to the last digit. What is checked is in `campaign.checker`.

Not in here: two machines. A second gateway is always of the same machine, where the lock on the journal decides.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from campaign import chaos, ports
from campaign.checker import Checker, Violation
from campaign.disk import Disk
from campaign.faults import Faults
from campaign.loop import EPOCH_NS, PROCESS, Process, VirtualLoop
from campaign.market import PAIR, MarketPlace
from campaign.redis_link import Link
from campaign.rest_link import RestLink
from campaign.stream_links import MarketLink, UserLink
from campaign.trace import Trace
from lunomm import __version__
from lunomm.commands import venue_finder
from lunomm.config import Common
from lunomm.errors import LunommError
from lunomm.luno.hosts import ApiKey
from lunomm.market.presence import ControlRequest
from lunomm.options.book import BookOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.redis_address import RedisAddress
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.messages import MarketFrame

CALM_S = 120.0
TROUBLED_S = 470.0
"""With the quiet start, the calm and the end: ten minutes."""

QUIET_START_S = 10.0
"""Before the first fault: the account's opening is set by an undisturbed first start."""
SHORT_S = (60.0, 80.0)
"""Troubled and calm seconds of the runs in the tests."""

LIMITS = GatewayOptions(
    max_position=Decimal("0.012"), max_order_value=Decimal(10_000), max_daily_loss=Decimal(1_000_000)
)
QUOTING = QuoteOptions(
    order_size=Decimal("0.004"), order_size_explicit=True, order_refresh_rate_s=5, filled_order_delay_s=5,
    max_order_age_s=120, horizon_s=60, kappa_prior=0.0013,
)  # fmt: skip


@dataclass
class Outcome:
    """How a run ended. violations: one line each, none is what we want. reached: faults by name."""

    seed: int
    violations: list[str]
    digest: str
    reached: Counter[str]
    fills: int
    orders: int
    steps: int
    lines: list[str] = field(default_factory=list)


class World:
    """Args: troubled_s, calm_s: simulated seconds with faults, and without. only: faults to arm, not random ones."""

    def __init__(
        self, seed: int, *, troubled_s: float, calm_s: float, keep_trace: bool, only: frozenset[str] | None = None
    ) -> None:
        self.seed = seed
        self.troubled_s, self.calm_s = troubled_s, calm_s
        self.loop = VirtualLoop()
        root = random.Random(f"lunomm {seed}")
        self.rng, self.fate = random.Random(root.random()), random.Random(root.random())
        self.faults = Faults(random.Random(root.random()), only)
        self.record = Trace(keep=keep_trace)
        self.faults.told = lambda name: self.trace("fault", name)
        self.processes: dict[str, Process] = {}
        self.crew: dict[str, list[Process]] = {}
        self.everyone: dict[int, Process] = {}
        self.guardians: list[Process] = []
        self.ending = False
        self.skew_ns = 0
        self.limits = LIMITS
        self._pids = self._requests = 0
        self.checker = Checker(self)
        self.disk = Disk(self)
        self.redis = Link(self)
        self.rest = RestLink(self)
        self.frames, self.user = MarketLink(self), UserLink(self)
        self.market = MarketPlace(self, seed, _behaviour(self.rng))
        self.common = Common(
            mode="live", redis=RedisAddress(), state_dir=Path("/nowhere"), key=ApiKey("campaign", "not-a-secret")
        )

    # --- time and record --------------------------------------------------------------------------------------------

    @property
    def true_ns(self) -> int:
        return EPOCH_NS + self.loop.now_ns

    @property
    def true_ms(self) -> int:
        return self.true_ns // 1_000_000

    def trace(self, who: object, what: str) -> None:
        self.record.note(self.loop.time() - 1000.0, who, what)

    # --- processes --------------------------------------------------------------------------------------------------

    def start(self, role: str, *, beside: bool = False) -> Process:
        """Start a process; its supervisor starts it again when it ends, unless it only stands beside another."""
        process = self._born(f"{role}{'-beside' if beside else ''}")
        if not beside:
            self.processes[role] = process
        self.crew[role] = [*self.alive(role), process]
        self.checker.sources.started(role)
        self._launch(role, process, self._body(role), beside=beside)
        return process

    def alive(self, role: str) -> list[Process]:
        """The processes of a role: the supervised one, and any that was started beside it and got its place."""
        return [process for process in self.crew.get(role, ()) if not process.dead]

    def child(self, role: str) -> Process:
        """A process that another one starts and looks after."""
        process = self._born(role)
        self.guardians = [guardian for guardian in self.guardians if not guardian.dead] + [process]
        return process

    def run(self, process: Process, work: Coroutine[Any, Any, str]) -> None:
        self._launch(process.name, process, work, beside=True)

    def _born(self, name: str) -> Process:
        self._pids += 1
        process = Process(name, 4_000_000 + self._pids, self)
        process.skew_ns = self.skew_ns
        self.everyone[process.pid] = process
        self.trace(process, "starts")
        return process

    def _launch(self, role: str, process: Process, work: Coroutine[Any, Any, str], *, beside: bool) -> None:
        context = self.loop.world.copy()
        context.run(PROCESS.set, process)
        task = self.loop.create_task(work, context=context)
        task.add_done_callback(lambda done: self._ended(role, process, done, beside), context=self.loop.world)

    async def _body(self, role: str) -> str:
        options: dict[str, Any] = {"book": BookOptions(), "quote": QUOTING, "gateway": LIMITS}
        try:
            await ports.commands()[role](self.common, (PAIR,), options[role])
        except LunommError as error:
            return f"exit {error.exit_code}: {str(error)[:100]}"
        return "exit 0"

    def _ended(self, role: str, process: Process, done: asyncio.Task[str], beside: bool) -> None:
        if process.dead:
            return
        error = None if done.cancelled() else done.exception()
        how = (
            f"{type(error).__name__}: {error}"
            if error is not None
            else "cancelled"
            if done.cancelled()
            else done.result()
        )
        self.trace(process, how)
        self.checker.sources.ended(role, how, error, beside=beside)
        self._bury(process)
        if not beside:
            self._again(role)

    def _again(self, role: str) -> None:
        if not self.ending:
            self.loop.later(self.fate.choice((0.3, 1.0, 3.0, 10.0)), self._restart, role)

    def _restart(self, role: str) -> None:
        if not self.ending and self.processes[role].dead:
            self.start(role)

    def kill(self, process: Process, why: str) -> None:
        """SIGKILL."""
        if process.dead:
            return
        self.trace(process, f"killed {why}")
        self._bury(process)
        for role, current in self.processes.items():
            if current is process:
                self._again(role)

    def _bury(self, process: Process) -> None:
        self.loop.kill(process)
        for pipe in process.pipes:
            self.loop.later(0.001, pipe.end)
        for link in (self.frames, self.user):
            for socket in list(link.sockets):
                if socket.process is process:
                    link.leave(socket)
        for subscription in list(self.redis._subscriptions):
            if subscription.process is process:
                self.redis.leave(subscription)

    def ask_to_stop(self, process: Process) -> None:
        """SIGTERM; before the process has got so far as to listen, it just ends."""
        if process.dead:
            return
        self.trace(process, "asked to stop")
        if process.stop is None:
            self.kill(process, "by SIGTERM, before it listened to it")
        else:
            process.stop()

    def is_running(self, pid: int) -> bool:
        process = self.everyone.get(pid)
        return process is not None and not process.dead

    # --- people ------------------------------------------------------------------------------------------------------

    def resume_soon(self) -> None:
        """The operator looks at the halt, and lets it go on."""
        self.loop.later(self.fate.uniform(5.0, 30.0), self._resume)

    def _resume(self) -> None:
        if not self.checker.records.halted or self.ending:
            return
        self._requests += 1
        request = ControlRequest(
            pair=PAIR, venue=venue_finder.live_venue(self.common).stamp, build=__version__, verb="resume",
            request_id=f"resume-{self._requests}", ts_ms=self.true_ms, who="operator@here",
        )  # fmt: skip
        self.trace("operator", "lunomm resume")
        if self.redis.healthy():
            self.redis.server.xadd(f"CONTROL::{PAIR}", {"d": msgspec.json.encode(request).decode()})
        self.loop.later(10.0, self._resume)

    # --- the exchange's voice ---------------------------------------------------------------------------------------

    def pump(self) -> None:
        frames = self.market.drain()
        # What happens at once arrives together.
        self.frames.delay_s = self.rng.uniform(0.02, 0.08)
        for frame in frames:
            if isinstance(frame, MarketFrame):
                self.checker.frame(frame)
                if self.frames.sockets:
                    self.frames.frame(frame.raw)
            else:
                self.user.message(frame.raw)

    def _drive(self) -> None:
        due = self.market.run()
        if due is not None:
            # Whoever calls meets the market as of then anyway; it needs no turn for every step.
            self.loop.later(max(due, 0.25), self._drive)

    # --- the run ----------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """From the first start to the verified end."""
        self._drive()
        for role in ("book", "quote", "gateway"):
            self.start(role)
        self.loop.later(0.5, self._watch)
        await asyncio.sleep(QUIET_START_S)
        chaos.unleash(self, self.troubled_s)
        await asyncio.sleep(self.troubled_s)
        chaos.calm(self)
        self.checker.calm()
        await asyncio.sleep(self.calm_s)
        self.checker.converged()
        await self._end()
        self.checker.records.final()

    async def _end(self) -> None:
        """Takers stop, then the quoter and the gateway are asked to end."""
        self.market.frozen = True
        self.ending = True
        await asyncio.sleep(2.0)
        for process in [*self.alive("quote"), *self.alive("gateway")]:
            self.ask_to_stop(process)
        for _ in range(60):
            await asyncio.sleep(0.5)
            if not self.alive("gateway"):
                return

    def close(self) -> None:
        for process in self.everyone.values():
            self.loop.kill(process)
        self.disk.close()
        self.loop.close()

    def _watch(self) -> None:
        self.checker.sources.watch()
        self.loop.later(0.5, self._watch)


def _behaviour(rng: random.Random) -> Behaviour:
    """Every question that Luno's documents leave open, answered one way or the other."""
    return Behaviour(
        error_action=rng.random() < 0.5,
        cancel_gone=rng.choice(("400", "404", "false")),
        null_lists=rng.choice(("v1", "all", "none")),
        null_trades=rng.random() < 0.5,
        trade_numbers=rng.random() < 0.8,
        padded_decimals=rng.random() < 0.3,
        rest_decimals_18=rng.random() < 0.3,
        sell_fee_base=rng.random() < 0.3,
        truncate_fees=rng.random() < 0.3,
        send_awaiting=rng.random() < 0.3,
        shuffle_messages=rng.random() < 0.5,
        cached_book=rng.random() < 0.5,
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """What dies with the world dies without a word: its coroutines are collected in the middle of things."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook = hook


def run_seed(
    seed: int,
    *,
    troubled_s: float = TROUBLED_S,
    calm_s: float = CALM_S,
    keep_trace: bool = False,
    only: frozenset[str] | None = None,
) -> Outcome:
    """One whole run. Never raises for what the system did: that is in the outcome."""
    with _quietly():
        world = World(seed, troubled_s=troubled_s, calm_s=calm_s, keep_trace=keep_trace, only=only)
        with ports.replaced(world.loop):
            try:
                world.loop.run_until_complete(world.live())
            except (Violation, RuntimeError):
                # The loop was stopped at the first breach.
                if not world.checker.violations:
                    raise
            outcome = Outcome(
                seed=seed,
                violations=list(world.checker.violations),
                digest=world.record.digest,
                reached=world.faults.reached,
                fills=world.checker.fills,
                orders=world.checker.orders,
                steps=world.loop.steps,
                lines=world.record.lines,
            )
            world.close()
            del world
            gc.collect()
    return outcome


def run_short(seed: int) -> Outcome:
    """A run as the tests have it: two and a half minutes."""
    return run_seed(seed, troubled_s=SHORT_S[0], calm_s=SHORT_S[1])
