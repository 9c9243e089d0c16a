from __future__ import annotations

from pathlib import Path

import pytest

from lunomm.commands.fair_function import resolve
from lunomm.errors import UsageError
from lunomm.quoting.fair_price import BUILT_IN, SAMPLE

SOURCE = """
count = 0
price = 100.0
def leaning(tick):
    return tick.mid + 0.5 * (tick.best_ask - tick.best_bid) * (tick.imbalance - 0.5)
def moody(tick):
    global count
    count += 1
    return tick.mid + 0.01 * count
def two(tick, other):
    return tick.mid
def far(tick):
    return 2 * tick.mid
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fair_examples_of_ours.py").write_text(SOURCE)
    (tmp_path / "broken_at_import.py").write_text("raise RuntimeError('no\\nway')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_names_and_functions(folder: Path) -> None:
    assert resolve("micro") is BUILT_IN["micro"]
    assert resolve("fair_examples_of_ours:leaning")(SAMPLE) == 100.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("median", "mid, weighted, micro, vamp"),
        ("os;rm:x", "unknown"),
        ("a.b:", "unknown"),
        ("no_such_module_here:f", "cannot be imported"),
        ("broken_at_import:f", "RuntimeError"),
        ("fair_examples_of_ours:absent", "cannot be imported"),
        ("fair_examples_of_ours:price", "not a function"),
        ("fair_examples_of_ours:moody", "must depend on the tick alone"),
        ("fair_examples_of_ours:two", "TypeError"),
        ("fair_examples_of_ours:far", "more than 5%"),
    ],
)
def test_refused_before_anything_is_quoted(folder: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        resolve(text)
