"""Seals on the messages that can move money, for a bus that other machines reach.

Whoever can write to Redis can want quotes. Where Redis is not on this machine, wanted quotes and requests therefore
carry an HMAC-SHA256 over their channel's name and their whole text, made with a key that never is on Redis
(``LUNOMM_BUS_KEY``, the same on every machine of the desk). A message without it, or with another, is dropped and
counted like any other that is not ours. Replaying an old one gains nothing: quotes carry the quoter's epoch and a
growing number, requests an id and their time.
"""

from __future__ import annotations

import hashlib
import hmac

_HEAD = ',"mac":"'
_HEX = 64
_TAIL = len(_HEAD) + _HEX + len('"}')


class Seal:
    """Signs and checks. The key is never shown."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __repr__(self) -> str:
        return "Seal()"

    def sign(self, name: str, text: str) -> str:
        """One JSON object's text with its seal as the last field. name: of the Redis key or channel."""
        return f'{text[:-1]}{_HEAD}{self._mac(name, text)}"}}'

    def genuine(self, name: str, text: str) -> bool:
        """Whether ``text`` was signed for ``name`` with this key."""
        if len(text) <= _TAIL or not text.startswith(_HEAD, len(text) - _TAIL):
            return False
        body, mac = text[:-_TAIL] + "}", text[-_HEX - 2 : -2]
        return text.endswith('"}') and mac.isascii() and hmac.compare_digest(mac, self._mac(name, body))

    def _mac(self, name: str, text: str) -> str:
        # A length in front of the name: no other split of name and text has the same bytes.
        told = f"{len(name)}:{name}{text}".encode(errors="surrogatepass")
        return hmac.new(self._key, told, hashlib.sha256).hexdigest()
