"""Beginning and ending the recording of a feed."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from lunomm import __version__
from lunomm.bus.channels import LOOKS
from lunomm.bus.venue import VenueInfo
from lunomm.errors import LunommError
from lunomm.options.book import BookOptions
from lunomm.tape.lines import Provenance
from lunomm.tape.recorder import MEGABYTE, ROTATE_BYTES, Recorder

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed
    from lunomm.commands.piece import Piece


async def begin(feed: Feed, venue: VenueInfo | None, options: BookOptions, pairs: int) -> None:
    """Record this feed from now on, where a folder was named.

    Args:
        pairs: how many are recorded into the folder by this process; they share its bound.

    Raises:
        UsageError: the folder cannot be written.
    """
    if options.record is None:
        return
    maker, taker = await _fees(feed)
    provenance = Provenance(
        source=f"{venue.title if venue else 'an exchange'}, lunomm {__version__}",
        mode=venue.mode if venue else "",
        url=venue.url if venue else "",
        run_id=venue.run_id if venue else "",
        build=__version__,
        maker_fee=maker,
        taker_fee=taker,
    )
    most = round(options.record_max_mb * MEGABYTE)
    rotate = min(ROTATE_BYTES, most // (4 * pairs))
    feed.recorder = Recorder(options.record, feed.rules, provenance, max_bytes=most, rotate_bytes=rotate)


async def follow_looks(piece: Piece, feed: Feed) -> None:
    """Record when our quoter looked, as long as it is recorded at all."""
    async for looks in piece.bus.listen(LOOKS, feed.rules.pair):
        if feed.recorder is not None:
            feed.recorder.looked(feed.venue.clock.exchange_ns(), looks)


async def end(feed: Feed) -> None:
    """End the file under way; what is still queued is written first."""
    recorder, feed.recorder = feed.recorder, None
    if recorder is not None:
        await asyncio.to_thread(recorder.close)


async def _fees(feed: Feed) -> tuple[Decimal | None, Decimal | None]:
    """What the account pays, where the key may ask; a recording does without."""
    if feed.venue.key is None:
        return None, None
    try:
        fees = await feed.venue.rest.fee_info(feed.rules.pair)
        return Decimal(fees.maker_fee), Decimal(fees.taker_fee)
    except (LunommError, ArithmeticError):
        return None, None
