"""``bash scripts.sh compat hftbacktest``: one recording, the same orders, two venues; every difference explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from lunomm.tape.hftbacktest import Exporter, write_npz
from lunomm.tape.moments import moment
from lunomm.tape.reader import read_tape

from . import orders as ours

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("LUNOMM_RECORDINGS", ROOT.parent / "shared" / "data"))
RECORDING = FOLDER / "luno-xbtzar-2021-07-13-first5000.jsonl"
PAIR = "XBTZAR"
EXPLAINED = """\
Why ours is first: in these frames a taker used up what stood before the order and went on to a worse price. By price
and time priority it met the order on its way. hftbacktest 2.4.4 asks only the queue of the price that trades: it fills
an order when one behind it at the same price trades, or when the book crosses:"""


def main(referee_python: str) -> int:
    """Run both and compare."""
    tape = read_tape(RECORDING, PAIR)
    planned = ours.run(tape)
    with tempfile.TemporaryDirectory() as folder:
        theirs = referee(referee_python, Path(folder), tape, planned)
    return compare(planned, theirs)


def referee(python: str, folder: Path, tape: Any, planned: list[ours.Planned]) -> dict[int, int]:
    """Order -> when hftbacktest filled it, 0 when it did not."""
    with (folder / "events.npz").open("xb") as file:
        write_npz(Exporter(tape).events(), file)
    asked = {
        "tick": float(tape.rules.tick_size),
        "lot": float(tape.rules.min_volume),
        "latency_ns": ours.LATENCY_NS,
        # A moment before the last event: at the very end the library only says that there is no more data.
        "end_ns": tape.ended_ns - 1,
        "orders": [[o.number, o.side.sign, o.ticks, o.at_ns, o.cancel_ns] for o in planned],
    }
    (folder / "orders.json").write_text(json.dumps(asked))
    script = Path(__file__).with_name("referee.py")
    words = [python, str(script), str(folder / "events.npz"), str(folder / "orders.json"), str(folder / "out.json")]
    subprocess.run(words, check=True)
    done = json.loads((folder / "out.json").read_text())
    if done["code"] != 0:
        raise SystemExit(f"hftbacktest stopped with code {done['code']}: an event it refuses")
    return {n: at if status == done["filled"] else 0 for n, status, at in done["orders"]}


def compare(planned: list[ours.Planned], theirs: dict[int, int]) -> int:
    """Print what is the same and what is not; 1 when a difference has no explanation."""
    kinds: Counter[str] = Counter()
    unexplained, frames = [], Counter[str]()
    for order in planned:
        their_ns = theirs.get(order.number, 0)
        if order.filled_ns == their_ns:
            kinds["filled by both in the same frame" if their_ns else "filled by neither"] += 1
        elif order.beyond and their_ns == order.queue_ns and (not their_ns or their_ns > order.filled_ns):
            kinds["filled by ours first: " + ("theirs later" if their_ns else "theirs never")] += 1
            frames[f"{moment(order.filled_ns)}: {order.frame}"] += 1
        else:
            unexplained.append((order, their_ns))
    refused = sum(bool(order.refused) for order in planned)
    put(f"{len(planned)} orders of the smallest size, {refused} of them refused as crossing when they arrived")
    for kind, count in sorted(kinds.items()):
        put(f"{count:6} {kind}")
    if frames:
        put(EXPLAINED)
        for frame, count in sorted(frames.items()):
            put(f"{count:6} orders, {frame}")
    for order, their_ns in unexplained:
        put(
            f"UNEXPLAINED: {order.number} {order.side.value} at {order.ticks}: ours {order.filled_ns}, "
            f"theirs {their_ns}, a queue of its price {order.queue_ns}; {order.frame or order.refused}"
        )
    put(f"{len(unexplained)} differences without an explanation")
    return 1 if unexplained or not kinds["filled by both in the same frame"] else 0


def is_here() -> int:
    """1 when the recording is not: what `scripts.sh` asks before it installs anything."""
    if RECORDING.exists():
        return 0
    put(f"SKIPPED compat hftbacktest: {RECORDING} is not here (LUNOMM_RECORDINGS says where the recordings are)")
    return 1


def put(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(is_here() if sys.argv[1:] == ["--is-here"] else main(*sys.argv[1:]))
