"""The user's document's way in: a book of one pair from a plain dictionary of settings.

    from dotenv import dotenv_values
    from lunomm import LunoOrderBook

    ob = LunoOrderBook(dotenv_values(".env"), "XBTMYR")
    asyncio.run(ob.run())

Runs exactly what ``lunomm book XBTMYR`` runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lunomm.config import Common, environment, parse_pair, read_common
from lunomm.errors import UsageError
from lunomm.options.book import BookOptions


class LunoOrderBook:
    """The order book of one pair: follows the market and publishes ``LOB::<pair>`` until stopped.

    Args:
        settings: names and values as ``.env`` has them (``LUNO_KEY_ID``, ``REDIS_HOST``, ``LUNOMM_MODE``, ...), as
            ``dotenv_values`` returns them: None and empty are absent. They win over the process's environment, which
            fills in what they leave out.
        pair: as Luno writes it, such as XBTMYR.
        for_s: stop after so many seconds; None runs until the task is cancelled, Ctrl-C or SIGTERM.

    Raises:
        UsageError, ConfigError, RefusedError: as ``lunomm book`` would, before anything is started.
    """

    def __init__(self, settings: Mapping[str, str | None], pair: str = "XBTMYR", *, for_s: float | None = None) -> None:
        given = {name: value.strip() for name, value in settings.items() if value is not None and value.strip()}
        merged = {**environment(), **given}
        self.pair = parse_pair(pair)
        self.common: Common = read_common(
            merged, mode=merged.get("LUNOMM_MODE"), url=merged.get("LUNOMM_URL"), for_s=for_s
        )
        self.options = _options(merged)

    async def run(self) -> None:
        """Run the book piece.

        Raises:
            LunommError: see ``lunomm.errors``; the type says what to do next.
        """
        from lunomm.commands.book import run
        from lunomm.commands.piece import run_again

        await run_again(lambda common: run(common, (self.pair,), self.options), self.common)

    def __repr__(self) -> str:
        return f"LunoOrderBook({self.pair!r}, mode={self.common.mode!r})"


def _options(settings: Mapping[str, str]) -> BookOptions:
    usual = BookOptions()
    depth = _number(settings, "LUNOMM_DEPTH", usual.depth)
    if not depth.is_integer():
        raise UsageError("LUNOMM_DEPTH: not a whole number. Give one from 1 to 100")
    return BookOptions(
        vol_window_s=_number(settings, "LUNOMM_VOL_WINDOW", usual.vol_window_s),
        kappa_lookback_s=_number(settings, "LUNOMM_KAPPA_LOOKBACK", usual.kappa_lookback_s),
        vol_price=cast(Any, settings.get("LUNOMM_VOL_PRICE", usual.vol_price)),
        depth=int(depth),
    )


def _number(settings: Mapping[str, str], name: str, usual: float) -> float:
    try:
        return float(settings.get(name, usual))
    except ValueError:
        raise UsageError(f"{name}: not a number. Give one such as {usual:g}") from None
