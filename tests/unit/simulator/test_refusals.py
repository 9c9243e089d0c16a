from __future__ import annotations

import pytest

from lunomm.simulator.refusals import VenueError, refuse

STATUSES = {
    401: "ErrUnauthorised ErrApiKeyRevoked",
    403: "ErrInsufficientPerms ErrMarketNotAllowed ErrCannotTradeWhileQuoteActive ErrUserNotVerifiedForCurrency",
    404: "ErrOrderNotFound ErrNotFound",
    409: "ErrDuplicateClientOrderID",
    429: "ErrTooManyRequests",
    500: "ErrInternal ErrUpdateRequired",
    503: "ErrUnderMaintenance",
    400: """ErrMarketUnavailable ErrInvalidMarketPair ErrInvalidArguments ErrInvalidParameters ErrInvalidPrice
        ErrInvalidVolume ErrInvalidOrderSide ErrInvalidBaseVolume ErrInvalidCounterVolume ErrPriceTooHigh ErrPriceTooLow
        ErrVolumeTooHigh ErrVolumeTooLow ErrValueTooHigh ErrAmountTooBig ErrAmountTooSmall
        ErrPriceDenominationNotAllowed ErrVolumeDenominationNotAllowed ErrCounterDenominationNotAllowed
        ErrInsufficientFunds ErrInsufficientBalance ErrInvalidClientOrderId ErrOrderCanceled ErrPostOnlyMode
        ErrPostOnlyNotAllowed ErrNotEnoughLiquidity ErrNoTradesToInferStopDirection ErrInvalidStopDirection
        ErrInvalidStopPrice ErrStopPriceTooHigh ErrStopPriceTooLow ErrDeadlineExceeded
        ErrCannotStopUnknownOrNonPendingOrder ErrInvalidOrderRef ErrLimitOutOfRange ErrTooManyRowsRequested
        ErrInvalidAccount ErrInvalidAccountID ErrAccountIsMigrating ErrIdempotencyKeyConflict
        ErrIdempotencyKeyRequestMismatch ErrMissingIdempotencyKey ErrConvertRateLimited""",
}
"""Luno's codes by the status they come with, as far as that is known or the sensible guess."""


@pytest.mark.parametrize(("status", "codes"), STATUSES.items())
def test_every_code_of_luno_has_its_status_and_a_message(status: int, codes: str) -> None:
    for code in codes.split():
        error = refuse(code)
        assert isinstance(error, VenueError) and (error.status, error.code) == (status, code)
        body = error.body()
        assert body.error_code == code and body.error


def test_a_detail_and_another_status() -> None:
    error = refuse("ErrInvalidArguments", detail="limit is not a whole number", status=404)
    assert (str(error), error.status) == ("One or more arguments are invalid: limit is not a whole number", 404)
    with pytest.raises(KeyError):
        refuse("ErrNobodyKnows")
