"""What ``book`` puts on the bus: ticks as they change, records exactly once, the rules kept alive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lunomm.bus.channels import GRID, LOB, RULES, TRADES
from lunomm.bus.client import Bus
from lunomm.errors import BusError
from lunomm.market.records import GridRow, TakerOrder

if TYPE_CHECKING:  # a tape is published without a venue's clients
    from lunomm.commands.feed import Feed
    from lunomm.commands.piece import Piece

BEAT_S = 0.5
"""Longest time between two ticks; readers call a book stale after 3 s without one."""
RULES_EVERY_S = 5.0
RETRY_S = 0.1
RECORD_PAUSE_S = 0.1
RECENT = 20
"""Entries looked through for a record whose XADD did not answer."""


async def publish_ticks(piece: Piece, feed: Feed) -> None:
    """A tick after every change, none later than ``BEAT_S`` after the last."""
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                await feed.changed.wait()
        except TimeoutError:
            pass  # nothing changed: the beat goes on
        feed.changed.clear()
        try:
            await piece.bus.publish_written(LOB, feed.rules.pair, feed.written())
        except BusError as error:
            piece.last_error = str(error)
            await asyncio.sleep(RETRY_S)


async def publish_records(piece: Piece, feed: Feed) -> None:
    """Every finished record once: one whose XADD did not answer is looked for before it is added again."""
    unsure = False
    while True:
        while feed.records:
            record = feed.records[0]
            try:
                if not (unsure and await is_stored(piece.bus, record)):
                    unsure = True
                    await add_record(piece.bus, record)
            except BusError as error:
                piece.last_error = str(error)
                await asyncio.sleep(1.0)
                continue
            unsure = False
            if feed.records and feed.records[0] is record:
                feed.records.popleft()
        await asyncio.sleep(RECORD_PAUSE_S)


async def add_record(bus: Bus, record: TakerOrder | GridRow) -> None:
    if isinstance(record, TakerOrder):
        await bus.publish(TRADES, record)
    else:
        await bus.publish(GRID, record)


async def is_stored(bus: Bus, record: TakerOrder | GridRow) -> bool:
    """Whether a record is among the newest entries of its stream."""
    pair = record.pair
    if isinstance(record, TakerOrder):
        return any(known == record for _, known in await bus.read_last(TRADES, pair, RECENT))
    return any(known == record for _, known in await bus.read_last(GRID, pair, RECENT))


async def publish_rules(piece: Piece, feed: Feed) -> None:
    """Keep RULES alive, also over a Redis that lost it."""
    while True:
        try:
            await piece.bus.publish(RULES, feed.rules)
        except BusError as error:
            piece.last_error = str(error)
        await asyncio.sleep(RULES_EVERY_S)
