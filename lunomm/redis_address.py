"""Where Redis is and what seals the bus, as settings say it (light: settings import it)."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from lunomm.errors import ConfigError
from lunomm.options import show

BUS_KEY = "LUNOMM_BUS_KEY"
SHORTEST_BUS_KEY = 16
"""Characters: so many random ones are out of reach of guessing."""

_LOOPBACK = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "ip6-localhost"}


@dataclass(frozen=True)
class RedisAddress:
    """Where the bus is. ``password`` and ``bus_key`` are never shown. url: what to tell people.

    bus_key: seals what moves money (LUNOMM_BUS_KEY), None = nothing is sealed.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    bus_key: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"{self.host}:{self.port}" + (f"/{self.db}" if self.db else "")

    @property
    def local(self) -> bool:
        """Whether it names this machine."""
        return is_this_machine(self.host)

    @property
    def embeddable(self) -> bool:
        """Whether an embedded server may stand in for it: here, without password, TLS or a database number."""
        return self.local and not self.tls and self.password is None and self.db == 0


def is_this_machine(host: str) -> bool:
    host = host.strip().lower()
    return host in _LOOPBACK or host.startswith("127.") or host == socket.gethostname().lower()


def read_redis(env: Mapping[str, str]) -> RedisAddress:
    """LUNOMM_REDIS_URL when set, else REDIS_HOST and REDIS_PORT, else 127.0.0.1:6379; sealed with LUNOMM_BUS_KEY.

    Raises:
        ConfigError: not an address, or a bus key that could be guessed.
    """
    url = env.get("LUNOMM_REDIS_URL")
    if url:
        address = _redis_url(url)
    else:
        port = _port("REDIS_PORT", env.get("REDIS_PORT", "6379"))
        address = RedisAddress(host=env.get("REDIS_HOST", "127.0.0.1"), port=port)
    key = env.get(BUS_KEY)
    if key is not None and len(key) < SHORTEST_BUS_KEY:
        raise ConfigError(
            f"{BUS_KEY}: shorter than {SHORTEST_BUS_KEY} characters. Make one with: openssl rand -hex 32",
            code="BUS_KEY",
        )
    return replace(address, bus_key=key)


def _redis_url(url: str) -> RedisAddress:
    # The URL may hold a password: it is never echoed.
    advice = "Write redis://host:port (rediss:// for TLS)"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(f"LUNOMM_REDIS_URL: not a Redis address: bad port. {advice}") from e
    database = parts.path.strip("/")
    if parts.scheme not in ("redis", "rediss") or not host or port == 0 or not re.fullmatch(r"[0-9]{0,4}", database):
        raise ConfigError(f"LUNOMM_REDIS_URL: not a Redis address. {advice}")
    return RedisAddress(
        host=host,
        port=port or 6379,
        db=int(database or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "rediss",
    )


def _port(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise ConfigError(f"{name}: {show(text)}: not a port. Set a number from 1 to 65535")
    return int(text)
