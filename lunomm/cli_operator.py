"""Commands for the person in charge when something went wrong: stop it all, and check the books."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm.errors import UsageError
from lunomm.requires import require_bus_key

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


# --- while it runs -------------------------------------------------------------------------------------------------

RUNNING = "While it runs"

Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE]... [PAIR]", help="such as gamma=2; none: show what may be set", show_default=False
    ),
]


@app.command("set", rich_help_panel=RUNNING)
def set_(changes: Changes = None, reason: o.Reason = "", json: o.Json = False, debug: o.Debug = False) -> None:
    """Changes parameters of the running quoter, or lowers limits of the gateway; journaled. Alone: shows them."""
    texts = changes or []
    pairs = [text for text in texts if "=" not in text]
    if len(pairs) > 1:
        raise UsageError(f"set: {c.show(pairs[1])}: neither NAME=VALUE nor the one PAIR. Say for example gamma=2")
    asked: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            continue
        if name in asked:
            raise UsageError(f"set: {c.show(name)}: given twice. Say it once")
        asked[name] = value
    _control("set", pairs[0] if pairs else None, asked, reason, json=json, debug=debug)


@app.command(rich_help_panel=RUNNING)
def pause(pair: o.Pair = None, reason: o.Reason = "", json: o.Json = False, debug: o.Debug = False) -> None:
    """The quoter wants nothing, and the gateway cancels, until `lunomm unpause`. No halt: nothing is wrong."""
    _control("pause", pair, {}, reason, json=json, debug=debug)


@app.command(rich_help_panel=RUNNING)
def unpause(pair: o.Pair = None, reason: o.Reason = "", json: o.Json = False, debug: o.Debug = False) -> None:
    """Ends a pause: the quoter quotes again."""
    _control("unpause", pair, {}, reason, json=json, debug=debug)


def _control(
    verb: Literal["set", "pause", "unpause"],
    pair: str | None,
    changes: dict[str, str],
    reason: str,
    *,
    json: bool,
    debug: bool,
) -> None:
    import asyncio

    env = c.environment()
    common = c.read_common(env, json=json, debug=debug, venue=False)
    require_bus_key(common)
    chosen = c.parse_pairs([pair] if pair is not None else None, env)[0]
    from lunomm.commands.control import run
    from lunomm.commands.present import envelope, put_line

    data = asyncio.run(run(common, chosen, verb, changes, reason=reason))
    if json and data is not None:
        put_line(envelope(verb, data))


@app.command(rich_help_panel=RUNNING)
def watch(
    pairs: o.Pairs = None,
    metrics_port: o.MetricsPort = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
) -> None:
    """Tells of trouble: a line for each alarm, a webhook (LUNOMM_WEBHOOK_URL), metrics. Reads Redis only."""
    import asyncio

    from lunomm.options.watch import WatchOptions

    env = c.environment()
    options = WatchOptions(metrics_port=metrics_port, webhook=c.read_webhook(env))
    common = c.read_common(env, json=json, for_s=for_s, debug=debug, venue=False)
    from lunomm.commands.watch import run

    asyncio.run(run(common, c.parse_pairs(pairs, env) if pairs else (), options))
