"""``python tests/benchmarks [NAME...]``: run the benchmarks, tell, keep the results, compare with the ratios kept.

``--keep`` keeps what was found in ``baseline.json``, whole, and makes the README's table of that; ``--readme`` makes
only the table. Exit code 0 whatever the times; 1 where a benchmark could not be measured; 2 for an unknown name.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import kept  # noqa: E402 - this folder is no package
from harness import Skipped, regressions, report  # noqa: E402

NAMES = (
    "book_hot_path",
    "peers",
    "exchange_serves",
    "backtest_cost",
    "sweep_cores",
    "startup",
    "tick_to_order",
    "book_depth",
    "estimation",
    "scale",
)
RESULTS = HERE / "results.json"
FLAGS = ("--keep", "--readme")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def main(arguments: list[str]) -> int:
    asked = [name for name in arguments if name not in FLAGS]
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        sys.stderr.write(f"bench: no benchmark {unknown[0][:40]!r}. There are: {', '.join(NAMES)}\n")
        return 2
    if "--readme" in arguments:
        kept.write_readme(NAMES)
        return 0
    keep = "--keep" in arguments
    run = {
        "run": now(),
        "machine": kept.machine(),
        "commit": kept.commit(),
        "command": " ".join(["bash scripts.sh bench", *arguments]),
    }
    baseline = kept.read()
    found, worse, missing, failed = {}, [], [], []
    for name in asked or NAMES:
        load = os.getloadavg()[0]
        try:
            outcome = importlib.import_module(name).run()
        except Skipped as reason:
            say(f"{name}: skipped: {reason}")
            missing.append(name)
            continue
        except Exception:  # noqa: BLE001 - told whole; the others are still measured
            say(f"{name}: FAILED\n{traceback.format_exc()}")
            failed.append(name)
            continue
        say(report(outcome))
        worse += regressions(outcome, baseline)
        found[name] = kept.entry(outcome, **run, at=now(), load=[load, os.getloadavg()[0]])
        # After each: hours of measuring are not lost with the one that hangs.
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        if keep:
            kept.write(kept.read() | {name: found[name]})
    for line in worse:
        say(f"REGRESSION {line}")
    if found:
        say(f"written: {RESULTS}")
    if keep:
        for name in [*missing, *failed]:
            say(f"{name}: {'as it was kept before' if name in baseline else 'never kept'}")
        kept.write_readme(NAMES)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
