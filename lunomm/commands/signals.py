"""Signals that end a command: noted in its event while it runs, and its own default again afterwards."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

USUAL = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending(stop: asyncio.Event, *more: signal.Signals) -> Iterator[None]:
    """Ctrl-C, SIGTERM and ``more`` set ``stop`` while it lasts."""
    loop = asyncio.get_running_loop()
    held: list[signal.Signals] = []
    for number in (*USUAL, *more):
        try:
            loop.add_signal_handler(number, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):
            break  # Windows, or not the main thread: the default handling stays
        held.append(number)
    try:
        yield
    finally:
        for number in held:
            loop.remove_signal_handler(number)
