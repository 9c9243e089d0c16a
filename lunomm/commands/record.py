"""``lunomm record PAIR...``: tapes of any number of markets, and nothing else.

The same recorder as beside ``book``, with the stream followed and checked but no signals published; where a gateway
works on the same Redis, its orders are marked in the tape. A market whose stream ends for good starts over while the
others go on; a disk that cannot be written ends the command, since nothing would be left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lunomm.commands.book import follow_own
from lunomm.commands.pairs import Slot, keep
from lunomm.commands.piece import PairHealth, Piece, open_piece
from lunomm.config import Common
from lunomm.errors import LunommError
from lunomm.options.book import BookOptions
from lunomm.views.record import RecordView, record_line, record_screen

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed

LOOK_S = 0.5


class RecordingStopped(LunommError):
    """A tape can no longer be written: exit 1."""

    code = "RECORDING"


async def run(common: Common, pairs: Sequence[str], options: BookOptions) -> dict[str, Any] | None:
    """Record the pairs until stopped.

    Raises:
        RecordingStopped (1), UsageError (2), CredentialsError (3), BusError, ExchangeError (4), RefusedError (5),
        InstanceError (6): another one records a pair already.
    """
    from lunomm.commands import recording
    from lunomm.commands.feed import Feed, Venue, new_rest, read_rules

    async with (
        open_piece("record", common, pairs, lease=True) as piece,
        new_rest(piece.endpoint, piece.key) as rest,
    ):
        venue = Venue(piece.endpoint, piece.key, rest, piece.clock, piece.venue.title if piece.venue else "")
        rules = await read_rules(rest, piece.pairs)

        async def begun(feed: Feed) -> Feed:
            await recording.begin(feed, piece.venue, options, len(piece.pairs))
            return feed

        async def renew(old: Feed) -> Feed:
            await recording.end(old)
            pair = old.rules.pair
            return await begun(Feed((await read_rules(rest, (pair,)))[pair], options, venue))

        slots = [Slot(pair, await begun(Feed(rules[pair], options, venue))) for pair in piece.pairs]
        try:
            for slot in slots:
                piece.start(keep(piece, slot, partial(loops, piece), renew, alone=False, publish=False), slot.pair)
            piece.start(_watch(piece, slots), "recorders")
            piece.present(
                lambda: record_screen(_views(slots)),
                lambda: "\n".join(record_line(view) for view in _views(slots)),
                lambda: [_data(view) for view in _views(slots)],
            )
            await piece.wait()
        finally:
            await asyncio.gather(*(recording.end(slot.feed) for slot in slots))
    return None


def loops(piece: Piece, feed: Feed) -> list[tuple[str, Coroutine[Any, Any, None]]]:
    """Everything that runs for one pair."""
    from lunomm.commands.feed import watch_rules

    return [
        ("stream", feed.follow()),
        ("sample", feed.sample()),
        ("rules", watch_rules(feed)),
        ("own", follow_own(piece, feed)),
        ("records", _forget(feed)),
    ]


async def _forget(feed: Feed) -> None:
    """Taker orders and grid rows are `book`'s to publish."""
    while True:
        feed.records.clear()
        await asyncio.sleep(LOOK_S)


async def _watch(piece: Piece, slots: Sequence[Slot]) -> None:
    """What the heartbeats carry; ends the command when a recorder has ended."""
    while True:
        for slot in slots:
            feed = slot.feed
            if feed.recorder is not None and feed.recorder.trouble:
                raise RecordingStopped(f"{slot.pair}: {feed.recorder.trouble}. Make room or name another --into")
            path = None if feed.recorder is None else feed.recorder.path
            piece.of_pair[slot.pair] = PairHealth(
                state=feed.observer.state.value,
                last_error=feed.note[:200] or None,
                counters={
                    "frames": float(feed.frames),
                    "frames_per_s": round(feed.frames_per_s or 0.0, 1),
                    "resyncs": float(feed.resyncs),
                    "failures": float(slot.failures),
                    "recording": None if path is None else path.name,
                },
            )
        await asyncio.sleep(LOOK_S)


def _views(slots: Sequence[Slot]) -> list[RecordView]:
    return [_view(slot.feed) for slot in slots]


def _view(feed: Feed) -> RecordView:
    recorder = feed.recorder
    return RecordView(
        pair=feed.rules.pair,
        source=feed.venue.name,
        recording=not feed.void,
        path=None if recorder is None or recorder.path is None else str(recorder.path),
        size=0 if recorder is None else recorder.size,
        frames=feed.frames,
        frames_per_s=feed.frames_per_s,
        losses=feed.resyncs,
        note=feed.note,
    )


def _data(view: RecordView) -> dict[str, Any]:
    return {
        "pair": view.pair,
        "recording": view.recording,
        "tape": view.path,
        "bytes": view.size,
        "frames": view.frames,
        "frames_per_s": None if view.frames_per_s is None else round(view.frames_per_s, 1),
        "losses": view.losses,
        "note": view.note or None,
    }
