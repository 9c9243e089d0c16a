"""What people ask of a running gateway beside halt and resume: lower limits. A request never raises one.

A limit that was not given is what the account bears (position, open value) or none (order value, daily loss): a new one
must lie below what holds now in every pair, or it is refused. What was lowered is noted with the session it was
lowered in, so that a gateway that ``up`` starts again does not go back to its command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from lunomm.market.clock import Now
from lunomm.trading import situation
from lunomm.trading.events import Answer, LimitsAsked, SaveNote, SaveRequest
from lunomm.trading.limits import Limits, open_value

if TYPE_CHECKING:
    from lunomm.trading.desk import Desk
    from lunomm.trading.shared import Shared

ASKED, ANSWERED = "asked", "answered"

LOWERED = "lowered"
"""Note of the account: session, then each lowered limit as ``name=value``, divided by spaces."""

NAMES = ("max_position", "max_order_value", "max_daily_loss", "max_open_value")


def lower_limits(shared: Shared, desks: Mapping[str, Desk], event: LimitsAsked, now: Now) -> None:
    """Lower them, all or none; journaled and answered either way."""
    before = shared.settings.limits
    problem = next((p for name, value in event.limits.items() if (p := _problem(shared, desks, name, value))), None)
    changes: tuple[tuple[str, str, str], ...] = ()
    if problem is None:
        limits = replace(before, **event.limits)
        shared.settings = replace(shared.settings, limits=limits)
        changes = tuple((name, _text(getattr(before, name)), _text(value)) for name, value in event.limits.items())
        shared.out.append(SaveNote("", LOWERED, _note(shared.settings.session, limits)))
        for desk in desks.values():
            _take_down(desk)
    words = problem or ", ".join(f"{name} {old} -> {new}" for name, old, new in changes)
    who = event.who[:80] + (f": {event.reason[:100]}" if event.reason else "")
    for step, said in ((ASKED, " ".join(f"{n}={_text(v)}" for n, v in event.limits.items())), (ANSWERED, words)):
        shared.out.append(SaveRequest(event.request_id, step, event.pair, who, said, now.exchange_ms))
    shared.out.append(Answer(event.request_id, event.pair, problem is None, words, now.exchange_ms, changes))


def _take_down(desk: Desk) -> None:
    """What rests, or is on its way, was approved under the higher limit: it leaves, and what is still wanted is judged
    anew."""
    for order in desk.working.live():
        desk.working.tracks[order.client_order_id].outlawed = True


def _problem(shared: Shared, desks: Mapping[str, Desk], name: str, value: Decimal) -> str | None:
    """Why this limit may not become ``value``; None when it may."""
    option = "--" + name.replace("_", "-")
    if name not in NAMES or not (value.is_finite() and value > 0):
        return f"{option}: not a limit, or not above 0"
    known = getattr(shared.settings.limits, name)
    if known is None and name in ("max_position", "max_open_value"):
        bounds = [_derived(shared, desk, name) for desk in desks.values()]
        found = [bound for bound in bounds if bound is not None]
        if len(found) < len(bounds):
            return f"{option}: what holds now is not known yet (no market price). Ask again in a few seconds"
        known = min(found, default=None)
    if known is not None and value > known:
        return (
            f"{option}: {value:f}: above the {known:f} that holds now. A running gateway only lowers its limits: start "
            "it again with the higher one"
        )
    return None


def _derived(shared: Shared, desk: Desk, name: str) -> Decimal | None:
    """What the account bears, where no limit was given."""
    if name == "max_position":
        return situation.max_position(desk)
    if desk.reference is None or not desk.ledger.opened:
        return None
    balances = shared.balances
    worth = balances.expected(desk.base) * desk.reference + balances.expected(desk.counter)
    return open_value(shared.settings.limits, worth)


def _note(session: str, limits: Limits) -> str:
    given = {name: getattr(limits, name) for name in NAMES}
    return " ".join([session, *(f"{name}={_text(value)}" for name, value in given.items() if value is not None)])


def with_lowered(limits: Limits, note: str | None, session: str) -> Limits:
    """The command line's limits, and under them what was lowered in this session."""
    of, *parts = (note or "").split(" ")
    if not session or of != session:
        return limits
    lowered = {name: Decimal(text) for name, _, text in (part.partition("=") for part in parts) if name in NAMES}
    lower = {name: value for name, value in lowered.items() if (own := getattr(limits, name)) is None or value < own}
    return replace(limits, **lower)


def _text(value: Decimal | None) -> str:
    return "none" if value is None else format(value, "f")
