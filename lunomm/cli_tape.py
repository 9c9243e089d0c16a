"""Commands about recordings: making them, looking at them, and what a session came to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunomm import cli_options as o

TAPES = "Recordings and results"

File = Annotated[Path, typer.Argument(metavar="FILE", help="a tape, or a plain file of raw frames")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="tapes, or plain files of raw frames")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="what to write; it must not exist")]
OfPair = Annotated[
    str | None, typer.Option("--pair", metavar="PAIR", help="the market, where the file does not say it")
]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="exchange time, UTC; +90 is 90 s on")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="exchange time, UTC; not included")]
OfMode = Annotated[str | None, typer.Option("--mode", metavar="sim|paper|live", help="of the session [default: any]")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="exchange time, UTC, such as 2026-03-01")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="exchange time, UTC; not included")]
NoTape = Annotated[bool, typer.Option("--no-tape", help="the journal alone")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="every fill, with fees in their own currency")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="a page with the charts")]
Format = Annotated[str, typer.Option("--format", metavar="hftbacktest", help="whose format")]

app = typer.Typer()
tapes = typer.Typer(no_args_is_help=True)
app.add_typer(tapes, name="tape", help="Recordings: what is on them, whether they are whole.", rich_help_panel=TAPES)


@app.command(rich_help_panel=TAPES)
def record(
    pairs: o.Pairs = None,
    into: o.Into = None,
    record_max_mb: o.RecordMax = 2048.0,
    mode: o.Mode = None,
    url: o.Url = None,
    json: o.Json = False,
    for_s: o.For = None,
    debug: o.Debug = False,
) -> None:
    """Records markets into tapes, and does nothing else; `book` and `up` record as well."""
    import asyncio

    from lunomm import config as c
    from lunomm.options.book import BookOptions

    env = c.environment()
    common = c.read_common(env, mode=mode, url=url, json=json, for_s=for_s, debug=debug)
    folder = into or common.state_dir / "tapes"
    options = BookOptions(audit_s=0.0, record=folder, record_max_mb=record_max_mb)
    names = c.parse_pairs(pairs, env)
    from lunomm.commands.piece import run_again
    from lunomm.commands.record import run

    asyncio.run(run_again(lambda now: run(now, names, options), common))


@app.command(rich_help_panel=TAPES)
def report(
    pair: o.Pair = None,
    mode: OfMode = None,
    journal: o.SessionJournal = None,
    since: Since = None,
    until: Until = None,
    tape: o.SessionTapes = None,
    no_tape: NoTape = False,
    csv: Csv = None,
    html: Html = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """What a session came to: profit split, markouts, fills, uptime, risk; from its journal and tapes."""
    from lunomm import config as c
    from lunomm.options.report import ReportOptions

    options = ReportOptions(
        mode=mode,
        journal=journal,
        since=since,
        until=until,
        tape=tuple(tape or ()),
        no_tape=no_tape,
        csv=csv,
        html=html,
    )
    common = c.read_common(c.environment(), json=json, debug=debug, venue=False)
    from lunomm.commands.report import run

    run(common, _pair(pair), options)


@tapes.command()
def info(files: Files, pair: OfPair = None, json: o.PlainJson = False, debug: o.PlainDebug = False) -> None:
    """What is on a tape: market, times, frames, trades, where it comes from."""
    from lunomm.commands.tape import info as show

    show(files, _pair(pair), json=json)


@tapes.command()
def verify(files: Files, pair: OfPair = None, json: o.PlainJson = False, debug: o.PlainDebug = False) -> None:
    """Walks the book strictly: gaps, crossed books, a torn end, lost lines, clocks that go back. Exit 1 if damaged."""
    from lunomm.commands.tape import verify as judge

    if not judge(files, _pair(pair), json=json):
        raise typer.Exit(1)


@tapes.command()
def cut(
    file: File,
    out: Out,
    begin: From = None,
    end: To = None,
    pair: OfPair = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """Writes a window of exchange time as a tape of its own, which begins with the book as it stood."""
    from lunomm.commands.tape import cut_out

    cut_out(file, _pair(pair), begin, end, out, json=json)


@tapes.command()
def merge(files: Files, out: Out, pair: OfPair = None, json: o.PlainJson = False, debug: o.PlainDebug = False) -> None:
    """Joins the files of one recording into one tape; what is missing between them is said."""
    from lunomm.commands.tape import join

    join(files, _pair(pair), out, json=json)


@tapes.command()
def export(
    file: File,
    out: Out,
    form: Format,
    pair: OfPair = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """Writes a tape in another program's format: hftbacktest's L3 events (.npz)."""
    from lunomm.commands.tape import export as give

    give(file, _pair(pair), form, out, json=json)


def _pair(pair: str | None) -> str | None:
    from lunomm import config as c

    return None if pair is None else c.parse_pair(pair)
