"""What of a paper account's rows is needed still: the rest goes, and nothing anybody could ask for is missed (pure).

Most orders of a market maker are cancelled without a fill: such an order moved no money, and once it is old nobody asks
for it. Its rows go, but for the number of ledger rows it made, so that the account's statement goes on with the count
it had. Every trade stays, with the orders it was of: profit, tax and audits need them. Who stood before an order only
matters while it rests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from lunomm.market.rules import PairRules, Side
from lunomm.tape.paper_log import Accepted, Dropped, Finished, Listed, Opened, Rested, Row, Settled, Working

KEPT: Final = 1_000
"""Ended orders that stay whatever became of them: what a client may still ask for after a restart."""


def compacted(rows: Sequence[Row], kept: int = KEPT) -> list[Row]:
    """The rows that tell the same account: balances, trades, live orders, the last ``kept`` ended ones."""
    traded = {name for row in rows if isinstance(row, Settled) for name in (row.maker_id, row.taker_id)}
    ended = [row.order_id for row in rows if isinstance(row, Finished)]
    over = set(ended)
    gone = {name for name in ended[: max(len(ended) - kept, 0)] if name not in traded}
    rules = {row.rules.pair: row.rules for row in rows if isinstance(row, Listed)}
    made: Counter[tuple[str, str]] = Counter()
    left: list[Row] = []
    for row in rows:
        if isinstance(row, Accepted | Working | Rested | Finished) and row.order_id in gone:
            if isinstance(row, Accepted):
                # Locked, and where it was anything released.
                made[row.owner, _pays(row, rules[row.pair])] += 2 if int(row.reserve) else 1
        elif isinstance(row, Dropped):
            made[row.owner, row.asset] += row.rows
        elif isinstance(row, Rested) and row.order_id in over and row.ahead:
            left.append(msgspec.structs.replace(row, ahead=[]))
        else:
            left.append(row)
    # After the accounts they are of.
    at = next((i for i, row in enumerate(left) if not isinstance(row, Opened)), len(left))
    return [*left[:at], *(Dropped(owner, asset, n) for (owner, asset), n in sorted(made.items())), *left[at:]]


def _pays(row: Accepted, rules: PairRules) -> str:
    return rules.counter if row.side is Side.BID else rules.base
