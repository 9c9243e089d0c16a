"""Only what a command needs is built and imported; nobody sees a difference but in time."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from lunomm.cli import app
from lunomm.cli_narrowed import narrowed

HEAVY = ("asyncio", "httpx", "msgspec", "numpy", "pydantic", "redis", "rich", "sqlite3", "websockets")


@pytest.mark.parametrize("name", ["book", "pairs", "panic", "explain"])
def test_a_command_alone_has_the_same_help(name: str) -> None:
    one = narrowed(app, name)
    assert len(one.registered_commands) == 1 and not one.registered_groups
    runner = CliRunner()
    alone = runner.invoke(one, [name, "--help"], prog_name="lunomm")
    among = runner.invoke(app, [name, "--help"], prog_name="lunomm")
    assert alone.exit_code == 0 and alone.output == among.output


@pytest.mark.parametrize("name", ["", "nothing-of-that-name", "tape"])
def test_groups_and_what_is_no_command_keep_the_whole(name: str) -> None:
    assert narrowed(app, name) is app
    assert len(typer.main.get_command(app).commands) > 20  # type: ignore[attr-defined]


def modules_after(statement: str) -> set[str]:
    """What is imported after it, in a process of its own."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_what_a_command_does_not_need_is_not_imported() -> None:
    assert not modules_after("import lunomm.cli") & set(HEAVY)
    pieces = "import lunomm.commands.status, lunomm.commands.quote, lunomm.commands.up"
    assert not modules_after(pieces) & {"numpy", "httpx", "websockets", "sqlite3"}


def test_no_options_of_other_commands_are_made() -> None:
    def options_after(statement: str) -> set[str]:
        return {name for name in modules_after(statement) if name.startswith("lunomm.options.")}

    assert options_after("import lunomm.cli") == set()
    assert options_after("import lunomm.cli, lunomm.commands.status, lunomm.commands.piece") == set()
    assert options_after("import lunomm.cli, lunomm.commands.calibrate") >= {"lunomm.options.calibrate"}
