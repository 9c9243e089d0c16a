"""The user's five: `book`, `quote`, `gateway`, `calibrate` and `status`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm import requires
from lunomm.cli_groups import BOOK, GATEWAY, QUOTE, taking
from lunomm.cli_running import run_command

PIPELINE = "Pipeline (the user's five)"

app = typer.Typer()


@app.command(rich_help_panel=PIPELINE)
@taking(BOOK)
def book(
    pairs: o.Pairs = None,
    *,
    tape: o.Tape = None,
    speed: o.TapeSpeed = None,
    publish: o.Publish = False,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
    **given: Any,
) -> None:
    """The order book, its signals and live estimates -> LOB, TRADES, GRID, RULES."""
    options = replace(BOOK(given), tape=tape, speed=speed, publish=publish)
    env = c.environment()
    # A tape without --publish touches neither an exchange nor Redis: any mode will do.
    venue = tape is None
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug, venue=venue)
    run_command("book", common, c.parse_pairs(pairs, env), options)


@app.command(rich_help_panel=PIPELINE)
@taking(QUOTE)
def quote(
    pair: o.Pair = None,
    *,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
    **given: Any,
) -> None:
    """Reservation price, bid and ask -> QUOTES: what should be resting now, and why."""
    options = QUOTE(given)
    env = c.environment()
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug)
    requires.require_live(common, options, None)
    requires.require_bus_key(common)
    run_command("quote", common, _one(pair, env), options)


@app.command(rich_help_panel=PIPELINE)
@taking(GATEWAY)
def gateway(
    pairs: o.Pairs = None,
    *,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
    **given: Any,
) -> None:
    """Makes the exchange match the wanted quotes -> ORDER_UPDATES, ORDERS, FILLS, ACCOUNT."""
    options = GATEWAY(given)
    env = c.environment()
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug)
    requires.require_bus_key(common)
    run_command("gateway", common, c.parse_pairs(pairs, env), options)


@app.command(rich_help_panel=PIPELINE)
def calibrate(
    pair: o.Pair = None,
    minutes: o.Minutes = 10.0,
    watch: o.Watch = False,
    tape: o.Tapes = None,
    kappa_prior: o.KappaPrior = None,
    estimator: o.Estimator = "exposure",
    weight: o.Weight = "order",
    plot: o.Plot = None,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
) -> None:
    """Prints kappa, A and sigma with intervals and a verdict -> PARAMS."""
    from lunomm.options.calibrate import CalibrateOptions

    options = CalibrateOptions(
        minutes=minutes,
        watch=watch,
        tape=tuple(tape or ()),
        kappa_prior=kappa_prior,
        estimator=cast(Any, estimator),
        weight=cast(Any, weight),
        plot=plot,
    )
    env = c.environment()
    # Tapes touch neither an exchange nor Redis: any mode will do.
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug, venue=not tape)
    run_command("calibrate", common, _one(pair, env), options)


@app.command(rich_help_panel=PIPELINE)
def status(
    pairs: o.Pairs = None,
    once: o.Once = False,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
) -> None:
    """Everything at a glance: book, reservation price, inventory, open orders, all pieces."""
    env = c.environment()
    # It reads Redis only and shows whatever venue is there: the mode rules guard those that talk to an exchange.
    venue = mode is not None
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug, venue=venue)
    run_command("status", common, c.parse_pairs(pairs, env) if pairs else (), once=once)


def _one(pair: str | None, env: dict[str, str]) -> tuple[str, ...]:
    return c.parse_pairs([pair] if pair is not None else None, env)[:1]
