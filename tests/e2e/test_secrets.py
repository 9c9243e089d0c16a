"""Canary secrets: a whole live session (by URL), its errors and its deaths, and no trace of a key anywhere."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path

import redis
from terminals import Desk, wait_until

KEY_ID, SECRET = "canary0keyid0k3j", "canary0secret0Qm7xV2pL9wZ4tR8s"
GUARDIAN_ID, GUARDIAN_SECRET = "canary0guard0id9", "canary0guardsecret0Hn5Yb3"
BUS_KEY = "canary0buskey0D8fK2"
ENV = {
    "LUNO_KEY_ID": KEY_ID,
    "LUNO_KEY_SECRET": SECRET,
    "LUNO_GUARDIAN_KEY_ID": GUARDIAN_ID,
    "LUNO_GUARDIAN_KEY_SECRET": GUARDIAN_SECRET,
    "LUNOMM_BUS_KEY": BUS_KEY,
}
LIMITS = ("--max-position", "0.1", "--max-order-value", "100000", "--max-daily-loss", "5000")


def traces() -> list[bytes]:
    """Every spelling that would give a key away: whole, as Basic authentication, and each half of a secret."""
    found = [KEY_ID, SECRET, GUARDIAN_ID, GUARDIAN_SECRET, BUS_KEY]
    for key_id, secret in ((KEY_ID, SECRET), (GUARDIAN_ID, GUARDIAN_SECRET)):
        middle = len(secret) // 2
        found += [base64.b64encode(f"{key_id}:{secret}".encode()).decode(), secret[:middle], secret[middle:]]
    return [text.encode() for text in found]


def command_lines() -> bytes:
    shown = b""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"lunomm" in command and b"exchange" not in command:
            shown += command
    return shown


def test_no_key_leaves_its_process(desk: Desk) -> None:
    accounts = ("--account", f"sim/{KEY_ID}:{SECRET}", "--account", f"sim/{GUARDIAN_ID}:{GUARDIAN_SECRET}")
    # The exchange is Luno here: what it is told on its command line is not ours to hide.
    exchange = desk.spawn("exchange", *accounts)
    found = wait_until(lambda: desk.exchange, 20, "the exchange is up")
    live = ("--mode", "live", "--url", found["url"])
    loud = {**ENV, "WEBSOCKETS_MAX_LOG_SIZE": "100000", "PYTHONASYNCIODEBUG": "1", "HTTPX_LOG_LEVEL": "trace"}
    desk.spawn("book", "XBTMYR", *live, "--debug", env=loud)
    desk.spawn("quote", *live, "--order-size", "0.002", "--debug", env=loud)
    gateway = desk.spawn("gateway", *live, *LIMITS, "--debug", env=loud)
    wait_until(desk.two_sided, 60, "quotes on the exchange")
    seen = command_lines()

    # Things go wrong: a killed gateway, its guardian at work, a wrong key, a panic, a frozen exchange.
    gateway.send_signal(signal.SIGKILL)
    gateway.wait(5)
    wait_until(lambda: desk.open_orders() == [], 15, "the guardian cancelled")
    told = [
        desk.run("gateway", *live, *LIMITS, "--debug", "--for", "2", env={**loud, "LUNO_KEY_SECRET": SECRET + "x"}),
        desk.run("panic", *live, "--debug", env=loud),
        desk.run("audit", *live, "--debug", env=loud),
        desk.run("status", "--once", "--debug", env=loud),
        desk.run("resume", "--debug", env=loud),
        desk.run("gateway", "--mode", "live", "--url", f"http://{KEY_ID}:{SECRET}@evil.example", "--debug", env=loud),
        desk.run("calibrate", "--debug", env={**loud, "LUNO_KEY_ID": f"{KEY_ID}:{SECRET}"}),
    ]
    os.kill(exchange.pid, signal.SIGSTOP)
    try:
        told.append(desk.run("gateway", *live, *LIMITS, "--debug", "--for", "1", env=loud))
    finally:
        os.kill(exchange.pid, signal.SIGCONT)

    with redis.Redis(port=desk.redis_port) as client:
        kept = b"".join(key + (client.dump(key) or b"") for key in client.keys("*"))
    places = {"command lines": seen, "Redis": kept}
    places |= {f"output {n}": (result.out + result.err).encode() for n, result in enumerate(told)}
    places |= {str(path): path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    assert any("journal" in name for name in places) and any("guardian.log" in name for name in places)
    # An empty value or an address with a password is the user's own typing; only what follows is ours.
    found_in = [(name, trace) for name, text in places.items() for trace in traces() if trace in text]
    assert found_in == []
