"""Every live view from fixed data, beside its stored picture, and with everything that can be wrong with data.

`bash scripts.sh screens text` makes the stored pictures (screens/*.txt) anew: look at the difference before you commit.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import draw
from pictures import CASES, VIEWS, changed

SIZES = ((80, 24), (120, 40), (160, 48))
ALL_SIZES = (*SIZES, (40, 12), (20, 6))
STORED = Path(__file__).parent / "screens"
TOLD = {"book": ("one-sided", "stale"), "status": ("empty", "halted", "stale"), "gateway": ("empty", "halted")}
"""Cases that are stored, too, at 80x24: what they say matters as much as that they draw."""


def pictures() -> dict[str, tuple[str, str, tuple[int, int]]]:
    """File name -> view, case (empty = as it is), size."""
    found = {f"{name}-{w}x{h}": (name, "", (w, h)) for name in VIEWS for w, h in SIZES}
    found |= {f"{name}-{case}-80x24": (name, case, (80, 24)) for name, cases in TOLD.items() for case in cases}
    return found


def drawn(name: str, case: str, size: tuple[int, int]) -> str:
    make, screen = VIEWS[name]
    view = changed(make(), CASES[case]) if case else make()
    return draw(screen(view, size[0]), *size)


@pytest.mark.parametrize("file", sorted(pictures()))
def test_as_stored(file: str) -> None:
    text = drawn(*pictures()[file])
    assert text + "\n" == (STORED / f"{file}.txt").read_text(encoding="utf-8")


def test_every_stored_picture_has_its_view() -> None:
    assert {path.stem for path in STORED.glob("*")} == set(pictures())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", VIEWS)
def test_whatever_the_data_it_draws_within_its_size(name: str, case: str) -> None:
    for size in ALL_SIZES:
        assert drawn(name, case, size)


def write() -> None:
    STORED.mkdir(exist_ok=True)
    for path in STORED.glob("*.txt"):
        path.unlink()
    for file, which in pictures().items():
        (STORED / f"{file}.txt").write_text(drawn(*which) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
