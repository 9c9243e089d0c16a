"""Who is here: the venue everyone talks about, the pieces alive, leases, requests and the halt (bus messages)."""

from __future__ import annotations

import msgspec

from lunomm.market.stamp import Stamped

OURS = ("sim", "paper")
"""Modes whose exchange is a process of lunomm on this machine."""


class VenueInfo(Stamped, kw_only=True):
    """VENUE::<pair>: the one market all pieces of a pair on this Redis are talking about.

    mode: ``sim``, ``paper``, ``live`` or ``tape``. url: base of the REST calls. host: machine that runs it (not live).
    upstream: whose market a paper exchange passes on.
    run_id: one life of that venue; another run is another world. speed: exchange seconds per wall second.
    anchor_*_ms: one instant on both clocks; equal unless a tape is re-enacted. pair of the message is the pair claimed.
    """

    mode: str
    url: str
    host: str = ""
    seed: int | None = None
    profile: str | None = None
    tape: str | None = None
    speed: float = 1.0
    run_id: str = ""
    anchor_wall_ms: int = 0
    anchor_exchange_ms: int = 0
    upstream: str | None = None

    @property
    def place(self) -> str:
        """Names what outlives a run: stored messages are compared by it (mode, URL, what is there)."""
        parts = [self.mode, self.url.replace("|", "")]
        if self.mode == "sim":
            parts += [str(self.seed), self.profile or "", self.tape or ""]
        elif self.mode == "paper":
            parts.append((self.upstream or "").replace("|", ""))
        return "|".join(parts)

    @property
    def stamp(self) -> str:
        """The ``venue`` field of every message: run id, then the place."""
        return f"{self.run_id}|{self.place}"

    @property
    def title(self) -> str:
        """For people: mode and where."""
        if self.mode == "sim":
            return f"sim at {self.url} ({self.profile or 'tape'}, run {self.run_id})"
        if self.mode == "paper":
            return f"paper at {self.url} (market of {self.upstream}, account {self.run_id})"
        return f"{self.mode} at {self.url}"


def place_of(stamp: str) -> str:
    """The part of a stamp that outlives a run."""
    return stamp.partition("|")[2]


class Health(Stamped, kw_only=True):
    """HEALTH::<piece>::<pair>: one heartbeat a second; gone when the piece is.

    state: one word for a screen (``OK``, ``WAITING``, ``STOPPING`` ...). counters: numbers and words worth showing.
    settings: what ``lunomm set`` may change of this piece, as it is now.
    """

    piece: str
    pid: int
    host: str
    user: str = ""
    started_ms: int
    ts_ms: int
    beat: int
    mode: str = ""
    state: str = "OK"
    last_error: str | None = None
    counters: dict[str, float | str | None] = {}
    settings: dict[str, str] = {}


class LeaseInfo(msgspec.Struct, kw_only=True):
    """LEASE::<piece>::<pair or account>: who holds it. token: grows with each holder; beat: with each renewal."""

    token: int
    holder: str
    pid: int
    host: str
    since_ms: int
    beat: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter: its name, the value asked for or applied, and the one before (None: not known to the asker)."""

    name: str
    new: str
    old: str | None = None

    @property
    def words(self) -> str:
        return f"{self.name} {self.old} -> {self.new}" if self.old is not None else f"{self.name} {self.new}"


class ControlRequest(Stamped, kw_only=True):
    """CONTROL::<pair>: a request to the pieces, answered once by each (``answers`` names the request).

    verb: panic, resume (a halt ends), set, pause, unpause, answer. who: user@host. changes: of ``set``, all or none; in
    an answer as applied. piece: who answers. session: the life of the pipeline in which an answer was given: a quoter
    that ``up`` starts again goes on with what was set in it.
    """

    request_id: str
    verb: str
    ts_ms: int
    who: str
    name: str | None = None
    old: str | None = None
    new: str | None = None
    answers: str | None = None
    accepted: bool | None = None
    detail: str = ""
    changes: list[Change] = []
    piece: str = ""
    session: str = ""


class HaltMark(Stamped, kw_only=True):
    """HALT::<pair>: mirror of the halt in the gateway's journal; its absence lifts nothing."""

    since_ms: int
    cause: str
    who: str = ""
