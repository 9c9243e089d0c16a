"""ccxt.pro: what its socket client does with a message, then what ``watch_order_book`` returns.

``python of_ccxt.py FRAMES [--once]``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ccxt.pro as ccxt
from serve import Tops, Work, serve, timed

SYMBOL = "BTC/ZAR"


class Socket:
    """What the handlers use of ccxt's socket client; nobody waits for what they resolve."""

    url = "wss://ws.luno.com/api/1/stream/XBTZAR"

    def __init__(self) -> None:
        self.subscriptions = {"/stream/XBTZAR": {"symbol": SYMBOL}}

    def resolve(self, result: Any, _: str) -> Any:
        return result


def start(snapshot: str) -> tuple[Any, Socket]:
    exchange, client = ccxt.luno(), Socket()
    exchange.set_markets(
        [
            exchange.safe_market_structure(
                {"id": "XBTZAR", "symbol": SYMBOL, "base": "BTC", "quote": "ZAR", "spot": True}
            )
        ]
    )
    take(exchange, client, snapshot)
    return exchange, client


def take(exchange: Any, client: Socket, raw: str) -> tuple[float, float]:
    exchange.handle_message(client, json.loads(raw))
    book = exchange.orderbooks[SYMBOL].limit()
    return book["bids"][0][0], book["asks"][0][0]


def main(path: str, *once: str) -> None:
    with Path(path).open() as file:
        frames = [next(file)] if once else file.read().splitlines()
    if once:
        exchange, _ = start(frames[0])
        book = exchange.orderbooks[SYMBOL]
        print(book["bids"][0][0], book["asks"][0][0])  # noqa: T201 - the answer
        return

    def prepare() -> Work:
        exchange, client = start(frames[0])

        def work() -> int:
            for raw in frames[1:]:
                take(exchange, client, raw)
            return len(frames) - 1

        return work

    def tops() -> Tops:
        exchange, client = start(frames[0])
        return [take(exchange, client, raw) for raw in frames[1:]]

    serve(lambda: timed(prepare), tops)


main(*sys.argv[1:])
