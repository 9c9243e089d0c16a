"""A sweep on a Dask cluster gives the table of a local one, to the byte. By hand: ``bash scripts.sh compat dask``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunomm import cli
from lunomm.simulator.exchange import seeded
from lunomm.simulator.messages import MarketFrame

distributed = pytest.importorskip("distributed", reason="Dask is not installed: bash scripts.sh compat dask")

START_NS = 1_790_000_000_000_000_000
PAIR = "XBTMYR"


def test_a_cluster_gives_the_identical_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exchange = seeded([PAIR], profile="theory", seed=5, fee_tier=0, start_ns=START_NS)
    frames = [exchange.snapshot_raw(PAIR)]
    while not exchange.run_until(START_NS + 180 * 10**9, 10_000):
        pass
    frames += [f.raw for f in exchange.venue.drain() if isinstance(f, MarketFrame) and f.pair == PAIR]
    tape = tmp_path / "market.jsonl"
    tape.write_text("\n".join(frames))
    asked = ["backtest", str(tape), "--pair", PAIR, "--order-size", "0.002", "--kappa-prior", "0.0013",
             "--order-refresh-rate-s", "5", "--filled-order-delay-s", "2", "--sweep", "gamma=0.5,2",
             "--sweep", "horizon-s=300,600", "--walk-forward", "1"]  # fmt: skip
    local, cluster = tmp_path / "local.csv", tmp_path / "cluster.csv"
    assert cli.run([*asked, "--workers", "1", "--out", str(local)]) == 0
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as workers:
        assert cli.run([*asked, "--scheduler", workers.scheduler_address, "--out", str(cluster)]) == 0
    assert len(local.read_text().splitlines()) == 2 + 2 * 5
    assert local.read_bytes() == cluster.read_bytes()
    capsys.readouterr()
