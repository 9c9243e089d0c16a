"""What ``gateway`` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import UsageError
from lunomm.options import check


@dataclass(frozen=True)
class GatewayOptions:
    """max_position: base; the others counter; None = what the account can hold, none, none, derived (`open_value`).

    base_account, counter_account: ids of the accounts to trade on, where a currency has several.
    """

    update_balance_interval_s: float = 2
    max_position: Decimal | None = None
    max_order_value: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_open_value: Decimal | None = None
    base_account: int | None = None
    counter_account: int | None = None

    def __post_init__(self) -> None:
        check("--update-balance-interval-s", self.update_balance_interval_s, 0.1, 3600)
        for option, value in (
            ("--max-position", self.max_position),
            ("--max-order-value", self.max_order_value),
            ("--max-daily-loss", self.max_daily_loss),
            ("--max-open-value", self.max_open_value),
        ):
            if value is not None:
                check(option, value, 0, 1e15, open_low=True)
        for option, account in (("--base-account", self.base_account), ("--counter-account", self.counter_account)):
            if account is not None and not 0 < account < 2**63:
                raise UsageError(f"{option}: {account}: not an account id. Give the number Luno shows for the account")
