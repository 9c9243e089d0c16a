"""What the simulated exchange trades, and how its markets behave: rules, starting prices, truths, fees, the account.

A *profile* is one behaviour of the house (everybody who is not a visitor), written relative to the price so that it
serves any pair. ``theory`` has a known sigma, A and kappa; the look-alikes copy what a real book looks like and state
no A and kappa, because their takers follow no exponential law. Volatility belongs to the assets (``walk.py``).

Rules: tick and lot of MYR pairs and XBTZAR as observed in 2021-2026; limits nobody has published are set wide. Prices
of MYR pairs are those of April 2026; one dollar coin is assumed to be RM 4 or R 17, and the pairs that follow from it
start exactly at their cross.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from lunomm.errors import UsageError
from lunomm.market.rules import PairRules
from lunomm.simulator import recorded
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.walk import DAY_S, sigma_daily

FIRST_FILL_S = 20.0
"""Mean wait, s, for a fill of one side or the other of a fresh pair of default quotes on profile ``theory``."""

DEFAULT_HALF_SPREAD = 13.1e-4
"""Half of what the default quoter asks on ``theory`` (26.2 bp: gamma 1, one day, 2.5 %/day, 1/kappa 10 bp)."""


@dataclass(frozen=True)
class Profile:
    """One behaviour of the house. Fractions are of the price; rates per exchange second.

    taker_rate: taker orders of both sides, 1/s. kappa: relative decay of their limits (1), None when they follow no
    such law; intensity: A, 1/s a side, None likewise.
    half_spreads: equally spaced quantiles of half the touch. requote: move of the mid at which the touch follows.
    gap, depth: distance between the resting levels behind the touch, and their number a side.
    refresh_rate: resting orders replaced, 1/s; nearness: mean level (0 = touch) of those.
    size: (median, log-sd) of a resting order, in units of the pair's retail order.

    Look-alikes only. taker_size: likewise; slip: mean reach of a taker behind the touch. burst: (share of takers that
    follow another, mean s after it): a renewal process of hyperexponential gaps. informed: share of takers who know
    where the latent mid will be ``horizon_s`` later, and take that side. crowd_rate: short-lived orders, 1/s;
    distance_scale, life_scale: theirs as multiples of the recorded XBTZAR's. depth_beyond: (bids, asks) in the deep
    book. source: what the figures rest on.
    """

    name: str
    title: str
    source: str
    taker_rate: float
    half_spreads: tuple[float, ...]
    requote: float
    gap: float
    depth: int
    size: tuple[float, float]
    refresh_rate: float = 0.0
    nearness: float = 5.0
    kappa: float | None = None
    intensity: float | None = None
    taker_size: tuple[float, float] = (1.0, 1.0)
    slip: float = 0.0
    burst: tuple[float, float] = (0.0, 0.0)
    informed: float = 0.0
    horizon_s: float = 0.0
    crowd_rate: float = 0.0
    distance_scale: float = 1.0
    life_scale: float = 1.0
    depth_beyond: tuple[int, int] = (0, 0)

    @property
    def half_spread(self) -> tuple[float, float]:
        """Least and largest."""
        return self.half_spreads[0], self.half_spreads[-1]

    @property
    def lone_gap_s(self) -> float:
        """Mean wait for a taker that follows nobody, s: with the bursts it makes ``taker_rate``."""
        share, gap_s = self.burst
        return (1 / self.taker_rate - share * gap_s) / (1 - share)

    @property
    def gap_cv(self) -> float:
        """Standard deviation over mean of the time between takers."""
        share, gap_s = self.burst
        second = 2 * (share * gap_s**2 + (1 - share) * self.lone_gap_s**2)
        return math.sqrt(second * self.taker_rate**2 - 1)


_KAPPA = 1000.0
_INTENSITY = math.exp(_KAPPA * DEFAULT_HALF_SPREAD) / (2 * FIRST_FILL_S)
"""2 A exp(-kappa delta) = 1 / FIRST_FILL_S: 0.0926 1/s a side."""

_BURST = (0.35, 0.5)
"""5 of the 14 gaps between recorded XBTZAR takers were 0.1 to 1.1 s, the others 9 s and more."""

PROFILES = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                name="theory",
                title="known sigma, A and kappa",
                source="the model",
                kappa=_KAPPA,
                intensity=_INTENSITY,
                taker_rate=2 * _INTENSITY,
                half_spreads=(0.5e-4,),
                requote=0.15e-4,
                gap=2.5e-4,
                depth=40,
                refresh_rate=1.0,
                nearness=6.0,
                size=(1.0, 0.6),
            ),
            Profile(
                name="XBTMYR",
                title="look-alike of XBTMYR: one tick wide",
                source="spread as seen in April 2026; rates assumed, shapes of the recorded XBTZAR",
                taker_rate=0.03,
                half_spreads=(0.0,),
                requote=0.6e-4,
                gap=2e-4,
                depth=60,
                size=(3.0, 1.5),
                taker_size=(1.0, 1.4),
                slip=1e-4,
                burst=_BURST,
                informed=0.2,
                horizon_s=10.0,
                crowd_rate=3.0,
                depth_beyond=(1500, 900),
            ),
            Profile(
                name="XBTZAR",
                title="look-alike of the recorded XBTZAR",
                source="recorded XBTZAR of 2021-07-13",
                taker_rate=recorded.TAKERS_PER_S,
                half_spreads=tuple(width / 2 for width in recorded.SPREADS),
                requote=1.5e-4,
                gap=1.1e-4,
                depth=90,
                size=(4.0, 2.0),
                taker_size=(2.0, 1.44),
                slip=1.5e-4,
                burst=_BURST,
                informed=0.25,
                horizon_s=10.0,
                crowd_rate=8.4,
                depth_beyond=(10_550, 4400),
            ),
            Profile(
                name="thin",
                title="thin alt: wide, seldom traded",
                source="assumed; shapes of the recorded XBTZAR",
                taker_rate=0.005,
                half_spreads=(20e-4, 25e-4, 30e-4, 45e-4),
                requote=12e-4,
                gap=25e-4,
                depth=25,
                size=(1.0, 1.5),
                taker_size=(1.0, 1.2),
                slip=5e-4,
                burst=_BURST,
                informed=0.35,
                horizon_s=60.0,
                crowd_rate=0.25,
                distance_scale=5.0,
                life_scale=3.0,
                depth_beyond=(150, 120),
            ),
            Profile(
                name="stable",
                title="stablecoin: narrow, deep, informed little",
                source="assumed; shapes of the recorded XBTZAR",
                taker_rate=0.02,
                half_spreads=(0.3e-4, 0.5e-4, 0.8e-4),
                requote=0.3e-4,
                gap=1e-4,
                depth=50,
                size=(8.0, 1.2),
                taker_size=(2.0, 1.3),
                slip=0.2e-4,
                burst=_BURST,
                informed=0.1,
                horizon_s=10.0,
                crowd_rate=2.0,
                distance_scale=0.3,
                life_scale=2.0,
                depth_beyond=(700, 500),
            ),
        )
    }
)


@dataclass(frozen=True)
class Market:
    """One listed pair: its rules, where its price starts (counter), a retail order (base), its usual profile."""

    rules: PairRules
    price: Decimal
    retail: Decimal
    profile: str

    @property
    def sigma_daily(self) -> float:
        """True volatility of the latent mid, per sqrt(day): that of its two assets' walks."""
        return sigma_daily(self.rules.base, self.rules.counter)

    @property
    def sigma(self) -> float:
        """The same, 1/sqrt(s)."""
        return self.sigma_daily / math.sqrt(DAY_S)


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
            _market("XBT", "ZAR", "1275000", (0, 6), "0.0005", "0.004", "XBTZAR"),
            _market("ETH", "MYR", "9356", (0, 4), "0.001", "0.12"),
            _market("XRP", "MYR", "5.6913", (4, 0), "1", "200"),
            _market("SOL", "MYR", "343.59", (2, 4), "0.001", "3.5"),
            _market("LTC", "MYR", "221.5", (0, 4), "0.001", "1", "thin"),
            _market("XBT", "USDT", "75000", (4, 4), "0.0005", "0.004", "XBTZAR"),
            _market("USDT", "MYR", "4", (4, 2), "1", "300", "stable"),
            _market("USDT", "ZAR", "17", (4, 2), "1", "300", "stable"),
        )
    }
)

WALLET = MappingProxyType(
    {
        "XBT": Decimal("0.1"),
        "ETH": Decimal("3.2"),
        "XRP": Decimal(5300),
        "SOL": Decimal(87),
        "LTC": Decimal(135),
        "USDT": Decimal(7500),
        "MYR": Decimal(30_000),
        "ZAR": Decimal(127_500),
    }
)
"""The default account: 0.1 XBT and each other asset worth about as much."""


def fees(tier: int, counter: str, base: str = "") -> FeeRates:
    """Fees of tier 1 (a new customer's), or of the busy tier 0 the simulator starts with, in which makers pay nothing.

    Source: Luno's help centre, 2026: MYR 0.35/0.60 %, ZAR 0.40/0.60 % at tier 1; no maker fee from RM 1 m or R 10 m a
    month on. The MYR taker fee of that tier is not published: 0.20 % is assumed. A dollar coin for ZAR pays the maker
    0.01 % at every tier; pairs in a dollar coin cost 0.08/0.10 %.
    """
    if counter == "ZAR" and base in ("USDT", "USDC"):
        return FeeRates(Decimal("-0.0001"), Decimal("0.002"))
    if counter in ("USDT", "USDC"):
        return FeeRates(Decimal("0.0008"), Decimal("0.001"))
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
                f"unknown pair: '{pair[:20]}': the simulated exchange lists {', '.join(CATALOGUE)}. Choose one",
                code="UNKNOWN_PAIR",
            )
    opened: dict[str, tuple[Market, Profile]] = {}
    for pair in dict.fromkeys([*pairs, *CATALOGUE]):
        market = CATALOGUE[pair]
        opened[pair] = (market, PROFILES[profile if profile is not None and pair in pairs else market.profile])
    return opened


def truth(profile: Profile, market: Market) -> dict[str, float | str | None]:
    """What an estimator should find: sigma (1/sqrt(s)), A (1/s a side), kappa (1/price at the opening), rates.

    informed_share: of takers; informed_drift: mean move (fraction) of the latent mid in the ``informed_horizon_s``
    after a taker, its way; taker_gap_cv: 1 where takers come by chance.
    """
    known = profile.kappa is not None
    far = market.sigma * math.sqrt(profile.horizon_s * 2 / math.pi)
    return {
        "profile": profile.name,
        "source": profile.source,
        "sigma": market.sigma,
        "sigma_daily_pct": market.sigma_daily * 100,
        "intensity": profile.intensity,
        "kappa": None if profile.kappa is None else profile.kappa / float(market.price),
        "kappa_relative": profile.kappa,
        "taker_orders_per_s": profile.taker_rate,
        "taker_gap_cv": 1.0 if known else profile.gap_cv,
        "informed_share": profile.informed,
        "informed_horizon_s": profile.horizon_s or None,
        "informed_drift": profile.informed * far,
        "crowd_orders_per_s": profile.crowd_rate,
    }
