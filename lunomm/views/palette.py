"""The colours of every screen, by what they mean.

Each is a fixed colour of the 256-colour cube with a contrast of at least 3 : 1 on black *and* on white (a test computes
it), so one palette serves dark and light terminals. Bid and ask are blue and orange, which stay apart for every common
colour blindness, and nothing is said by colour alone: sides are written, states are words, signs are signs.
"""

from __future__ import annotations

from lunomm.market.records import BookState, Verdict
from lunomm.market.rules import Side

BID = "color(33)"
ASK = "color(166)"
OWN = "bold color(134)"
"""Our own orders; always with the mark :data:`OWN_MARK`."""
GOOD = "color(29)"
WARN = "color(136)"
BAD = "bold color(160)"
MUTED = "color(244)"
"""Labels, units and stale figures."""
PLAIN = ""
STRONG = "bold"

OWN_MARK = "◆"
GOOD_MARK = "●"
WARN_MARK = "▲"
BAD_MARK = "✖"
WAIT_MARK = "○"

COLOURS = {"BID": BID, "ASK": ASK, "OWN": OWN, "GOOD": GOOD, "WARN": WARN, "BAD": BAD, "MUTED": MUTED}


def side_style(side: Side) -> str:
    return BID if side is Side.BID else ASK


def state_style(state: BookState | None) -> str:
    """OK is good; waiting states warn; those that say the book may be wrong are bad."""
    if state is BookState.OK:
        return GOOD
    if state in (BookState.CROSSED, BookState.STALE, BookState.DISABLED, BookState.DOUBT, None):
        return BAD
    return WARN


def is_good(state: BookState | None) -> bool:
    return state_style(state) == GOOD


def verdict_style(verdict: Verdict) -> str:
    return {Verdict.GO: GOOD, Verdict.THIN: WARN, Verdict.NO: BAD}[verdict]


def mark(style: str) -> str:
    """The shape that goes with a style, so that the state is not said by colour alone."""
    return {GOOD: GOOD_MARK, WARN: WARN_MARK, BAD: BAD_MARK}.get(style, WAIT_MARK)
