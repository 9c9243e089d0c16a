"""The tables of the recorded stream: read right, and really measured."""

from __future__ import annotations

import pytest
from stream_statistics import REAL, measured, tables
from stream_statistics import recorded as frames

from lunomm.simulator import recorded


def test_a_quantile_lies_between_its_neighbours() -> None:
    table = (1.0, 3.0, 4.0)
    assert [recorded.quantile(table, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)] == [1.0, 2.0, 3.0, 3.5, 4.0]
    assert recorded.quantile((7.0,), 0.3) == 7.0


@pytest.mark.skipif(not REAL.is_file(), reason="the recorded Luno frames are not here")
def test_every_figure_is_what_the_recording_says() -> None:
    opening, updates = frames()
    for name, values in tables(opening, updates).items():
        assert getattr(recorded, name) == values, name
    stream = measured(opening, updates)
    assert (len(opening.bids), len(opening.asks)) == recorded.DEPTH
    assert stream.frames / stream.seconds == pytest.approx(recorded.UPDATES_PER_S, rel=0.001)
    assert stream.creates / stream.seconds == pytest.approx(recorded.CREATES_PER_S, rel=0.001)
    assert stream.drift(10.0).mean() == pytest.approx(recorded.DRIFT, abs=0.005e-4)
    # The whole capture, of which these are the first half, had 34 takers in 520 s and 48 makers.
    assert len(stream.takers) == 15 and stream.fills == 25
    assert stream.crossed == 0
