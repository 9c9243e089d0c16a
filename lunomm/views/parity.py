"""A session beside its replay, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.tape.parity import Parity, Unmatched
from lunomm.views import palette
from lunomm.views.text import counted, number, percent, safe

LISTED = 20


@dataclass(frozen=True)
class ParityView:
    """profits: of the session and of its replay, counter; None: not known. asked: the parameters replayed."""

    pair: str
    counter: str
    journal: str
    parity: Parity
    profits: tuple[Decimal | None, Decimal | None]
    tapes: Sequence[str]
    asked: str
    notes: Sequence[str]


def parity_data(view: ParityView) -> dict[str, Any]:
    """What ``--json`` prints."""
    found = view.parity
    real, simulated = view.profits
    return {
        "pair": view.pair,
        "journal": view.journal,
        "tapes": list(view.tapes),
        "parameters": view.asked,
        "grade": found.grade,
        "orders": {
            "session": found.real_orders, "replay": found.simulated_orders, "matched": len(found.matched),
            "precision": found.precision, "recall": found.recall,
            "same_price": found.same_price, "furthest": found.furthest,
        },
        "fills": {
            "session": found.real_fills, "replay": found.simulated_fills, "matched": found.matched_fills,
            "precision": found.fill_precision, "recall": found.fill_recall, "exact": found.exact_fills,
        },
        "profit": {
            "session": real, "replay": simulated,
            "difference": None if real is None or simulated is None else simulated - real,
        },
        "unmatched_fills": [
            {
                "where": one.where, "ts_ms": one.fill.ts_ms, "side": one.fill.side, "price": one.fill.price,
                "base": one.fill.base, "client_order_id": one.fill.client_order_id, "cause": one.cause,
            }
            for one in found.unmatched
        ],
        "notes": list(view.notes),
    }  # fmt: skip


def parity_screen(view: ParityView) -> RenderableType:
    """The summary."""
    found = view.parity
    real, simulated = view.profits
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    for name in ("", "session", "replay", "the same", "precision", "recall"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row(
        "orders", number(found.real_orders), number(found.simulated_orders), number(len(found.matched)),
        percent(found.precision), percent(found.recall),
    )  # fmt: skip
    table.add_row(
        "fills", number(found.real_fills), number(found.simulated_fills), number(found.matched_fills),
        percent(found.fill_precision), percent(found.fill_recall),
    )  # fmt: skip
    table.add_row(f"profit, {safe(view.counter, 8)}", number(real, 2, sign=True), number(simulated, 2, sign=True))
    parts: list[RenderableType] = [
        Text(f"parity {safe(view.pair, 20)}: grade {found.grade.value}", palette.STRONG),
        Text(f"{safe(view.journal, 80)}; {safe(view.asked, 200)}", palette.MUTED),
        Text(),
        table,
        Text(),
        Text(
            f"{percent(found.same_price)} of the matched orders at the very same price, the furthest "
            f"{number(found.furthest)} {safe(view.counter, 8)} off; {counted(found.exact_fills, 'fill')} the same to "
            "the digit"
        ),
    ]
    if found.unmatched:
        parts += [Text(), Text("Fills without a partner:", palette.MUTED)]
        parts += [_listed(one) for one in found.unmatched[:LISTED]]
        if len(found.unmatched) > LISTED:
            parts.append(Text(f"  and {len(found.unmatched) - LISTED} more (--json lists all)", palette.MUTED))
    parts += [Text(), *(Text(safe(note, 400), palette.MUTED) for note in view.notes)]
    return Group(*parts)


def _listed(one: Unmatched) -> Text:
    fill = one.fill
    what = f"{fill.side.value} {fill.base:f} at {fill.price:f}, {safe(fill.client_order_id, 60)}"
    return Text(f"  {one.where}: {what}: {one.cause}")
