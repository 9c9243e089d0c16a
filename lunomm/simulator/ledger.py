"""The exchange's books of money: accounts, what is reserved, and the fees taken; exact (pure).

Every amount inside is a whole number of 10**-18 of its asset, wide enough for any product of a listed price and
volume. The house has no wallet: what it gains and gives is only counted, so that of every asset

    sum of wallets + fees taken + house = deposits

holds after each action. A change that would break ``0 <= reserved <= total`` is a bug and raises.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import NamedTuple

from lunomm.market.rules import EXACT

SCALE = 18
UNIT = 10**SCALE
"""Units of one whole coin."""


def to_units(amount: Decimal) -> int:
    """Raises decimal.Inexact: more than 18 decimals."""
    return int(amount.scaleb(SCALE, EXACT).to_integral_exact(context=EXACT))


def from_units(units: int) -> Decimal:
    return Decimal(units).scaleb(-SCALE, EXACT)


class FeeRates(NamedTuple):
    """Fractions of what is received; a negative one is a rebate."""

    maker: Decimal
    taker: Decimal


class Row(NamedTuple):
    """One row of an account's append-only ledger, counted from 1 without holes. Amounts: 10**-18 of the asset."""

    owner: str
    asset: str
    account_id: int
    row_index: int
    balance: int
    balance_delta: int
    available: int
    available_delta: int


class Wallet:
    """One account of one owner in one asset. total, reserved: 10**-18 of the asset; rows: ledger rows so far."""

    __slots__ = ("account_id", "asset", "owner", "reserved", "rows", "total")

    def __init__(self, owner: str, asset: str, account_id: int) -> None:
        self.owner = owner
        self.asset = asset
        self.account_id = account_id
        self.total = 0
        self.reserved = 0
        self.rows = 0

    @property
    def available(self) -> int:
        return self.total - self.reserved


def fee_units(amount: int, rate: Decimal, fee_scale: int, *, truncate: bool = False) -> int:
    """Fee on an amount, rounded half away from zero (or cut) to ``fee_scale`` decimals; negative for a rebate."""
    numerator, denominator = rate.as_integer_ratio()
    step: int = 10 ** (SCALE - fee_scale)
    product = abs(amount * numerator)
    whole = denominator * step
    steps = product // whole if truncate else (2 * product + whole) // (2 * whole)
    fee = steps * step
    return -fee if (amount < 0) != (numerator < 0) else fee


class Ledger:
    """All wallets, the fees taken and the house's net position."""

    def __init__(self) -> None:
        self._wallets: dict[tuple[str, str], Wallet] = {}
        self.fees: Counter[str] = Counter()
        """Taken so far by asset, net of rebates, 10**-18."""
        self.house: Counter[str] = Counter()
        """What the house has gained by asset, 10**-18; negative where it gave."""
        self.deposits: Counter[str] = Counter()

    def open(self, owner: str, asset: str, account_id: int, amount: Decimal = Decimal(0)) -> Wallet:
        """Raises ValueError: the owner has an account in this asset, or the amount is negative or not finite."""
        if (owner, asset) in self._wallets or not amount.is_finite() or amount < 0:
            raise ValueError(f"cannot open {owner}'s {asset} account with {amount}")
        wallet = Wallet(owner, asset, account_id)
        wallet.total = to_units(amount)
        wallet.rows = 1 if wallet.total else 0
        self.deposits[asset] += wallet.total
        self._wallets[owner, asset] = wallet
        return wallet

    def wallet(self, owner: str, asset: str) -> Wallet:
        """Raises KeyError."""
        return self._wallets[owner, asset]

    def wallets(self, owner: str | None = None) -> list[Wallet]:
        """Of one owner, or all; in the order they were opened."""
        return [wallet for wallet in self._wallets.values() if owner is None or wallet.owner == owner]

    def deposit(self, owner: str, asset: str, amount: int) -> Row:
        """Money from outside (negative: withdrawn), 10**-18."""
        row = self._move(owner, asset, amount, 0)
        self.deposits[asset] += amount
        return row

    def reserve(self, owner: str, asset: str, amount: int) -> Row:
        """Lock (negative: release) available money, 10**-18."""
        return self._move(owner, asset, 0, amount)

    def pay(self, owner: str | None, asset: str, amount: int, released: int = 0) -> Row | None:
        """One leg of a trade: pay in (negative: out) and release what was reserved for it, 10**-18.

        Returns: None for the house, which keeps no rows.
        """
        if owner is None:
            self.house[asset] += amount
            return None
        return self._move(owner, asset, amount, -released)

    def charge(self, owner: str, asset: str, fee: int) -> Row:
        """Take a fee (negative: pay a rebate), 10**-18."""
        row = self._move(owner, asset, -fee, 0)
        self.fees[asset] += fee
        return row

    def drift(self, asset: str) -> int:
        """Wallets + fees + house - deposits, 10**-18: not zero means that money was made or lost."""
        held = sum(wallet.total for wallet in self._wallets.values() if wallet.asset == asset)
        return held + self.fees[asset] + self.house[asset] - self.deposits[asset]

    def assets(self) -> set[str]:
        return {asset for _, asset in self._wallets}

    def _move(self, owner: str, asset: str, total: int, reserved: int) -> Row:
        wallet = self._wallets[owner, asset]
        if not 0 <= wallet.reserved + reserved <= wallet.total + total:
            raise ValueError(
                f"{owner}'s {asset}: total {wallet.total}{total:+d}, reserved {wallet.reserved}{reserved:+d}"
            )
        wallet.total += total
        wallet.reserved += reserved
        wallet.rows += 1
        return Row(
            owner,
            asset,
            wallet.account_id,
            wallet.rows,
            wallet.total,
            total,
            wallet.available,
            total - reserved,
        )
