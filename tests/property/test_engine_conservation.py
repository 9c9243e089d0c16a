"""Random steps on the exchange, as many as asked for: after each every asset is all there and no book is crossed.

``LUNOMM_SOAK_STEPS`` (default 20,000) is the number of steps, e.g. ``LUNOMM_SOAK_STEPS=1000000``. They are shared out
over exchanges of 20,000 steps each, every one from a seed of its own, so memory stays bounded however many are
asked for; a failure names the seed and the step, which reproduce it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from decimal import Decimal

import pytest

from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError

STEPS = int(os.environ.get("LUNOMM_SOAK_STEPS", "20000"))
LIFE = 20_000
"""Steps of one exchange."""

CHECK_LOCKED = 250
"""Steps between two looks at every live order's reserve, which take longer than a step."""

CENTRES = {"XBTMYR": 1000, "ETHXBT": 500, "ETHMYR": 700}
"""Three markets that share their assets; ticks about which orders are placed."""

GRIDS = ((1, 3, 8), (2, 3, 8), (1, 4, 2))
FINANCES = {
    "ann": (FeeRates(Decimal("-0.0001"), Decimal("0.0007")), Decimal(40)),
    "bob": (FeeRates(Decimal("0.0035"), Decimal("0.006")), Decimal(4)),
    "cyd": (FeeRates(Decimal(0), Decimal("0.002")), Decimal("0.4")),
}
"""Fees and how many of each coin."""

MONEY = Decimal(100)
"""MYR for one coin."""


def rules_of(pair: str, grid: tuple[int, int, int]) -> PairRules:
    price, volume, fee = grid
    return PairRules(
        pair=pair,
        base=pair[:3],
        counter=pair[3:],
        price_scale=price,
        volume_scale=volume,
        min_price=Decimal(1).scaleb(-price),
        max_price=Decimal(100_000),
        min_volume=Decimal(1).scaleb(-volume),
        max_volume=Decimal(1000),
        fee_scale=fee,
    )


def open_venue(seed: int, rng: random.Random) -> Venue:
    accounts = [
        AccountSpec(owner, {"XBT": coins, "ETH": coins, "MYR": coins * MONEY}, other_fees=fees)
        for owner, (fees, coins) in FINANCES.items()
    ]
    return Venue(
        [MarketSpec(rules_of(pair, GRIDS[0])) for pair in CENTRES],
        accounts,
        random.Random(seed),
        Behaviour(self_trade=rng.random() < 0.5, sell_fee_base=rng.random() < 0.5, truncate_fees=rng.random() < 0.5),
    )


class Driver:
    """One exchange and the chances of what happens next."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.venue = open_venue(seed, self.rng)
        self.now = 0
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """One random action; a refusal is one too."""
        rng, venue = self.rng, self.venue
        self.now += rng.randrange(3)
        pair = rng.choice(tuple(CENTRES))
        engine = venue.engine(pair)
        chance = rng.random()
        if chance < 0.30:
            price = max(1, CENTRES[pair] + rng.randint(-12, 12))
            side = rng.choice((Side.BID, Side.ASK))
            engine.place(self.now, None, side, price, rng.randint(1, 400), tif=rng.choice(tuple(TimeInForce)))
            venue.trigger_stops(self.now)
            self.done["house"] += 1
        elif chance < 0.55:
            self.cancel(pair)
        elif chance < 0.56:
            engine.set_status(self.now, rng.choice((*[MarketStatus.ACTIVE] * 7, *MarketStatus)))
        elif chance < 0.561:
            venue.change_rules(self.now, pair, rules_of(pair, rng.choice(GRIDS)))
            self.done["rules"] += 1
        elif chance < 0.58 and engine.orders:
            maker = self.some(engine.orders)
            engine.reduce(self.now, maker, rng.randint(1, 100), "BXTAPETAKER")
            venue.trigger_stops(self.now)
        else:
            try:
                self.order(pair)
            except VenueError as refused:
                self.done[refused.code] += 1

    def order(self, pair: str) -> None:
        rng, rules = self.rng, self.venue.engine(pair).rules
        owner = rng.choice(tuple(FINANCES))
        volume = str(rules.volume(rng.randint(1, 500)))
        if rng.random() < 0.2:
            money = f"{rng.randint(1, 400_000) * rules.tick_size * rules.lot_size:f}"
            given = rng.choice(({"type": "BUY", "counter_volume": money}, {"type": "SELL", "base_volume": volume}))
            self.venue.marketorder(self.now, owner, pair=pair, **given)
            self.done["market"] += 1
            return
        tif = rng.choice(("GTC", "GTC", "GTC", "IOC", "FOK"))
        stop = rng.random() < 0.1
        self.venue.postorder(
            self.now,
            owner,
            pair=pair,
            type=rng.choice(("BID", "ASK")),
            volume=volume,
            price=str(rules.price(CENTRES[pair] + rng.randint(-12, 12))),
            post_only=tif == "GTC" and rng.random() < 0.3,
            time_in_force=tif,
            stop_price=str(rules.price(CENTRES[pair] + rng.randint(-12, 12))) if stop else "",
            stop_direction=rng.choice(("ABOVE", "BELOW", "RELATIVE_LAST_TRADE")) if stop else "",
        )
        self.done["stop" if stop else tif] += 1

    def cancel(self, pair: str) -> None:
        engine = self.venue.engine(pair)
        waiting = [o for o in self.venue.orders(None, pair, live=True) if o.status == "AWAITING"]
        if waiting and self.rng.random() < 0.2:
            order = self.rng.choice(waiting)
            assert self.venue.stoporder(self.now, order.owner, order.order_id).success
        elif engine.orders:
            order_id = self.some(engine.orders)
            owner = engine.orders[order_id].owner
            if owner is None:
                engine.cancel(self.now, order_id)
            else:
                assert self.venue.stoporder(self.now, owner, order_id).success
        self.done["cancel"] += 1

    def some(self, orders: dict[str, object]) -> str:
        return self.rng.choice(tuple(orders))

    def check(self) -> None:
        """What holds after every step."""
        ledger = self.venue.ledger
        for asset in ("XBT", "ETH", "MYR"):
            assert ledger.drift(asset) == 0, asset
        for wallet in ledger.wallets():
            assert 0 <= wallet.reserved <= wallet.total, (wallet.owner, wallet.asset)
        for pair in CENTRES:
            engine = self.venue.engine(pair)
            bid, ask = engine.best_bid(), engine.best_ask()
            assert bid is None or ask is None or bid < ask, pair

    def check_locked(self) -> None:
        """What is reserved is exactly what the live orders hold."""
        held: Counter[tuple[str, str]] = Counter()
        for order in self.venue.orders(live=True):
            rules = self.venue.engine(order.request.pair).rules
            held[order.owner, rules.counter if order.request.side is Side.BID else rules.base] += order.reserved
            assert order.filled_lots < order.request.lots
        for wallet in self.venue.ledger.wallets():
            assert wallet.reserved == held[wallet.owner, wallet.asset], (wallet.owner, wallet.asset)


@pytest.mark.timeout(0)
def test_random_steps_conserve_every_asset() -> None:
    done: Counter[str] = Counter()
    trades = 0
    for seed, begin in enumerate(range(0, STEPS, LIFE)):
        driver = Driver(seed)
        for step in range(min(LIFE, STEPS - begin)):
            try:
                driver.step()
                driver.check()
                if step % CHECK_LOCKED == 0:
                    driver.venue.drain()
                    driver.check_locked()
            except Exception as error:
                raise AssertionError(f"seed {seed}, step {step}: {error!r}") from error
        trades += sum(driver.venue.engine(pair).next_trade - 1 for pair in CENTRES)
        done += driver.done
    if STEPS >= LIFE:
        for kind in ("house", "cancel", "rules", "market", "stop", "GTC", "IOC", "FOK", "ErrInsufficientFunds"):
            assert done[kind] > STEPS / 5000, (kind, done)
        assert trades > STEPS / 10
