"""The command line: options -> settings -> one command -> exit code. Nothing heavy is imported before a command runs.

One line per error, on stderr: what is wrong, why, what to do next; with ``--json`` the same as one object on stdout.
Exit codes are those of ``lunomm.errors``.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import typer

from lunomm import (
    __version__,
    cli_backtest,
    cli_doctor,
    cli_explain,
    cli_market,
    cli_operator,
    cli_pipeline,
    cli_research,
    cli_services,
    cli_tape,
)
from lunomm import config as c
from lunomm.bus.room import check_room
from lunomm.cli_errors import NO_ROOM, CommandLineError, asked, crash, let_go, no_room, report, usage, worst
from lunomm.cli_narrowed import narrowed
from lunomm.cli_reading import read_simply
from lunomm.errors import ConfigError, LunommError

INTERRUPTED = 130

app = typer.Typer(
    name="lunomm",
    help="Market making on Luno after Avellaneda & Stoikov: a pipeline of small processes over Redis.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=True,
    epilog="Every option can be set as LUNOMM_<NAME> in the environment or in .env. "
    "Start with: lunomm up. In doubt: lunomm doctor",
)


@app.callback(invoke_without_command=False)
def _root(
    version: bool = typer.Option(
        False, "--version", is_eager=True, help="Show the version.", callback=lambda v: _version(v)
    ),
) -> None:
    pass


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lunomm {__version__}")
        raise typer.Exit


app.add_typer(cli_pipeline.app)
app.add_typer(cli_services.app)
app.add_typer(cli_doctor.app)
app.add_typer(cli_market.app)
app.add_typer(cli_operator.app)
app.add_typer(cli_backtest.app)
app.add_typer(cli_research.app)
app.add_typer(cli_explain.app)
app.add_typer(cli_tape.app)


def run(argv: Sequence[str]) -> int:
    """Run one command line; its exit code. Errors are printed, never raised (but bugs are)."""
    args = list(argv)
    as_json, debug = asked(args, "json"), asked(args, "debug")
    command = next((a for a in args if not a.startswith("-")), "")
    try:
        check_room()
        env = c.environment()
        c.export_options(env)
        as_json, debug = asked(args, "json"), asked(args, "debug")
        program = read_simply(typer.main.get_command(narrowed(app, command)))
        try:
            code = program.main(args=args, prog_name="lunomm", standalone_mode=False)
        except CommandLineError as e:
            # A name that nobody knows keeps the whole program: all its commands are there to guess from.
            return usage(e, command, list(program.commands), as_json=as_json, debug=debug)
        # The command line library turns a Ctrl-C that no command took into 130: nothing was placed, which is 0 here.
        return code if isinstance(code, int) and code != INTERRUPTED else 0
    except LunommError as e:
        return report(e, command, as_json=as_json, debug=debug)
    except BaseExceptionGroup as group:
        error = worst(group)
        if error is None:
            raise
        return report(error, command, as_json=as_json, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        return 0  # before a piece was up
    except MemoryError:
        error = ConfigError("memory: not enough of it for this command. Free some, or raise ulimit -v")
        return report(error, command, as_json=as_json, debug=debug)
    except BrokenPipeError:
        return 0
    except OSError as e:
        if e.errno not in NO_ROOM:
            raise
        let_go(sys.stdout)
        return report(no_room(e), command, as_json=False, debug=debug)


def main() -> None:
    """Entry point of the `lunomm` command."""
    sys.excepthook = crash
    # Started with a closed one (`>&-`) Python has none at all, and the first file opened would take its place.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    code = run(sys.argv[1:])
    lost = let_go(sys.stdout)
    if lost is not None and lost.errno in NO_ROOM and code == 0:
        code = report(no_room(lost), "", as_json=False, debug=False)
    let_go(sys.stderr)
    gc.freeze()  # nothing is looked through once more on the way out
    sys.exit(code)
