"""``lunomm down``: ends the pieces on this Redis, gateway first, then the exchange and the embedded Redis.

Only what lunomm started is ended: a pid read from Redis or from the state folder is signalled only when it runs on this
machine and its command line is lunomm's. A Redis of the user's own is left running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import Any

import msgspec

from lunomm.bus import embedded
from lunomm.bus.channels import HEALTH
from lunomm.bus.client import Bus
from lunomm.bus.process import is_ours, is_running
from lunomm.bus.venue import this_host
from lunomm.commands import venue_finder
from lunomm.commands.present import put_line
from lunomm.config import Common
from lunomm.errors import BusError, LunommError, OrdersMayBeLive, RefusedError
from lunomm.market.presence import Health

ORDER = ("up", "gateway", "quote", "calibrate", "book")
"""`up` ends its own children; a lone gateway goes first, as it must cancel while all else still runs."""

PIECE_S = 75.0
EXCHANGE_S = 10.0


async def run(common: Common, *, force: bool = False) -> dict[str, Any] | None:
    """End everything; what was ended.

    Raises:
        RefusedError: a piece of a live venue beats here, and not ``force``.
        OrdersMayBeLive: a gateway did not end in time.
        LunommError: something does not end.
    """
    found = await _beating(common)
    live = sorted({f"{health.piece} {health.pair}" for health in found if health.mode == "live"})
    if live and not force:
        raise RefusedError(
            f"{', '.join(live)} trades on a live venue: not stopped. End it with Ctrl-C, or say --force", code="LIVE"
        )
    ended: list[str] = []
    for piece in (*ORDER, *sorted({health.piece for health in found} - set(ORDER))):
        for pid in sorted({h.pid for h in found if h.piece == piece and h.host == this_host()}):
            if is_ours(pid) and pid != os.getpid():
                await _end_piece(piece, pid)
                ended.append(f"{piece} ({pid})")
    for mode, file in venue_finder.FILES.items():
        noted = venue_finder.noted_exchange(common.state_dir, mode)
        if noted is not None and is_ours(noted.pid):
            await _end(noted.pid, EXCHANGE_S)
            ended.append(f"{'exchange' if mode == 'sim' else 'paper exchange'} ({noted.pid})")
            (common.state_dir / file).unlink(missing_ok=True)
    if common.redis.embeddable and await embedded.stop(common.redis, common.state_dir):
        ended.append(f"embedded Redis (port {common.redis.port})")
    if common.json:
        return {"ended": ended}
    put_line(f"ended: {', '.join(ended)}" if ended else "nothing of lunomm runs here")
    return None


async def _beating(common: Common) -> list[Health]:
    """Every heartbeat on this Redis; none when there is no Redis."""
    found: list[Health] = []
    try:
        async with Bus(common.redis, "down") as bus:
            for key in await bus.scan(HEALTH.key("*")):
                raw = await bus.call(bus.redis.get(key))
                with contextlib.suppress(msgspec.MsgspecError):
                    found.append(msgspec.json.decode(raw or "", type=Health))
    except BusError:
        return []
    return found


async def _end_piece(piece: str, pid: int) -> None:
    if not await _end(pid, PIECE_S):
        return
    if piece in ("gateway", "up"):
        raise OrdersMayBeLive(f"{piece} (process {pid}) does not end: its orders may be live. See lunomm status", ())
    raise LunommError(f"{piece} (process {pid}) does not end. End it with: kill -9 {pid}")


async def _end(pid: int, within_s: float) -> bool:
    """Ask a process to end; True when it still runs after ``within_s``."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while is_running(pid):
        if time.monotonic() > deadline:
            return True
        await asyncio.sleep(0.05)
    return False
