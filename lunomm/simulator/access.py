"""Who may call, and how often: HTTP Basic, loopback names only, 300 calls a minute (pure)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections import deque
from urllib.parse import urlsplit

CALLS_PER_MINUTE = 300
_MINUTE_NS = 60_000_000_000
_SECOND_NS = 1_000_000_000
_LOOPBACK = {"localhost", "127.0.0.1", "::1", "ip6-localhost"}


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Key id and secret of an ``Authorization: Basic`` header, None for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 1024:
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    key_id, colon, secret = text.partition(":")
    return (key_id, secret) if colon else None


def is_loopback_host(host: str) -> bool:
    """Whether a Host header (or a bare host) names this machine by a loopback name.

    A web page of another name that resolves to this machine (DNS rebinding) is kept out by this.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in _LOOPBACK


def is_loopback_peer(address: str) -> bool:
    """Whether a peer's address is of this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback_origin(origin: str) -> bool:
    """Whether an Origin header may open a stream; luno-python sends ``http://localhost/``."""
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        return False
    return name in _LOOPBACK


class CallBudgets:
    """One token bucket for each key: full at 300, refilled within a minute. Times are monotonic ns.

    What a bucket has left says little about how busy its key is: a client of 200 calls a minute always finds it full.
    So the calls of the last 60 s are counted beside it, by the second.
    """

    def __init__(self, per_minute: int = CALLS_PER_MINUTE) -> None:
        self._capacity = per_minute
        self._buckets: dict[str, tuple[float, int]] = {}
        self._calls: dict[str, deque[tuple[int, int]]] = {}

    def take(self, who: str, now_ns: int) -> bool:
        """Take one call; False when none is left."""
        tokens, then = self._buckets.get(who, (float(self._capacity), now_ns))
        tokens = min(float(self._capacity), tokens + (now_ns - then) / _MINUTE_NS * self._capacity)
        allowed = tokens >= 1.0
        self._buckets[who] = (tokens - 1.0 if allowed else tokens, now_ns)
        self._count(who, now_ns // _SECOND_NS)
        return allowed

    def _count(self, who: str, second: int) -> None:
        calls = self._calls.setdefault(who, deque(maxlen=60))
        if calls and calls[-1][0] == second:
            calls[-1] = (second, calls[-1][1] + 1)
        else:
            calls.append((second, 1))

    def used_by(self, who: str, now_ns: int) -> int:
        """Calls of one in the last 60 s, refused ones too."""
        first = now_ns // _SECOND_NS - 60
        return sum(count for second, count in self._calls.get(who, ()) if second > first)

    def used(self, now_ns: int) -> int:
        """Calls of the busiest key in the last 60 s."""
        return max((self.used_by(who, now_ns) for who in self._calls), default=0)
