from __future__ import annotations

import pytest

from lunomm.simulator.public_tape import DAY_MS, Bar, Print, PublicTape

M = 60_000


def trade(number: int, at_ms: int, price: int = 100, lots: int = 1) -> Print:
    return Print(number, at_ms, price, lots, True)


def test_trades_build_the_minute_they_fall_in() -> None:
    tape = PublicTape()
    for number, (at, price, lots) in enumerate([(5, 10, 1), (9, 14, 2), (M - 1, 7, 3), (M, 9, 4), (4 * M, 8, 5)]):
        tape.add(trade(number, at, price, lots))
    assert tape.candles(0, 60) == [
        Bar(0, 10, 7, 14, 7, 6),
        Bar(M, 9, 9, 9, 9, 4),
        Bar(4 * M, 8, 8, 8, 8, 5),
    ]
    assert tape.candles(0, 300) == [Bar(0, 10, 8, 14, 7, 15)]


def test_longer_candles_start_on_their_own_grid_and_since_counts_their_start() -> None:
    tape = PublicTape()
    for minute in range(4, 12):
        tape.add(trade(minute, minute * M, minute))
    assert [bar.start_ms // M for bar in tape.candles(0, 300)] == [0, 5, 10]
    assert [bar.start_ms // M for bar in tape.candles(1, 300)] == [5, 10]
    assert tape.candles(5 * M, 300)[0] == Bar(5 * M, 5, 9, 9, 5, 5)


def test_at_most_the_earliest_thousand_candles() -> None:
    tape = PublicTape()
    tape.seed([], [Bar(minute * M, 1, 1, 1, 1, 1) for minute in range(1500)])
    found = tape.candles(100 * M, 60)
    assert (len(found), found[0].start_ms, found[-1].start_ms) == (1000, 100 * M, 1099 * M)
    assert len(tape.candles(0, 120 * 60)) == 13


def test_the_last_hundred_trades_newest_first() -> None:
    tape = PublicTape()
    for number in range(150):
        tape.add(trade(number, number * 10))
    assert [row.sequence for row in tape.trades(1500, None)] == list(range(149, 49, -1))
    assert [row.sequence for row in tape.trades(1500, 1470)] == [149, 148]
    assert tape.trades(1500 + DAY_MS, None) == []


def test_volume_of_the_last_day() -> None:
    tape = PublicTape()
    for number, at in enumerate((0, M, 2 * M, DAY_MS)):
        tape.add(trade(number, at, lots=10**number))
    assert tape.volume_24h(DAY_MS) == 1110
    assert tape.volume_24h(DAY_MS + M) == 1100
    assert tape.volume_24h(3 * DAY_MS) == 0


def test_a_past_made_elsewhere_goes_on() -> None:
    tape = PublicTape()
    tape.seed([trade(1, 10), trade(2, 20)], [Bar(0, 1, 2, 3, 1, 4)])
    tape.add(trade(3, 30, price=9))
    assert tape.candles(0, 60) == [Bar(0, 1, 9, 9, 1, 5)]
    assert [row.sequence for row in tape.trades(30, None)] == [3, 2, 1]
    assert tape.last == trade(3, 30, price=9)


@pytest.mark.parametrize(
    ("prints", "bars"),
    [
        ([trade(2, 10), trade(1, 20)], []),
        ([trade(1, 20), trade(2, 10)], []),
        ([], [Bar(M, 1, 1, 1, 1, 1), Bar(0, 1, 1, 1, 1, 1)]),
        ([], [Bar(1, 1, 1, 1, 1, 1)]),
    ],
)
def test_a_past_out_of_order_is_refused(prints: list[Print], bars: list[Bar]) -> None:
    with pytest.raises(ValueError):
        PublicTape().seed(prints, bars)
