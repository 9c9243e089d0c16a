"""What the simulated exchange trades, and how its markets behave: rules, starting prices, truths, fees, the account.

A *profile* is one behaviour of the house (everybody who is not a visitor), written relative to the price so that it
serves any pair. ``theory`` has a known sigma, A and kappa; the look-alikes copy what a real book looks like and state
sigma and the flow rate only, because their takers follow no exponential law.

Rules: tick and lot of MYR pairs and XBTZAR as observed in 2021-2026; limits nobody has published are set wide. Prices
of MYR pairs are those of April 2026, XBTZAR's that of the recorded stream of July 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from lunomm.errors import UsageError
from lunomm.market.rules import PairRules
from lunomm.simulator.ledger import FeeRates

DAY_S = 86_400.0

FIRST_FILL_S = 20.0
"""Mean wait, s, for a fill of one side or the other of a fresh pair of default quotes on profile ``theory``."""

DEFAULT_HALF_SPREAD = 13.1e-4
"""Half of what the default quoter asks on ``theory`` (26.2 bp: gamma 1, one day, 2.5 %/day, 1/kappa 10 bp)."""


@dataclass(frozen=True)
class Profile:
    """One behaviour of the house. Fractions are of the price; rates per exchange second.

    sigma_daily: volatility of the latent mid, per sqrt(day). kappa: relative decay of taker limits (1), None when they
    follow no such law; intensity: A, 1/s a side, None likewise. taker_rate: taker orders of both sides, 1/s.
    half_spread: (low, high) of the touch. requote: move of the latent mid at which the touch follows.
    gap, depth: distance between the resting levels behind the touch, and their number a side.
    refresh_rate: resting orders replaced, 1/s; nearness: mean level (0 = touch) of those.
    size: (median, log-sd) of a resting order, in units of the pair's retail order. taker_size: likewise, look-alikes
    only; slip: mean reach of such a taker behind the touch.
    """

    name: str
    title: str
    sigma_daily: float
    taker_rate: float
    half_spread: tuple[float, float]
    requote: float
    gap: float
    depth: int
    refresh_rate: float
    nearness: float
    size: tuple[float, float]
    kappa: float | None = None
    intensity: float | None = None
    taker_size: tuple[float, float] = (1.0, 1.0)
    slip: float = 0.0
    step_s: float = 0.2

    @property
    def sigma(self) -> float:
        """True relative volatility, 1/sqrt(s)."""
        return self.sigma_daily / math.sqrt(DAY_S)


_KAPPA = 1000.0
_INTENSITY = math.exp(_KAPPA * DEFAULT_HALF_SPREAD) / (2 * FIRST_FILL_S)
"""2 A exp(-kappa delta) = 1 / FIRST_FILL_S: 0.0926 1/s a side."""

PROFILES = MappingProxyType(
    {
        "theory": Profile(
            name="theory",
            title="known sigma, A and kappa",
            sigma_daily=0.025,
            kappa=_KAPPA,
            intensity=_INTENSITY,
            taker_rate=2 * _INTENSITY,
            half_spread=(0.5e-4, 0.5e-4),
            requote=0.15e-4,
            gap=2.5e-4,
            depth=40,
            refresh_rate=1.0,
            nearness=6.0,
            size=(1.0, 0.6),
        ),
        # Spread, flow and volatility of a one-tick MYR market; few, small takers that rarely reach behind the touch.
        "XBTMYR": Profile(
            name="XBTMYR",
            title="look-alike of XBTMYR: one tick wide",
            sigma_daily=0.025,
            taker_rate=0.03,
            half_spread=(0.0, 0.0),
            requote=0.3e-4,
            gap=2e-4,
            depth=60,
            refresh_rate=1.0,
            nearness=5.0,
            size=(1.0, 1.0),
            taker_size=(0.5, 1.0),
            slip=1e-4,
        ),
        # From the recorded XBTZAR stream of 2021-07-13: 9.5 creates a second living 1 s in the median, half-spread
        # 0.8 to 3.4 bp, 34 takers in 520 s of 0.037 XBT on average, sigma 1.2 %/day.
        "XBTZAR": Profile(
            name="XBTZAR",
            title="look-alike of the recorded XBTZAR",
            sigma_daily=0.012,
            taker_rate=0.065,
            half_spread=(0.8e-4, 3.4e-4),
            requote=0.5e-4,
            gap=4e-4,
            depth=80,
            refresh_rate=4.5,
            nearness=4.0,
            size=(1.0, 1.3),
            taker_size=(1.5, 1.7),
            slip=1.5e-4,
        ),
    }
)


@dataclass(frozen=True)
class Market:
    """One listed pair: its rules, where its price starts (counter), a retail order (base), its usual profile."""

    rules: PairRules
    price: Decimal
    retail: Decimal
    profile: str


def _market(
    base: str, counter: str, price: str, scales: tuple[int, int], minimum: str, retail: str, profile: str = "theory"
) -> Market:
    rules = PairRules(
        pair=base + counter,
        base=base,
        counter=counter,
        price_scale=scales[0],
        volume_scale=scales[1],
        min_price=Decimal(1).scaleb(-scales[0]),
        max_price=Decimal(150_000_000),
        min_volume=Decimal(minimum),
        max_volume=Decimal(minimum) * 1_000_000,
        fee_scale=8,
        status="ACTIVE",
    )
    return Market(rules, Decimal(price), Decimal(retail), profile)


CATALOGUE = MappingProxyType(
    {
        market.rules.pair: market
        for market in (
            _market("XBT", "MYR", "300000", (0, 6), "0.0001", "0.004"),
            _market("XBT", "ZAR", "492680", (0, 6), "0.0005", "0.004", "XBTZAR"),
            _market("ETH", "MYR", "9356", (0, 4), "0.001", "0.12"),
            _market("XRP", "MYR", "5.6913", (4, 0), "1", "200"),
            _market("SOL", "MYR", "343.59", (2, 4), "0.001", "3.5"),
        )
    }
)

WALLET = MappingProxyType(
    {
        "XBT": Decimal("0.1"),
        "ETH": Decimal("3.2"),
        "XRP": Decimal(5300),
        "SOL": Decimal(87),
        "MYR": Decimal(30_000),
        "ZAR": Decimal(49_268),
    }
)
"""The default account: 0.1 XBT and each other asset worth about as much."""


def fees(tier: int, counter: str) -> FeeRates:
    """Fees of tier 1 (a new customer's), or of the busy tier 0 the simulator starts with, in which makers pay nothing.

    Source: Luno's help centre, 2026: MYR 0.35/0.60 %, ZAR 0.40/0.60 % at tier 1; no maker fee from RM 1 m or R 10 m a
    month on. The MYR taker fee of that tier is not published: 0.20 % is assumed.
    """
    if tier == 1:
        return FeeRates(Decimal("0.0035") if counter == "MYR" else Decimal("0.004"), Decimal("0.006"))
    return FeeRates(Decimal(0), Decimal("0.002") if counter == "MYR" else Decimal("0.001"))


def choose(pairs: Sequence[str], profile: str | None) -> dict[str, tuple[Market, Profile]]:
    """The markets to open, each with its profile: everything listed, the pairs asked for first.

    profile: for all pairs asked for; None means each pair's own.

    Raises:
        UsageError: a pair that is not listed, or a profile that does not exist.
    """
    if profile is not None and profile not in PROFILES:
        raise UsageError(
            f"--profile: '{profile[:40]}': unknown. Say one of {', '.join(PROFILES)}", code="UNKNOWN_PROFILE"
        )
    for pair in pairs:
        if pair not in CATALOGUE:
            raise UsageError(
                f"unknown pair: '{pair[:20]}': the simulated exchange lists {', '.join(CATALOGUE)}", code="UNKNOWN_PAIR"
            )
    opened: dict[str, tuple[Market, Profile]] = {}
    for pair in dict.fromkeys([*pairs, *CATALOGUE]):
        market = CATALOGUE[pair]
        opened[pair] = (market, PROFILES[profile if profile is not None and pair in pairs else market.profile])
    return opened


def truth(profile: Profile, price: float) -> dict[str, float | str | None]:
    """What an estimator should find: sigma (1/sqrt(s)), A (1/s a side), kappa (1/price at ``price``), rates."""
    return {
        "profile": profile.name,
        "sigma": profile.sigma,
        "sigma_daily_pct": profile.sigma_daily * 100,
        "intensity": profile.intensity,
        "kappa": None if profile.kappa is None else profile.kappa / price,
        "kappa_relative": profile.kappa,
        "taker_orders_per_s": profile.taker_rate,
    }
