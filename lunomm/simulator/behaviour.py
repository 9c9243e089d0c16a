"""Everything about Luno that its sources leave open, as switches in one place (pure).

The defaults are what the evidence favours; the other values exist so that a client can be tried against both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the simulated exchange answers where Luno's documentation and the recordings disagree or are silent.

    padded_decimals: prices and volumes with 8 decimals, counter amounts with 16, as in 2021, instead of trimmed to at
        least two (fees and balances are trimmed either way).
    trade_numbers: stream trades carry their ``sequence`` (absent in 2021).
    null_trades: an update without trades says ``null``, as the documentation prints it, instead of ``[]``.
    null_lists: an empty v1 order list is ``null`` (seen live); other lists are ``[]`` either way.
    cancel_gone: answer to stoporder for an order that is not live: ``400``, ``404``, or ``false`` (200, success false).
    self_trade: an account may trade with itself; otherwise the taker is refused.
    truncate_fees: fees are cut, not rounded half up, at fee_scale.
    send_awaiting: a plain limit order is reported AWAITING before PENDING.
    """

    padded_decimals: bool = False
    trade_numbers: bool = True
    null_trades: bool = False
    null_lists: bool = True
    cancel_gone: str = "400"
    self_trade: bool = True
    truncate_fees: bool = False
    send_awaiting: bool = False
