"""One peer's process: told ``round``, it does the work once more; told ``tops``, it says every best price it saw.

Run by the peer's own Python, which has nothing of lunomm: only the standard library in here. Lines of JSON out; a
peer's own printing goes to stderr.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

Work = Callable[[], int]
"""The timed part; returns how many updates it took."""

Tops = list[tuple[float, float]]
"""Best bid and ask after each update."""


def timed(prepare: Callable[[], Work]) -> tuple[float, int]:
    """Seconds of processor time and updates of one round; what ``prepare`` does is not counted."""
    work = prepare()
    gc.collect()
    gc.freeze()
    began = time.process_time()
    pieces = work()
    took = time.process_time() - began
    gc.unfreeze()
    return took, pieces


def serve(once: Callable[[], tuple[float, int]], tops: Callable[[], Sequence[Any]]) -> None:
    """Answer until stdin ends."""
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        if line.strip() == "round":
            took, pieces = once()
            answer: Any = {"us": took / pieces * 1e6, "updates": pieces}
        else:
            answer = tops()
        out.write(json.dumps(answer) + "\n")
        out.flush()
