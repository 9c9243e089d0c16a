"""``bash scripts.sh soak``: fresh seeds on every core, totals over many runs, and the replay of one seed."""
# ruff: noqa: T201 (a campaign prints)

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from campaign.faults import ALL
from campaign.world import CALM_S, SHORT_S, TROUBLED_S, Outcome, run_seed, run_short

STATE = Path(__file__).parents[2] / ".soak.json"
SHOWN_S = 30.0
TEN_MINUTES_S = 600.0


@dataclass
class Totals:
    """What all runs came to. wall_s: time spent, over all runs; failed: seed -> its violation."""

    seeds: int = 0
    wall_s: float = 0.0
    fills: int = 0
    orders: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
    next_seed: int = 0

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.fills += outcome.fills
        self.orders += outcome.orders
        self.reached.update(outcome.reached)
        self.next_seed = max(self.next_seed, outcome.seed + 1)
        if outcome.violations:
            self.failed[outcome.seed] = outcome.violations[0]

    def last_line(self) -> str:
        hours = self.wall_s / 3600
        rate = self.seeds / hours if hours else 0.0
        return (
            f"seeds {self.seeds}, violations {len(self.failed)}, rate {rate:.0f} seeds/h ({self.orders} orders, "
            f"{self.fills} fills, {self.seeds * TEN_MINUTES_S / 86_400:.1f} simulated days)"
        )


def read_totals() -> Totals:
    """Those of the former runs."""
    if not STATE.exists():
        return Totals()
    kept = json.loads(STATE.read_text())
    kept["reached"] = Counter(kept["reached"])
    kept["failed"] = {int(seed): what for seed, what in kept["failed"].items()}
    return Totals(**kept)


def write_totals(totals: Totals) -> None:
    part = STATE.with_suffix(".part")
    part.write_text(json.dumps(totals.__dict__))
    part.replace(STATE)


def soak(args: argparse.Namespace) -> int:
    """Run seeds until their number or the time is reached; 1 if any invariant was broken."""
    totals = read_totals() if args.resume else Totals()
    first = args.seed_from if args.seed_from is not None else totals.next_seed
    end_s = None if args.minutes is None else time.monotonic() + 60 * args.minutes
    began_s, before_s, shown_s = time.monotonic(), totals.wall_s, time.monotonic()
    count = args.seeds if args.seeds is not None else 10**9 if args.minutes is not None else 200
    print(f"seeds {first} to {first + count - 1 if count < 10**9 else '...'} on {args.workers} workers", flush=True)
    work = run_short if args.short else run_seed
    with concurrent.futures.ProcessPoolExecutor(
        args.workers, multiprocessing.get_context("fork"), initializer=_worker
    ) as pool:
        for outcome in _outcomes(pool, work, _seeds(first, count, end_s), 2 * args.workers):
            totals.add(outcome)
            now_s = time.monotonic()
            totals.wall_s = before_s + now_s - began_s
            if outcome.violations:
                print(told(outcome), flush=True)
            if now_s - shown_s >= SHOWN_S:
                shown_s = now_s
                print(f"... {totals.last_line()}", flush=True)
                if args.resume:
                    write_totals(totals)
    totals.wall_s = before_s + time.monotonic() - began_s
    if args.resume:
        write_totals(totals)
    print("\n".join(counts(totals.reached)))
    print(totals.last_line())
    return 1 if totals.failed else 0


def _outcomes(
    pool: concurrent.futures.Executor, work: Callable[[int], Outcome], seeds: Iterator[int], most: int
) -> Iterator[Outcome]:
    """As they come, never more than ``most`` seeds out: one is only begun while there is time for it."""
    waiting = {pool.submit(work, seed) for seed in itertools.islice(seeds, most)}
    while waiting:
        done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            yield future.result()
        waiting |= {pool.submit(work, seed) for seed in itertools.islice(seeds, len(done))}


def _worker() -> None:
    os.nice(5)


def _seeds(first: int, count: int, end_s: float | None) -> Iterator[int]:
    for seed in range(first, first + count):
        if end_s is not None and time.monotonic() >= end_s:
            return
        yield seed


def told(outcome: Outcome) -> str:
    """One failure in one line."""
    return f"seed {outcome.seed}: {outcome.violations[0]}  [bash scripts.sh soak replay {outcome.seed}]"


def counts(reached: Counter[str]) -> list[str]:
    """How often each fault was reached, those never reached last and loudly."""
    lines = [f"  {name:26} {reached[name]:8}  {fault.what}" for name, fault in ALL.items() if reached[name]]
    missing = [name for name in ALL if not reached[name]]
    return ["faults reached:", *lines, *([f"NEVER REACHED: {', '.join(missing)}"] if missing else [])]


def replay(args: argparse.Namespace) -> int:
    """One seed with its trace."""
    troubled_s, calm_s = SHORT_S if args.short else (TROUBLED_S, CALM_S)
    outcome = run_seed(args.seed, troubled_s=troubled_s, calm_s=calm_s, keep_trace=True)
    for line in outcome.lines:
        if not args.only or args.only in line:
            print(line)
    for violation in outcome.violations:
        print(f"BROKEN {violation}")
    print(f"trace {outcome.digest}, {outcome.orders} orders, {outcome.fills} fills, {outcome.steps} steps")
    return 1 if outcome.violations else 0


def main(argv: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bash scripts.sh soak", description=__doc__)
    commands = parser.add_subparsers()
    run = commands.add_parser("campaign", help="the deterministic simulation (the default)")
    run.add_argument("--seeds", type=int, help="how many")
    run.add_argument("--seed-from", type=int, help="the first one; with --resume the one after the last by default")
    run.add_argument("--minutes", type=float, help="stop after so long")
    run.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    run.add_argument("--resume", action="store_true", help=f"add to the totals kept in {STATE.name}")
    run.add_argument("--short", action="store_true", help="two and a half simulated minutes, as in the tests")
    run.set_defaults(call=soak)
    again = commands.add_parser("replay", help="one seed, told line by line")
    again.add_argument("seed", type=int)
    again.add_argument("--only", help="only lines with this in them")
    again.add_argument("--short", action="store_true", help="as the tests ran it")
    again.set_defaults(call=replay)
    args = parser.parse_args(argv if argv and not argv[0].startswith("-") else ["campaign", *argv])
    found: int = args.call(args)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
