"""Everything at a glance: the book, reservation price, inventory, open orders, and every piece with heartbeat and age.

``status`` and ``up`` draw the same :class:`PipelineView`, which is put together from bus messages alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import BookState, Tick
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderView
from lunomm.quoting.intents import SideReport, WantedQuotes
from lunomm.views import palette
from lunomm.views.book import BookView, heading
from lunomm.views.estimates import estimate_facts
from lunomm.views.ladder import fine, ladder, ratio
from lunomm.views.pipeline import (
    PIECE_STALE_MS,
    PairView,
    PipelineView,
    piece_state,
    sound_pair,
    sound_view,
)
from lunomm.views.rows import NO_GATEWAY, fill_rows, order_rows, piece_rows, price_decimals
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word, wrapped
from lunomm.views.table import Column, table
from lunomm.views.text import UNKNOWN, age, aligned, as_float, bp, counted, number, percent, safe, with_unit

QUOTES_STALE_MS = 3_000.0
"""Age at which wanted quotes are nobody's (design 5)."""
TWO_COLUMNS = 76
LABELS = 12
NARROW_LABELS = 8
"""Width of the labels; the narrow one leaves a whole price its room in 30 columns."""
BODY_ROWS = 14
"""Rows of the book and quote block beyond which room goes to the fills."""


def status_screen(view: PipelineView, selected: int = 0) -> Sized:
    """The first screen: pair ``selected`` in full, the others in a line each."""
    sound = sound_view(view)
    return Sized(lambda width, height: _draw(sound, selected, width, height))


def status_line(view: PipelineView) -> str:
    """One plain line: per pair state, mid, reservation price, position, orders, fills, pnl; then who is missing."""
    parts = [_pair_line(sound_pair(pair), view.now_ms, _without_gateway(view, pair)) for pair in view.pairs]
    if not parts:
        parts = [*(safe(note, 160) for note in view.notes)] or [_nothing_yet(view)]
    silent = [f"{piece.piece} {safe(piece.pair, 20)}" for piece in view.pieces if piece_state(piece)[1] == palette.BAD]
    if silent:
        parts.append("silent: " + ", ".join(silent))
    parts += [safe(problem, 160) for problem in view.problems]
    return "  |  ".join(parts)


def _nothing_yet(view: PipelineView) -> str:
    """Without a pair: nothing was read yet, or there is none. A picture that was read always names its venue."""
    return "no pair on this Redis" if view.venue else "starting"


def _without_gateway(view: PipelineView, pair: PairView) -> bool:
    """Whether this pair's gateway is known not to run. Nothing is known where no heartbeats were looked for."""
    return any(piece.piece == "gateway" and piece.pair == pair.pair and not piece.beats for piece in view.pieces)


def _resting(pair: PairView) -> list[OrderView]:
    return [order for order in pair.orders if not order.state.terminal]


def _alarm(pair: PairView, dead_gateway: bool) -> str:
    """What nobody looks after; empty when there is nothing to fear."""
    count = len(_resting(pair))
    if not dead_gateway or not count:
        return ""
    return f"GATEWAY DOWN: {counted(count, 'order')} may be live"


def _not_quoting(pair: PairView, now_ms: int) -> tuple[str, str]:
    """Why the quoter wants nothing at all, while the book is fine: a word, and what follows it (with its separator).

    Apart, because the word must be seen where the reason has no room. Both empty when it wants something or is not
    heard.
    """
    quotes = pair.quotes
    if quotes is None or quotes.intents or pair.tick is None or pair.tick.state is not BookState.OK:
        return "", ""
    if pair.quotes_age_ms is None or pair.quotes_age_ms > QUOTES_STALE_MS or _book_is_late(pair):
        return "", ""
    found = {report.side.value: _why_words(report, now_ms, "for") for report in quotes.sides if report.why is not None}
    if len(set(found.values())) == 1:
        whole = next(iter(found.values()))
        word = next(report.why.value for report in quotes.sides if report.why is not None)
        return word, whole.removeprefix(word)
    return "NO QUOTES", "".join(
        (": " if not i else ", ") + f"{side} {why}" for i, (side, why) in enumerate(found.items())
    )


def _pair_line(pair: PairView, now_ms: int, dead_gateway: bool) -> str:
    tick, quotes, account = pair.tick, pair.quotes, pair.account
    decimals = price_decimals(pair)
    state = "".join(_not_quoting(pair, now_ms)) or (tick.state.value if tick is not None else "no book")
    parts = [f"{safe(pair.pair, 20)} {state}"]
    alarm = _alarm(pair, dead_gateway)
    if alarm:
        parts.append(alarm)
    if tick is not None:
        parts.append(f"mid {number(tick.mid_price, decimals + 1)}")
    if quotes is not None and quotes.reservation is not None:
        parts.append(f"reservation {number(quotes.reservation, decimals + 1)}")
    if account is not None:
        if dead_gateway:
            parts.append(f"account {age(pair.account_age_ms)} old")
        position = with_unit(account.position, safe(account.base.asset, 8))
        parts.append(f"position {position}")
    count = len(_resting(pair))
    parts.append(f"orders {count}" if count or not dead_gateway else f"open orders: {NO_GATEWAY}")
    if account is not None:
        parts.append(f"fills {account.fills}")
        if account.pnl is not None:
            parts.append(f"pnl {number(account.pnl.total, 2, sign=True)} {safe(account.counter.asset, 8)}")
        if account.halted:
            parts.append(f"HALTED {safe(account.halted, 80)}")
    return "  ".join(parts)


# --- drawing -------------------------------------------------------------------------------------------------------


def _draw(view: PipelineView, selected: int, width: int, height: int) -> RenderableType:
    top: list[RenderableType] = [line((problem_text, palette.BAD)) for problem_text in _problems(view)]
    if not view.pairs:
        if view.notes:
            top += [Text(row, palette.WARN) for row in wrapped(safe(view.notes[0], 160), width)]
        elif _nothing_yet(view) == "starting":
            top.append(line(status_word("STARTING", palette.WARN)))
        else:
            top.append(line(("no pair is running on this Redis", palette.WARN)))
            top.append(line(("start one: lunomm up, or lunomm book XBTMYR", palette.MUTED)))
        return stack([*top, *piece_rows(view, width, height - len(top)), _footer(view)])
    chosen = view.pairs[min(max(selected, 0), len(view.pairs) - 1)]
    dead = {pair.pair: _without_gateway(view, pair) for pair in view.pairs}
    others = [pair for pair in view.pairs if pair is not chosen]
    # A pair in trouble is never the one that is left out.
    others.sort(key=lambda pair: not _alarm(pair, dead[pair.pair]))
    top += [_heading(chosen, view.now_ms, dead[chosen.pair])]
    top += _other_rows(others[: max(height // 4, 1)], view.now_ms, dead, width)
    if len(others) > max(height // 4, 1):
        top.append(line((f"and {len(others) - max(height // 4, 1)} more pairs", palette.MUTED)))
    pieces = piece_rows(view, width, max(height // 3, 4))
    dead_gateway = dead[chosen.pair]
    orders = order_rows(chosen, view.now_ms, width, max(height // 4, 3), dead_gateway)
    notes = _notes(view, width)
    room = height - len(top) - len(orders) - len(pieces) - len(notes) - 2
    body = _body(chosen, view.now_ms, width, max(room, 5), dead_gateway)
    fills = fill_rows(chosen, view.now_ms, width, room - BODY_ROWS) if room > BODY_ROWS + 2 else []
    if fills:
        body = _body(chosen, view.now_ms, width, room - len(fills), dead_gateway)
    return stack([*top, rule("", width), body, *orders, *fills, *pieces, *notes, _footer(view)])


def _heading(pair: PairView, now_ms: int, dead_gateway: bool) -> Text:
    alarm, (idle, reason) = _alarm(pair, dead_gateway), _not_quoting(pair, now_ms)
    head = heading(
        _book_view(pair),
        status_word(idle, palette.WARN) if idle else None,
        status_word(alarm, palette.BAD) if alarm else None,
    )
    return line(head, (reason.lstrip(": "), palette.WARN))


def _other_rows(others: Sequence[PairView], now_ms: int, dead: Mapping[str, bool], width: int) -> list[RenderableType]:
    """The pairs that are not chosen: a sentence where one is in trouble or does not quote, else a row of figures."""
    told = [pair for pair in others if _alarm(pair, dead[pair.pair]) or any(_not_quoting(pair, now_ms))]
    quiet = [pair for pair in others if pair not in told]
    rows: list[RenderableType] = [_heading(pair, now_ms, dead[pair.pair]) for pair in told]
    if not quiet:
        return rows
    books = [_book_view(pair).tick for pair in quiet]
    decimals = [price_decimals(pair) + 1 for pair in quiet]
    accounts = [pair.account for pair in quiet]
    mids = [number(tick.mid_price if tick else None, places) for tick, places in zip(books, decimals, strict=True)]
    prices = [
        number(pair.quotes.reservation if pair.quotes else None, n) for pair, n in zip(quiet, decimals, strict=True)
    ]
    held = [with_unit(a.position, safe(a.base.asset, 6)) if a else UNKNOWN for a in accounts]
    earned = [
        with_unit(a.pnl.total if a.pnl else None, safe(a.counter.asset, 6), 2, sign=True) if a else UNKNOWN
        for a in accounts
    ]
    states = [
        (tick.state.value, palette.state_style(tick.state)) if tick else ("NO BOOK", palette.WARN) for tick in books
    ]
    return rows + table(
        [
            Column("pair", [Text(safe(pair.pair, 12), palette.STRONG) for pair in quiet]),
            Column("mid", aligned(mids), right=True),
            Column("state", [status_word(word, style) for word, style in states]),
            Column("spread", aligned([_spread(tick) for tick in books]), rank=5, right=True),
            Column("reservation", aligned(prices), rank=2, right=True),
            Column("position", aligned(held), rank=3, right=True),
            Column("orders", [number(len(_resting(pair))) for pair in quiet], rank=1, right=True),
            Column("pnl", aligned(earned), rank=4, right=True),
            Column("age", [age(tick.stream_age_ms if tick else None) for tick in books], rank=6, right=True),
        ],
        width,
    )


def _spread(tick: Tick | None) -> str:
    share = None if tick is None else ratio(tick.spread, tick.mid_price)
    return bp(share, fine(share))


def _notes(view: PipelineView, width: int) -> list[RenderableType]:
    """Two notes, wrapped, or four in a row each: what matters stands first. Of several pairs each says whose."""
    notes = [safe(note, 300) for note in view.notes]
    rows = 2 if len(notes) <= 2 else 1
    if len(view.pairs) > 1 and len(notes) == len(view.pairs):
        names = [safe(pair.pair, 20) for pair in view.pairs]
        notes = [note if note.startswith(name) else f"{name}: {note}" for name, note in zip(names, notes, strict=True)]
    return [line((row, palette.MUTED)) for note in notes[:4] for row in wrapped(note, width, rows)]


def _problems(view: PipelineView) -> list[str]:
    found = [f"{palette.BAD_MARK} {safe(problem, 200)}" for problem in view.problems]
    for pair in view.pairs:
        if pair.halt is not None or pair.halted:
            found.append(f"{palette.BAD_MARK} {safe(pair.pair, 20)} HALTED: {safe(pair.halted or '', 160)}")
    return found[:4]


def _body(pair: PairView, now_ms: int, width: int, height: int, dead_gateway: bool) -> RenderableType:
    tick = _book_view(pair).tick
    if tick is None:
        book: RenderableType = Text("no book is published", palette.MUTED)
    else:
        left = min(max(width // 2 - 2, 34), 70) if width >= TWO_COLUMNS else width
        book = ladder(tick, pair.rules, height, left)
    if width < TWO_COLUMNS:
        labels = LABELS if width >= 2 * LABELS + 16 else NARROW_LABELS
        return book if pair.quotes is None else stack([facts(_quote_rows(pair, now_ms)[:4], label_width=labels), book])
    left = min(max(width // 2 - 2, 34), 70)
    rows = [*_quote_rows(pair, now_ms), *_account_rows(pair, dead_gateway), *_estimate_rows(pair, width - left)]
    return columns(book, facts(rows[:height], label_width=LABELS), widths=(left, None))


def _quote_rows(pair: PairView, now_ms: int) -> list[Fact]:
    quotes = pair.quotes
    if quotes is None:
        return [("reservation", Text("no quoter is heard", palette.MUTED))]
    decimals = price_decimals(pair)
    stale = pair.quotes_age_ms is None or pair.quotes_age_ms > QUOTES_STALE_MS
    reservation = number(quotes.reservation, decimals + 1)
    if quotes.reservation is not None and quotes.fair:
        reservation += f"  {bp(quotes.reservation / quotes.fair - 1, sign=True)} of fair"
    late = (" STALE", palette.BAD) if stale else ""
    rows: list[Fact] = [("reservation", line((reservation, palette.STRONG), late, gap=""))]
    if quotes.fair is not None:
        rows.append(("fair", number(quotes.fair, decimals + 1)))
    for side in (Side.ASK, Side.BID):
        rows.append((f"our {side.value}", _side_text(quotes, side, decimals, now_ms, stale)))
    rows.append(("half-spread", bp(_relative(quotes.half_spread, quotes.fair))))
    return rows


def _side_text(quotes: WantedQuotes, side: Side, decimals: int, now_ms: int, stale: bool) -> Text:
    intents = [intent for intent in quotes.intents if intent.side is side]
    report = next((report for report in quotes.sides if report.side is side), None)
    style = palette.MUTED if stale else palette.side_style(side)
    parts: list[str | Text | tuple[str, str]] = [
        (f"{number(intent.size)} @ {number(intent.price, decimals)}", style) for intent in intents[:2]
    ]
    if intents and quotes.fair:
        parts.append((bp(float(intents[0].price) / quotes.fair - 1, sign=True), palette.MUTED))
    if report is not None and report.why is not None:
        parts.append((_why_words(report, now_ms, "may change in" if intents else "for"), palette.WARN))
    return line(*parts) if parts else Text("nothing wanted", palette.MUTED)


def _why_words(report: SideReport, now_ms: int, verb: str) -> str:
    """The reason and, where time alone ends it, the time left; that stands first: the detail may be cut."""
    assert report.why is not None
    wait = "" if report.next_ms is None else f" {verb} {age(max(0, report.next_ms - now_ms))}"
    detail = safe(report.detail, 80)
    return f"{report.why.value}{wait}{': ' + detail if detail else ''}"


def _account_rows(pair: PairView, dead_gateway: bool) -> list[Fact]:
    account = pair.account
    if account is None:
        return [("position", Text("no gateway is heard", palette.MUTED))]
    old = (f"{age(pair.account_age_ms)} old", palette.BAD) if dead_gateway else ""
    base, counter = safe(account.base.asset, 8), safe(account.counter.asset, 8)
    off = account.position - account.inventory_target
    used = _relative(as_float(abs(off)), as_float(account.max_position))
    rows: list[Fact] = [
        ("position", line(with_unit(account.position, base), old, f"target {number(account.inventory_target)}")),
        ("off target", line(with_unit(off, base, sign=True), old, f"{percent(used, 0)} of the limit")),
        (
            "free",
            line(with_unit(account.base.free, base), with_unit(account.counter.free, counter, 2), old),
        ),
    ]
    if account.pnl is not None:
        pnl = account.pnl
        style = palette.GOOD if pnl.total > 0 else palette.BAD if pnl.total < 0 else palette.PLAIN
        split = (
            f"spread {number(pnl.spread, 2, sign=True)} "
            f"inventory {number(pnl.inventory, 2, sign=True)} fees {number(-pnl.fees, 2, sign=True)}"
        )
        rows.append(("pnl", line((with_unit(pnl.total, counter, 2, sign=True), style), old, (split, palette.MUTED))))
    fee = f"maker {percent(as_float(account.maker_fee), 2)}  taker {percent(as_float(account.taker_fee), 2)}"
    rows.append(("fills", f"{number(account.fills)}  uptime {percent(account.quote_uptime, 0)}  {fee}"))
    return rows


def _estimate_rows(pair: PairView, width: int) -> list[Fact]:
    if pair.tick is None:
        return []
    rows = estimate_facts(pair.tick.estimates, as_float(pair.tick.mid_price), wide=width >= 60)
    if pair.params is not None:
        made = f"{pair.params.estimates.verdict.value} {age(pair.params_age_ms)} ago"
        rows.append(("calibration", made + (" same file, in-sample" if pair.params.in_sample else "")))
    return rows


def _footer(view: PipelineView) -> Text:
    return line((safe(view.venue, 80), palette.MUTED), (f"redis {safe(view.redis, 60)}", palette.MUTED))


def _book_view(pair: PairView) -> BookView:
    tick = pair.tick
    if tick is None:
        return BookView(pair.pair, rules=pair.rules, note="no book is published")
    if _book_is_late(pair):
        tick = msgspec.structs.replace(tick, state=BookState.STALE, stream_age_ms=pair.tick_age_ms)
    return BookView(pair.pair, "", tick, pair.rules, pair.mids)


def _book_is_late(pair: PairView) -> bool:
    return pair.tick_age_ms is not None and pair.tick_age_ms > PIECE_STALE_MS


def _relative(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
