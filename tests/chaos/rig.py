"""One pipeline of real processes, and a watcher that reads nothing but the exchange's own truth.

The watcher polls the open orders seven times a second (outside the account's call budget) and keeps what it saw, so a
bound such as "flat within five seconds" is judged by times, not by the moment at which somebody looked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import redis

PAIR = "XBTMYR"
POLL_S = 0.15
STALL_S = 1.0
SPEED = "4"
"""Of the exchange: four times the fills. Every bound is in real seconds."""

PREFIX = f"lm1-{PAIR}-"

TYPED = {
    "book": ("book", PAIR),
    "quote": ("quote", "--gamma", "1", "--eta", "-0.005", "--filled-order-delay-s", "1"),
    "gateway": ("gateway",),
}


@dataclass(frozen=True)
class Sight:
    """The exchange's open orders of ours at one moment of the monotonic clock."""

    at: float
    orders: tuple[tuple[str, str], ...]
    """(side, client order id)"""


class Watcher(threading.Thread):
    """Looks until stopped; remembers every look and every moment with two orders of one side."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.sights: list[Sight] = []
        self.doubles: list[Sight] = []
        self.stalls: list[tuple[float, float]] = []
        """(when, seconds) in which this thread, which only wanted to wait a moment, was not given the processor."""
        self._ended = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, auth=("sim", "sim"), trust_env=False, timeout=5) as client:
            while True:
                before = time.monotonic()
                if self._ended.wait(POLL_S):
                    return
                late = time.monotonic() - before - POLL_S
                if late > STALL_S:
                    self.stalls.append((before, late))
                with contextlib.suppress(httpx.HTTPError):
                    self._look(client)

    def stalled_since(self, since: float) -> bool:
        """Whether the whole machine stood still after ``since``: bounds cannot be judged then."""
        return any(when + seconds > since for when, seconds in self.stalls)

    def _look(self, client: httpx.Client) -> None:
        reply = client.get("/sim/truth/api/exchange/2/listorders", params={"pair": PAIR, "limit": 1000})
        rows = reply.json()["orders"] or []
        ours = [(o["side"], o["client_order_id"]) for o in rows if o["client_order_id"].startswith(PREFIX)]
        sight = Sight(time.monotonic(), tuple(sorted(ours)))
        self.sights.append(sight)
        if any(sum(side == s for s, _ in ours) > 1 for side in ("BUY", "SELL")):
            self.doubles.append(sight)

    def stop(self) -> None:
        self._ended.set()
        self.join(10)

    def last(self) -> Sight | None:
        return self.sights[-1] if self.sights else None

    def flat_after(self, since: float) -> float | None:
        """Seconds from ``since`` to the first look with no order of ours, None when there was none yet."""
        for sight in self.sights:
            if sight.at >= since and not sight.orders:
                return sight.at - since
        return None


class Rig:
    """A state folder, a Redis port of its own, an exchange, and the pieces under test.

    Args:
        folder: empty. port: free. under_up: supervised by ``lunomm up`` instead of each started by hand.
    """

    def __init__(self, folder: Path, port: int, *, under_up: bool, seed: int = 1) -> None:
        self.folder, self.port, self.under_up, self.seed = folder, port, under_up, seed
        (folder / "state").mkdir(parents=True)
        self.pieces: dict[str, subprocess.Popen[bytes]] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self.watcher: Watcher | None = None
        self.opening: dict[str, Decimal] = {}

    # --- processes -------------------------------------------------------------------------------------------------

    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUNO", "REDIS"))}
        return {**clean, "LUNOMM_STATE_DIR": str(self.folder / "state"), "REDIS_PORT": str(self.port)}

    def spawn(self, *args: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{len(self._started):03d}-{args[0]}.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "lunomm", *args], cwd=self.folder, env=self.env(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._started.append(child)
        return child

    def start(self, pieces: tuple[str, ...] = ("book", "quote", "gateway")) -> None:
        """Everything up; with a quoter and a gateway among the pieces, until a bid and an ask are on the exchange."""
        self._started.append(self.spawn("exchange", PAIR, "--seed", str(self.seed), "--speed", SPEED))
        note = self.folder / "state" / "exchange.json"
        until(note.exists, 30, "the exchange's address")
        self.url = json.loads(note.read_text())["url"]
        self.opening = self.balances()
        self.watcher = Watcher(self.url)
        self.watcher.start()
        if self.under_up:
            self.pieces["up"] = self.spawn("up", PAIR, "--url", self.url, "--filled-order-delay-s", "1")
        else:
            for name in pieces:
                self.pieces[name] = self.spawn(*TYPED[name])
        if "quote" in pieces and "gateway" in pieces:
            self.two_sided(60)

    def two_sided(self, within_s: float) -> None:
        assert self.watcher is not None
        until(lambda: self._sides() == ["BUY", "SELL"], within_s, f"a bid and an ask; logs in {self.folder}")

    def _sides(self) -> list[str]:
        last = self.watcher.last() if self.watcher is not None else None
        return [] if last is None or time.monotonic() - last.at > 1 else [side for side, _ in last.orders]

    def pid(self, name: str) -> int:
        """Of a piece, its guardian, or the embedded Redis."""
        if name == "redis":
            with redis.Redis(port=self.port) as client:
                return int(client.info("server")["process_id"])
        if name == "guardian":
            return self._child_of(self.pid("gateway"), "lunomm.commands.guardian")
        if self.under_up:
            return self._child_of(self.pieces["up"].pid, f"lunomm\0{name}")
        return self.pieces[name].pid

    def _child_of(self, parent: int, words: str) -> int:
        def look() -> int | None:
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    stat, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if int(stat.rpartition(")")[2].split()[1]) == parent and words.encode() in command:
                    return int(entry.name)
            return None

        found: int = until(look, 30, f"{words} under {parent}")
        return found

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> float:
        """Signal one piece; the monotonic moment just after."""
        os.kill(self.pid(name), how)
        if how is signal.SIGKILL and name in self.pieces:
            self.pieces[name].wait(10)
        return time.monotonic()

    def redis_up_since(self) -> float:
        """Monotonic moment at which the present Redis started; now where none answers."""
        try:
            with redis.Redis(port=self.port) as client:
                return time.monotonic() - float(client.info("server")["uptime_in_seconds"]) - 1.0
        except redis.RedisError:
            return time.monotonic()

    def again(self, name: str) -> None:
        """Start a piece anew, as its owner would (``up`` does that itself)."""
        if not self.under_up and name in TYPED:
            self.pieces[name] = self.spawn(*TYPED[name])

    # --- truth -----------------------------------------------------------------------------------------------------

    def ask(self, path: str, **params: str) -> Any:
        with httpx.Client(base_url=self.url, auth=("sim", "sim"), trust_env=False, timeout=10) as client:
            return client.get("/sim/truth" + path, params=params).json()

    def balances(self) -> dict[str, Decimal]:
        return {row["asset"]: Decimal(row["balance"]) for row in self.ask("/api/1/balance")["balance"]}

    def trades(self) -> list[dict[str, Any]]:
        """Every trade of the account, by pages."""
        found: dict[tuple[int, str], dict[str, Any]] = {}
        after = 1
        while True:
            page = self.ask("/api/1/listtrades", pair=PAIR, limit="100", after_seq=str(after))["trades"] or []
            fresh = {(row["sequence"], row["type"]): row for row in page}
            if not set(fresh) - set(found):
                return list(found.values())
            found.update(fresh)
            after = max(row["sequence"] for row in page)

    def known(self) -> set[str]:
        """Client order ids in ORDERS::<pair>: what the living gateway knows."""
        try:
            with redis.Redis(port=self.port, decode_responses=True) as client:
                return {json.loads(value)["client_order_id"] for value in client.hgetall(f"ORDERS::{PAIR}").values()}
        except redis.RedisError:
            return set()

    # --- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """End the gateway politely; what does not add up."""
        wrong: list[str] = []
        main = self.pieces["up" if self.under_up else "gateway"]
        main.send_signal(signal.SIGTERM)
        code = main.wait(90)
        if code != 0:
            wrong.append(f"the end was exit {code}")
        assert self.watcher is not None
        self.watcher.stop()
        if left := self.ask("/api/exchange/2/listorders", pair=PAIR)["orders"]:
            wrong.append(f"{len(left)} orders left at the end")
        if self.watcher.doubles:
            wrong.append(f"{len(self.watcher.doubles)} looks saw two orders of one side: {self.watcher.doubles[0]}")
        return wrong + self.compare()

    def compare(self) -> list[str]:
        """Journal, FILLS and the exchange, to the last digit."""
        wrong: list[str] = []
        (path,) = (self.folder / "state").glob("journal-*.sqlite3")
        with contextlib.closing(sqlite3.connect(path)) as journal:
            rows = journal.execute(
                "SELECT sequence, side, volume, counter, fee_base, fee_counter FROM fills"
            ).fetchall()
            ids = [row[0] for row in journal.execute("SELECT client_order_id FROM orders")]
        here = {(seq, side): (Decimal(v), Decimal(c)) for seq, side, v, c, _, _ in rows}
        there = {(t["sequence"], t["type"]): (Decimal(t["base"]), Decimal(t["counter"])) for t in self.trades()}
        if here != there:
            wrong.append(
                f"fills: {len(here)} in the journal, {len(there)} at the exchange, "
                f"{len(set(here.items()) ^ set(there.items()))} differ"
            )
        if len(rows) != len(here) or len(ids) != len(set(ids)):
            wrong.append("a fill or an order stands twice in the journal")
        base = sum(((1 if s == "BID" else -1) * Decimal(v) - Decimal(f) for _, s, v, _, f, _ in rows), Decimal(0))
        money = sum(((-1 if s == "BID" else 1) * Decimal(c) - Decimal(f) for _, s, _, c, _, f in rows), Decimal(0))
        closing = self.balances()
        moved = (closing["XBT"] - self.opening["XBT"], closing["MYR"] - self.opening["MYR"])
        if (base, money) != moved:
            wrong.append(f"position: journal {base} {money}, exchange {moved[0]} {moved[1]}")
        return wrong

    def fills(self) -> int:
        return len(self.trades())

    def clean(self) -> None:
        """Leave nothing running."""
        if self.watcher is not None:
            self.watcher.stop()
        for child in self._started:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self._started:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        subprocess.run([sys.executable, "-m", "lunomm", "down", "--force"], env=self.env(), cwd=self.folder,
                       capture_output=True, timeout=100, check=False)  # fmt: skip


def until(holds: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true answer.

    Raises:
        AssertionError: none within ``within_s``.
    """
    end = time.monotonic() + within_s
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)
