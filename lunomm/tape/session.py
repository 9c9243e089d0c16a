"""A session as a journal has it, made ready to be judged (pure).

The journal knows every fill exactly, what was thought a fair price at it, and every order; the market between fills it
does not know: that is a tape's. Where neither says something, it stays unknown, and the notes say what the figures
rest on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from lunomm.errors import UsageError
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Fill, OrderState, OrderUpdate
from lunomm.tape.attribution import Session
from lunomm.tape.lives import OrderLife
from lunomm.tape.market_path import MarketPath
from lunomm.tape.scales import rules_of
from lunomm.trading.events import Flow
from lunomm.trading.inventory import Inventory, mark_of
from lunomm.trading.ledger import ELSEWHERE, FIRST_MS, OPENING, OPENING_MARK, SHARE
from lunomm.trading.orders import ZERO, Order
from lunomm.trading.restored import RestoredPair

MS: Final = 1_000_000
NEVER_THERE: Final = (OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.REJECTED, OrderState.DEAD)
"""Of these nothing proves that they ever stood on the venue."""


@dataclass(frozen=True, slots=True)
class Told:
    """A session, its fills, and what must be said of it. halts and the like are the journal's own to tell."""

    session: Session
    fills: tuple[Fill, ...]
    notes: tuple[str, ...]


def session_rules(pair: str, kept: RestoredPair) -> PairRules:
    """A market's rules as far as our own orders show its steps."""
    numbers = [(order.price, order.volume) for order in kept.orders]
    numbers += [(entry.price, entry.volume) for entry in kept.entries if isinstance(entry, Fill)]
    return rules_of(
        pair,
        max((_decimals(price) for price, _ in numbers), default=0),
        max((_decimals(volume) for _, volume in numbers), default=8),
    )


def tell(
    pair: str,
    kept: RestoredPair,
    updates: Iterable[OrderUpdate],
    path: MarketPath | None = None,
    *,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> Told:
    """What a journal has of a pair in a window of exchange time; None: from its opening, to the last thing it saw.

    Raises:
        UsageError: code NO_SESSION (no opening yet, or nothing in the window).
    """
    notes = kept.notes
    if not all(name in notes for name in (OPENING, OPENING_MARK, FIRST_MS)):
        raise UsageError(f"{pair}: the journal has no opening yet: its gateway never knew a price", code="NO_SESSION")
    first_ms = int(notes[FIRST_MS])
    mine = [update for update in updates if update.pair == pair]
    start_ns = max(since_ns or 0, first_ms * MS)
    last_ns = _last_ms(kept, mine, first_ms) * MS
    end_ns = last_ns if until_ns is None else min(until_ns, last_ns)
    if end_ns <= start_ns:
        raise UsageError(f"{pair}: the journal has nothing in that time", code="NO_SESSION")
    opening = Decimal(notes[OPENING]) if ELSEWHERE not in notes else ZERO
    books = Inventory(opening, Decimal(notes[OPENING_MARK]))
    mark, inside = Decimal(notes[OPENING_MARK]), list[Fill | Flow]()
    for entry in kept.entries:
        # What came before the first start is in the opening, as the gateway's own books have it.
        if isinstance(entry, Fill) and entry.ts_ms < first_ms:
            continue
        if entry.ts_ms * MS < start_ns:
            mark = _mark(entry) or mark
            if isinstance(entry, Fill):
                books.fill(entry)
            else:
                books.flow(entry.base, entry.counter, entry.mark)
        elif entry.ts_ms * MS < end_ns or until_ns is None:
            inside.append(entry)
    whole = start_ns == first_ms * MS
    said: list[str] = []
    begin = mark if whole else _known(path, start_ns, mark, "beginning", said)
    closing = _known(path, end_ns, _last_mark(inside, begin), "end", said)
    fills = tuple(entry for entry in inside if isinstance(entry, Fill))
    said += _unmarked(fills, path)
    return Told(
        Session(
            rules=path.rules if path is not None else session_rules(pair, kept),
            start_ns=start_ns,
            end_ns=end_ns,
            opening=books.position,
            opening_mark=begin,
            closing_mark=closing,
            entries=inside,
            lives=order_lives(kept.orders, mine, start_ns, end_ns),
            path=path,
            capital=_capital(notes) if whole else None,
        ),
        fills,
        tuple(said),
    )


def order_lives(orders: Sequence[Order], updates: Iterable[OrderUpdate], start_ns: int, end_ns: int) -> list[OrderLife]:
    """Every order that reached the venue and stood there in the window.

    From the first news of it working to the news of its end, in exchange time as the gateway learnt them: an order
    whose end was found at a restart counts until then.
    """
    seen: dict[str, list[OrderUpdate]] = {}
    for update in updates:
        if update.client_order_id is not None and update.state is not None:
            seen.setdefault(update.client_order_id, []).append(update)
    found = []
    for order in orders:
        if order.order_id is None or (order.state in NEVER_THERE and not order.filled.base):
            continue
        news = seen.get(order.client_order_id, [])
        working = next((u.ts_ms for u in news if u.order_id is not None), order.created_ms)
        over = next((u.ts_ms for u in news if u.state is not None and u.state.terminal), order.updated_ms)
        ended_ns = None if order.live else max(over, working) * MS
        if working * MS < end_ns and (ended_ns is None or ended_ns >= start_ns):
            found.append(
                OrderLife(
                    side=order.side,
                    price=order.price,
                    volume=order.volume,
                    filled=order.filled.base,
                    working_ns=working * MS,
                    ended_ns=ended_ns,
                )
            )
    return found


def _last_ms(kept: RestoredPair, updates: Iterable[OrderUpdate], first_ms: int) -> int:
    return max(
        [
            first_ms,
            *(entry.ts_ms for entry in kept.entries),
            *(order.updated_ms for order in kept.orders),
            *(update.ts_ms for update in updates),
        ]
    )


def _mark(entry: Fill | Flow) -> Decimal | None:
    if isinstance(entry, Flow):
        return entry.mark
    return None if entry.fair is None else mark_of(entry.fair)


def _last_mark(entries: Sequence[Fill | Flow], before: Decimal) -> Decimal:
    return next((mark for entry in reversed(entries) if (mark := _mark(entry)) is not None), before)


def _known(path: MarketPath | None, at_ns: int, otherwise: Decimal, which: str, said: list[str]) -> Decimal:
    """The mid at a moment; where no tape has it, the last fair price the journal has, and a word about it."""
    mid = None if path is None else path.mid(at_ns)
    if mid is not None:
        return mark_of(mid)
    said.append(f"marked at its {which} at {otherwise.normalize():f}, the last fair price of the journal before it")
    return otherwise


def _unmarked(fills: Sequence[Fill], path: MarketPath | None) -> list[str]:
    notes = []
    unknown = sum(fill.fair is None for fill in fills)
    if unknown:
        notes.append(f"{unknown} fills without a known fair price are marked at their own")
    if path is None and fills:
        notes.append("no tape of this time: markouts, time at the touch and Sharpe are not known")
    elif path is not None and fills:
        missing = sum(path.mid(fill.ts_ms * MS) is None for fill in fills)
        if missing:
            notes.append(f"the tapes do not have the market at {missing} of {len(fills)} fills")
    return notes


def _capital(notes: Mapping[str, str]) -> Decimal | None:
    """What base and counter were worth at the opening, from the share the base had of it."""
    share, base, mark = (Decimal(notes.get(name, "0")) for name in (SHARE, OPENING, OPENING_MARK))
    return base * mark / share if share > 0 and ELSEWHERE not in notes else None


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return min(max(0, -exponent), 18) if isinstance(exponent, int) else 0
