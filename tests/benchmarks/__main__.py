"""``python tests/benchmarks [NAME...]``: run the benchmarks, tell, keep the results, compare with the ratios kept.

``--keep`` writes the ratios found into ``baseline.json``. Exit code 0 whatever the times; 2 for an unknown name.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from harness import Outcome, Skipped, regressions, report  # noqa: E402 - this folder is no package

NAMES = (
    "book_hot_path",
    "peers",
    "exchange_serves",
    "backtest_cost",
    "startup",
    "tick_to_order",
    "book_depth",
    "estimation",
)
RESULTS = HERE / "results.json"
BASELINE = HERE / "baseline.json"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    keep = "--keep" in arguments
    asked = [name for name in arguments if name != "--keep"]
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        sys.stderr.write(f"bench: no benchmark {unknown[0][:40]!r}. There are: {', '.join(NAMES)}\n")
        return 2
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    outcomes: list[Outcome] = []
    for name in asked or NAMES:
        try:
            outcome = importlib.import_module(name).run()
        except Skipped as reason:
            say(f"{name}: skipped: {reason}")
            continue
        outcomes.append(outcome)
        say(report(outcome))
    worse = [line for outcome in outcomes for line in regressions(outcome, baseline)]
    for line in worse:
        say(f"REGRESSION {line}")
    if outcomes:
        RESULTS.write_text(
            json.dumps(
                {
                    "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "machine": f"{platform.machine()} {platform.system()}",
                    "python": platform.python_version(),
                    "regressions": worse,
                    "benchmarks": {outcome.name: outcome.data() for outcome in outcomes},
                },
                indent=1,
            )
            + "\n"
        )
        say(f"written: {RESULTS}")
    if keep:
        for outcome in outcomes:
            baseline[outcome.name] = {name: round(found.median, 3) for name, found in outcome.ratios.items()}
        BASELINE.write_text(json.dumps(baseline, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
