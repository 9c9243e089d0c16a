"""API keys: who a key speaks for, and what it may do (pure).

A key has a mask of permissions. Luno names eighteen of them; a market maker needs four and should lack the rest:

====  ===================  ================================================
bit   name                 calls
====  ===================  ================================================
1     Perm_R_Balance       balance
2     Perm_R_Transactions  accounts/{id}/transactions
32    Perm_R_Orders        fee_info, listorders, listtrades, orders
64    Perm_W_Orders        postorder, marketorder, stoporder
====  ===================  ================================================

Candles and both streams take any valid key: for the streams nothing else is documented. Several keys may speak for one
account.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import NamedTuple

from lunomm.errors import UsageError

ANY_KEY = 0
R_BALANCE = 1
R_TRANSACTIONS = 2
W_SEND = 4
R_ORDERS = 32
W_ORDERS = 64
R_WITHDRAWALS = 128

PERMISSIONS = MappingProxyType(
    {
        "Perm_R_Balance": 1,
        "Perm_R_Transactions": 2,
        "Perm_W_Send": 4,
        "Perm_R_Addresses": 8,
        "Perm_W_Addresses": 16,
        "Perm_R_Orders": 32,
        "Perm_W_Orders": 64,
        "Perm_R_Withdrawals": 128,
        "Perm_W_Withdrawals": 256,
        "Perm_W_ClientDebit": 8192,
        "Perm_W_ClientCredit": 16384,
        "Perm_R_Beneficiaries": 32768,
        "Perm_W_Beneficiaries": 65536,
        "Perm_R_Transfers": 131072,
    }
)
"""Luno's permission bits."""

ALL = sum(PERMISSIONS.values())

_NAME = re.compile(r"[0-9A-Za-z_\-]{1,40}", re.ASCII)
_SPOKEN = re.compile(r"(?:(?P<owner>[^/:]*)/)?(?P<key>[^/:]*):(?P<secret>[^:]*)(?::(?P<perms>[^:]*))?")


class Key(NamedTuple):
    """One API key. owner: the account it speaks for; perms: mask; revoked: it was good once."""

    key_id: str
    secret: str
    owner: str
    perms: int = ALL
    revoked: bool = False

    def __repr__(self) -> str:
        return f"Key({self.key_id}, {self.owner}, {self.perms})"

    def may(self, needs: int) -> bool:
        """Whether every bit of ``needs`` is there."""
        return self.perms & needs == needs


class KeyRing:
    """All keys of an exchange, by id."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.key_id: key for key in keys}

    def find(self, key_id: str, secret: str) -> Key | None:
        """The key, revoked or not; None for an unknown id or a wrong secret, which take equally long to tell."""
        key = self._keys.get(key_id)
        right = hmac.compare_digest((key.secret if key else "").encode(), secret.encode("utf-8", "surrogatepass"))
        return key if right else None

    def revoke(self, key_id: str) -> None:
        """From now on the key is refused. Raises KeyError."""
        self._keys[key_id] = self._keys[key_id]._replace(revoked=True)

    def of(self, owner: str) -> list[str]:
        """The ids of an account's keys that are good, in the order given."""
        return [key.key_id for key in self._keys.values() if key.owner == owner and not key.revoked]

    @property
    def owners(self) -> list[str]:
        """Every account some key speaks for, in the order given."""
        return list(dict.fromkeys(key.owner for key in self._keys.values()))


def parse_key(text: str) -> Key:
    """``[OWNER/]KEY:SECRET[:PERMS]``, PERMS a mask or names joined by ``+``; the owner is the key's name by default.

    Raises:
        UsageError: anything else. The text, which holds a secret, is not repeated.
    """
    found = _SPOKEN.fullmatch(text)
    if found is None or not found["secret"] or len(found["secret"]) > 200:
        raise UsageError("--account: not understood. Give [ACCOUNT/]KEY:SECRET[:PERMISSIONS]", code="BAD_ACCOUNT")
    owner = found["key"] if found["owner"] is None else found["owner"]
    for name in (owner, found["key"]):
        if not _NAME.fullmatch(name):
            raise UsageError(
                "--account: a name has letters, digits, - and _, 1 to 40 of them. "
                "Give [ACCOUNT/]KEY:SECRET[:PERMISSIONS]",
                code="BAD_ACCOUNT",
            )
    return Key(found["key"], found["secret"], owner, _mask(found["perms"]))


def _mask(text: str | None) -> int:
    if text is None:
        return ALL
    if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) & ~ALL == 0:
        return int(text)
    names = text.split("+")
    if not all(name in PERMISSIONS for name in names):
        raise UsageError(
            f"--account: unknown permissions. Give a mask up to {ALL}, or names joined by +: {', '.join(PERMISSIONS)}",
            code="BAD_ACCOUNT",
        )
    return sum({PERMISSIONS[name] for name in names})
