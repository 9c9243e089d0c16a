"""The layout's one rule: imports point one way, and the pure parts do no I/O. Proven on a bad tree as well."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lunomm"

RANKS = {
    "errors": 0,
    "market": 1,
    "quoting": 2,
    "trading": 3,
    "luno": 4,
    "options": 4,
    "requires": 5,
    "numbers": 0,
    "collector": 0,
    "checks": 5,
    "settable": 5,
    "backtest_options": 5,
    "dotenv_file": 4,
    "redis_address": 5,
    "config": 5,
    "tape": 6,
    "journal": 6,
    "simulator": 6,
    "bus": 6,
    "views": 6,
    "commands": 7,
    "orderbook": 8,
    "cli_options": 8,
    "cli_errors": 8,
    "cli_narrowed": 8,
    "cli_reading": 8,
    "cli_groups": 9,
    "cli_running": 9,
    "cli_pipeline": 9,
    "cli_services": 9,
    "cli_doctor": 9,
    "cli_market": 9,
    "cli_operator": 9,
    "cli_backtest": 9,
    "cli_research": 9,
    "cli_explain": 9,
    "cli_tape": 9,
    "cli": 9,
    "__main__": 10,
    "__init__": 10,
}
"""A module may import of lower or its own rank; anything not named here fails the test."""

FORBIDDEN_PAIRS = {("views", "bus"), ("views", "commands"), ("market", "quoting"), ("quoting", "trading")}

PURE_FOLDERS = ("market", "quoting", "trading", "checks")
PURE_MODULES = (
    "tape/backtest.py",
    "tape/lane.py",
    "tape/counterparty.py",
    "tape/latency.py",
    "tape/trial.py",
    "tape/setup.py",
    "tape/outcome.py",
    "tape/decoded.py",
    "tape/script.py",
    "tape/stretches.py",
    "tape/parity.py",
    "tape/attention.py",
    "tape/without_own.py",
    "simulator/matching.py",
    "simulator/ledger.py",
    "simulator/venue.py",
    "simulator/flow.py",
    "simulator/faults.py",
    "simulator/fault_table.py",
    "simulator/fault_actions.py",
    "simulator/frame_faults.py",
    "tape/lines.py",
    "tape/moments.py",
    "tape/attribution.py",
    "tape/equity.py",
    "tape/lives.py",
    "tape/market_path.py",
    "tape/markouts.py",
    "tape/round_trips.py",
    "tape/session.py",
    "tape/scales.py",
    "tape/unpack.py",
    "luno/wire.py",
    "luno/wire_rest.py",
    "luno/wire_usual.py",
    "tape/paper.py",
    "tape/paper_compact.py",
    "tape/paper_market.py",
    "tape/arrival.py",
    "tape/bracket.py",
    "tape/places.py",
)
IMPURE = {
    "asyncio", "time", "os", "redis", "httpx", "websockets", "random", "logging", "sqlite3",
    "socket", "subprocess", "threading", "signal", "secrets", "rich", "typer", "uvicorn", "starlette",
}  # fmt: skip

LIGHT = (
    "cli.py", "cli_doctor.py", "cli_market.py", "cli_operator.py", "cli_backtest.py", "cli_research.py",
    "cli_explain.py", "cli_tape.py", "cli_reading.py",
    "cli_groups.py", "cli_running.py", "cli_pipeline.py", "cli_services.py", "collector.py",
    "cli_options.py", "cli_errors.py", "cli_narrowed.py", "config.py", "requires.py",
    "options/__init__.py", "backtest_options.py",
    "dotenv_file.py", "redis_address.py", "__init__.py", "__main__.py",
)  # fmt: skip
HEAVY = {"redis", "httpx", "websockets", "numpy", "starlette", "uvicorn"}


def imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    """Every absolute module name a file imports; those only for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in ast.walk(node)
    }
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module == "lunomm":
                yield from (f"lunomm.{alias.name}" for alias in node.names if not alias.name.startswith("_"))
            else:
                yield node.module


def part_of(module: str) -> str | None:
    """``lunomm.market.book`` -> ``market``; None for anything not ours."""
    head, _, rest = module.partition(".")
    return (rest.split(".")[0] or "__init__") if head == "lunomm" else None


def violations(package: Path) -> list[str]:
    """Everything wrong with the imports below ``package``, one line each."""
    found: list[str] = []
    edges: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        own = inside.parts[0].removesuffix(".py")
        name = ".".join(("lunomm", *inside.with_suffix("").parts)).removesuffix(".__init__")
        pure = own in PURE_FOLDERS or inside.as_posix() in PURE_MODULES
        if own not in RANKS:
            found.append(f"{inside}: not in the table of ranks")
            continue
        for module in imports(path):
            top = module.split(".")[0]
            if pure and top in IMPURE:
                found.append(f"{inside}: a pure module imports {module}")
            part = part_of(module)
            if part is None:
                continue
            if RANKS.get(part, 99) > RANKS[own] or (own, part) in FORBIDDEN_PAIRS:
                found.append(f"{inside}: {own} must not import {module}")
        for module in imports(path, top_only=True):
            if part_of(module) is not None:
                edges.setdefault(name, set()).add(module)
            if inside.as_posix() in LIGHT and module.split(".")[0] in HEAVY:
                found.append(f"{inside}: imports {module} before a command runs")
    found += [f"cycle: {' -> '.join(cycle)}" for cycle in cycles(edges)]
    return found


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Each import cycle between modules once, as the path that closes it."""
    done: set[str] = set()
    found: list[list[str]] = []

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for target in sorted(edges.get(name, ())):
            walk(target, [*path, name])
        done.add(name)

    for name in sorted(edges):
        walk(name, [])
    return found


def test_the_package_keeps_the_rule() -> None:
    assert violations(PACKAGE) == []


def test_the_table_names_what_exists() -> None:
    parts = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - set(RANKS) - {"__pycache__", "py.typed"} == set()


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("market/book.py", "import asyncio\n", "a pure module imports asyncio"),
        ("quoting/quoter.py", "def f() -> None:\n    import time\n", "a pure module imports time"),
        ("trading/limits.py", "from redis.asyncio import Redis\n", "a pure module imports redis.asyncio"),
        ("simulator/matching.py", "import random\n", "a pure module imports random"),
        ("market/book.py", "from lunomm.quoting.quoter import X\n", "market must not import lunomm.quoting.quoter"),
        ("quoting/quoter.py", "from lunomm import trading\n", "quoting must not import lunomm.trading"),
        ("luno/rest.py", "from lunomm.bus.client import Bus\n", "luno must not import lunomm.bus.client"),
        ("views/book.py", "from lunomm.bus.client import Bus\n", "views must not import lunomm.bus.client"),
        ("bus/client.py", "from lunomm.commands import up\n", "bus must not import lunomm.commands"),
        ("cli.py", "import httpx\n", "imports httpx before a command runs"),
        ("utils.py", "import json\n", "not in the table of ranks"),
    ],
)
def test_a_bad_tree_is_caught(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    path = tmp_path / "lunomm" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = violations(tmp_path / "lunomm")
    assert len(found) == 1
    assert complaint in found[0]


def test_a_cycle_is_caught(tmp_path: Path) -> None:
    folder = tmp_path / "lunomm" / "market"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from lunomm.market.b import x\n")
    (folder / "b.py").write_text("from lunomm.market.a import y\n")
    assert violations(tmp_path / "lunomm") == ["cycle: lunomm.market.a -> lunomm.market.b -> lunomm.market.a"]


def test_type_checking_imports_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "lunomm" / "market"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio\n")
    assert violations(tmp_path / "lunomm") == []


def test_help_imports_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys; sys.argv = ['lunomm', '--help']\n"
        "from lunomm import cli\n"
        "cli.run(['--help'])\n"
        f"print([m for m in {sorted(HEAVY)} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip().endswith("[]")


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by their bare name: two of one name stop the whole run."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
