"""Where a standing order is in its queue, read off the tick."""

from __future__ import annotations

from lunomm.market.records import Tick
from lunomm.quoting.fair_price import others_at
from lunomm.quoting.holdings import plausible
from lunomm.quoting.patience import Queue
from lunomm.quoting.plan import Picture
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.side import Plan, SideState


def queue_of(tick: Tick | None, state: SideState, plan: Plan, picture: Picture, options: QuoterOptions) -> Queue | None:
    """The place of a side's standing order and of the one ``plan`` wants; None while book has not found the order."""
    intent = state.intent
    if tick is None or intent is None or plan.price is None:
        return None
    ahead = next((own.volume_ahead for own in tick.own if own.intent_id == intent.id), None)
    if ahead is None or not plausible(ahead):
        return None
    return Queue(
        ahead=ahead,
        behind=others_at(tick, state.side, plan.price),
        lot=picture.lot.size,
        kappa=picture.model.kappa,
        refresh_s=options.order_refresh_rate_s,
        tighter=not options.no_improve,
    )
