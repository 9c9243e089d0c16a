"""Whether what rests may rest: a source that is lost, a gateway that is gone, and how soon everything must be down.

Bounds hold from when the system could know: calls to the exchange that go wrong, a gateway that is held, starts, or has
just been held begin them anew. INV-23 (a source lost), INV-24 (no gateway: its guardian), INV-25 (a well ended gateway
leaves nothing), INV-35 (no process ends with an unknown error), orphans of INV-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaign.hostile import is_hostile
from campaign.shown import names

if TYPE_CHECKING:
    from campaign.checker import Checker
    from campaign.world import World

FLAT_S = {"book": 5.0, "quote": 5.0, "guardian": 5.0, "redis": 5.0, "user": 12.0, "half_open": 15.0, "lag": 18.0}
"""From the loss of a source to the last order gone; a silent or late market stream is only found out after ten seconds,
or with its first late frame."""

THE_QUOTERS = frozenset({"book", "quote", "half_open", "lag"})
"""Losses that the quoter hears of and the gateway does not: a hostile one that goes on wanting is obeyed, within
limits."""

START_S = 15.0
REST_S = 25.0
"""After a call went wrong: two time-outs of a read, or one of a write and its repeat."""

SWEEP_S = 30.0
GUARDED_S = 10.5


class Sources:
    """What every order of ours depends on, by the world's own knowledge."""

    def __init__(self, checker: Checker, world: World) -> None:
        self._checker, self._world = checker, world
        self.bad: dict[str, float] = {}
        self.rest_hurt_s = 0.0
        self.clock_s = -1e9
        self.quotes_at: list[float] = []
        self._gateway_hurt_s = 0.0
        self._guardian_hurt_s = 0.0
        self._started_s = 0.0
        self._gone_s: float | None = None
        self._held_until: dict[str, float] = {}

    def rest_hurt(self) -> None:
        self.rest_hurt_s = self._checker.now_s

    def gateway_hurt(self) -> None:
        self._gateway_hurt_s = self._checker.now_s

    def started(self, role: str) -> None:
        self._held_until.pop(role, None)
        if role == "gateway":
            self._started_s = self._checker.now_s

    def held(self, role: str, seconds: float) -> None:
        # It may have been back for less than the time between two looks.
        self._note_sources(self._checker.now_s)
        self._held_until[role] = max(self._held_until.get(role, 0.0), self._checker.now_s + seconds)

    def ended(self, role: str, how: str, error: BaseException | None, *, beside: bool) -> None:
        """A process ended by itself."""
        if role == "book" and not self._world.frames.down:
            # It ran until now, though it may have been held until a moment ago.
            self.bad.pop(role, None)
        if error is not None:
            self._checker.guard(f"INV-35: {role} ended with {how}")
        elif beside and how.startswith("exit 0") and not self._world.ending:
            pass
        elif role == "gateway" and how.startswith("exit 0") and not beside:
            live = [o for o in self._world.market.live() if o.request.client_order_id not in self._checker.injected_s]
            if live:
                self._checker.guard(f"INV-25: the gateway ended well, and left {names(live)}")

    def watch(self) -> None:
        """Twice a second: whether anything rests that must not."""
        world, now = self._world, self._checker.now_s
        self._checker.note_mid()
        if world.rest.down or world.rest.hole or world.rest.storm or world.rest.maintenance or world.rest.revoked:
            self.rest_hurt_s = now
        for role in world.processes:
            if self._held_until.get(role, 0.0) > now and role == "gateway":
                self._gateway_hurt_s = self._held_until[role]
        self._note_sources(now)
        live = world.market.live()
        sides = {order.request.side for order in live}
        if sides:
            self.quotes_at.append(now)
        # Asked even with nothing live: a gateway that came back meanwhile begins a new absence with its next one.
        unserved = self._unserved(now)
        if not live:
            return
        if unserved:
            self._gateway_hurt_s = now
            return
        calm = max(self._started_s + START_S, self.rest_hurt_s + REST_S, self._gateway_hurt_s + 6.0)
        ours = [order for order in live if order.request.client_order_id not in self._checker.injected_s]
        meant = [order for order in ours if not is_hostile(order.request.client_order_id)]
        for source, since in self.bad.items():
            resting = meant if source in THE_QUOTERS else ours
            if resting and now > max(since, calm) + FLAT_S[source]:
                self._checker.broken(f"INV-23: {source} is lost since {now - since:.1f} s and {names(resting)} rest")
        for order in live:
            cid = order.request.client_order_id
            since = max(self._checker.injected_s.get(cid, 0.0), calm)
            if cid in self._checker.injected_s and now > since + SWEEP_S + 3.0:
                self._checker.broken(
                    f"INV-01: the orphan {cid} rests since {now - self._checker.injected_s[cid]:.1f} s"
                )

    def _unserved(self, now: float) -> bool:
        """Whether no gateway serves just now: then its guardian must have taken everything down."""
        world = self._world
        serves = any(p.paused_s <= now and world.disk.served_by(p) for p in world.alive("gateway"))
        if serves:
            self._gone_s = None
            return False
        if self._gone_s is None:
            self._gone_s = now
        guards = [g for g in world.guardians if not g.dead and g.paused_s <= now and g.stdout is not None]
        since = max(self._gone_s, self.rest_hurt_s + REST_S, self._guardian_hurt_s)
        ours = [o for o in world.market.live() if self._checker.injected_s.get(o.request.client_order_id, 0.0) < since]
        if guards and ours and now > since + GUARDED_S:
            self._checker.broken(f"INV-24: no gateway since {now - self._gone_s:.1f} s, and {names(ours)} rest")
        return True

    def clock_stepped(self) -> None:
        self.clock_s = self._checker.now_s
        self.gateway_hurt()

    def lock_taken(self) -> None:
        """A gateway, with a guardian of its own soon, begins to serve."""
        self._gone_s = None
        self._guardian_hurt_s = max(self._guardian_hurt_s, self._checker.now_s)

    def guardian_held(self, seconds: float) -> None:
        self._guardian_hurt_s = max(self._guardian_hurt_s, self._checker.now_s + seconds)

    def _absent(self, role: str) -> bool:
        return all(process.paused_s > self._checker.now_s for process in self._world.alive(role))

    def _note_sources(self, now: float) -> None:
        world = self._world
        bad = {
            "book": self._absent("book") or world.frames.down,
            # Nothing tells a late stream from a quiet one before its first late frame is there.
            "lag": world.frames.lag_s > 3.5,
            "quote": self._absent("quote"),
            "guardian": all(guardian.dead or guardian.paused_s > now for guardian in world.guardians),
            "redis": not world.redis.healthy(),
            "user": world.user.down or world.user.silent_since is not None,
            "half_open": world.frames.silent_since is not None,
        }
        for source, lost in bad.items():
            if lost:
                self.bad.setdefault(source, now)
            else:
                self.bad.pop(source, None)
