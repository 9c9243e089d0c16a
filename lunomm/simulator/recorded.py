"""What the public XBTZAR stream of 13 July 2021 looked like, in quantiles (pure; numbers only).

Source: a snapshot of 15,172 orders and the 5,000 updates after it, 18:04:17 to 18:08:41 UTC. Each table holds the
quantiles at 0, 5, 10 ... 95 % and, in place of the largest value, 99 %. A test measures them again where the recording
is at hand. Lives come at 0, 2.5, 5 ... 95 %: beyond, the recording
is too short.
"""

from __future__ import annotations

from collections.abc import Sequence

RETAIL_LOTS = 4000
"""The size, lots of 1e-6 XBT, of half of all orders created."""

UPDATES_PER_S = 18.98
CREATES_PER_S = 9.50
TAKERS_PER_S = 0.065
"""34 in the 520 s of the whole capture; 15 in the 263 s behind the tables."""
MAKERS_PER_TAKER = 1.41
"""48 by 34; 25 by 15 behind the tables."""
DRIFT = 0.74e-4
"""Mean move of the mid in the 10 s after a taker, its way: of the takers watched as long, about a dozen."""
DEPTH = (10_659, 4_513)
"""Resting bids and asks."""

LIVES_S = (
    0.0,
    0.591,
    0.604,
    0.611,
    0.618,
    0.628,
    0.698,
    0.706,
    0.711,
    0.715,
    0.719,
    0.726,
    0.736,
    0.802,
    0.813,
    0.821,
    0.834,
    0.913,
    0.937,
    1.03,
    1.59,
    1.87,
    1.98,
    2.09,
    2.14,
    2.23,
    2.31,
    2.35,
    2.44,
    2.54,
    2.78,
    3.44,
    3.7,
    4.69,
    5.65,
    6.38,
    10.4,
    28.5,
    55.4,
)
"""From create to delete, s; orders that outlived the recording counted (Kaplan-Meier)."""
LOTS = (
    500.0,
    1000.0,
    1000.0,
    1070.0,
    2000.0,
    2000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    4000.0,
    6600.0,
    30400.0,
    79900.0,
    253000.0,
    578000.0,
)
"""Of orders created."""
DISTANCES = (
    0.0,
    7.6e-05,
    0.00029,
    0.000465,
    0.00067,
    0.000861,
    0.001,
    0.00103,
    0.00107,
    0.00118,
    0.00158,
    0.00176,
    0.00185,
    0.002,
    0.00207,
    0.00267,
    0.00307,
    0.00307,
    0.00432,
    0.00683,
    0.0201,
)
"""Of orders created behind the touch of their side: fraction of the price."""
SPREADS = (
    0.000164,
    0.000164,
    0.000169,
    0.000217,
    0.000217,
    0.000219,
    0.000233,
    0.00025,
    0.000268,
    0.000593,
    0.000599,
    0.000607,
    0.000619,
    0.000627,
    0.000633,
    0.000641,
    0.00065,
    0.000658,
    0.000672,
    0.000676,
    0.00108,
)
"""Of the mid, by the time each stood."""
BID_NEAR_LOTS = (
    500.0,
    508.0,
    509.0,
    689.0,
    2000.0,
    9820.0,
    16900.0,
    20500.0,
    22000.0,
    24000.0,
    28600.0,
    30900.0,
    44100.0,
    49000.0,
    66000.0,
    80000.0,
    80100.0,
    83200.0,
    100000.0,
    373000.0,
    2360000.0,
)
"""Resting within 1 % of the touch; deep: further out, as fractions of the price."""
BID_DEEP = (
    0.0102,
    0.0762,
    0.178,
    0.335,
    0.675,
    0.898,
    0.996,
    0.999,
    0.999,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
)
BID_DEEP_LOTS = (
    500.0,
    500.0,
    590.0,
    949.0,
    1210.0,
    2000.0,
    3000.0,
    5000.0,
    9000.0,
    12500.0,
    27900.0,
    60000.0,
    102000.0,
    360000.0,
    986000.0,
    1000000.0,
    1000000.0,
    1000000.0,
    1000000.0,
    3000000.0,
    10000000.0,
)
ASK_NEAR_LOTS = (
    500.0,
    505.0,
    516.0,
    521.0,
    790.0,
    1060.0,
    1880.0,
    3860.0,
    5720.0,
    10000.0,
    19000.0,
    22300.0,
    25000.0,
    30500.0,
    33600.0,
    53400.0,
    81200.0,
    84200.0,
    184000.0,
    449000.0,
    1030000.0,
)
ASK_DEEP = (
    0.01,
    0.0307,
    0.051,
    0.0786,
    0.116,
    0.167,
    0.217,
    0.319,
    0.46,
    0.61,
    0.692,
    0.736,
    0.765,
    0.806,
    0.826,
    0.89,
    0.928,
    0.986,
    1.03,
    1.2,
    3.28,
)
ASK_DEEP_LOTS = (
    300.0,
    500.0,
    568.0,
    750.0,
    895.0,
    1000.0,
    1060.0,
    1300.0,
    1740.0,
    2220.0,
    3300.0,
    5000.0,
    7210.0,
    10000.0,
    14600.0,
    21000.0,
    31500.0,
    50000.0,
    100000.0,
    233000.0,
    841000.0,
)


def quantile(table: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of a table lies, linear between its equally spaced entries."""
    at = share * (len(table) - 1)
    below = min(int(at), len(table) - 2) if len(table) > 1 else 0
    if len(table) == 1:
        return table[0]
    return table[below] + (at - below) * (table[below + 1] - table[below])
