"""What `bash scripts.sh` runs: the whole pipeline from one command, simulated and on recorded frames."""

from __future__ import annotations

import json
import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from terminals import RECORDED, Desk, needs_recording, processes_of, wait_until

SUMMARY = {"fills", "inventory", "pnl", "pnl_spread", "pnl_inventory", "fees", "quote_uptime", "orders_left"}


def test_it_trades_ends_flat_and_leaves_nothing(desk: Desk) -> None:
    """Twenty times the clock: a minute here is twenty simulated ones, plenty for fills."""
    done = desk.run("up", "--for", "45", "--speed", "20", "--json")
    assert done.code == 0, done.err[-3000:]
    data = done.last
    assert data.keys() >= SUMMARY
    assert data["fills"] > 0
    assert data["orders_left"] == 0
    assert 0 < data["quote_uptime"] <= 1
    whole, parts = Decimal(data["pnl"]), [Decimal(data[k]) for k in ("pnl_spread", "pnl_inventory", "fees")]
    assert whole == parts[0] + parts[1] - parts[2]
    assert processes_of(desk.folder) == []
    told = desk.run("report", "XBTMYR", "--json", "--csv", "fills.csv")
    assert told.code == 0, told.err
    report = told.last
    assert (report["fills"], Decimal(report["pnl"]["spread"])) == (data["fills"], parts[0])
    # Two tapes when the exchange's midnight came in between.
    assert report["marked"] == data["fills"] and report["notes"] == [] and len(report["tapes"]) in {1, 2}
    assert len((desk.folder / "fills.csv").read_text().splitlines()) == 1 + data["fills"]


def test_two_open_orders_soon_and_ctrl_c_ends_flat(desk: Desk) -> None:
    started = time.monotonic()
    up = desk.spawn("up", "--reprice-at", "0.1")
    wait_until(desk.two_sided, 45, "a bid and an ask on the exchange")
    assert time.monotonic() - started < 45
    wait_until(lambda: len(desk.ended_orders()) >= 8, 40, "orders replaced as the market moves")
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0, desk.logs()
    assert processes_of(desk.folder) == []
    # Replayed with its own looks and latencies, it is itself again: of so few orders one may be another.
    done = desk.run("parity", "--json")
    assert done.code == 0, done.err
    found = done.last
    orders = found["orders"]
    assert orders["session"] >= 8
    assert orders["matched"] >= max(orders["session"], orders["replay"]) - 1, found
    assert all(one["cause"] for one in found["unmatched_fills"])
    assert not any("do not say when the quoter looked" in note for note in found["notes"])


def test_a_child_that_dies_comes_back(desk: Desk) -> None:
    up = desk.spawn("up")
    wait_until(desk.two_sided, 45, "a bid and an ask on the exchange")
    for piece in ("quote", "gateway", "book"):
        (victim,) = [pid for pid in processes_of(desk.folder) if _is(pid, piece)]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda dead=victim: not _alive(dead), 5, f"{piece} is dead")
        wait_until(lambda: len(desk.open_orders()) <= 2 and desk.two_sided(), 40, f"quotes after a killed {piece}")
    up.send_signal(signal.SIGTERM)
    assert up.wait(30) == 0, desk.logs()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is(pid: int, piece: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return piece.encode() in words and b"up" not in words


def test_on_paper_it_quotes_beside_another_market_through_a_killed_paper_exchange(desk: Desk) -> None:
    """The market is another exchange's, which never hears of an order; the account outlives the process it is in."""
    desk.spawn("exchange")
    upstream = wait_until(lambda: desk.exchange, 20, "the upstream is up")["url"]
    keys = {"LUNO_KEY_ID": "sim", "LUNO_KEY_SECRET": "sim"}
    up = desk.spawn("up", "--upstream", upstream, env=keys)

    def paper() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((desk.folder / "state" / "paper.json").read_text())
        return found

    def sides() -> set[str]:
        try:
            reply = httpx.get(f"{paper()['url']}/api/exchange/2/listorders", auth=("sim", "sim"), trust_env=False)
        except (httpx.HTTPError, OSError, ValueError):
            return set()
        return {row["side"] for row in reply.json().get("orders") or []} if reply.status_code == 200 else set()

    wait_until(lambda: sides() == {"BUY", "SELL"}, 45, "a bid and an ask on paper")
    before = paper()
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: sides() == {"BUY", "SELL"} and paper()["pid"] != before["pid"], 40, "the account goes on")
    assert paper()["run_id"] == before["run_id"]
    assert desk.open_orders() == [] and desk.ask("/api/1/listtrades", pair="XBTMYR")["trades"] in (None, [])
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0, desk.logs()


@needs_recording
def test_it_trades_on_recorded_frames(desk: Desk) -> None:
    """Real XBTZAR frames re-enacted at ten times their speed, to the tape's end: flat, exit 0, provenance in-sample."""
    done = desk.run("up", "XBTZAR", "--tape", str(RECORDED), "--speed", "8", "--for", "80", "--json")
    assert done.code == 0, done.err[-3000:]
    data = done.last
    assert data.keys() >= SUMMARY
    assert data["orders_left"] == 0
    assert data["quote_uptime"] > 0


def test_a_second_up_of_the_same_pair_is_refused(desk: Desk) -> None:
    desk.spawn("up")
    wait_until(desk.two_sided, 45, "a bid and an ask on the exchange")
    second = desk.run("up", "--for", "20")
    assert second.code == 6, second.err
    assert second.error_line.startswith("lunomm: ")
    wait_until(desk.two_sided, 20, "the first ones go on")


def test_a_plain_line_without_a_terminal(desk: Desk) -> None:
    done = desk.run("up", "--for", "15")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert len(done.out.splitlines()) >= 2


def test_pieces_of_a_killed_up_stop_by_themselves(desk: Desk) -> None:
    up = desk.spawn("up")
    wait_until(desk.two_sided, 45, "a bid and an ask on the exchange")
    up.send_signal(signal.SIGKILL)
    up.wait(5)
    wait_until(lambda: desk.open_orders() == [], 15, "no order left after `up` was killed")
