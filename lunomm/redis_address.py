"""Where Redis is and what seals the bus, as settings say it (light: settings import it)."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from lunomm.errors import ConfigError
from lunomm.options import show

BUS_KEY = "LUNOMM_BUS_KEY"
SHORTEST_BUS_KEY = 16
"""Characters: so many random ones are out of reach of guessing."""

SENTINEL_PORT = 26379
TLS_FILES = {"ca": "LUNOMM_REDIS_CA", "cert": "LUNOMM_REDIS_CERT", "cert_key": "LUNOMM_REDIS_CERT_KEY"}
"""Of a Redis spoken to by TLS: who signed its certificate (default: the system's), and ours, where it asks for one."""

_LOOPBACK = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "ip6-localhost"}


@dataclass(frozen=True)
class RedisAddress:
    """Where the bus is. Passwords and ``bus_key`` are never shown. url: what to tell people.

    bus_key: seals what moves money (LUNOMM_BUS_KEY), None = nothing is sealed.
    sentinels: (host, port) of each Sentinel that knows which server is the master of ``service``; empty = the server is
        at ``host``, which else is the first of them. sentinel_username, sentinel_password: of the Sentinels themselves.
    ca, cert, cert_key: PEM files for TLS, None = the system's authorities, no certificate of ours.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    bus_key: str | None = field(default=None, repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    cert_key: str | None = None

    @property
    def url(self) -> str:
        database = f"/{self.db}" if self.db else ""
        if self.sentinels:
            named = ",".join(f"{host}:{port}" for host, port in self.sentinels)
            return f"sentinel {named}/{self.service}{database}"
        return f"{self.host}:{self.port}{database}"

    @property
    def advice(self) -> str:
        """What to look at when nothing answers there."""
        plain = not (self.sentinels or self.tls or self.username)
        return f"Check {'REDIS_HOST and REDIS_PORT' if plain else 'LUNOMM_REDIS_URL'}"

    @property
    def local(self) -> bool:
        """Whether it names this machine. Sentinels may make any machine the master."""
        return not self.sentinels and is_this_machine(self.host)

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
        ConfigError: not an address, a bus key that could be guessed, or a file of TLS that is not there.
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
    files = _tls_files(address, env)
    return replace(address, bus_key=key, ca=files.get("ca"), cert=files.get("cert"), cert_key=files.get("cert_key"))


def _tls_files(address: RedisAddress, env: Mapping[str, str]) -> dict[str, str]:
    given = {part: env[name] for part, name in TLS_FILES.items() if env.get(name)}
    for part, path in given.items():
        if not address.tls:
            raise ConfigError(f"{TLS_FILES[part]}: is of TLS, which LUNOMM_REDIS_URL does not ask for. Write rediss://")
        if not Path(path).expanduser().is_file():
            raise ConfigError(f"{TLS_FILES[part]}: {show(path)}: no such file. Name a PEM file")
    if ("cert" in given) != ("cert_key" in given):
        raise ConfigError(f"{TLS_FILES['cert']} and {TLS_FILES['cert_key']}: only one is set. Set both, or none")
    return {part: str(Path(path).expanduser()) for part, path in given.items()}


def _redis_url(url: str) -> RedisAddress:
    # The URL may hold a password: it is never echoed.
    advice = "Write redis://host:port (rediss:// for TLS), or redis+sentinel://host:port,host:port/service"
    try:
        parts = urlsplit(url)
        if parts.scheme in ("redis+sentinel", "rediss+sentinel"):
            return _sentinel_url(parts)
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


def _sentinel_url(parts: SplitResult) -> RedisAddress:
    """``redis+sentinel://[user:password@]host[:port],.../service[/db][?sentinel_password=...]``.

    Raises:
        ConfigError: not that. ValueError: a port is none.
    """
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    seats = []
    for seat in hosts.split(","):
        one = urlsplit(f"//{seat}")
        if not one.hostname or one.port == 0 or one.path:
            raise ConfigError("LUNOMM_REDIS_URL: a Sentinel without a host. Write host:port, divided by commas")
        seats.append((one.hostname, one.port or SENTINEL_PORT))
    service, _, database = parts.path.strip("/").partition("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", service) or not re.fullmatch(r"[0-9]{0,4}", database):
        raise ConfigError(
            "LUNOMM_REDIS_URL: names no service. Write redis+sentinel://host:26379,host2:26379/service, with the name "
            "after `sentinel monitor`"
        )
    if len(set(seats)) != len(seats):
        raise ConfigError("LUNOMM_REDIS_URL: a Sentinel is named twice: its voice would count double. Name each once")
    given = dict(parse_qsl(parts.query))
    unknown = set(given) - {"sentinel_username", "sentinel_password"}
    if unknown:
        raise ConfigError("LUNOMM_REDIS_URL: after the ? only sentinel_username and sentinel_password are known")
    return RedisAddress(
        host=seats[0][0],
        port=seats[0][1],
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        tls=parts.scheme == "rediss+sentinel",
        sentinels=tuple(seats),
        service=service,
        sentinel_username=given.get("sentinel_username"),
        sentinel_password=given.get("sentinel_password"),
    )


def _port(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise ConfigError(f"{name}: {show(text)}: not a port. Set a number from 1 to 65535")
    return int(text)
