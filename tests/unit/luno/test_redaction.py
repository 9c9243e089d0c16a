from __future__ import annotations

import base64
import io
import logging

import pytest

from lunomm.luno import redaction
from lunomm.luno.hosts import ApiKey

KEY = ApiKey("redaction-key-id", "redaction-secret-text")
BASIC = base64.b64encode(b"redaction-key-id:redaction-secret-text").decode()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.mark.parametrize("name", ["websockets.client", "httpcore.http11", "httpcore.connection", "httpx"])
def test_library_logs_hold_no_key_at_any_level(name: str, log: io.StringIO) -> None:
    redaction.protect(KEY)
    logger, handler = logging.getLogger(name), logging.StreamHandler(log)
    before = logger.level
    logger.addHandler(handler)
    # The worst an application can do afterwards.
    logger.setLevel(logging.DEBUG)
    try:
        logger.debug("> TEXT %s", KEY.secret)
        logger.info("HTTP Request: %s", "https://x")
        assert log.getvalue() == ""
        try:
            raise ValueError(f"Authorization: Basic {BASIC}")
        except ValueError:
            logger.warning("sent %s and %s", KEY.id, [KEY.secret], exc_info=True)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    text = log.getvalue()
    assert "sent *** and ['***']" in text and "Authorization: Basic ***" in text and "Traceback" in text
    assert not any(secret in text for secret in (KEY.id, KEY.secret, BASIC))


def test_redact_takes_the_longest_first_and_leaves_words_alone() -> None:
    redaction.protect(ApiKey("redaction", "redaction-and-more"))
    redaction.protect(ApiKey("sim", "sim"))
    redaction.protect(None)
    assert redaction.redact("redaction-and-more at simulator") == "*** at simulator"


def test_guarding_twice_adds_one_filter() -> None:
    redaction.protect(KEY)
    redaction.protect(KEY)
    assert len(logging.getLogger("httpx").filters) == 1
