"""Others on our Redis: a program that writes nonsense, and a quoter that wants everything."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from campaign.market import PAIR
from lunomm import __version__
from lunomm.commands.venue_finder import live_venue
from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, WantedQuotes

if TYPE_CHECKING:
    from campaign.world import World

NONSENSE = (
    "",
    "nonsense",
    "[" * 2_000,
    "{}",
    '{"v":1,"pair":"XBTMYR","epoch":1e999999,"number":NaN}',
    '{"v":99,"pair":"XBTMYR"}',
    '{"v":1,"pair":"ETHMYR","venue":"sim|x","epoch":1,"number":1,"ts_ms":1}',
)

MARK = "hh"
"""Begins the id of every order the hostile quoter asks for."""


def junk(world: World) -> None:
    """Another program on our names: texts that are no message of ours, on channels and keys."""
    server = world.redis.server
    for name in (f"QUOTES::{PAIR}", f"LOB::{PAIR}", f"ACCOUNT::{PAIR}"):
        text = world.fate.choice(NONSENSE)
        server.publish(name, text)
        if world.fate.random() < 0.5:
            server.set(name, text, px=world.fate.randint(100, 3_000))
    server.hset(f"ORDERS::{PAIR}", {f"junk{world.fate.randint(1, 5)}": world.fate.choice(NONSENSE)})


def quoter(world: World) -> None:
    """For some seconds wanted states come at twenty a second, in the name of a newer quoter; then quote starts anew."""
    until = world.loop.time() + world.fate.uniform(5.0, 20.0)
    epoch = world.true_ms + 1
    _say(world, epoch, 0, until)


def _say(world: World, epoch: int, number: int, until: float) -> None:
    if world.faults.calm or world.loop.time() >= until:
        # Whoever claimed a newer start is believed until a still newer quoter starts: the operator's part.
        world.loop.later(5.0, world.kill, world.processes["quote"], "by the operator")
        return
    message = _wanted(world, epoch, number)
    data = msgspec.json.encode(message).decode()
    server = world.redis.server
    world.checker.records.wanted(data)
    server.set(f"QUOTES::{PAIR}", data, px=3_000)
    server.publish(f"QUOTES::{PAIR}", data)
    world.loop.later(0.05, _say, world, epoch, number + 1, until)


def is_hostile(client_order_id: str) -> bool:
    """Whether the hostile quoter asked for this order."""
    return f"-{MARK}" in client_order_id


def _wanted(world: World, epoch: int, number: int) -> WantedQuotes:
    fate, market = world.fate, world.market
    mid = market.mid() or Decimal(300_000)
    tick, lot = market.rules.tick_size, market.rules.volume(1)
    intents: list[Intent] = []
    levels = fate.choice((1, 1, 2, 3, 10))
    for level in range(levels):
        for side in Side:
            away = Decimal(fate.choice((-5, 1, 2, 5, 20, 60, 900))) / 1000
            price = (mid * (1 - side.sign * away) / tick).to_integral_value() * tick
            size = (Decimal(fate.choice(("0.0001", "0.004", "0.008", "0.02", "5"))) / lot).to_integral_value() * lot
            if fate.random() < 0.05:
                price += tick / 3
            intents.append(
                Intent(
                    id=f"{MARK}{epoch % 1000}-{number * 100 + level}-{side.value[0]}{level}",
                    side=side, level=level, price=price, size=size, created_ms=world.true_ms,
                )
            )  # fmt: skip
    own = live_venue(world.common).stamp
    return WantedQuotes(
        pair=fate.choice((PAIR, PAIR, PAIR, "ETHMYR")),
        venue=fate.choice((own, own, own, "sim|other")),
        build=__version__,
        epoch=epoch if fate.random() < 0.9 else epoch - 10_000_000,
        number=number,
        ts_ms=world.true_ms,
        intents=intents,
        fair=float(mid),
    )
