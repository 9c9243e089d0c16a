"""Everything that goes wrong, by name; armed at random for a whole run, then fired at random (FoundationDB's BUGGIFY).

A *point* may fire whenever the code comes by; its chance is per opportunity. An *episode* begins at random times; its
chance is the mean number of seconds between two. Either is armed in a quarter of the runs, so that each run has its own
mixture, and every count says how often the fault was really reached: what was never reached proves nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

ARMED = 0.25
"""Share of the runs in which a fault is armed at all."""


@dataclass(frozen=True)
class Fault:
    """chance: of a point, per opportunity (0 to 1); of an episode, mean seconds between two (above 1). armed: share."""

    name: str
    chance: float
    what: str
    armed: float = ARMED


POINTS = (
    # REST, each call
    Fault("post.request_lost", 0.10, "an order's request never arrives; the client times out"),
    Fault("post.reply_lost", 0.10, "an order is executed, its reply never comes"),
    Fault("post.late", 0.08, "an order's request arrives 2 to 12 s late"),
    Fault("post.twice", 0.08, "a proxy delivers an order twice; the second answer (409) is heard"),
    Fault("post.balance_refused", 0.06, "an order is refused with ErrInsufficientBalance though there is enough"),
    Fault("post.error_before", 0.10, "500, 502, 503, 504 or ErrInternal, the order not executed"),
    Fault("post.error_after", 0.10, "500, 502, 503, 504 or ErrDeadlineExceeded, the order executed"),
    Fault("post.error_then_late", 0.08, "an order is answered 5xx at once, and executed up to 2.5 s later"),
    Fault("cancel.request_lost", 0.15, "a cancel never arrives"),
    Fault("cancel.reply_lost", 0.15, "a cancel is done, its reply never comes"),
    Fault("cancel.error", 0.15, "a cancel is answered 5xx, done or not"),
    Fault("cancel.false", 0.15, "a cancel is answered success: false and not done"),
    Fault("read.lost", 0.05, "a read is not answered"),
    Fault("read.error", 0.05, "a read is answered 5xx"),
    Fault("rest.slow", 0.10, "an answer takes 1 to 6 s"),
    Fault("rest.reset", 0.05, "a kept-alive connection is dead: the request dies on it, executed or not"),
    Fault("rest.page", 0.05, "a page, an empty or a cut body, or 403 of the edge instead of the answer"),
    Fault("rest.too_many", 0.03, "429, with or without Retry-After"),
    Fault("rest.refused", 0.03, "the connection is refused: nothing was sent"),
    Fault("read.trades_lag", 0.30, "the newest trade rows are missing from listtrades for some seconds"),
    Fault("read.balance_old", 0.20, "a balance as it stood up to two seconds ago"),
    Fault("read.awaiting", 0.20, "an order that rests is shown AWAITING"),
    # market stream, each frame or dial
    Fault("market.gap", 0.004, "a frame is missing"),
    Fault("market.repeated", 0.004, "a frame comes twice"),
    Fault("market.contradiction", 0.004, "a frame speaks of an order that does not exist, or of too much of one"),
    Fault("market.garbage", 0.004, "a frame cannot be read"),
    Fault("market.closed", 0.003, "the stream is closed: after an error frame, or without a word"),
    Fault("market.refused", 0.30, "a dial is refused"),
    Fault("market.one_sided", 0.20, "a snapshot with one side empty"),
    Fault("market.crossed", 0.20, "a snapshot whose sides cross"),
    Fault("market.mute", 0.20, "a connection without a first frame"),
    Fault("market.session_limit", 0.20, "a dial is answered: too many sessions"),
    Fault("market.auth_timeout", 0.10, "a dial is answered: no key came in time"),
    # user stream, each message or dial
    Fault("user.lost", 0.10, "a message is lost inside a living session"),
    Fault("user.twice", 0.10, "a message comes twice"),
    Fault("user.late", 0.10, "a message comes late, behind later ones"),
    Fault("user.closed", 0.02, "the stream is closed: after an error frame, or without a word"),
    Fault("user.garbage", 0.02, "a message cannot be read"),
    Fault("user.refused", 0.30, "a dial is refused"),
    Fault("user.session_limit", 0.20, "a dial is answered: too many sessions"),
    Fault("user.auth_timeout", 0.10, "a dial is answered: no key came in time"),
    Fault("user.forgets", 0.40, "nothing that was missed is sent again (more than five minutes, or a failover)"),
    Fault("user.replays", 0.40, "a reconnect sends old messages again, beside the missed ones"),
    # Redis, each command or message
    Fault("bus.command_lost", 0.02, "the connection breaks before a command"),
    Fault("bus.reply_lost", 0.02, "the connection breaks after a command was carried out"),
    Fault("bus.pipeline_broken", 0.03, "the connection breaks inside a pipeline"),
    Fault("bus.message_lost", 0.10, "a channel's message is lost"),
    Fault("bus.message_twice", 0.10, "a channel's message comes twice"),
    Fault("bus.message_late", 0.10, "a channel's message comes up to 8 s late, behind later ones"),
    # disk and process, each commit or call
    Fault("kill.before_commit", 0.004, "the gateway is killed before its journal took a step"),
    Fault("kill.after_commit", 0.004, "the gateway is killed after its journal took a step, before it acts on it"),
    Fault("kill.after_send", 0.03, "the gateway is killed between sending a write and its arrival"),
    Fault("kill.before_reply", 0.01, "the gateway is killed when the answer of a write arrives"),
    Fault("disk.slow", 0.01, "a commit takes 0.2 to 5 s"),
    Fault("disk.full", 0.002, "a commit fails"),
)  # fmt: skip

EPISODES = (
    Fault("rest.black_hole", 150, "no call is answered for 5 to 60 s"),
    Fault("rest.down", 150, "every connection is refused for 2 to 30 s"),
    Fault("rest.storm", 150, "every call, cancels too, is answered 429 for 2 to 20 s"),
    Fault("rest.maintenance", 200, "every call is answered ErrUnderMaintenance for 5 to 40 s; orders stay"),
    Fault("rest.key_revoked", 300, "the key is not accepted for 5 to 20 s"),
    Fault("venue.status", 100, "the market is POSTONLY, DISABLED or unknown for 2 to 40 s"),
    Fault("venue.limits", 200, "the market's minimum or maximum changes; its orders are cancelled"),
    Fault("venue.rescaled", 300, "tick or lot step change; the market's orders are cancelled"),
    Fault("venue.fees", 200, "the account's fees change"),
    Fault("venue.jump", 100, "the price jumps 1 to 30 % at once", 0.4),
    Fault("venue.one_way", 100, "takers come from one side only for 10 to 40 s", 0.4),
    Fault("venue.cancels_ours", 100, "an order of ours is cancelled by other hands"),
    Fault("manual.order", 30, "a manual order of the account's owner rests in the book", 0.5),
    Fault("manual.taker", 40, "a manual market order of the account's owner trades", 0.5),
    Fault("manual.reserves", 150, "a manual order reserves most of the free money for a while"),
    Fault("orphan", 100, "an order under our prefix that no journal knows"),
    Fault("market.half_open", 150, "the market stream stands and is silent for 5 to 40 s"),
    Fault("market.lag", 150, "the market stream is 4 to 12 s behind for 10 to 40 s"),
    Fault("user.half_open", 150, "the user stream stands and is silent for 5 to 40 s"),
    Fault("user.down", 200, "the user stream cannot be reached for 5 to 60 s"),
    Fault("user.gone", 900, "the user stream cannot be reached for more than the five minutes that it keeps", 0.1),
    Fault("redis.restarted_empty", 200, "Redis is gone for 1 to 10 s and comes back empty"),
    Fault("redis.hangs", 200, "Redis answers nothing for 3 to 20 s"),
    Fault("redis.flushed", 150, "FLUSHALL"),
    Fault("redis.read_only", 200, "Redis refuses every write for 2 to 10 s"),
    Fault("redis.thawed", 250, "Redis falls back to the state of 5 to 60 s ago"),
    Fault("redis.cut", 100, "Redis drops every connection (a slow reader's buffer)"),
    Fault("redis.junk", 60, "another program writes to our channels and keys"),
    Fault("book.killed", 150, "book is killed"),
    Fault("quote.killed", 150, "quote is killed"),
    Fault("gateway.killed", 120, "the gateway is killed"),
    Fault("gateway.stopped", 200, "the gateway is asked to end, and started again"),
    Fault("quote.stopped", 200, "the quoter is asked to end, and started again"),
    Fault("gateway.crash_loop", 400, "the gateway is killed four times in a row, moments after each start"),
    Fault("all.killed", 400, "every process is killed at once (power loss)"),
    Fault("guardian.killed", 150, "the gateway's guardian is killed"),
    Fault("guardian.paused", 200, "the gateway's guardian is held for 1 to 30 s"),
    Fault("book.paused", 150, "book is held for 1 to 30 s"),
    Fault("quote.paused", 150, "quote is held for 1 to 30 s"),
    Fault("gateway.paused", 120, "the gateway is held for 1 to 60 s"),
    Fault("all.paused", 300, "the machine sleeps for 1 to 60 s: every process is held"),
    Fault("gateway.second", 150, "a second gateway is started beside the first"),
    Fault("quote.second", 150, "a second quoter is started beside the first"),
    Fault("clock.steps", 200, "this machine's wall clock steps by up to a day, or by a second, for 5 to 40 s"),
    Fault("hostile.quoter", 200, "a quoter wants everything: crossed, off the grid, huge, far, many, for 5 to 20 s"),
)  # fmt: skip

REACHED_ONLY = (
    Fault("natural.post_only_miss", 0.0, "an order of ours would have traded: ErrOrderCanceled"),
    Fault("natural.too_late", 0.0, "the venue refused an order because its time to live had passed"),
    Fault("natural.fill_while_cancelling", 0.0, "an order of ours traded after its cancel was sent"),
    Fault("natural.halt", 0.0, "a throttle halted; the operator resumed"),
    Fault("natural.doubt", 0.0, "the book differed from the exchange's list too often: not traded on"),
    Fault("natural.priced_out", 0.0, "the market jumped so far that no price was within the collar"),
    Fault("natural.one_sided", 0.0, "fills of one side only, so that it was rested"),
    Fault("natural.partial_fill", 0.0, "an order of ours traded in part"),
    Fault("natural.cancel_of_gone", 0.0, "a cancel of an order that was not live any more"),
)
"""What happens by itself, counted like the rest."""

RARE = frozenset(
    (
        "natural.doubt",
        "natural.one_sided",
        "natural.priced_out",
        "natural.fill_while_cancelling",
        "natural.too_late",
        "disk.full",
    )
)
"""What a hundred short runs may pass by."""

ALL = {fault.name: fault for fault in (*POINTS, *EPISODES, *REACHED_ONLY)}


class Faults:
    """The faults of one run.

    Args:
        rng: its own. only: arm exactly these instead of a random choice.
    """

    def __init__(self, rng: random.Random, only: frozenset[str] | None = None) -> None:
        self._rng = rng
        self.calm = False
        self.reached: Counter[str] = Counter()
        self.armed = [
            fault
            for fault in (*POINTS, *EPISODES)
            # Drawn for each whatever ``only`` says, so that the draws after it are the same.
            if (rng.random() < fault.armed if only is None else (rng.random(), fault.name in only)[1])
        ]
        self._points = {fault.name: fault.chance for fault in self.armed if fault.chance < 1}
        self.told: Callable[[str], None] = lambda name: None

    @property
    def episodes(self) -> list[Fault]:
        return [fault for fault in self.armed if fault.chance > 1]

    def fires(self, name: str) -> bool:
        """Whether the point goes wrong this time."""
        chance = self._points.get(name)
        if chance is None or self.calm or self._rng.random() >= chance:
            return False
        self.reach(name)
        return True

    def reach(self, name: str) -> None:
        """Count a fault that took effect."""
        assert name in ALL, name
        self.reached[name] += 1
        self.told(name)
