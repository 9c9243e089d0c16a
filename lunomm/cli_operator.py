"""Commands for the person in charge when something went wrong: stop it all, and check the books."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm.errors import UsageError

OPERATOR = "When something went wrong"
WORD = "ALL"

All = Annotated[bool, typer.Option("--all", help="orders that lunomm did not place, too")]
Confirm = Annotated[str | None, typer.Option("--confirm", metavar=WORD, help=f"with --all: the word {WORD}, unasked")]

app = typer.Typer()


@app.command(rich_help_panel=OPERATOR)
def panic(
    pairs: o.Pairs = None,
    everything: All = False,
    confirm: Confirm = None,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Halts, cancels every order of ours and verifies that none is left. Needs only the key."""
    import asyncio

    env = c.environment()
    common = c.read_emergency(env, mode=mode, url=url, json=json, debug=debug)
    chosen = tuple(dict.fromkeys(c.parse_pair(pair) for pair in pairs or ()))
    if everything:
        _confirmed(confirm, ", ".join(chosen) or "every market", common.mode)
    from lunomm.commands.panic import run
    from lunomm.commands.present import envelope, put_line

    data = asyncio.run(run(common, chosen, everything=everything))
    if json:
        put_line(envelope("panic", data))


def _confirmed(given: str | None, where: str, mode: str) -> None:
    """The word was typed, here or on the command line; a program that has no terminal is not asked."""
    if given is None:
        if not sys.stdin.isatty():
            raise UsageError(
                f"--all: cancels orders that lunomm did not place. Without a terminal say --confirm {WORD}"
            )
        given = typer.prompt(
            f"Cancel EVERY order on {where} ({mode}), other people's and other programs' too? Type {WORD}"
        )
    if given.strip() != WORD:
        raise UsageError(
            f"--all: not confirmed (type {WORD}). Nothing was cancelled; without --all only our own orders go"
        )


@app.command(rich_help_panel=OPERATOR)
def audit(
    pairs: o.Pairs = None,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Compares the journal with the exchange's own trades and ledgers, to the last digit."""
    import asyncio

    env = c.environment()
    common = c.read_emergency(env, mode=mode, url=url, json=json, debug=debug)
    chosen = tuple(dict.fromkeys(c.parse_pair(pair) for pair in pairs or ()))
    from lunomm.commands.audit import run
    from lunomm.commands.present import envelope, put_line

    data = asyncio.run(run(common, chosen))
    if json:
        put_line(envelope("audit", data))


@app.command(rich_help_panel=OPERATOR)
def resume(
    pair: o.Pair = None,
    reason: o.Reason = "",
    mode: o.Mode = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Ends a halt: the gateway may quote again. Read first why it halted: lunomm status."""
    import asyncio

    env = c.environment()
    if mode is not None and mode not in c.MODES:
        raise UsageError(f"--mode {c.show(mode)}: unknown. Say --mode sim, --mode paper or --mode live")
    common = c.read_common(env, json=json, debug=debug, venue=False)
    from lunomm.commands.present import envelope, put_line
    from lunomm.commands.resume import run

    data = asyncio.run(run(common, c.parse_pair(pair) if pair is not None else None, reason=reason, mode=mode))
    if json and data is not None:
        put_line(envelope("resume", data))
