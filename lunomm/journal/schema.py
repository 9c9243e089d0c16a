"""The journal's tables: what a gateway did and saw, so that its successor knows.

Every row carries a checksum of its own content: SQLite's integrity check finds damaged structure, not a flipped byte
inside a text. Amounts are decimal text; nothing in here is ever a binary float but the fair price of a fill.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

SCHEMA = 1
APPLICATION_ID = 0x4C4D4D31
"""``LMM1`` in the file's own header: another program's database is recognised before anything in it is read."""


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, and those whose values are unique together."""

    name: str
    columns: tuple[str, ...]
    unique: tuple[str, ...]

    @property
    def create(self) -> str:
        columns = ", ".join(self.columns)
        return f"CREATE TABLE {self.name} ({columns}, crc INTEGER NOT NULL, UNIQUE ({', '.join(self.unique)}))"

    @property
    def insert(self) -> str:
        marks = ", ".join("?" * (len(self.columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}, crc) VALUES ({marks})"

    @property
    def upsert(self) -> str:
        changed = ", ".join(f"{c} = excluded.{c}" for c in (*self.columns, "crc") if c not in self.unique)
        return f"{self.insert} ON CONFLICT ({', '.join(self.unique)}) DO UPDATE SET {changed}"

    @property
    def select(self) -> str:
        return f"SELECT {', '.join(self.columns)}, crc FROM {self.name}"


HEADER = Table("header", ("name", "value"), ("name",))
ORDERS = Table(
    "orders",
    (
        "client_order_id", "pair", "intent_id", "side", "level", "price", "volume", "state", "order_id", "code",
        "orphan", "created_ms", "timestamp_ms", "ttl_ms", "updated_ms", "version", "filled_base", "filled_counter",
        "filled_fee_base", "filled_fee_counter", "booked_base", "booked_counter", "booked_fee_base",
        "booked_fee_counter",
    ),
    ("client_order_id",),
)  # fmt: skip
FILLS = Table(
    "fills",
    (
        "pair", "sequence", "side", "intent_id", "client_order_id", "order_id", "price", "volume", "counter",
        "fee_base", "fee_counter", "maker", "ts_ms", "fair", "place",
    ),
    ("pair", "sequence", "side"),
)  # fmt: skip
FLOWS = Table("flows", ("pair", "ref", "base", "counter", "ts_ms", "mark", "place"), ("pair", "ref"))
NOTES = Table("notes", ("pair", "name", "value"), ("pair", "name"))
UPDATES = Table("updates", ("number", "data"), ("number",))
HALTS = Table("halts", ("since_ms", "reason", "ended_ms", "ended_by"), ("since_ms",))
REQUESTS = Table("requests", ("request_id", "step", "pair", "ts_ms", "who", "words"), ("request_id", "step"))
"""What people asked of the running pieces, and what became of it. Younger than the schema's number: a journal without
it gets it, and an older program does not look at it."""

TABLES = (HEADER, ORDERS, FILLS, FLOWS, NOTES, UPDATES, HALTS, REQUESTS)


def checksum(values: Sequence[object]) -> int:
    """CRC-32 of a row: what kind each value is, its length and its text."""
    text = "".join(f"{type(v).__name__[0]}{len(str(v))}:{v}" for v in values)
    return zlib.crc32(text.encode())
