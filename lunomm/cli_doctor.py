"""``lunomm doctor``: whether everything is here that a start needs, and the first look of a user with keys."""

from __future__ import annotations

from typing import Annotated

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm.errors import UsageError

FIRST = "Before the first order"
FIRST_LOOK_S = 180.0
SHORTEST_S = 10.0

Live = Annotated[
    bool,
    typer.Option(
        "--live", help="with keys: record the market a while, audit, calibrate, and show what paper would have filled"
    ),
]

app = typer.Typer()


@app.command(rich_help_panel=FIRST)
def doctor(
    context: typer.Context,
    pair: o.Pair = None,
    live: Live = False,
    into: o.Into = None,
    for_s: o.For = None,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Checks settings, key, Redis, exchange, disk, fees and itself; every line says what to do next. Trades nothing."""
    if live and mode not in (None, "live") and _typed(context, "mode"):
        raise UsageError(f"--live: reads the real market, not mode {c.show(mode or '')}. Leave --mode away")
    if not live and for_s is not None and _typed(context, "for_s"):
        raise UsageError("--for: is how long doctor --live records. Say --live too, or leave --for away")
    if live and for_s is not None and for_s < SHORTEST_S:
        raise UsageError(f"--for: {for_s:g}: too short to see anything. Give {SHORTEST_S:g} seconds or more")
    env = c.environment()
    from lunomm.commands.doctor_settings import read_settings

    given = c.Common(mode="sim", redis=c.RedisAddress(), state_dir=c.read_state_dir(env), json=json, debug=debug)
    known = read_settings(
        env,
        o.variables(),
        pair=pair,
        mode="live" if live else mode,
        url=url,
        typed=frozenset(name for name in ("pair", "mode", "url") if _typed(context, name))
        | ({"mode"} if live else set()),
        common=given,
    )
    if live:
        from lunomm.commands.doctor_live import run as first_look

        code = first_look(known, env, for_s=for_s or FIRST_LOOK_S, into=into or known.common.state_dir / "tapes")
    else:
        from lunomm.commands.doctor import run

        code = run(known, env)
    if code:
        raise typer.Exit(code)


def _typed(context: typer.Context, name: str) -> bool:
    """Whether it stood on the command line, rather than in a variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
