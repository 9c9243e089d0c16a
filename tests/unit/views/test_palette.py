from __future__ import annotations

import itertools

import pytest
from rich.style import Style

from lunomm.market.records import BookState, Verdict
from lunomm.market.rules import Side
from lunomm.views import palette

MACHADO = {  # Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(style: str) -> tuple[float, float, float]:
    colour = Style.parse(style).color
    assert colour is not None
    channels = [channel / 255 for channel in colour.get_truecolor()]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def luminance(rgb: tuple[float, float, float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


@pytest.mark.parametrize("name", palette.COLOURS)
def test_every_colour_is_legible_on_black_and_on_white(name: str) -> None:
    light = luminance(linear(palette.COLOURS[name]))
    assert (light + 0.05) / 0.05 >= 3.0
    assert 1.05 / (light + 0.05) >= 3.0


@pytest.mark.parametrize("blindness", MACHADO)
def test_bid_and_ask_stay_apart_for_colour_blind_eyes(blindness: str) -> None:
    def seen(style: str) -> tuple[float, ...]:
        rgb = linear(style)
        return tuple(
            max(0.0, min(1.0, sum(a * b for a, b in zip(row, rgb, strict=True)))) ** (1 / 2.2)
            for row in MACHADO[blindness]
        )

    distance = sum((a - b) ** 2 for a, b in zip(seen(palette.BID), seen(palette.ASK), strict=True)) ** 0.5
    assert distance > 0.35


def test_marks_tell_states_apart_without_colour() -> None:
    marks = [palette.mark(style) for style in (palette.GOOD, palette.WARN, palette.BAD, palette.MUTED)]
    assert all(a != b for a, b in itertools.combinations(marks, 2))


def test_every_state_and_verdict_has_a_style() -> None:
    assert palette.state_style(BookState.OK) == palette.GOOD
    assert all(palette.state_style(state) != palette.GOOD for state in BookState if state is not BookState.OK)
    assert palette.state_style(None) == palette.BAD
    assert {palette.verdict_style(verdict) for verdict in Verdict} == {palette.GOOD, palette.WARN, palette.BAD}
    assert palette.side_style(Side.BID) != palette.side_style(Side.ASK)
