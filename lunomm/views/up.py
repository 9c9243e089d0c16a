"""``up``: one screen over the whole pipeline. The chosen window in the middle; above it what must not be missed, the
windows and the pairs; below it the prompt or the last result, and the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from lunomm.market.records import TakerOrder
from lunomm.views import palette
from lunomm.views.panel import PANIC, PARAMETERS, VIEWS, Heard, Line, PanelView, Prompt
from lunomm.views.pipeline import PairView, PipelineView, piece_state
from lunomm.views.screen import Sized, fitted, line, status_word
from lunomm.views.text import UNKNOWN, age, safe
from lunomm.views.windows import window

LOUD = " reverse"
"""Added to a style: seen from across the room, with and without colours."""
FRAME = 12
"""Rows below which only the window and one line are drawn."""
BANNERS = 3

SHORT = {"gamma": "gamma", "eta": "eta", "order_size": "size", "min_spread": "spread"}


def up_screen(panel: PanelView, view: PipelineView, trades: Sequence[TakerOrder] = ()) -> Sized:
    """panel: what the keys have made of it. trades: the chosen pair's newest taker orders, oldest first."""
    return Sized(lambda width, height: _draw(panel, view, trades, width, height))


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows at the top and the bottom of exactly ``height`` rows, the body in between cut or filled up."""

    top: tuple[RenderableType, ...]
    body: Sized
    bottom: tuple[RenderableType, ...]
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        room = max(self.height - len(self.top) - len(self.bottom), 0)
        inner = options.update(width=width, height=None)
        yield from self._rows(console, inner, self.top)
        if room:
            rows = console.render_lines(self.body.draw(width, room), inner, pad=False)[:room]
            for row in [*rows, *([[]] * (room - len(rows)))]:
                yield from row
                yield Segment.line()
        yield from self._rows(console, inner, self.bottom)

    def _rows(self, console: Console, options: ConsoleOptions, blocks: Sequence[RenderableType]) -> list[Segment]:
        found: list[Segment] = []
        for block in blocks:
            rows = console.render_lines(block, options, pad=False)
            found += [*(rows[0] if rows else []), Segment.line()]
        return found


def _draw(
    panel: PanelView, view: PipelineView, trades: Sequence[TakerOrder], width: int, height: int
) -> RenderableType:
    order = {heard.pair: index for index, heard in enumerate(panel.pairs)}
    at = next((i for i, pair in enumerate(view.pairs) if order.get(pair.pair) == panel.selected), 0)
    body = window(panel.view, view, at, trades)
    top, bottom = _banners(panel, view, width), _foot(panel, width)
    if height < FRAME:
        return Frame(tuple(top[:1]), body, tuple(bottom[:1]), height)
    return Frame((*top, _tabs(panel, width)), body, tuple(bottom), height)


# --- above ---------------------------------------------------------------------------------------------------------


def _banners(panel: PanelView, view: PipelineView, width: int) -> list[Text]:
    """What must not be missed, worst first. The overview says halts and problems itself."""
    found: list[tuple[str, str]] = []
    if panel.ending:
        found.append(("ENDING: quotes are taken down, and the exchange is asked what is left", palette.WARN))
    if panel.view != "overview":
        found += [(f"HALTED {safe(pair.pair, 20)}: {safe(why, 160)}", palette.BAD) for pair, why in _halts(view)]
        found += [(safe(problem, 200), palette.BAD) for problem in view.problems]
        silent = [piece for piece in view.pieces if piece_state(piece)[1] == palette.BAD]
        found += [(f"SILENT {safe(piece.piece, 12)} {safe(piece.pair, 20)}", palette.BAD) for piece in silent]
    for pair in panel.pairs:
        if pair.paused is not None:
            key = "   u goes on" if panel.keys and pair == panel.pair else ""
            found.append(
                (f"PAUSED {safe(pair.pair, 20)}: {safe(pair.paused, 160).removeprefix('paused ')}{key}", palette.WARN)
            )
    return [_banner(text, style, width) for text, style in found[:BANNERS]]


def _banner(text: str, style: str, width: int) -> Text:
    row = fitted(Text(f" {palette.mark(style)} {text}"), width)
    return Text(row.plain + " " * max(width - cell_len(row.plain), 0), f"bold {style}{LOUD}", no_wrap=True)


def _halts(view: PipelineView) -> list[tuple[PairView, str]]:
    return [(pair, pair.halted) for pair in view.pairs if pair.halted]


def _tabs(panel: PanelView, width: int) -> Text:
    """The windows by their keys, then the pairs; the chosen ones in brackets, which no terminal leaves out."""
    windows = [(f"{i} {name}", name == panel.view) for i, name in enumerate(VIEWS, 1)]
    pairs = [(safe(pair.pair, 20), pair is panel.pair) for pair in panel.pairs]
    if not panel.keys:
        windows = [(panel.view, True)]
    chosen_first = [*[p for p in pairs if p[1]], *[p for p in pairs if not p[1]]]
    row = line(*(_tab(*each) for each in windows), gap=" ")
    return line(row, line(*(_tab(*each) for each in chosen_first), gap=" "), gap="   ")


def _tab(text: str, chosen: bool) -> Text:
    return Text(f"[{text}]", palette.STRONG) if chosen else Text(f" {text} ", palette.MUTED)


# --- below ---------------------------------------------------------------------------------------------------------


def _foot(panel: PanelView, width: int) -> list[Text]:
    """The prompt and its error or keys; else the last result, or the parameters as they are, and the keys."""
    if panel.prompt is not None:
        return [_prompt(panel.prompt), _prompt_help(panel.prompt)]
    said = _parameters(panel.pair) if panel.line is None else _said(panel.line)
    if panel.ending:
        return [said, line(("Ctrl-C leaves at once: then orders may be live", palette.MUTED))]
    if not panel.keys:
        return [said, line(("no keys here; Ctrl-C ends it", palette.MUTED))]
    return [said, _keys(panel, width)]


def _said(said: Line) -> Text:
    text, when = safe(said.text, 300), age(said.age_s * 1000)
    if said.good is None:
        return line(status_word(f"{text}: asked {when} ago, no answer yet", palette.WARN))
    if said.good:
        return line(status_word(f"{text}, taken {when} ago", palette.GOOD))
    return line((f"{palette.BAD_MARK} {when} ago: {text}", palette.BAD))


def _parameters(pair: Heard | None) -> Text:
    """What the keys change, as it is now."""
    if pair is None or not pair.settings:
        return line(("no quoter is heard", palette.MUTED))
    parts = []
    for name in PARAMETERS.values():
        value = pair.settings.get(name)
        text = UNKNOWN if value is None else f"{safe(value, 24)} {pair.unit(name)}".rstrip()
        parts.append(line((name.replace("_", " "), palette.MUTED), text, gap=" "))
    return line(*parts)


def _prompt(prompt: Prompt) -> Text:
    if prompt.kind == "panic":
        what = f"PANIC: halt and cancel all. Type {PANIC}:"
        style = palette.BAD
    elif prompt.name:
        unit = prompt.unit
        now = f", now {safe(prompt.now, 24)}" if prompt.now else ""
        what = f"{safe(prompt.pair, 20)} {prompt.name.replace('_', ' ')}{f' ({unit})' if unit else ''}{now}:"
        style = palette.STRONG
    else:
        what, style = f"{safe(prompt.pair, 20)} set NAME=VALUE:", palette.STRONG
    return line((what, style), Text.assemble((safe(prompt.typed), palette.STRONG), (" ", "reverse")), gap=" ")


def _prompt_help(prompt: Prompt) -> Text:
    if prompt.error:
        return line((f"{palette.BAD_MARK} {safe(prompt.error, 400)}", palette.BAD))
    does = "does it" if prompt.kind == "panic" else "sets it"
    return line(
        *(
            line((key, palette.STRONG), (word, palette.MUTED), gap=" ")
            for key, word in (("Enter", does), ("Esc", "leaves it"))
        )
    )


def _keys(panel: PanelView, width: int) -> Text:
    """The keys that fit, in order; what ends and what stops is never left out."""
    paused = panel.pair is not None and panel.pair.paused is not None
    keys = [
        ("u", "unpause", 9) if paused else ("p", "pause", 9),
        *((key, SHORT[name], 7 - i) for i, (key, name) in enumerate(PARAMETERS.items())),
        *([("n", "pair", 8)] if len(panel.pairs) > 1 else []),
        (":", "other", 2),
        ("Tab", "next", 1),
        ("!", "panic", 11),
        ("q", "end", 10),
    ]
    while keys and sum(len(key) + len(word) + 3 for key, word, _ in keys) - 2 > width:
        keys.remove(min(keys, key=lambda each: each[2]))
    return line(*(line((key, palette.STRONG), (word, palette.MUTED), gap=" ") for key, word, _ in keys))
