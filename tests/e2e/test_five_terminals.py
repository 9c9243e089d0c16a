"""The five commands as the card types them, each in its own terminal, killed and restarted alone."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from decimal import Decimal

import redis
from terminals import Desk, wait_until

TYPED = {
    "book": ("book", "XBTMYR"),
    "quote": ("quote", "--gamma", "1", "--eta", "-0.005"),
    "gateway": ("gateway",),
    "calibrate": ("calibrate", "--watch"),
    "status": ("status",),
}


def start_all(desk: Desk, order: list[str]) -> dict[str, subprocess.Popen[str]]:
    return {name: desk.spawn(*TYPED[name]) for name in order}


def kill(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    child.wait(5)


def test_any_order_and_each_killed_alone(desk: Desk) -> None:
    names = ["gateway", "quote", "book", "calibrate"]
    random.Random(7).shuffle(names)
    running = start_all(desk, names)
    wait_until(desk.two_sided, 60, "a bid and an ask on the exchange")

    # A killed quoter: its wanted state expires, the orders go.
    kill(running["quote"])
    wait_until(lambda: desk.open_orders() == [], 5, "flat after a killed quote")
    running["quote"] = desk.spawn(*TYPED["quote"])
    wait_until(desk.two_sided, 30, "quotes again")

    # A killed gateway: its orders stay for a moment; the successor adopts or cancels them and never doubles one.
    before = {order["client_order_id"] for order in desk.open_orders()}
    kill(running["gateway"])
    running["gateway"] = desk.spawn(*TYPED["gateway"])
    seen: list[int] = []

    def settled() -> bool:
        orders = desk.open_orders()
        seen.append(max([sum(o["side"] == side for o in orders) for side in ("BUY", "SELL")]))
        return desk.two_sided() and _working(desk) == {o["client_order_id"] for o in orders}

    wait_until(settled, 30, "the successor knows every order")
    assert max(seen) <= 1, "never two orders of one side"
    assert before

    # A killed book: its ticks stop, the quoter withdraws; a new one brings quotes back.
    kill(running["book"])
    wait_until(lambda: desk.open_orders() == [], 10, "flat after a killed book")
    running["book"] = desk.spawn(*TYPED["book"])
    wait_until(desk.two_sided, 30, "quotes again after a new book")

    # Nobody needs calibrate to go on.
    kill(running["calibrate"])
    wait_until(desk.two_sided, 20, "quotes without calibrate")

    shown = desk.run("status", "--json")
    assert shown.code == 0, shown.err
    assert shown.last

    running["gateway"].send_signal(signal.SIGINT)
    assert running["gateway"].wait(15) == 0, desk.logs()
    assert desk.open_orders() == []


def _working(desk: Desk) -> set[str]:
    bus = redis.Redis(port=desk.redis_port, decode_responses=True)
    try:
        return {
            row["client_order_id"]
            for row in map(json.loads, bus.hgetall("ORDERS::XBTMYR").values())
            if row["state"] == "WORKING"
        }
    finally:
        bus.close()


def test_a_redis_restart_is_survived(desk: Desk) -> None:
    start_all(desk, ["book", "quote", "gateway"])
    wait_until(desk.two_sided, 60, "a bid and an ask on the exchange")
    bus = redis.Redis(port=desk.redis_port, decode_responses=True)
    pid = int(bus.info("server")["process_id"])
    bus.close()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: desk.open_orders() == [], 8, "flat without Redis")
    wait_until(desk.two_sided, 60, "quotes again once Redis is back")
    assert all(child.poll() is None for child in desk.children), desk.logs()


def test_a_second_gateway_quote_and_book_are_refused(desk: Desk) -> None:
    start_all(desk, ["book", "quote", "gateway"])
    wait_until(desk.two_sided, 60, "a bid and an ask on the exchange")
    for name in ("gateway", "quote", "book"):
        second = desk.run(*TYPED[name], "--for", "20")
        assert second.code == 6, (name, second.err)
        assert second.error_line.startswith("lunomm: ")
    wait_until(desk.two_sided, 20, "the first ones go on")


def test_position_journal_and_balance_agree_to_the_last_digit(desk: Desk) -> None:
    """Trading at thirty times the clock; then the journal's fills, the position and the exchange's own change agree."""
    desk.spawn("exchange", "--speed", "30")
    wait_until(lambda: desk.exchange is not None, 20, "the exchange is up")
    opening = _balances(desk)
    running = start_all(desk, ["book", "quote", "gateway"])
    wait_until(lambda: _fills(desk) >= 12, 90, "a dozen fills")
    running["gateway"].send_signal(signal.SIGTERM)
    assert running["gateway"].wait(20) == 0, desk.logs()
    assert desk.open_orders() == []

    import sqlite3

    (path,) = (desk.folder / "state").glob("journal-*.sqlite3")
    with contextlib.closing(sqlite3.connect(path)) as journal:
        rows = journal.execute("SELECT side, volume, counter, fee_base, fee_counter FROM fills").fetchall()
    base = sum((_sign(side) * Decimal(volume) - Decimal(fee) for side, volume, _, fee, _ in rows), Decimal(0))
    counter = sum((-_sign(side) * Decimal(value) - Decimal(fee) for side, _, value, _, fee in rows), Decimal(0))
    closing = _balances(desk)
    assert closing["XBT"] - opening["XBT"] == base
    assert closing["MYR"] - opening["MYR"] == counter
    trades = desk.ask("/api/1/listtrades", pair="XBTMYR", limit="1000")["trades"]
    assert len(trades) == len(rows)


def _sign(side: str) -> int:
    return 1 if side == "BID" else -1


def _balances(desk: Desk) -> dict[str, Decimal]:
    return {row["asset"]: Decimal(row["balance"]) for row in desk.ask("/api/1/balance")["balance"]}


def _fills(desk: Desk) -> int:
    return len(desk.ask("/api/1/listtrades", pair="XBTMYR", limit="1000")["trades"] or [])
