"""The long campaign: ``bash scripts.sh soak chaos [--only NAME] [--times N] [--seed S] [--under-up]``."""

# ruff: noqa: T201 (a campaign prints)
from __future__ import annotations

import argparse
import random
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.cycles import CYCLES, UP_LIMIT
from tests.chaos.rig import Rig

TIMES = {"gateway": 100, "frozen": 20, "book": 30, "quote": 30, "guardian": 30, "redis": 30, "double": 100}
PER_RIG = 25


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def campaign(name: str, times: int, seed: int, *, under_up: bool) -> tuple[int, list[str]]:
    """``times`` cycles of one fault over as many rigs as it takes; cycles done, and everything that was wrong."""
    chance, wrong, done, fills, void = random.Random(f"{seed}-{name}-{under_up}"), [], 0, 0, 0
    per_rig = UP_LIMIT if under_up and name in ("gateway", "book", "quote") else PER_RIG
    while done < times:
        folder = Path(tempfile.mkdtemp(prefix="lunomm-chaos-"))
        rig = Rig(folder, free_port(), under_up=under_up, seed=seed + done)
        found: list[str] = []
        try:
            rig.start()
            for _ in range(min(per_rig, times - done)):
                began = time.monotonic()
                seen = CYCLES[name](rig, chance)
                if seen and rig.watcher is not None and rig.watcher.stalled_since(began):
                    print(f"{name}: the machine stood still, this cycle is not judged: {seen}", flush=True)
                    void += 1
                    continue
                found += seen
                done += 1
                print(f"{name} {done}/{times}: {time.monotonic() - began:.1f} s, {len(wrong) + len(found)} wrong",
                      file=sys.stderr, flush=True)  # fmt: skip
            found += rig.finish()
            fills += rig.fills()
        except AssertionError as error:
            found.append(str(error))
            done += 1
        finally:
            rig.clean()
        if found:
            print(
                f"VIOLATION {name}{' under up' if under_up else ''}: {'; '.join(found)}; logs in {folder}", flush=True
            )
            wrong += found
        else:
            shutil.rmtree(folder, ignore_errors=True)
    where = f"{name}{' under up' if under_up else ''}"
    print(f"chaos {where}: {done} cycles, {fills} fills, {len(wrong)} violations, {void} not judged", flush=True)
    return done, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts.sh soak chaos", description=__doc__)
    parser.add_argument("--only", choices=sorted(CYCLES), action="append")
    parser.add_argument("--times", type=int, help="cycles of each fault (default: 100 of gateway, 30 of most)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--under-up", action="store_true", help="the pieces supervised by `lunomm up`")
    given = parser.parse_args()
    total, wrong = 0, list[str]()
    for name in given.only or TIMES:
        done, found = campaign(name, given.times or TIMES[name], given.seed, under_up=given.under_up)
        total, wrong = total + done, wrong + found
    print(f"chaos: {total} cycles, {len(wrong)} violations, seed {given.seed}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
