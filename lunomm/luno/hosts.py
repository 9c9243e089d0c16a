"""Where Luno is, and the key that goes there and nowhere else (pure, and light: settings import it).

A key is sent to Luno's own hosts over TLS, or to this machine, where the simulated exchange and tests live; any other
address is refused before a socket is opened.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

from lunomm.errors import ConfigError, CredentialsError

REST_HOST = "api.luno.com"
STREAM_HOST = "ws.luno.com"
MAX_KEY = 200
"""Longest key id or secret, characters; Luno's secret has 43."""

_KEY = re.compile(r"[!-~]+", re.ASCII)
_LOCAL = re.compile(r"(?:localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key id and its secret. Neither is ever shown; ``str`` and ``repr`` hide both.

    Raises:
        CredentialsError: empty, longer than 200 characters, not printable ASCII, or a colon in the id (it would end the
            user name of HTTP Basic authentication). The text itself is not repeated.
    """

    id: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, text in (("LUNO_KEY_ID", self.id), ("LUNO_KEY_SECRET", self.secret)):
            if not (len(text) <= MAX_KEY and _KEY.fullmatch(text)):
                raise CredentialsError(
                    f"{name}: not a Luno key: 1 to {MAX_KEY} printable ASCII characters without spaces. Copy it again"
                )
        if ":" in self.id:
            raise CredentialsError("LUNO_KEY_ID: has a colon. Did you paste id and secret together?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Base URLs without a trailing slash. rest: of the REST calls; ws: of both streams. Made by :func:`endpoint`.

    Raises:
        ConfigError: a place no key may go to.
    """

    rest: str
    ws: str

    def __post_init__(self) -> None:
        if (self.rest, self.ws) == (f"https://{REST_HOST}", f"wss://{STREAM_HOST}"):
            return
        for url, scheme in ((self.rest, "http://"), (self.ws, "ws://")):
            if not (url.startswith(scheme) and _LOCAL.fullmatch(url[len(scheme) :])):
                _refuse("a key may not be sent there")

    @property
    def is_luno(self) -> bool:
        """The real exchange, as against one on this machine."""
        return self == LUNO

    @property
    def host(self) -> str:
        """Host and, where it is not the usual one, port of the REST calls."""
        return self.rest.partition("://")[2]


LUNO = Endpoint(f"https://{REST_HOST}", f"wss://{STREAM_HOST}")


def endpoint(url: str | None) -> Endpoint:
    """Luno, or what ``url`` names if a key may go there.

    Args:
        url: None or empty for Luno; ``https://api.luno.com``; or ``http://`` and a loopback host, port optional, whose
            streams are then on the same host and port.

    Raises:
        ConfigError: anything else: another host, plain HTTP to Luno, a user name, a path, a query, a bad port.
    """
    if url is None or not url.strip():
        return LUNO
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or ""), parts.port
    except ValueError:
        _refuse("it cannot be read")
    if "@" in parts.netloc:
        _refuse("it holds a user name: keys belong in LUNO_KEY_ID and LUNO_KEY_SECRET")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        _refuse("it has more than a scheme, a host and a port")
    if host == REST_HOST:
        if parts.scheme != "https" or port not in (None, 443):
            _refuse("Luno is spoken to over https on its usual port only")
        return LUNO
    if not is_loopback(host):
        _refuse(f"{host[:60]!a} is neither Luno nor this machine")
    if parts.scheme != "http":
        _refuse("an exchange on this machine is spoken to over http")
    # Rebuilt from the parts that were checked: nothing of the text that was not looked at is used.
    where = f"[{host}]" if ":" in host else host
    if port is not None:
        where += f":{port}"
    return Endpoint(f"http://{where}", f"ws://{where}")


def is_loopback(host: str) -> bool:
    """Whether a host name or plain address can only be this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Not every spelling that is loopback somewhere (::ffff:127.0.0.1), only the two in use.
    return address.is_loopback and (address.version == 4 or host == "::1")


def _refuse(why: str) -> NoReturn:
    raise ConfigError(
        f"--url (LUNOMM_URL): {why}. Use https://{REST_HOST}, or an exchange on this machine such as "
        "http://127.0.0.1:8377",
        code="URL",
    )
