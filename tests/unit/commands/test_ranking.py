from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import pytest

from lunomm import cli
from lunomm.commands.ranking import WORKERS, as_markets, steps, sweep_budget
from lunomm.luno.budget import SECOND, CallBudget
from lunomm.luno.wire_rest import MarketInfo, Ticker
from lunomm.market.pairs import Market

LISTED = [Market(f"P{i}MYR", f"P{i}", "MYR", min_volume=D(1), bid=D(1), ask=D(2), volume_24h=D(5)) for i in range(145)]


def test_only_markets_that_trade_cost_a_call() -> None:
    closed = Market("SKYMYR", "SKY", "MYR", "SUSPENDED", D(1), D(1), D(2), D(5))
    assert steps([closed, LISTED[0]], keyed=True) == [("past", "P0MYR"), ("fee", "P0MYR")]
    assert steps([closed, LISTED[0]], keyed=False) == [("past", "P0MYR")]


def sent_at(calls: int, budget: CallBudget) -> list[int]:
    """When each of so many calls goes, if every answer comes at once and nobody else calls."""
    now, times = 0, []
    while len(times) < calls:
        wait = budget.take(now)
        if wait:
            now += wait
        else:
            times.append(now)
    return times


def test_145_markets_stay_within_the_budget() -> None:
    for keyed, most_s in ((True, 95), (False, 45)):
        calls = 2 + len(steps(LISTED, keyed=keyed))
        assert calls == (292 if keyed else 147)
        times = sent_at(calls, sweep_budget())
        busiest = max(sum(start <= time < start + 60 * SECOND for time in times) for start in times)
        # 280 is what lunomm takes of Luno's 300 for a whole key; a gateway beside the sweep keeps the rest.
        assert busiest <= 200
        assert times[-1] < most_s * SECOND


def test_no_worker_waits_so_long_that_its_call_is_given_up() -> None:
    budget = sweep_budget()
    sent_at(50, budget)
    assert budget.take(0) * WORKERS < 10 * SECOND


def row(pair: str = "XBTMYR", **changes: object) -> MarketInfo:
    fields = {
        "market_id": pair, "trading_status": "ACTIVE", "base_currency": "XBT", "counter_currency": "MYR",
        "min_volume": "0.0001", "max_volume": "100", "volume_scale": 6, "min_price": "1", "max_price": "10000000",
        "price_scale": 0,
    }  # fmt: skip
    return MarketInfo(**{**fields, **changes})  # type: ignore[arg-type]


def ticker(pair: str = "XBTMYR", bid: str = "1.00", ask: str = "2.00", status: str = "ACTIVE") -> Ticker:
    return Ticker(pair, 1, bid, ask, "1.00", "5.00", status)


def test_two_lists_become_markets() -> None:
    (plain,) = as_markets([row()], [ticker()])
    assert plain == Market("XBTMYR", "XBT", "MYR", "ACTIVE", D("0.0001"), D("1.00"), D("2.00"), D("5.00"))
    (one_sided,) = as_markets([row()], [ticker(ask="0.00")])
    assert (one_sided.bid, one_sided.ask) == (D("1.00"), None)
    # Either list may know first that it is closed.
    assert as_markets([row(trading_status="SUSPENDED")], [ticker(status="POSTONLY")])[0].status == "SUSPENDED"
    assert as_markets([row()], [ticker(status="DISABLED")])[0].status == "DISABLED"
    assert as_markets([row()], [])[0].trouble == "no ticker"


def test_one_odd_row_hides_no_other() -> None:
    odd, plain = as_markets([row("FOOMYR", min_volume="1e9"), row()], [ticker("FOOMYR"), ticker()])
    assert (odd.status, odd.bid, plain.status) == ("UNREADABLE", None, "ACTIVE")
    assert "plain decimal" in odd.trouble


@pytest.mark.parametrize(
    ("args", "keys", "code", "says"),
    [
        (["--counter", "MYR;ZAR"], {}, 2, "--counter: 'MYR;ZAR': not a currency"),
        (["--top", "0"], {}, 2, "--top: '0': out of range"),
        (["--mode", "live"], {"LUNO_KEY_ID": "half"}, 3, "absent: LUNO_KEY_SECRET"),
        ([], {"LUNO_KEY_ID": "a", "LUNO_KEY_SECRET": "b", "LUNOMM_UPSTREAM": "http://127.0.0.1:1"}, 4, "127.0.0.1:1"),
        (["--mode", "live", "--url", "http://127.0.0.1:1"], {}, 4, "cannot connect to 127.0.0.1:1"),
    ],
)
def test_as_typed(
    args: list[str], keys: dict[str, str], code: int, says: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name in ("LUNO_KEY_ID", "LUNO_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert cli.run(["pairs", *args]) == code
    assert says in capsys.readouterr().err
