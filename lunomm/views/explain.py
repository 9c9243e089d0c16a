"""Why this price: the figures of one set of quotes as plain data, for the calculator and a running quoter alike."""

from __future__ import annotations

import itertools
from typing import Any

from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes


def explain_data(quotes: WantedQuotes) -> dict[str, Any]:
    """The object of ``explain --json``.

    Model figures (before fees, clamp and rounding) are numbers, orders decimal strings; null = absent. Prices in
    counter, sizes in base, gamma_p in 1/price. decomposition: each side's steps with the price after each and what it
    added, bp of the fair price. With several levels a side, bid, ask and their reasons are of the nearest one wanted;
    orders: all of them.
    """
    orders = {side: next((i for i in quotes.intents if i.side is side), None) for side in Side}
    reports = {side: _report(quotes, side, orders[side]) for side in Side}
    bid, ask = orders[Side.BID], orders[Side.ASK]
    return {
        "pair": quotes.pair,
        "fair": quotes.fair,
        "reservation": quotes.reservation,
        "spread": None if quotes.half_spread is None else 2 * quotes.half_spread,
        "spread_bp": quotes.spread_bps,
        "shift_bp_per_lot": quotes.shift_bps_per_lot,
        "c": quotes.c,
        "kappa_c": quotes.kappa_c,
        "n_flip": quotes.n_flip,
        "lots": quotes.lots,
        "gamma_p": quotes.gamma_p,
        "method": quotes.method,
        "bid": bid.price if bid is not None else None,
        "ask": ask.price if ask is not None else None,
        "bid_size": bid.size if bid is not None else None,
        "ask_size": ask.size if ask is not None else None,
        "model_sizes": {side.value.lower(): r.model_size if r is not None else None for side, r in reports.items()},
        "reasons": {side.value.lower(): r.why if r is not None else None for side, r in reports.items()},
        "details": {side.value.lower(): r.detail for side, r in reports.items() if r is not None and r.detail},
        "decomposition": {side.value.lower(): _steps(r) for side, r in reports.items()},
        "orders": [
            {"side": i.side.value.lower(), "level": i.level, "price": i.price, "size": i.size} for i in quotes.intents
        ],
        "warnings": quotes.warnings,
    }


def _report(quotes: WantedQuotes, side: Side, order: Intent | None) -> SideReport | None:
    level = 0 if order is None else order.level
    return next((r for r in quotes.sides if r.side is side and r.level == level), None)


def _steps(report: SideReport | None) -> list[dict[str, Any]]:
    if report is None or not report.steps:
        return []
    fair = report.steps[0].price
    rows: list[dict[str, Any]] = [{"step": report.steps[0].name, "price": fair, "bp": 0.0}]
    rows += [
        {"step": after.name, "price": after.price, "bp": 1e4 * (after.price - before.price) / fair}
        for before, after in itertools.pairwise(report.steps)
    ]
    return rows
