"""What a whole backtest costs, against the bare typed decoding of the same tape; and what a second pass costs."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness import Outcome, Subject, ratio, side_by_side, spread
from recorded import FOLDER, NAME, PAIR

from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator.exchange import seeded, tape_rules
from lunomm.simulator.messages import MarketFrame
from lunomm.tape.decoded import Decoded
from lunomm.tape.lines import Provenance, Sidecar, frame_line, header_line
from lunomm.tape.reader import read_tape
from lunomm.tape.script import Script
from lunomm.tape.setup import Setup
from lunomm.tape.trial import run_trial

MINUTES = 15
START_NS = 1_790_000_000_000_000_000
DAY = 1_600_000
"""Updates of a day at the recorded rate."""

WORK = (
    "a tape read, checked and played through observer, quoter, gateway, limits and paper venue, with the baseline "
    f"beside it: {MINUTES} min of the simulated {PAIR} look-alike, and the recorded {PAIR} stream where it is"
)
LEAVES_OUT = "the start of the process, the report's pictures"
SETUP = Setup(quoter=QuoterOptions(order_size=Decimal("0.002"), kappa_prior=0.0013))


def simulated(folder: Path) -> Path:
    """A tape of the look-alike."""
    exchange = seeded([PAIR], profile="XBTZAR", seed=3, fee_tier=0, start_ns=START_NS)
    rules = exchange.venue.engine(PAIR).rules
    path = folder / "simulated.jsonl.gz"
    provenance = Provenance(source="benchmark", mode="sim")
    sidecar = Sidecar(
        tape=path.name, pair=PAIR, started_ns=START_NS, rules=rules, provenance=provenance, begun="stream"
    )
    lines = [header_line(sidecar), frame_line(START_NS, exchange.snapshot_raw(PAIR))]
    while not exchange.run_until(START_NS + MINUTES * 60 * 10**9, 10_000):
        pass
    for frame in exchange.venue.drain():
        if isinstance(frame, MarketFrame) and frame.pair == PAIR:
            lines.append(frame_line(frame.timestamp_ms * 1_000_000, frame.raw))
    path.write_bytes(gzip.compress(b"".join(lines), 6))
    return path


def decoding(path: Path) -> Subject:
    return lambda: lambda: read_tape(path, PAIR).frames


def first_pass(path: Path) -> Subject:
    def work() -> int:
        kept = Decoded()
        tape = read_tape(path, PAIR, kept.keep)
        run_trial(tape_rules(PAIR, tape.rules), kept, SETUP, own=frozenset(kept.own), scripts={})
        return kept.frames

    return lambda: work


def second_pass(path: Path) -> Subject:
    """One more run of a sweep: other options over a tape that was read, the baseline known."""
    kept = Decoded()
    scripts: dict[object, Script] = {}
    tape = read_tape(path, PAIR, kept.keep)
    rules = tape_rules(PAIR, tape.rules)
    run_trial(rules, kept, SETUP, own=frozenset(kept.own), scripts=scripts)
    other = replace(SETUP, baseline=False, quoter=replace(SETUP.quoter, gamma=2.0))

    def work() -> int:
        run_trial(rules, kept, other, own=frozenset(kept.own), scripts=scripts)
        return kept.frames

    def prepare() -> Callable[[], int]:
        return work

    return prepare


def run() -> Outcome:
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as folder:
        tapes = {"simulated": simulated(Path(folder))}
        if (FOLDER / NAME).is_file():
            tapes["recorded"] = FOLDER / NAME
        times, ratios, figures, wanted = {}, {}, {}, {}
        for name, path in tapes.items():
            found = side_by_side(
                {"decoding": decoding(path), "first pass": first_pass(path), "second pass": second_pass(path)}, rounds=5
            )
            times |= {f"{name}: {what}": spread(values) for what, values in found.items()}
            ratios[f"{name}: first pass / decoding"] = ratio(found["first pass"], found["decoding"])
            ratios[f"{name}: second pass / first pass"] = ratio(found["second pass"], found["first pass"])
            wanted |= {f"{name}: first pass / decoding": 12, f"{name}: second pass / first pass": 0.5}
            day_s = spread(found["first pass"]).median * DAY / 1e6
            figures[f"{name}: a day of {DAY:,} updates, s of one core"] = f"{day_s:.0f}"
    return Outcome("backtest_cost", WORK, LEAVES_OUT, times, ratios, figures, wanted=wanted)
