"""Keeps keys out of logs.

At DEBUG ``websockets`` logs the frame that carries the key, and ``httpcore`` every header. Their loggers are pinned to
WARNING by a filter, so that a level set later, on them or on the root, opens nothing; what does pass is searched for
every key this process has used. A level alone would not do: logging set-ups often set levels for all loggers.
"""

from __future__ import annotations

import base64
import logging

from lunomm.luno.hosts import ApiKey

SHORTEST = 8
"""Texts shorter than this are not searched for: they would blank out ordinary words (``sim``)."""

_LOGGERS = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "websockets",
    "websockets.client",
    "websockets.server",
)
_known: set[str] = set()


def redact(text: str) -> str:
    """``text`` without the ids and secrets of any key used so far, also as HTTP Basic authentication spells them."""
    # Longest first: one may be part of another.
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def protect(key: ApiKey | None) -> None:
    """Guard the libraries' loggers, and remember what to search for. Doing it again is harmless."""
    if key is not None:
        basic = base64.b64encode(f"{key.id}:{key.secret}".encode()).decode()
        _known.update(text for text in (key.id, key.secret, basic) if len(text) >= SHORTEST)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
        if _guard not in logger.filters:
            logger.addFilter(_guard)


def _guard(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING:
        return False
    record.msg, record.args = redact(record.getMessage()), None
    if record.exc_info:
        record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        record.exc_info = None
    return True
