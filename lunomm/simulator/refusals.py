"""What the exchange says when it refuses: error code, HTTP status and message in one table (pure).

Statuses: known for few codes; where nothing is known, 400 for a bad request, 403 for a right that is missing, 404 for
something that is not there, 503 where the exchange cannot. Messages are the literal ones where a client or a recording
shows them. The second half of the table holds Luno's other codes: this exchange has no cause of its own to say them.
"""

from __future__ import annotations

from lunomm.errors import ExchangeError
from lunomm.luno.wire import ErrorBody

_TABLE: dict[str, tuple[int, str]] = {
    "ErrUnauthorised": (401, "You are not authorised to access this route"),
    "ErrApiKeyRevoked": (401, "Your API key has been revoked"),
    "ErrInsufficientPerms": (403, "Your API key does not have the permission this call needs"),
    "ErrTooManyRequests": (429, "You are exceeding the allowed request rate limit"),
    "ErrMarketUnavailable": (400, "Market not available"),
    "ErrInvalidMarketPair": (400, "Invalid market pair"),
    "ErrInvalidArguments": (400, "One or more arguments are invalid"),
    "ErrInvalidPrice": (400, "Invalid price"),
    "ErrInvalidVolume": (400, "Invalid volume"),
    "ErrInvalidBaseVolume": (400, "Invalid base volume"),
    "ErrInvalidCounterVolume": (400, "Invalid counter volume"),
    "ErrInvalidOrderSide": (400, "Invalid order type"),
    "ErrPriceTooHigh": (400, "Price is above the maximum"),
    "ErrPriceTooLow": (400, "Price is below the minimum"),
    "ErrVolumeTooHigh": (400, "Volume is above the maximum"),
    "ErrVolumeTooLow": (400, "Volume is below the minimum"),
    "ErrPriceDenominationNotAllowed": (400, "Price has more decimals than the market allows"),
    "ErrVolumeDenominationNotAllowed": (400, "Volume has more decimals than the market allows"),
    "ErrCounterDenominationNotAllowed": (400, "Counter volume has more decimals than the market allows"),
    "ErrInsufficientFunds": (400, "Account has insufficient funds"),
    "ErrDuplicateClientOrderID": (409, "Duplicate client order id"),
    "ErrInvalidClientOrderId": (400, "Invalid client order id"),
    "ErrOrderCanceled": (400, "Your post-only order was cancelled before trading"),
    "ErrPostOnlyMode": (400, "Market is in post-only mode"),
    "ErrPostOnlyNotAllowed": (400, "Post-only is not allowed with this time in force"),
    "ErrNotEnoughLiquidity": (400, "There is not enough liquidity in the market"),
    "ErrNoTradesToInferStopDirection": (400, "There are no trades to infer the stop direction from"),
    "ErrInvalidStopDirection": (400, "Invalid stop direction"),
    "ErrInvalidStopPrice": (400, "Invalid stop price"),
    "ErrStopPriceTooHigh": (400, "Stop price is above the maximum"),
    "ErrStopPriceTooLow": (400, "Stop price is below the minimum"),
    "ErrDeadlineExceeded": (400, "The deadline of the request has passed"),
    "ErrCannotStopUnknownOrNonPendingOrder": (400, "Cannot stop unknown or non-pending order."),
    "ErrOrderNotFound": (404, "Cannot find that order"),
    "ErrNotFound": (404, "Not found"),
    "ErrLimitOutOfRange": (400, "Limit is out of range"),
    "ErrInternal": (500, "Something went wrong, our bad"),
    "ErrInvalidAccountID": (400, "Invalid account id"),
    # ---
    "ErrMarketNotAllowed": (403, "This market is not enabled for you."),
    "ErrInvalidParameters": (400, "One or more parameters are invalid"),
    "ErrValueTooHigh": (400, "Order value is above the maximum"),
    "ErrAmountTooBig": (400, "Amount is above the maximum"),
    "ErrAmountTooSmall": (400, "Amount is below the minimum"),
    "ErrInsufficientBalance": (400, "Account has insufficient balance"),
    "ErrInvalidOrderRef": (400, "Invalid order reference"),
    "ErrTooManyRowsRequested": (400, "Too many rows requested"),
    "ErrInvalidAccount": (400, "Invalid account"),
    "ErrCannotTradeWhileQuoteActive": (403, "You cannot trade while a quote is active"),
    "ErrUserNotVerifiedForCurrency": (403, "You are not verified for this currency"),
    "ErrUnderMaintenance": (503, "The market is under maintenance"),
    "ErrUpdateRequired": (500, "An update is required"),
    "ErrAccountIsMigrating": (400, "The account is being migrated"),
    "ErrIdempotencyKeyConflict": (400, "Idempotency key conflict"),
    "ErrIdempotencyKeyRequestMismatch": (400, "The request does not match its idempotency key"),
    "ErrMissingIdempotencyKey": (400, "Idempotency key missing"),
    "ErrConvertRateLimited": (400, "Too many conversions"),
}


CODES = frozenset(_TABLE)
"""Every code there is."""


class VenueError(ExchangeError):
    """A refused call: ``status`` is the HTTP status, ``code`` the stable error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.status = status

    def body(self) -> ErrorBody:
        return ErrorBody(str(self), self.code)


def refuse(code: str, *, detail: str = "", status: int | None = None) -> VenueError:
    """The error for a code of the table. detail: says more than the standard message; status: instead of the usual."""
    usual, message = _TABLE[code]
    return VenueError(status or usual, code, f"{message}: {detail}" if detail else message)
