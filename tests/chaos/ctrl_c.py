"""Ctrl-C with ten live orders, again and again: how long until the gateway has shown that none is left.

``bash scripts.sh soak ctrl-c [--times N]``: prints minimum, median, p99 and maximum of the seconds from the signal to
the end of the process, and fails if an order was left or an exit was not 0.
"""

# ruff: noqa: T201 (a campaign prints)
from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import redis

from lunomm import __version__
from tests.chaos.__main__ import free_port
from tests.chaos.rig import PAIR, PREFIX, Rig, until

LEVELS = 5
TURN_S = 13.0
"""Shortest turn: every gateway starts with a fresh budget of its own, the exchange counts 300 calls a minute over all
of them, and a turn is about fifty."""


class Wanted(threading.Thread):
    """Plays the quoter: five bids and five asks far from the touch, rewritten four times a second."""

    def __init__(self, rig: Rig, mid: int) -> None:
        super().__init__(daemon=True)
        self._rig, self.mid = rig, mid
        self.epoch = time.time_ns() // 1_000_000
        self.round = 0
        self._ended = threading.Event()

    def run(self) -> None:
        number = 0
        with redis.Redis(port=self._rig.port, decode_responses=True) as client:
            while not self._ended.wait(0.25):
                number += 1
                tick = client.get(f"LOB::{PAIR}")
                if tick is None:
                    continue
                text = json.dumps(self._message(number, json.loads(tick)["venue"]))
                client.set(f"QUOTES::{PAIR}", text, px=3000)
                client.publish(f"QUOTES::{PAIR}", text)

    def _message(self, number: int, venue: str) -> dict[str, Any]:
        intents = []
        for level in range(LEVELS):
            for side, sign in (("BID", -1), ("ASK", 1)):
                price = self.mid + sign * (3000 + 100 * level)
                intents.append(
                    {"id": f"{self.epoch:x}-{self.round * 100 + level}-{side[0]}{level}", "side": side, "level": level,
                     "price": str(price), "size": "0.001", "created_ms": 0}
                )  # fmt: skip
        return {"v": 1, "pair": PAIR, "venue": venue, "build": __version__, "epoch": self.epoch, "number": number,
                "ts_ms": 0, "intents": intents, "fair": float(self.mid)}  # fmt: skip

    def stop(self) -> None:
        self._ended.set()
        self.join(5)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts.sh soak ctrl-c", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    rig = Rig(Path(tempfile.mkdtemp(prefix="lunomm-ctrl-c-")), free_port(), under_up=False)
    took, wrong = list[float](), list[str]()
    try:
        rig.start(pieces=("book",))
        wanted = Wanted(rig, middle(rig))
        wanted.start()
        started = time.monotonic()
        for turn in range(given.times):
            time.sleep(max(0.0, turn * TURN_S + started - time.monotonic()))
            wanted.mid, wanted.round = middle(rig), wanted.round + 1
            gateway = rig.spawn("gateway")
            until(lambda: _ours(rig) == 2 * LEVELS, 60, "ten live orders")
            began = time.monotonic()
            os.kill(gateway.pid, signal.SIGINT)
            code = gateway.wait(60)
            took.append(time.monotonic() - began)
            if code != 0 or _ours(rig):
                wrong.append(f"turn {turn}: exit {code}, {_ours(rig)} orders left")
        wanted.stop()
    except AssertionError as error:
        wrong.append(f"after {len(took)} turns: {error}; logs in {rig.folder}")
    finally:
        rig.clean()
    if took:
        p99 = sorted(took)[min(len(took) - 1, int(0.99 * len(took)))]
        median = statistics.median(took)
        print(f"ctrl-c: {len(took)} times with {2 * LEVELS} orders: minimum {min(took):.2f} s, median {median:.2f} s,")
        print(f"p99 {p99:.2f} s, maximum {max(took):.2f} s; {len(wrong)} wrong")
    for text in wrong:
        print(text)
    return 1 if wrong else 0


def middle(rig: Rig) -> int:
    """Of the market now: over many turns it moves as far as the orders lie from it."""
    ticker = rig.ask("/api/1/ticker", pair=PAIR)
    return int((Decimal(ticker["bid"]) + Decimal(ticker["ask"])) / 2)


def _ours(rig: Rig) -> int:
    rows = rig.ask("/api/exchange/2/listorders", pair=PAIR)["orders"] or []
    return sum(row["client_order_id"].startswith(PREFIX) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
