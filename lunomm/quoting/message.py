"""What the quoter found and wants, as the message the gateway and every reader get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lunomm.market.records import Tick
from lunomm.quoting.estimates import InUse
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes
from lunomm.quoting.plan import Picture, warnings
from lunomm.quoting.quoter_options import QuoterOptions


@dataclass(frozen=True)
class Known:
    """What one look found; None where it did not get so far."""

    tick: Tick | None
    picture: Picture | None
    estimates: InUse | None


def tell(
    pair: str,
    epoch_ms: int,
    number: int,
    now_ms: int,
    options: QuoterOptions,
    intents: Sequence[Intent],
    reports: Sequence[SideReport],
    known: Known,
) -> WantedQuotes:
    """The complete message; figures that are not finite are left out."""
    tick, picture, estimates = known.tick, known.picture, known.estimates
    message = WantedQuotes(
        pair=pair,
        epoch=epoch_ms,
        number=number,
        ts_ms=now_ms,
        intents=list(intents),
        gamma=options.gamma,
        best_bid=tick.best_bid if tick is not None else None,
        best_ask=tick.best_ask if tick is not None else None,
        sides=list(reports),
        warnings=warnings(options, picture, estimates),
    )
    if estimates is not None:
        message.sigma, message.kappa = _finite(estimates.sigma), _finite(estimates.kappa)
        message.intensity, message.estimates_from = _finite(estimates.intensity), estimates.origin
    if picture is not None:
        message.show(picture.model)
        message.lots, message.lot = picture.lots, picture.lot.size
        message.position, message.inventory_target = picture.position, picture.target
    return message


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
