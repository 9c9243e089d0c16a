"""The Monte-Carlo experiment as a table of figures with their standard errors, and one of its runs as chart panels."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.quoting.experiment import Figure, Path, Result, World
from lunomm.views import palette
from lunomm.views.chart import Kind, Panel, Series
from lunomm.views.text import number

COLUMNS = ("spread", "profit", "std(profit)", "final q", "std(q)", "cert. equiv.")


def simulate_screen(world: World, results: Sequence[Result]) -> RenderableType:
    """Two lines a strategy: the figures, and below them their standard errors."""
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    table.add_column("strategy")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        figures = (
            result.average_spread,
            result.profit,
            result.std_profit,
            result.final_q,
            result.std_final_q,
            result.certainty_equivalent,
        )
        table.add_row(Text(result.strategy.value), *(number(figure.value, 3) for figure in figures))
        table.add_row("", *(Text(_error(figure), palette.MUTED) for figure in figures))
    head = Text(
        f"{number(world.runs)} runs, {number(world.steps)} steps: s {world.s:g}, T {world.horizon:g}, "
        f"sigma {world.sigma:g}, kappa {world.kappa:g}, A {world.intensity:g}, gamma {world.gamma:g}, "
        f"fills {world.fills.value}, seed {world.seed}"
    )
    foot = Text("± one standard error. Prices in the unit of s, one unit an order, marked at the mid.", palette.MUTED)
    return Group(head, Text(), table, Text(), foot)


def _error(figure: Figure) -> str:
    return f"± {number(figure.se, 3)}"


def path_panels(path: Path) -> list[Panel]:
    """Mid, bid, ask and reservation price over time, and the inventory below them."""
    time = path.time.tolist()
    prices = [
        Series("mid", time, path.mid.tolist(), "muted"),
        Series("bid", time, _known(path.bid.tolist()), "bid", Kind.STEP),
        Series("ask", time, _known(path.ask.tolist()), "ask", Kind.STEP),
        Series("reservation price", time, _known(path.reservation.tolist()), "own", dashed=True),
    ]
    inventory = [Series("inventory", time, path.inventory.tolist(), "own", Kind.STEP)]
    return [Panel("Quotes", "price", prices, "time"), Panel("Inventory", "units", inventory, "time")]


def _known(values: Sequence[float]) -> list[float | None]:
    """A side that is not quoted is unknown, not infinite."""
    return [value if abs(value) != float("inf") and value == value else None for value in values]
