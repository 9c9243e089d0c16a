"""What is read here is what the command line library would have read, and pydantic is not needed for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from lunomm.cli import app
from lunomm.cli_reading import Reading, read_simply

TEXTS = ("", "1", "-0.005", "1e3", "nan", "0x10", "XBTMYR", "50%", "true", "no", "paper", "/", "/no/such/file", "ä→")


def params(command: Any, path: str = "lunomm") -> Iterator[tuple[str, Any]]:
    """Every option and argument of a command and of those below it, with the words that lead there."""
    for param in command.params:
        yield f"{path} {param.name}", param
    for name, below in getattr(command, "commands", {}).items():
        yield from params(below, f"{path} {name}")


def outcome(reader: Any, value: Any, param: Any) -> tuple[str, Any]:
    """The value with its type, or the words of the refusal."""
    try:
        found = reader.coerce(value, param=param, ctx=None)
    except typer.BadParameter as error:
        return "refused", error.message
    return type(found).__name__, "nan" if found != found else found


def test_every_option_of_every_command_reads_as_the_library_does() -> None:
    known = dict(params(typer.main.get_command(app)))
    assert len(known) > 200
    compared = 0
    for name, param in known.items():
        many = param.multiple or param.nargs == -1
        given: list[Any] = [None, param.default]
        given += [[], list(TEXTS), tuple(TEXTS), ["XBTMYR"], [str(Path(__file__))]] if many else TEXTS
        given += [] if many else [str(Path(__file__)), str(Path(__file__).parent)]
        for value in given:
            assert outcome(Reading(param), value, param) == outcome(param.get_runtime_param(), value, param), (
                name,
                value,
            )
            compared += 1
    assert compared > 3000


def one_option(kind: Any, option: Any) -> Any:
    """The library's own option of a program that has nothing else."""
    program = typer.Typer()

    def command(value: Any = None) -> None: ...

    command.__annotations__ = {"value": Annotated[kind, option]}
    program.command()(command)
    return next(each for each in typer.main.get_command(program).params if each.name == "value")  # type: ignore[attr-defined]


def test_a_path_that_nobody_may_read_is_refused_in_the_librarys_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    param = one_option(Path, typer.Option("--value"))
    found = outcome(Reading(param), __file__, param)
    assert found == outcome(param.get_runtime_param(), __file__, param)
    assert found[0] == "refused" and "not readable" in found[1]


def test_a_parser_that_raises_value_error_is_refused_in_the_librarys_words() -> None:
    param = one_option(Decimal, typer.Option("--value", parser=lambda text: Decimal(int(text))))
    assert outcome(Reading(param), "7", param) == outcome(param.get_runtime_param(), "7", param) == ("Decimal", 7)
    found = outcome(Reading(param), "seven", param)
    assert found == outcome(param.get_runtime_param(), "seven", param) and found[0] == "refused"


def test_a_library_made_otherwise_is_left_alone() -> None:
    class Param:
        """Without anything that is known here."""

    class Other:
        def get_params(self, ctx: object) -> list[Param]:
            return [param]

    param = Param()
    assert read_simply(Other()).get_params(None) == [param]
    assert vars(param) == {}


@pytest.mark.parametrize(
    "line",
    [
        ["status", "--json"],
        ["status", "XBTMYR", "--mode", "sim"],
        ["quote", "XBTMYR", "--gamma", "2", "--order-size", "0.01", "--for", "0"],
        ["book", "XBTMYR", "--record", "."],
    ],
)
def test_a_usual_command_line_is_read_without_pydantic(line: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, lunomm.cli_running as running\n"
        "running.run_command = lambda *a, **k: print('ran')\n"
        "import lunomm.cli as cli\n"
        f"code = cli.run({line!r})\n"
        "print(code, 'pydantic' in sys.modules)"
    )
    environment = {"PATH": "/usr/bin", "LUNOMM_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment
    )
    expected = "2 False" if "0" in line else "ran\n0 False"
    assert done.stdout.strip() == expected, done.stderr
