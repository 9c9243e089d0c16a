"""``lunomm panic [PAIR...]``: halt, cancel, and show that nothing is left. Needs a key and the exchange, nothing else.

The halt comes first, so that nothing is placed behind the cancels: in every journal of this venue in the state folder
(by the file beside it where a gateway holds it), and by Redis where a gateway elsewhere hears it. Then the guardian's
own machine cancels whatever the exchange lists, until two listings, further apart than a late POST can arrive, are
empty.
Redis, journal and gateway may all be broken: the cancelling does not depend on them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunomm.bus.channels import CONTROL, HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.bus.process import user
from lunomm.bus.venue import peek, this_host
from lunomm.commands import venue_finder
from lunomm.commands.present import put_line, say
from lunomm.config import Common
from lunomm.errors import (
    BusError,
    ConnectivityError,
    CredentialsError,
    InstanceError,
    JournalError,
    LunommError,
    OrdersMayBeLive,
)
from lunomm.journal.glance import Glance, glance, glances
from lunomm.journal.lock import JournalLock
from lunomm.journal.request import FileRequest, write_request
from lunomm.journal.store import open_journal, venue_name
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import Endpoint, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.luno.wire_rest import OrderV2
from lunomm.market.presence import ControlRequest
from lunomm.trading.events import SaveHalt
from lunomm.trading.guardian import (
    CancelAll,
    GuardAction,
    GuardEvent,
    Guardian,
    GuardState,
    ListAll,
    Listed,
    ListFailed,
    Orphaned,
    Tick,
)
from lunomm.trading.orders import is_ours
from lunomm.views.text import counted

SETTLE_NS = 5_000_000_000
"""Between the two empty listings: an order's time to live (3 s), the clocks' skew (1 s) and a second."""

PANIC_S = 60.0
"""Longest try; what is left then is exit 8."""

HALT_S = 3.0
"""Longest wait for a gateway to have taken its halt. The cancels do not wait for it."""

CALL_S = 3.0


async def run(common: Common, pairs: Sequence[str], *, everything: bool = False) -> dict[str, Any]:
    """Take down our orders of ``pairs`` (none: of all markets); everything: those of other hands too.

    Returns: what was done.

    Raises: as :func:`clear`.
    """
    data, unsure = await clear(common, pairs, everything=everything)
    if not common.json:
        for path in unsure:
            say(f"{path}: its gateway has not taken the halt yet; it will when it looks, within a second of waking")
        put_line(cleared_words(data))
        names = ", ".join(data["halted"])
        put_line(f"halted: {names}; `lunomm resume` ends that" if names else "no journal of this venue to halt here")
    return data


def cleared_words(data: dict[str, Any]) -> str:
    """What :func:`clear` did, for people."""
    count = len(data["cancelled"])
    apart = SETTLE_NS // 10**9
    return f"{counted(count, 'order')} cancelled, none left: two listings {apart} s apart are empty"


async def clear(common: Common, pairs: Sequence[str], *, everything: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Halt, cancel, and show that nothing is left; what was done, and the journals whose gateway has not taken it yet.

    Raises:
        OrdersMayBeLive: orders remain, or that none does could not be shown; carries their ids.
        ConnectivityError: no simulated exchange runs here (sim). CredentialsError: the key is not accepted.
    """
    place, venue = await where(common)
    key = common.key if common.mode == "live" else venue_finder.SIM_KEY
    who = f"{user()}@{this_host()}"
    halted = _halt_here(common, venue, pairs, who)
    by_bus = asyncio.create_task(_halt_by_bus(common, pairs, who))
    async with LunoRest(place, key, CallBudget(), timeout_s=CALL_S, write_timeout_s=CALL_S) as rest:
        clearing = Clearing(rest, pairs, everything=everything)
        try:
            await clearing.run()
        finally:
            by_bus.cancel()
            await asyncio.wait((by_bus,))
    halted += [] if by_bus.cancelled() else by_bus.result()
    unsure = await _not_taken(halted)
    data = {"halted": sorted(set(halted)), "cancelled": sorted(clearing.cancelled), "left": [], "pairs": list(pairs)}
    return data, unsure


async def where(common: Common) -> tuple[Endpoint, str]:
    """Where the orders are, and what a journal of that venue is named by."""
    if common.mode == "live":
        place = endpoint(common.url)
        return place, venue_name("live", host=place.host)
    if common.url is not None:
        info = await venue_finder.sim_at(common.url, common.mode)
    else:
        noted = venue_finder.noted_exchange(common.state_dir, common.mode)
        found = await venue_finder.ask(noted.url) if noted is not None else None
        if found is None:
            which = venue_finder.WORDS[common.mode]
            raise ConnectivityError(f"no {which} exchange runs here, so no order rests. For real ones: --mode live")
        info = found
    return endpoint(info.url), venue_name(common.mode, run_id=info.run_id)


# --- the halt ------------------------------------------------------------------------------------------------------


def _halt_here(common: Common, venue: str, pairs: Sequence[str], who: str) -> list[str]:
    """Halt every journal of this venue; their file names. One that cannot be is told, and the rest goes on."""
    done: list[str] = []
    for here in glances(common.state_dir):
        if here.venue != venue or (pairs and here.pairs and not set(pairs) & set(here.pairs)):
            continue
        try:
            _halt_one(here, who)
        except (JournalError, InstanceError) as error:
            say(f"{here.path.name}: not halted: {error}")
        else:
            done.append(str(here.path))
    return done


def _halt_one(here: Glance, who: str) -> None:
    reason = f"PANIC: {who}"
    try:
        lock = JournalLock(here.path)
    except InstanceError:
        write_request(here.path, FileRequest(request_id=uuid.uuid4().hex, verb="halt", who=who, reason="panic"))
        return
    try:
        journal = open_journal(here.path, account=here.account, venue=here.venue)
        try:
            if journal.halted() is None:
                journal.commit([SaveHalt(reason, time.time_ns() // 1_000_000)])
        finally:
            journal.close()
    finally:
        lock.release()


async def _halt_by_bus(common: Common, pairs: Sequence[str], who: str) -> list[str]:
    """Tell gateways on other machines by Redis; the pairs told. Without Redis there is nobody to tell that way."""
    told: list[str] = []
    try:
        async with Bus(common.redis, "panic") as bus:
            keys = await bus.scan(HEALTH.key(health_key("gateway", "*")))
            for pair in sorted({key.rpartition("::")[2] for key in keys}):
                bus.venue = await peek(bus, pair)
                if (pairs and pair not in pairs) or bus.venue is None or bus.venue.mode != common.mode:
                    continue
                now_ms = time.time_ns() // 1_000_000
                request = ControlRequest(pair=pair, request_id=uuid.uuid4().hex, verb="panic", ts_ms=now_ms, who=who)
                await bus.append(CONTROL, request)
                told.append(f"{pair} by Redis")
    except BusError as error:
        say(f"not told by Redis: {error}")
    return told


async def _not_taken(halted: Sequence[str]) -> list[str]:
    """Journals whose gateway has not written the halt by now."""
    waiting = [Path(text) for text in halted if text.endswith(".sqlite3")]
    end = time.monotonic() + HALT_S
    while waiting:
        try:
            waiting = [path for path in waiting if glance(path).halted is None]
        except JournalError:
            break
        if not waiting or time.monotonic() > end:
            break
        await asyncio.sleep(0.1)
    return [path.name for path in waiting]


# --- the cancels ---------------------------------------------------------------------------------------------------


class Clearing:
    """Drives one :class:`Guardian` whose gateway is taken for dead, for at most ``PANIC_S``.

    Args:
        pairs: whose; none = all markets. everything: orders of other hands too.
    """

    def __init__(self, rest: LunoRest, pairs: Sequence[str], *, everything: bool = False) -> None:
        self._rest, self._pairs, self._everything = rest, tuple(pairs), everything
        self._core = Guardian(time.monotonic_ns(), SETTLE_NS)
        self._seen: set[str] = set()
        self._left: tuple[str, ...] | None = None
        self._why = "it was not listed"

    @property
    def cancelled(self) -> set[str]:
        """Ids that were there and are gone."""
        return self._seen

    async def run(self) -> None:
        """Until two listings are empty.

        Raises:
            OrdersMayBeLive: not within PANIC_S. CredentialsError: the key is not accepted.
        """
        end = time.monotonic() + PANIC_S
        todo = self._core.step(Orphaned(), time.monotonic_ns())
        while self._core.state is not GuardState.DONE:
            if time.monotonic() > end:
                self._give_up()
            if todo:
                event = await self._do(todo.pop(0))
                if event is None:
                    continue
            else:
                wait_s = (self._core.wake_ns() - time.monotonic_ns()) / 1e9
                await asyncio.sleep(min(max(wait_s, 0.0), 1.0) + 0.001)
                event = Tick()
            todo += self._core.step(event, time.monotonic_ns())

    def _give_up(self) -> None:
        left = list(self._left or sorted(self._seen))
        named = f"{len(left)} orders may be live: {', '.join(left)[:400]}" if left else "orders may be live"
        raise OrdersMayBeLive(f"{named} ({self._why}). Cancel them on the exchange's own site", left)

    async def _do(self, action: GuardAction) -> GuardEvent | None:
        if isinstance(action, ListAll):
            return await self._list()
        if isinstance(action, CancelAll):
            for order_id in action.order_ids:
                try:
                    await self._rest.stop_order(order_id)
                except CredentialsError:
                    raise
                except LunommError as error:
                    self._why = str(error)
        return None

    async def _list(self) -> GuardEvent:
        try:
            orders: list[OrderV2] = []
            for pair in self._pairs or (None,):
                orders += await self._rest.open_orders(pair)
        except CredentialsError:
            raise
        except LunommError as error:
            self._why = str(error)
            return ListFailed(self._why)
        self._left = tuple(order.order_id for order in orders if self._meant(order))
        if self._left and self._seen >= set(self._left):
            self._why = "the exchange still lists them"
        self._seen.update(self._left)
        return Listed(self._left)

    def _meant(self, order: OrderV2) -> bool:
        return self._everything or is_ours(order.client_order_id, order.pair)
