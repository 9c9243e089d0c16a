"""``lunomm simulate``: the paper's Monte-Carlo experiment, a row a strategy, and one path drawn if asked.

Reads the command line only: no exchange, no Redis, no key, and no LUNOMM_ variable changes a published figure.
"""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lunomm.commands.present import envelope, is_screen, put_line, put_screen
from lunomm.errors import UsageError
from lunomm.options.simulate import SimulateOptions
from lunomm.quoting.experiment import Figure, Fills, Result, Strategy, World, simulate
from lunomm.quoting.experiment import Path as Run
from lunomm.views.chart import svg
from lunomm.views.simulate import path_panels, simulate_screen


def run(options: SimulateOptions, *, json: bool) -> dict[str, Any]:
    """Simulate every strategy asked for, print, and return what ``--json`` prints.

    Raises:
        UsageError: the plot cannot be written.
        ModelError: these parameters have no finite quotes.
    """
    world = World(
        s=options.s,
        horizon=options.horizon,
        sigma=options.sigma,
        dt=options.dt,
        kappa=options.kappa,
        intensity=options.intensity,
        gamma=options.gamma,
        runs=options.runs,
        seed=options.seed,
        fills=Fills(options.fills),
    )
    strategies = [Strategy(name) for name in options.strategies]
    results, path = _simulated(world, strategies, quiet=json)
    if options.plot is not None:
        _draw(options.plot, world, strategies[0], path)
    data = {
        "parameters": {field.name: getattr(world, field.name) for field in fields(world)},
        "rows": [_row(result) for result in results],
    }
    if json:
        put_line(envelope("simulate", data))
    else:
        put_screen(simulate_screen(world, results))
    return data


def _simulated(world: World, strategies: list[Strategy], *, quiet: bool) -> tuple[list[Result], Run]:
    """With a progress bar on stderr where somebody watches it."""
    watched = Console(stderr=True)
    results: list[Result] = []
    paths: list[Run] = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=watched,
        transient=True,
        disable=quiet or not is_screen(watched),
    ) as progress:
        for strategy in strategies:
            task = progress.add_task(strategy.value, total=world.steps)
            result, path = simulate(world, strategy, partial(_advance, progress, task))
            results.append(result)
            paths.append(path)
    return results, paths[0]


def _advance(progress: Progress, task: TaskID, done: int) -> None:
    progress.update(task, completed=done)


def _row(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {"strategy": result.strategy.value}
    for field in fields(result):
        figure = getattr(result, field.name)
        if isinstance(figure, Figure):
            row[field.name], row[f"{field.name}_se"] = figure.value, figure.se
    return row


def _draw(file: Path, world: World, strategy: Strategy, path: Run) -> None:
    text = svg(
        f"One run of the {strategy.value} strategy",
        path_panels(path),
        subtitle=f"gamma {world.gamma:g}, sigma {world.sigma:g}, kappa {world.kappa:g}, A {world.intensity:g}, "
        f"dt {world.dt:g}, fills {world.fills.value}, seed {world.seed}",
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plot: {str(file)[:200]}: {error.strerror}. Name a file in a folder that exists") from error
