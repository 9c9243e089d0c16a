from __future__ import annotations

import json

import pytest

from lunomm.errors import (
    ConnectivityError,
    CredentialsError,
    ExchangeError,
    LunommError,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from lunomm.luno.replies import CANCEL, NO_ORDER, PLACE, failure


def body(code: str, message: str = "No.", **more: object) -> bytes:
    return json.dumps({"error": message, "error_code": code, **more}).encode()


HTML = b"<!DOCTYPE html><html>Attention Required! | Cloudflare</html>"
READ, WRITE = ConnectivityError, OutcomeUnknown

# status, body, what a read is told, what a placed order is told
TABLE: list[tuple[int, bytes, type[LunommError] | None, type[LunommError] | None]] = [
    (200, b'{"order_id":"BX1"}', None, None),
    (200, HTML, None, None),  # judged when it is read as what it should be
    (200, body("ErrInsufficientFunds"), ExchangeError, OrderRejected),
    (400, body("ErrInsufficientFunds"), ExchangeError, OrderRejected),
    (400, body("ErrOrderCanceled"), ExchangeError, OrderRejected),
    (409, body("ErrDuplicateClientOrderID"), ExchangeError, OrderRejected),
    (403, body("ErrMarketNotAllowed", error_action={}), ExchangeError, OrderRejected),
    (503, body("ErrUnderMaintenance"), ExchangeError, OrderRejected),
    (400, body("ErrDeadlineExceeded"), ExchangeError, OutcomeUnknown),
    (400, body("ErrInternal"), ExchangeError, OutcomeUnknown),
    (400, body("ErrBrandNew"), ExchangeError, OutcomeUnknown),
    (404, body("ErrNotFound"), ExchangeError, OutcomeUnknown),
    (500, body("ErrInternal"), READ, WRITE),
    (500, body("ErrInsufficientFunds"), READ, WRITE),
    (502, HTML, READ, WRITE),
    (503, b"", READ, WRITE),
    (504, b"upstream request timeout", READ, WRITE),
    (520, HTML, READ, WRITE),
    (403, HTML, READ, WRITE),
    (404, b"", READ, WRITE),
    (405, b"", READ, WRITE),
    (201, b'{"order_id":"BX1"}', READ, WRITE),
    (204, b"", READ, WRITE),
    (301, b"", READ, WRITE),
    (400, b'{"error":"no code"}', READ, WRITE),
    (400, b'{"error":null,"error_code":"ErrInsufficientFunds"}', READ, WRITE),
    (400, body("ErrInsufficientFunds")[:-1], READ, WRITE),
    (400, b'{"error":"a","error_code":"ErrInvalidPrice","error_code":"ErrInternal"}', READ, WRITE),
    (400, body("Err\x1b[31m"), READ, WRITE),
    (400, body(""), READ, WRITE),
    (400, body("ErrInsufficientFunds", "x" * 70_000), READ, WRITE),
    (401, b"", CredentialsError, CredentialsError),
    (401, HTML, CredentialsError, CredentialsError),
    (401, body("ErrUnauthorised"), CredentialsError, CredentialsError),
    (400, body("ErrApiKeyRevoked"), CredentialsError, CredentialsError),
    (403, body("ErrInsufficientPerms"), CredentialsError, CredentialsError),
    (429, b"", RateLimited, RateLimited),
    (429, HTML, RateLimited, RateLimited),
    (400, body("ErrTooManyRequests"), RateLimited, RateLimited),
]


@pytest.mark.parametrize(("status", "answer", "read", "write"), TABLE)
def test_what_an_answer_proves(
    status: int, answer: bytes, read: type[LunommError] | None, write: type[LunommError] | None
) -> None:
    for proofs, expected in ((None, read), (PLACE, write)):
        found = failure("GET /x", status, answer, proofs=proofs)
        assert type(found) is (expected or type(None))
        if isinstance(found, OrderRejected) or type(found) is ExchangeError:
            assert found.code == json.loads(answer)["error_code"]
        assert str(found).isprintable() and len(str(found)) < 300


@pytest.mark.parametrize("code", ["ErrInternal", "ErrDeadlineExceeded", "ErrUpdateRequired", "ErrOrderNotFound"])
def test_codes_that_prove_nothing_about_a_new_order(code: str) -> None:
    assert code not in NO_ORDER
    assert type(failure("POST", 400, body(code), proofs=PLACE)) is OutcomeUnknown


@pytest.mark.parametrize("code", ["ErrCannotStopUnknownOrNonPendingOrder", "ErrOrderNotFound", "ErrNotFound"])
def test_a_cancel_of_what_is_not_live_did_nothing(code: str) -> None:
    assert type(failure("POST", 404, body(code), proofs=CANCEL)) is OrderRejected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 12 ", 12.0),
        ("0", 0.0),
        ("99999", 3600.0),
        ("1e9", None),
        ("-1", None),
        ("", None),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("٧", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    found = failure("GET /x", 429, b"", proofs=None, retry_after=header)
    assert isinstance(found, RateLimited) and found.retry_after_s == seconds


def test_words_of_the_venue_are_made_harmless() -> None:
    found = failure("GET /x", 400, body("ErrInvalidPrice", "\x1b[2J\nbad\u202e" + "y" * 900), proofs=None)
    assert str(found).isprintable() and len(str(found)) < 250


@pytest.mark.parametrize(
    "code",
    ["ErrInternal", "ErrDeadlineExceeded", "ErrUpdateRequired", "ErrAmountTooBig", "ErrNotEnoughLiquidity",
     "ErrUserNotVerifiedForCurrency", "ErrCounterDenominationNotAllowed", "ErrNeverHeardOf"],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 403, 409, 500])
def test_a_code_that_is_nowhere_said_to_prove_it_proves_nothing(code: str, status: int) -> None:
    body = f'{{"error":"x","error_code":"{code}"}}'.encode()
    assert isinstance(failure("POST", status, body, proofs=PLACE), OutcomeUnknown)
