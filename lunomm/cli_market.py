"""Commands about the venue's markets that trade nothing: no Redis, no stream, no order."""

from __future__ import annotations

import typer

from lunomm import cli_options as o
from lunomm import config as c

MARKETS = "Which market"

app = typer.Typer()


@app.command(rich_help_panel=MARKETS)
def pairs(
    top: o.Top = None,
    counter: o.Counters = None,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """All markets of the venue, ranked: what making each earns for its risk, and whether any pays."""
    import asyncio

    from lunomm.options.pairs import PairsOptions

    names = [name.strip().upper() for given in counter or () for name in given.split(",")]
    options = PairsOptions(top=top, counters=tuple(dict.fromkeys(name for name in names if name)))
    common = c.read_common(c.environment(), mode=mode, url=url, json=json, debug=debug, keyless=True)
    from lunomm.commands.ranking import run

    asyncio.run(run(common, options))
