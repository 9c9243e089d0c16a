"""Every error lunomm raises on purpose, as one tree; the type says what to do next.

LunommError                     exit 1
├── UsageError                  exit 2   fix the command line
├── ConfigError                 exit 3   fix a setting, a key, a file mode, the clock
│   └── CredentialsError        exit 3   the exchange does not accept the key
├── ModelError                  exit 1   a model was given something it cannot price
├── OrderStateError             exit 1   an illegal order transition: a bug, never data
├── JournalError                exit 5   the durable record cannot be trusted or written
├── BusError                    exit 4   Redis is not reachable or does not answer
│   └── BadMessage              -        one message is dropped and counted
├── MarketDataError             exit 4   the stream cannot be used
│   ├── SequenceGap             -        resync: drop the book, reconnect
│   └── BookError               -        resync: the frame contradicts the book
├── ExchangeError               exit 4
│   ├── OutcomeUnknown          -        a write may or may not have happened: look it up, never guess
│   ├── ConnectivityError       exit 4   provably not delivered, or a read: retry
│   ├── RateLimited             exit 4   wait, then retry
│   └── OrderRejected           -        proven: no order exists; do not retry, the code is kept
├── RefusedError                exit 5   refused for safety (venue differs, halted, limits)
├── InstanceError               exit 6   another instance holds the lease
└── OrdersMayBeLive             exit 8   outranks all; carries the ids
"""

from __future__ import annotations

from collections.abc import Sequence


class LunommError(Exception):
    """Base of all. ``code`` is the stable word shown in ``--json``; ``exit_code`` the process's."""

    exit_code = 1
    code = "FAILED"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class UsageError(LunommError):
    exit_code = 2
    code = "USAGE"


class ConfigError(LunommError):
    exit_code = 3
    code = "CONFIG"


class CredentialsError(ConfigError):
    code = "CREDENTIALS"


class ModelError(LunommError):
    code = "MODEL"


class OrderStateError(LunommError):
    code = "ORDER_STATE"


class JournalError(LunommError):
    exit_code = 5
    code = "JOURNAL"


class BusError(LunommError):
    exit_code = 4
    code = "BUS"


class BadMessage(BusError):
    code = "BAD_MESSAGE"


class MarketDataError(LunommError):
    exit_code = 4
    code = "MARKET_DATA"


class SequenceGap(MarketDataError):
    """Frame ``got`` cannot be applied to a book at ``have``."""

    code = "SEQUENCE_GAP"

    def __init__(self, have: int, got: int) -> None:
        super().__init__(f"book at sequence {have} cannot apply frame {got}: only {have + 1} may follow")
        self.have = have
        self.got = got


class BookError(MarketDataError):
    """The frame contradicts the book. ``code`` names how (UNKNOWN_MAKER, OVERFILL, DUPLICATE_ID, ...)."""

    code = "BOOK"


class ExchangeError(LunommError):
    exit_code = 4
    code = "EXCHANGE"


class OutcomeUnknown(ExchangeError):
    code = "OUTCOME_UNKNOWN"


class ConnectivityError(ExchangeError):
    code = "CONNECTIVITY"


class RateLimited(ExchangeError):
    """``retry_after_s`` is what the venue asked for, ``None`` when it did not say."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OrderRejected(ExchangeError):
    """The venue proved that no order exists (or that the call did nothing); ``code`` is its error_code."""

    code = "REJECTED"


class RefusedError(LunommError):
    exit_code = 5
    code = "REFUSED"


class InstanceError(LunommError):
    exit_code = 6
    code = "INSTANCE"


class OrdersMayBeLive(LunommError):
    exit_code = 8
    code = "ORDERS_MAY_BE_LIVE"

    def __init__(self, message: str, order_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.order_ids = tuple(order_ids)
