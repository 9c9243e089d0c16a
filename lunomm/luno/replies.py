"""What an answer of Luno's REST proves (pure).

The question behind every refused or broken write is: can an order exist? Only a code known to be given before an order
is created proves that none does. Everything else, also a code we have never heard of, leaves the outcome unknown, and
the caller must look the order up by its client id. A read has no such question: it failed, and may be asked again.

Source: Luno's API reference 1.2.5 (error codes); which code proves what is our reading of it, erring towards unknown:
ErrDeadlineExceeded and ErrInternal do not say how far the request came.
"""

from __future__ import annotations

import re

from lunomm.errors import (
    ConnectivityError,
    CredentialsError,
    ExchangeError,
    LunommError,
    MarketDataError,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from lunomm.luno.wire import ErrorBody, decode

DUPLICATE = "ErrDuplicateClientOrderID"
"""This call created nothing, but an order of that client id exists: look it up, ours or not."""

ABSENT = frozenset({"ErrOrderNotFound", "ErrNotFound"})
"""Answers of a read that say no such order exists."""

GONE = ABSENT | {"ErrCannotStopUnknownOrNonPendingOrder"}
"""Answers of a cancel that say the order is not live: filled, cancelled before, or never there."""

NO_ORDER = frozenset(
    {
        DUPLICATE,
        "ErrInsufficientBalance",
        "ErrInsufficientFunds",
        "ErrInvalidAccount",
        "ErrInvalidAccountID",
        "ErrInvalidArguments",
        "ErrInvalidBaseVolume",
        "ErrInvalidClientOrderId",
        "ErrInvalidCounterVolume",
        "ErrInvalidMarketPair",
        "ErrInvalidOrderRef",
        "ErrInvalidOrderSide",
        "ErrInvalidParameters",
        "ErrInvalidPrice",
        "ErrInvalidStopDirection",
        "ErrInvalidStopPrice",
        "ErrInvalidVolume",
        "ErrMarketNotAllowed",
        "ErrMarketUnavailable",
        "ErrOrderCanceled",
        "ErrPostOnlyMode",
        "ErrPriceDenominationNotAllowed",
        "ErrPriceTooHigh",
        "ErrPriceTooLow",
        "ErrUnderMaintenance",
        "ErrValueTooHigh",
        "ErrVolumeDenominationNotAllowed",
        "ErrVolumeTooHigh",
        "ErrVolumeTooLow",
    }
)
"""Codes that prove a placed order was never created. Those of market and stop orders, of amounts in general and of the
user's standing are left out: what they say of a limit order is written nowhere."""

PLACE, CANCEL = NO_ORDER, NO_ORDER | GONE
"""What proves, for each kind of write, that this call did nothing."""

_KEY_REFUSED = {
    "ErrUnauthorised": "Luno does not accept the key: check LUNO_KEY_ID and LUNO_KEY_SECRET",
    "ErrApiKeyRevoked": "the key has been revoked: make a new one at Luno",
    "ErrInsufficientPerms": "the key lacks a permission this call needs: see the README for the set",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_MAX_ERROR = 64 * 1024
_MAX_RETRY_S = 3600


def failure(
    what: str, status: int, body: bytes, *, proofs: frozenset[str] | None, retry_after: str | None = None
) -> LunommError | None:
    """The error an answer stands for, ``None`` when it is a success whose body can be read.

    Args:
        what: names the call for people, without any of its values.
        status: HTTP status. retry_after: that header as received.
        proofs: codes that prove the write did nothing (PLACE or CANCEL); ``None`` for a read.

    Returns: RateLimited or CredentialsError: nothing was done. For a write OrderRejected (nothing was done, ``code`` is
        Luno's) or OutcomeUnknown; for a read ExchangeError (``code`` is Luno's) or ConnectivityError (worth asking
        again).
    """
    write = proofs is not None
    if status == 429:
        return RateLimited(f"{what}: Luno says too many calls", retry_after_s=_seconds(retry_after))
    error = _error_body(body)
    if error is None:
        if status == 200:
            return None
        if status == 401:
            return CredentialsError(f"{what}: {_KEY_REFUSED['ErrUnauthorised']}")
        return _unclear(f"{what}: HTTP {status} without an error code of Luno's", write)
    code, said = error.error_code, _shown(error.error)
    if code == "ErrTooManyRequests":
        return RateLimited(f"{what}: Luno says too many calls", retry_after_s=_seconds(retry_after))
    if code in _KEY_REFUSED or status == 401:
        return CredentialsError(f"{what}: {_KEY_REFUSED.get(code, _KEY_REFUSED['ErrUnauthorised'])} ({code})")
    # Behind a 5xx the edge may speak for a server that has done the work; maintenance is known to be said up front.
    if status < 500 or code == "ErrUnderMaintenance":
        if proofs is None:
            return ExchangeError(f"{what}: {said} ({code})", code=code)
        if code in proofs:
            return OrderRejected(f"{what}: {said} ({code})", code=code)
    return _unclear(f"{what}: HTTP {status}, {said} ({code})", write)


def unreadable(what: str, why: str, *, write: bool) -> ExchangeError:
    """The error for an answer that came but cannot be read."""
    return _unclear(f"{what}: {why}", write)


def _unclear(message: str, write: bool) -> ExchangeError:
    return OutcomeUnknown(message) if write else ConnectivityError(message)


def _error_body(body: bytes) -> ErrorBody | None:
    try:
        error = decode(body, ErrorBody, "error", limit=_MAX_ERROR)
    except MarketDataError:
        return None
    return error if _CODE.fullmatch(error.error_code) else None


def _shown(text: str) -> str:
    """Luno's words for people, on one line; what the message means is in the code."""
    return "".join(char if char.isprintable() else "?" for char in text[:160])


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds, at most an hour; ``None`` when absent or a date (which needs a clock we do not trust)."""
    if text is None or not re.fullmatch(r"[0-9]{1,6}", text.strip(), re.ASCII):
        return None
    return float(min(int(text), _MAX_RETRY_S))
