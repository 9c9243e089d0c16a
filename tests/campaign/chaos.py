"""When and how each episode happens, and how calm returns."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from campaign import hostile
from campaign.faults import Fault
from campaign.market import PREFIX
from lunomm.market.rules import MarketStatus, Side

if TYPE_CHECKING:
    from campaign.world import World

DAY_NS = 86_400_000_000_000


def unleash(world: World, seconds: float) -> None:
    """Let every armed episode begin at random times over so many seconds."""
    for fault in world.faults.episodes:
        _next(world, fault, world.loop.time() + seconds, first=True)


def _next(world: World, fault: Fault, end: float, *, first: bool = False) -> None:
    # The first comes sooner, so that a short run meets what it armed.
    wait = world.fate.expovariate(1.0 / fault.chance)
    at = world.loop.time() + (min(wait, world.fate.uniform(0.0, end - world.loop.time())) if first else wait)
    if at < end:
        world.loop.later(at - world.loop.time(), _begin, world, fault, end)


def _begin(world: World, fault: Fault, end: float) -> None:
    if world.faults.calm:
        return
    if _EPISODES[fault.name](world) is not False:
        world.faults.reach(fault.name)
    _next(world, fault, end)


def calm(world: World) -> None:
    """Every fault ends; what was broken is whole again."""
    world.faults.calm = True
    world.trace("world", "calm")
    rest, redis = world.rest, world.redis
    rest.hole = rest.down = rest.storm = rest.maintenance = rest.revoked = False
    world.checker.sources.rest_hurt()
    for link in (world.frames, world.user):
        link.down, link.silent_since, link.lag_s = False, None, 0.0
        link.wake()
    redis.down = redis.hung = redis.read_only = False
    world.skew_ns = 0
    for process in world.everyone.values():
        process.skew_ns = 0
    world.market.one_way = None
    world.market.set_status(MarketStatus.ACTIVE)


# --- spans ---------------------------------------------------------------------------------------------------------


def _span(world: World, low: float, high: float, begin: Callable[[], object], end: Callable[[], object]) -> None:
    begin()
    world.loop.later(world.fate.uniform(low, high), end)


def _flag(where: str, name: str, low: float, high: float, after: Callable[[World], object] = lambda _: None) -> Any:
    def episode(world: World) -> None:
        part = getattr(world, where)

        def end() -> None:
            setattr(part, name, False)
            after(world)

        _span(world, low, high, lambda: setattr(part, name, True), end)
        if where == "rest":
            world.checker.sources.rest_hurt()

    return episode


def _half_open(name: str) -> Any:
    def episode(world: World) -> None:
        link = getattr(world, name)

        def turn(silent_since: float | None) -> None:
            # Silent a second time over the first is silent since the first.
            link.silent_since = silent_since if link.silent_since is None or silent_since is None else link.silent_since
            # Who waits for a frame must look again: the next ping is not answered.
            link.wake()

        _span(world, 5.0, 40.0, lambda: turn(world.loop.time()), lambda: turn(None))

    return episode


def _market_lag(world: World) -> None:
    link = world.frames
    _span(
        world, 10.0, 40.0,
        lambda: setattr(link, "lag_s", world.fate.uniform(4.0, 12.0)), lambda: setattr(link, "lag_s", 0.0),
    )  # fmt: skip


def _user_down(low: float, high: float) -> Any:
    def episode(world: World) -> None:
        world.user.cut()
        _flag("user", "down", low, high)(world)

    return episode


# --- the venue -----------------------------------------------------------------------------------------------------


def _status(world: World) -> None:
    # The engine's frame and the markets call say it in their own words; an unknown word is read as DISABLED.
    word = world.fate.choice((MarketStatus.POSTONLY, MarketStatus.DISABLED))
    _span(
        world, 2.0, 40.0,
        lambda: world.market.set_status(word), lambda: world.market.set_status(MarketStatus.ACTIVE),
    )  # fmt: skip


def _limits(world: World) -> None:
    factor = world.fate.choice((2, 5, 10))
    listed = world.market.listed.rules
    world.market.change_rules(min_volume=listed.min_volume * factor)


def _rescaled(world: World) -> None:
    rules = world.market.rules
    world.market.change_rules(
        price_scale=world.fate.choice([s for s in (0, 1, 2) if s != rules.price_scale]),
        volume_scale=world.fate.choice((5, 6)),
    )


def _fees(world: World) -> None:
    world.market.change_fees(Decimal(world.fate.choice(("-0.0001", "0", "0.0007", "0.0012"))))


def _jump(world: World) -> None:
    size = world.fate.choice((0.01, 0.02, 0.03, 0.1, 0.3))
    world.market.jump(size * world.fate.choice((-1, 1)))


def _one_way(world: World) -> None:
    side = world.fate.choice((Side.BID, Side.ASK))
    _span(
        world, 10.0, 40.0,
        lambda: setattr(world.market, "one_way", side), lambda: setattr(world.market, "one_way", None),
    )  # fmt: skip


def _manual_order(world: World) -> None:
    side = world.fate.choice((Side.BID, Side.ASK))
    away = Decimal(world.fate.choice(("0.002", "0.01", "0.03")))
    world.market.manual_order(side, Decimal(world.fate.randint(1, 10)) / 100, away)


def _manual_taker(world: World) -> None:
    world.market.market_order(world.fate.choice((Side.BID, Side.ASK)), house=False)


def _reserves(world: World) -> None:
    before = set(world.market.manual)
    world.market.manual_order(world.fate.choice((Side.BID, Side.ASK)), Decimal("0.97"), Decimal("0.04"))
    for order_id in set(world.market.manual) - before:
        order = world.market.manual[order_id]
        world.loop.later(world.fate.uniform(5.0, 40.0), world.market.withdraw_manual, order)


def _orphan(world: World) -> bool:
    world.checker.orphans += 1
    cid = f"{PREFIX}zz0-{world.checker.orphans}-{world.fate.choice('BA')}0"
    order_id = world.market.orphan(cid, Side.BID if cid[-2] == "B" else Side.ASK)
    if order_id is not None:
        world.checker.injected(cid, order_id)
    return order_id is not None


# --- Redis ---------------------------------------------------------------------------------------------------------


def _restarted_empty(world: World) -> None:
    redis = world.redis

    def end() -> None:
        redis.server.flush()
        redis.down = False

    _span(world, 1.0, 10.0, lambda: setattr(redis, "down", True), end)
    redis.cut()


def _flushed(world: World) -> None:
    world.redis.server.flush()


def _thawed(world: World) -> None:
    frozen = world.redis.server.freeze()

    def thaw() -> None:
        if not world.faults.calm:
            world.trace("redis", "thawed")
            world.redis.server.thaw(frozen)
            world.redis.cut()

    world.loop.later(world.fate.uniform(5.0, 60.0), thaw)


# --- processes -----------------------------------------------------------------------------------------------------


def _killed(role: str) -> Any:
    return lambda world: world.kill(world.processes[role], "by chance")


def _stopped(role: str) -> Any:
    return lambda world: world.ask_to_stop(world.processes[role])


def _crash_loop(world: World) -> None:
    for number in range(4):
        world.loop.later(
            number * world.fate.uniform(1.0, 8.0), lambda: world.kill(world.processes["gateway"], "in a crash loop")
        )


def _all_killed(world: World) -> None:
    for process in [*world.processes.values(), *world.guardians]:
        world.kill(process, "by a power loss")


def _paused(role: str, most: float) -> Any:
    def episode(world: World) -> None:
        hold(world, role, world.fate.uniform(1.0, most))

    return episode


def hold(world: World, role: str, seconds: float) -> None:
    process = world.processes[role]
    world.trace(process, f"held for {seconds:.1f} s")
    world.checker.sources.held(role, seconds)
    world.loop.pause(process, seconds)


def _all_paused(world: World) -> None:
    seconds = world.fate.uniform(1.0, 60.0)
    for role in world.processes:
        hold(world, role, seconds)
    _hold_guardians(world, seconds)


def _kill_guardians(world: World) -> None:
    for guardian in list(world.guardians):
        world.kill(guardian, "by chance")


def _hold_guardians(world: World, seconds: float) -> None:
    world.checker.sources.guardian_held(seconds)
    for guardian in world.guardians:
        world.loop.pause(guardian, seconds)


def _second(role: str) -> Any:
    return lambda world: world.start(role, beside=True) and None


def _clock(world: World) -> None:
    seconds = world.fate.choice((-86_400, -3_600, -5, -1.5, 1.5, 5, 3_600, 86_400))
    world.trace("clock", f"steps by {seconds} s")

    def step(ns: int) -> None:
        for process in world.everyone.values():
            process.skew_ns = ns
        world.checker.sources.clock_stepped()

    world.skew_ns = round(seconds * 1e9)

    def end() -> None:
        world.skew_ns = 0
        step(0)

    _span(world, 5.0, 40.0, lambda: step(world.skew_ns), end)


_EPISODES: dict[str, Callable[[World], Any]] = {
    "rest.black_hole": _flag("rest", "hole", 5.0, 60.0),
    "rest.down": _flag("rest", "down", 2.0, 30.0),
    "rest.storm": _flag("rest", "storm", 2.0, 20.0),
    "rest.maintenance": _flag("rest", "maintenance", 5.0, 40.0),
    "rest.key_revoked": _flag("rest", "revoked", 5.0, 20.0),
    "venue.status": _status,
    "venue.limits": _limits,
    "venue.rescaled": _rescaled,
    "venue.fees": _fees,
    "venue.jump": _jump,
    "venue.one_way": _one_way,
    "venue.cancels_ours": lambda world: world.market.cancel_one_of_ours(),
    "manual.order": _manual_order,
    "manual.taker": _manual_taker,
    "manual.reserves": _reserves,
    "orphan": _orphan,
    "market.half_open": _half_open("frames"),
    "market.lag": _market_lag,
    "user.half_open": _half_open("user"),
    "user.down": _user_down(5.0, 60.0),
    "user.gone": _user_down(301.0, 360.0),
    "redis.restarted_empty": _restarted_empty,
    "redis.hangs": _flag("redis", "hung", 3.0, 20.0, lambda world: world.redis.cut()),
    "redis.flushed": _flushed,
    "redis.read_only": _flag("redis", "read_only", 2.0, 10.0),
    "redis.thawed": _thawed,
    "redis.cut": lambda world: world.redis.cut(),
    "redis.junk": hostile.junk,
    "book.killed": _killed("book"),
    "quote.killed": _killed("quote"),
    "gateway.killed": _killed("gateway"),
    "gateway.stopped": _stopped("gateway"),
    "quote.stopped": _stopped("quote"),
    "gateway.crash_loop": _crash_loop,
    "all.killed": _all_killed,
    "guardian.killed": _kill_guardians,
    "guardian.paused": lambda world: _hold_guardians(world, world.fate.uniform(1.0, 30.0)),
    "book.paused": _paused("book", 30.0),
    "quote.paused": _paused("quote", 30.0),
    "gateway.paused": _paused("gateway", 60.0),
    "all.paused": _all_paused,
    "gateway.second": _second("gateway"),
    "quote.second": _second("quote"),
    "clock.steps": _clock,
    "hostile.quoter": hostile.quoter,
}
