"""Volatility of the fair price, per square root of a second.

`TwoScaleVol` is what the model uses. A squared 1 s return carries twice the variance of the quote noise (a mid that
flickers by 1 bp makes tick-by-tick volatility five times too high); so does a squared 20 s return, and their difference
carries none. Source: Zhang, Mykland, Ait-Sahalia (2005), A tale of two time scales; here as exponentially weighted
means, O(1) a grid point. `DocumentVol` is the user's document's, for comparison only: percent per update, not per time.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

DAY_S: Final = 86_400.0

FLOOR: Final = 0.001 / math.sqrt(DAY_S)
"""Smallest volatility reported: 0.1 % a day. A dead market is not a riskless one."""

ROUGHNESS: Final = 0.3
"""Standard deviation of the change of log volatility over a day."""

MAX_HOLD_S: Final = 30.0
"""A price older than this is not the present price: longer holes restart the returns."""


def daily_percent(sigma: float) -> float:
    """Relative volatility per sqrt(second) as percent per sqrt(day)."""
    return 100.0 * sigma * math.sqrt(DAY_S)


class TwoScaleVol:
    """Two-scale exponentially weighted volatility on a regular grid.

    Args:
        step_s: grid step h, seconds.
        scale: the slow return spans this many steps (K), at least 2.
        window_s: tau, seconds: weight exp(-age / tau).
    """

    def __init__(self, *, step_s: float = 1.0, scale: int = 20, window_s: float = 600.0) -> None:
        self.step_s = step_s
        self.scale = scale
        self.window_s = window_s
        self._decay = 1.0 - math.exp(-step_s / window_s)
        self._ring: deque[float] = deque(maxlen=scale)
        self._fast = self._slow = 0.0
        self._fast_weight = self._slow_weight = 0.0
        self._missing = 0
        self.points = 0
        """Grid points with a price, held ones counted."""

    def push(self, price: float | None) -> None:
        """The price at the next grid point: the last one at or before it; ``None`` when there was no market.

        Holes of up to ``MAX_HOLD_S`` are bridged by holding the last price; a longer one clears the ring, keeping both
        sums: its jump says nothing about the speed of the price.
        """
        if price is None or not price > 0.0:
            self._missing += 1
            return
        if self._missing:
            if self._missing * self.step_s > MAX_HOLD_S:
                self.clear_ring()
            elif self._ring:
                held = self._ring[-1]
                for _ in range(self._missing):
                    self._push_log(held)
            self._missing = 0
        self._push_log(math.log(price))

    def skip(self, points: int) -> None:
        """``points`` grid points without a price."""
        self._missing += points

    def clear_ring(self) -> None:
        """Forget recent prices, not what was learned: the next return starts from the next price."""
        self._ring.clear()
        self._missing = 0

    def _push_log(self, log_price: float) -> None:
        ring, a = self._ring, self._decay
        if ring:
            change = log_price - ring[-1]
            self._fast += a * (change * change - self._fast)
            self._fast_weight += a * (1.0 - self._fast_weight)
        if len(ring) == self.scale:
            change = log_price - ring[0]
            self._slow += a * (change * change - self._slow)
            self._slow_weight += a * (1.0 - self._slow_weight)
        ring.append(log_price)
        self.points += 1

    @property
    def ready(self) -> bool:
        """Whether three slow returns' worth of grid points have been seen.

        Then sigma means something (its standard error is about 40 %, and said), not: it is the best there is. Whoever
        has another one, a warm or a stored one, compares the errors (`steadier`).
        """
        return self.points >= 3 * self.scale and self._slow_weight > 0.0

    def sigma(self) -> float | None:
        """Relative volatility, 1/sqrt(s), at least ``FLOOR``; ``None`` until there is one slow return."""
        if self._slow_weight <= 0.0:
            return None
        fast = self._fast / self._fast_weight
        slow = self._slow / self._slow_weight
        # The lower bound keeps an unlucky difference from announcing calm.
        variance = max((slow - fast) / ((self.scale - 1) * self.step_s), 0.1 * slow / (self.scale * self.step_s))
        return max(math.sqrt(variance), FLOOR)

    def relative_error(self) -> float | None:
        """Standard error of sigma over sigma, without noise: about sqrt(K h / (6 tau)) once the window is full.

        The exact sum for a random walk: off-diagonal products of returns times (K / (K-1))^2, plus the diagonal; and
        while the window fills, the effective number of returns of the weights used so far.
        """
        if self._slow_weight <= 0.0:
            return None
        keep = 1.0 - self._decay
        # Weights a r^i, i < N, normalised: sum of squares = (1-r)/(1+r) (1+r^N)/(1-r^N), and 1 - r^N is the weight.
        used = self._slow_weight
        effective = (1.0 + keep) / (1.0 - keep) * used / (2.0 - used)
        k = self.scale
        off_diagonal = ((2 * k * k + 1) / (3 * k) - 1) * (k / (k - 1)) ** 2
        return 0.5 * math.sqrt(2.0 * (1.0 + off_diagonal) / effective)


def steadier(fresh: float | None, other: float | None, age_s: float = 0.0) -> bool:
    """Whether a fresh sigma is known at least as well as another one, ``age_s`` old.

    Volatility itself wanders meanwhile: its logarithm by 0.3 x (days)^0.1 in standard deviation, so even a minute
    costs 14 % and a day 30 %. Source: Gatheral, Jaisson, Rosenbaum (2018), Volatility is rough, who find this for index
    futures; here it only says when a live estimate has earned its place.

    Args:
        fresh, other: standard error over sigma; ``None`` where unknown, which is worse than any number.
    """
    if fresh is None or other is None:
        return other is None
    return fresh <= math.hypot(other, ROUGHNESS * (max(age_s, 0.0) / DAY_S) ** 0.1 if age_s > 0.0 else 0.0)


DOCUMENT_VALUES: Final = 200
_RETURNS: Final = DOCUMENT_VALUES - 1

SQUARE_UNITS: Final = 2.0**160
"""Of one squared change: the smallest change a float can show, 2**-53 squared, is still a whole number of them."""


class DocumentVol:
    """The document's estimator: 100 sqrt(sum of squared relative changes / 200) over the last 200 VAMP values.

    Percent per update. 200 values make 199 returns; the divisor is 200 all the same. Grows with the update rate and
    the jitter of the deep book: shown for comparison, never fed to the model.
    """

    def __init__(self) -> None:
        # In whole units, so that a running sum is exact: nothing is left over when a square leaves it.
        self._squares: deque[int] = deque()
        self._sum = 0
        self._percent: float | None = None
        self._last: float | None = None

    def push(self, vamp: float) -> None:
        last, self._last = self._last, vamp
        if last is None or last <= 0.0:
            return
        if vamp == last:
            square = 0
        else:
            change = (vamp - last) / last
            square = int(change * change * SQUARE_UNITS)
        squares = self._squares
        if len(squares) == _RETURNS:
            gone = squares.popleft()
            if square != gone:
                self._sum += square - gone
                self._percent = None
        elif square:
            self._sum += square
        squares.append(square)

    @property
    def ready(self) -> bool:
        """Whether 200 values have been seen."""
        return len(self._squares) == _RETURNS

    def percent(self) -> float | None:
        """``None`` until it is ready."""
        if self._percent is None and len(self._squares) == _RETURNS:
            self._percent = 100.0 * math.sqrt(self._sum / SQUARE_UNITS / DOCUMENT_VALUES)
        return self._percent
