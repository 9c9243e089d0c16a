"""lunomm's own decode and book. ``python of_lunomm.py FRAMES RULES [--once]``."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from serve import Tops, Work, serve, timed

from lunomm.luno.wire import decode_market_frame
from lunomm.market.book import Book
from lunomm.market.rules import PairRules


def start(frames: list[str], rules: PairRules) -> Book:
    book = Book(rules)
    book.load(decode_market_frame(frames[0], rules))  # type: ignore[arg-type]
    return book


def main(path: str, of_market: str, *once: str) -> None:
    rules = msgspec.json.decode(Path(of_market).read_bytes(), type=PairRules)
    with Path(path).open() as file:
        frames = [next(file)] if once else file.read().splitlines()
    if once:
        book = start(frames, rules)
        print(book.best_bid(), book.best_ask())  # noqa: T201 - the answer
        return
    updates = frames[1:]

    def prepare() -> Work:
        book = start(frames, rules)

        def work() -> int:
            for raw in updates:
                book.apply(decode_market_frame(raw, rules))  # type: ignore[arg-type]
                _ = book.best_bid(), book.best_ask()
            return len(updates)

        return work

    def tops() -> Tops:
        book, seen = start(frames, rules), []
        for raw in updates:
            book.apply(decode_market_frame(raw, rules))  # type: ignore[arg-type]
            bid, ask = book.best_bid(), book.best_ask()
            assert bid is not None and ask is not None
            seen.append((float(rules.price(bid)), float(rules.price(ask))))
        return seen

    serve(lambda: timed(prepare), tops)


main(*sys.argv[1:])
