"""hftbacktest's book, stepped by a compiled loop as its documents have it. It reads no JSON: events are made before.

``python of_hftbacktest.py EVENTS.npz TICK LOT [--once]``. A step a moment: what has one time stamp is one step.
"""

from __future__ import annotations

import sys

import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
from numba import njit
from serve import Work, serve, timed


@njit
def step(hbt, moments, bids, asks):  # type: ignore[no-untyped-def]
    """Walk to every moment and read the best prices there; the library's code when it is not 0."""
    for i in range(len(moments)):
        code = hbt.elapse(moments[i] - hbt.current_timestamp)
        if code != 0:
            return code
        depth = hbt.depth(0)
        bids[i] = depth.best_bid
        asks[i] = depth.best_ask
    return 0


def main(path: str, tick: str, lot: str, *once: str) -> None:
    with np.load(path) as file:
        events = file["data"]
    moments = np.unique(events["local_ts"])
    # A moment before the last event: at the very end the library only says that there is no more data.
    moments = moments[:-1]
    bids, asks = np.zeros(len(moments)), np.zeros(len(moments))

    def start() -> HashMapMarketDepthBacktest:
        asset = (
            BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(1_000_000, 0)
            .l3_fifo_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(float(tick))
            .lot_size(float(lot))
        )
        hbt = HashMapMarketDepthBacktest([asset])
        hbt.elapse(1)  # before its first step the library's clock stands at the end of time
        return hbt

    def walk(hbt: HashMapMarketDepthBacktest, first: int, last: int) -> None:
        code = step(hbt, moments[first:last], bids[first:last], asks[first:last])
        if code != 0:
            raise SystemExit(f"hftbacktest stopped with code {code}")

    if once:
        walk(start(), 0, 1)
        print(bids[0], asks[0])  # noqa: T201 - the answer
        return

    def prepare() -> Work:
        hbt = start()
        walk(hbt, 0, 1)

        def work() -> int:
            walk(hbt, 1, len(moments))
            return len(moments) - 1

        return work

    def tops() -> list[tuple[float, float, int]]:
        """With the moment of each, ns."""
        prepare()()
        return list(zip(bids[1:].tolist(), asks[1:].tolist(), moments[1:].tolist(), strict=True))

    serve(lambda: timed(prepare), tops)


main(*sys.argv[1:])
