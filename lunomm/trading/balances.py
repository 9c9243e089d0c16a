"""What the account holds: REST reads corrected by the user stream, and what our fills say it should be.

Two independent accounts of the same money are kept per asset. *Observed* is the venue's: the last REST read or the
ledger row with the highest index on the user stream, whichever is newer. *Expected* is ours: the observed total at an
anchor plus every fill and flow since. They differ while a report is under way (limits then take the worse of both) and
agree at rest; a difference that lasts, with nothing under way, is money that came or went by other hands: it is
reported as drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from lunomm.errors import ConfigError
from lunomm.market.rules import EXACT
from lunomm.quoting.inputs import Balance
from lunomm.trading.events import VenueBalance
from lunomm.trading.orders import ZERO

QUIET_NS = 5_000_000_000
"""How long nothing may have happened before a difference between observed and expected counts."""


@dataclass(frozen=True, slots=True)
class Held:
    """One asset. row: highest ledger row seen on the stream; row_mono_ns: when."""

    account_id: int
    asset: str
    total: Decimal
    reserved: Decimal
    read_mono_ns: int
    row: int = 0
    row_mono_ns: int | None = None

    @property
    def free(self) -> Decimal:
        """Never negative: what the venue contradicts itself about is not free."""
        return max(self.total - self.reserved, ZERO)


def one_account(asset: str, rows: Iterable[VenueBalance], said: int | None, option: str = "") -> int | None:
    """The account of a currency to trade on; None when it has none.

    Args:
        said: the id the user gave with ``option``, None if none.

    Raises:
        ConfigError: several and none said, or the one said is not among them.
    """
    ids = sorted({row.account_id for row in rows if row.asset == asset})
    listed = ", ".join(str(i) for i in ids) or "none"
    if said is not None:
        if said not in ids:
            raise ConfigError(
                f"{option} {said}: no {asset} account of this key. Its accounts: {listed}", code="ACCOUNT"
            )
        return said
    if len(ids) > 1:
        raise ConfigError(
            f"account: {asset} has several accounts ({listed}). "
            "Say which one to trade on with --base-account or --counter-account",
            code="SEVERAL_ACCOUNTS",
        )
    return ids[0] if ids else None


def choose_accounts(
    legs: Iterable[tuple[str, str]], rows: Sequence[VenueBalance], base: int | None, counter: int | None
) -> dict[str, int]:
    """Asset -> account id, for the currencies whose account was said. legs: (base, counter) of every pair.

    Raises:
        ConfigError: as :func:`one_account`, or two pairs have different currencies there.
    """
    bases, counters = {leg[0] for leg in legs}, {leg[1] for leg in legs}
    chosen: dict[str, int] = {}
    for option, said, assets in (("--base-account", base, bases), ("--counter-account", counter, counters)):
        if said is None:
            continue
        owner = next((row.asset for row in rows if row.account_id == said and row.asset in assets), None)
        asset = owner or min(assets)
        chosen[asset] = one_account(asset, rows, said, option) or said
    for asset in sorted(bases | counters):
        if asset not in chosen:
            one_account(asset, rows, None)
    return chosen


class Balances:
    """The balances of the assets a gateway trades.

    Args:
        assets: whose balances matter; others are ignored. accounts: asset -> id, where it was said which to trade on.
    """

    def __init__(self, assets: Iterable[str], accounts: Mapping[str, int] | None = None) -> None:
        self.assets = frozenset(assets)
        self.accounts = dict(accounts or {})
        self.odd = 0
        self.gap = False
        self._held: dict[str, Held] = {}
        self._asset_of: dict[int, str] = {}
        self._expected: dict[str, Decimal] = {}
        self._suspect: dict[str, tuple[Decimal, int]] = {}
        self._moved_ns: dict[str, int] = {}

    @property
    def ready(self) -> bool:
        return self.assets <= self._held.keys()

    def load(self, rows: Iterable[VenueBalance], asked_ns: int, now_ns: int) -> list[str]:
        """Take one whole REST read; returns the assets whose balance changed.

        Rows of the stream that came after ``asked_ns`` are newer than the read and stay. A read that contradicts itself
        (an account twice, below zero, more reserved than there is) or lacks an account that was there leaves nothing
        free, and is counted in ``odd``; what we hold is not thereby gone.

        Raises:
            ConfigError: a currency has several accounts: which one to trade on is not for us to guess.
        """
        by_asset: dict[str, list[VenueBalance]] = {}
        for row in rows:
            if row.asset in self.assets:
                by_asset.setdefault(row.asset, []).append(row)
        changed = []
        for asset in sorted(self.assets):
            found, old = by_asset.get(asset, []), self._held.get(asset)
            mine = self.accounts.get(asset) or (old.account_id if old is not None and old.account_id else None)
            if mine is None:
                mine = one_account(asset, found, None)
            same = [row for row in found if row.account_id == mine]
            if not same:
                # No account of a currency is an account with nothing in it, unless there was one before.
                total = old.total if old is not None and old.account_id else ZERO
                row = VenueBalance(mine or 0, asset, total, total)
                self.odd += bool(old is not None and old.account_id)
            else:
                row = same[0]
                if len(same) > 1 or row.total < 0 or not 0 <= row.reserved <= row.total:
                    row = replace(row, reserved=max(row.total, row.reserved))
                    self.odd += 1
            if old is not None and old.row_mono_ns is not None and old.row_mono_ns >= asked_ns:
                self._held[asset] = replace(old, read_mono_ns=now_ns)
                continue
            if old is None or (old.total, old.reserved) != (row.total, row.reserved):
                changed.append(asset)
                if old is not None and old.total != row.total:
                    self._moved_ns[asset] = now_ns
            self._held[asset] = Held(
                row.account_id, asset, row.total, row.reserved, now_ns,
                old.row if old else 0, old.row_mono_ns if old else None,
            )  # fmt: skip
            if row.account_id:
                self._asset_of[row.account_id] = asset
        return changed

    def see(self, account_id: int, row: int, total: Decimal, available: Decimal, now_ns: int) -> str | None:
        """Take one ledger row of the user stream.

        The asset when it is news, None for another account's or an older row. A row that does not follow the last one
        says that something was missed: ``gap`` is set.
        """
        asset = self._asset_of.get(account_id)
        if asset is None:
            return None
        held = self._held[asset]
        if row <= held.row:
            return None
        self.gap |= 0 < held.row < row - 1
        if held.total != total:
            self._moved_ns[asset] = now_ns
        self._held[asset] = replace(
            held, total=total, reserved=max(total - available, ZERO), row=row, row_mono_ns=now_ns, read_mono_ns=now_ns
        )
        return asset

    def held(self, asset: str) -> Held | None:
        return self._held.get(asset)

    def balance(self, asset: str) -> Balance:
        held = self._held.get(asset)
        return (
            Balance(asset=asset, total=held.total, reserved=held.reserved)
            if held
            else Balance(asset=asset, total=ZERO, reserved=ZERO)
        )

    # --- expected ---

    def anchor(self, asset: str, expected: Decimal) -> None:
        """Set what the journal says the asset's total is.

        Repeated for an asset shared by pairs, it must be the same.
        """
        self._expected[asset] = expected

    def anchored(self, asset: str) -> bool:
        return asset in self._expected

    def shift(self, asset: str, amount: Decimal, now_ns: int) -> None:
        """A fill or a flow changed what we expect."""
        if amount and asset in self._expected:
            self._expected[asset] = EXACT.add(self._expected[asset], amount)
            self._moved_ns[asset] = now_ns

    def expected(self, asset: str) -> Decimal:
        held = self._held.get(asset)
        return self._expected.get(asset, held.total if held else ZERO)

    def bounds(self, asset: str) -> tuple[Decimal, Decimal]:
        """Lowest and highest total consistent with what either account says."""
        expected, held = self.expected(asset), self._held.get(asset)
        observed = held.total if held else expected
        return min(expected, observed), max(expected, observed)

    def drift(self, asset: str, now_ns: int) -> Decimal | None:
        """Observed minus expected once it has stood unchanged, with nothing under way, over two reads; else None."""
        held = self._held.get(asset)
        if held is None or asset not in self._expected:
            return None
        difference = EXACT.subtract(held.total, self._expected[asset])
        if not difference:
            self._suspect.pop(asset, None)
            return None
        if now_ns - self._moved_ns.setdefault(asset, now_ns) < QUIET_NS:
            self._suspect.pop(asset, None)
            return None
        seen = self._suspect.get(asset)
        if seen is None or seen[0] != difference:
            self._suspect[asset] = (difference, held.read_mono_ns)
            return None
        return difference if held.read_mono_ns > seen[1] else None

    def still_since_ns(self, asset: str) -> int:
        """From when on a report of the asset's trades would tell of everything that moved it so far."""
        return self._moved_ns.get(asset, 0) + QUIET_NS

    def suspect(self, asset: str) -> bool:
        """Whether observed and expected differ now."""
        held = self._held.get(asset)
        return held is not None and asset in self._expected and held.total != self._expected[asset]
