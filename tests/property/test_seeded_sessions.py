"""Many short seeded sessions with a visitor about: no book ever crossed or locked, and every asset conserved.

A session is one market under one profile, some seconds long, while a visitor places orders of every kind about the
touch and cancels them. ``LUNOMM_SOAK_SESSIONS`` says how many (default 120; the soak runs 10,000):

    LUNOMM_SOAK_SESSIONS=10000 python -m pytest tests/property/test_seeded_sessions.py -n 0 --timeout 3600
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lunomm.market.rules import Side
from lunomm.simulator import profiles
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import seeded
from lunomm.simulator.flow import Flow
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError
from lunomm.simulator.walk import STEP_S, Walk

# Read here: no test sees a setting of whoever runs it.
SESSIONS = int(os.environ.get("LUNOMM_SOAK_SESSIONS", "120"))
PARTS = 10

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
SECONDS = 12
OWNER = "ann"
MIXES = [
    (pair, name) for name in profiles.PROFILES for pair, market in profiles.CATALOGUE.items() if market.profile == name
]
MIXES.append(("XBTMYR", "XBTMYR"))


def session(seed: int) -> tuple[int, int, int]:
    """Frames, visitor's orders and visitor's fills of one session; every frame is checked."""
    pair, name = MIXES[seed % len(MIXES)]
    market, profile = profiles.CATALOGUE[pair], profiles.PROFILES[name]
    rules, streams, rng = market.rules, draws(seed, pair), random.Random(seed)
    money = {rules.base: market.retail * 50, rules.counter: market.retail * market.price * 50}
    fees = profiles.fees(seed % 2, rules.counter, rules.base)
    venue = Venue([MarketSpec(rules)], [AccountSpec(OWNER, money, {pair: fees})], draws(seed, "ids").ids)
    engine = venue.engine(pair)
    walk = Walk(seed, rules.base, rules.counter, round(profile.horizon_s / STEP_S))
    flow = Flow(profile, market, engine, streams, walk, START_NS)
    settle, frames, fills = engine.listener, 0, 0
    assert settle is not None

    def listen(frame: MarketFrame) -> None:
        nonlocal frames, fills
        settle(frame)
        frames += 1
        fills += sum(OWNER in (trade.maker_owner, trade.taker_owner) for trade in frame.trades)
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is None or ask is None or bid < ask, (seed, frame)

    flow.act(flow.next_ns)
    engine.listener = listen
    placed, next_visit = 0, START_NS
    mine: list[str] = []
    while flow.next_ns <= START_NS + SECONDS * S:
        if next_visit <= flow.next_ns:
            now_ms, next_visit = flow.next_ns // 1_000_000, flow.next_ns + int(rng.expovariate(2.0) * S)
            if mine and rng.random() < 0.3:
                try:
                    venue.stoporder(now_ms, OWNER, mine.pop(rng.randrange(len(mine))))
                except VenueError:
                    pass  # filled meanwhile
            else:
                order_id = visit(venue, pair, rng, now_ms, market)
                placed += order_id is not None
                mine += [order_id] if order_id is not None else []
            flow.repair(now_ms)
        flow.act(flow.next_ns)
        venue.drain()
    for asset in venue.ledger.assets():
        assert venue.ledger.drift(asset) == 0, (seed, asset)
    for wallet in venue.ledger.wallets(OWNER):
        assert wallet.available >= 0, (seed, wallet)
    return frames, placed, fills


def visit(venue: Venue, pair: str, rng: random.Random, now_ms: int, market: profiles.Market) -> str | None:
    """Place one order, from a tenth of a percent through the touch to one behind; its id, None when refused."""
    engine, rules = venue.engine(pair), market.rules
    side = rng.choice((Side.BID, Side.ASK))
    best = engine.best_bid() if side is Side.BID else engine.best_ask()
    if best is None:
        return None
    ticks = max(1, best + side.sign * round(rng.triangular(-1, 1, 0) * max(3.0, best * 1e-3)))
    lots = max(rules.ceil_lots(rules.min_volume), round(rules.floor_lots(market.retail) * rng.expovariate(0.5)))
    call: dict[str, Any] = {
        "pair": pair,
        "type": side.value,
        "price": str(Decimal(ticks).scaleb(-rules.price_scale)),
        "volume": str(Decimal(lots).scaleb(-rules.volume_scale)),
        **rng.choice(({}, {"post_only": True}, {"time_in_force": "IOC"}, {"time_in_force": "FOK"})),
    }
    try:
        return venue.postorder(now_ms, OWNER, **call).order_id
    except VenueError:
        return None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_seeded_sessions_never_cross_the_book_and_conserve(part: int) -> None:
    frames = placed = fills = 0
    for seed in range(part, SESSIONS, PARTS):
        counts = session(seed)
        frames, placed, fills = frames + counts[0], placed + counts[1], fills + counts[2]
    if SESSIONS >= 10 * PARTS:
        assert frames > 0 and placed > 0 and fills > 0


# --- the same seed, the same bytes ------------------------------------------------------------------------------------


def fingerprint() -> str:
    """SHA-256 of the snapshots and of a minute of frames of every listed market."""
    exchange = seeded(["XBTZAR"], profile=None, seed=7, fee_tier=0, start_ns=START_NS)
    digest = hashlib.sha256()
    for pair in exchange.pairs:
        digest.update(exchange.snapshot_raw(pair).encode())
        digest.update(repr(exchange.venue.trades(START_NS // 1_000_000, pair)).encode())
    while not exchange.run_until(START_NS + 60 * S, 10_000):
        pass
    for frame in exchange.venue.drain():
        digest.update(frame.raw.encode())
    digest.update(repr(sorted(exchange.setting.truth.items())).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_processes_that_hash_differently() -> None:
    call = [sys.executable, "-c", "import test_seeded_sessions as t; print(t.fingerprint())"]
    here = str(Path(__file__).parent)
    found = {
        subprocess.run(
            call,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": here},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for hash_seed in (0, 4711)
    }
    assert found == {fingerprint()}
