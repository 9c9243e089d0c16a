"""What is refused, with the right exit code and one line that says what to do."""

from __future__ import annotations

import signal

import pytest
from terminals import Desk, free_port, wait_until

KEYS = {"LUNO_KEY_ID": "sim", "LUNO_KEY_SECRET": "sim"}
CANARY = {"LUNO_KEY_ID": "canaryid123", "LUNO_KEY_SECRET": "canarysecret456"}


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("quote", "--gamma", "nan"), 2, "gamma"),
        (("quote", "--gamma", "-1"), 2, "gamma"),
        (("quote", "--gamma", "1e400"), 2, "gamma"),
        (("quote", "--gamma", "inf"), 2, "gamma"),
        (("quote", "--size-rule", "bigger"), 2, "size-rule"),
        (("quote", "--eta", "small"), 2, "eta"),
        (("quote", "--order-size", "0"), 2, "order-size"),
        (("book", "BTC/ZAR"), 2, "XBTZAR"),
        (("book", "NOPEMYR"), 2, "NOPEMYR"),
        (("book", "XBTZAR", "--tape", "nowhere.jsonl"), 2, "nowhere.jsonl"),
        (("exchange", "--port", "99999"), 2, "port"),
        (("exchange", "--port", "0x10"), 2, "port"),
        (("quotee",), 2, "quote"),
        (("gateway", "--mode", "live"), 3, "LUNO_KEY_ID"),
        (("book", "--mode", "live", "--url", "http://example.com"), 3, "example.com"),
    ],
)
def test_bad_input(desk: Desk, args: tuple[str, ...], code: int, says: str) -> None:
    env = CANARY if "--url" in args else None
    done = desk.run(*args, env=env, timeout=60)
    assert done.code == code, done.err
    assert says.lower() in done.err.lower()
    assert "Traceback" not in done.err
    assert "canarysecret" not in done.err + done.out


def test_keys_without_a_mode_are_paper_and_stay_secret(desk: Desk) -> None:
    done = desk.run("gateway", env={**CANARY, "LUNOMM_UPSTREAM": "http://127.0.0.1:1"})
    assert done.code == 4
    assert "the paper exchange did not start" in done.error_line and "127.0.0.1:1" in done.error_line
    logs = "".join(path.read_text() for path in (desk.folder / "state").glob("*.log"))
    assert "127.0.0.1:1" in logs
    assert "canary" not in done.err + done.out + logs


def test_live_names_both_variables(desk: Desk) -> None:
    done = desk.run("gateway", "--mode", "live")
    assert done.code == 3
    assert "LUNO_KEY_ID" in done.err and "LUNO_KEY_SECRET" in done.err


def test_a_dead_remote_redis_is_never_replaced(desk: Desk) -> None:
    done = desk.run("book", env={"REDIS_HOST": "redis.invalid"}, timeout=60)
    assert done.code == 4
    assert "redis.invalid" in done.error_line


def test_the_documents_own_env_file_is_read(desk: Desk) -> None:
    """Spaces around `=`, quotes, empty keys: mode sim, and the port it names is used."""
    port = free_port()
    (desk.folder / ".env").write_text(
        f'LUNO_KEY_ID = ""\nLUNO_KEY_SECRET = ""\nREDIS_HOST = "127.0.0.1"\nREDIS_PORT = {port}\n'
    )
    desk.redis_port = port
    env = {"REDIS_PORT": ""}
    done = desk.run("book", "XBTMYR", "--for", "8", "--json", env=env, timeout=60)
    assert done.code == 0, done.err
    assert done.last


def test_live_against_the_simulator_by_url(desk: Desk) -> None:
    """Live mode talks to whatever Luno it is pointed at on loopback, with keys, limits and an explicit size."""
    desk.spawn("exchange")
    found = wait_until(lambda: desk.exchange, 20, "the exchange is up")
    url = found["url"]
    live = ("--mode", "live", "--url", url)
    limits = ("--max-position", "0.1", "--max-order-value", "100000", "--max-daily-loss", "5000")

    bare = desk.run("gateway", *live, env=KEYS, timeout=60)
    assert bare.code == 3
    for name in ("--max-position", "--max-order-value", "--max-daily-loss"):
        assert bare.err.count(name) == 2, "named, and suggested with a figure"
    assert bare.err.count("\n") == 1
    whole = desk.run("up", *live, "--max-position", "0.01", env=KEYS, timeout=60)
    assert whole.code == 3
    assert "--order-size, --max-order-value, --max-daily-loss not given" in whole.err
    assert "to begin with: --max-position 0.0" in whole.err
    gone = desk.run("gateway", "--mode", "live", "--url", "http://127.0.0.1:9", env=KEYS, timeout=60)
    assert gone.code == 3
    assert "--max-position, --max-order-value, --max-daily-loss not given" in gone.err
    assert "to begin with" not in gone.err
    unsized = desk.run("quote", *live, env=KEYS, timeout=60)
    assert unsized.code == 3
    assert "order-size" in unsized.err

    desk.spawn("book", "XBTMYR", *live, env=KEYS)
    desk.spawn("quote", *live, "--order-size", "0.002", env=KEYS)
    gateway = desk.spawn("gateway", *live, *limits, env=KEYS)
    wait_until(desk.two_sided, 60, "live quotes on the simulator by its URL")
    second = desk.run("gateway", *live, *limits, env=KEYS, timeout=60)
    assert second.code == 6, second.err
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(20) == 0, desk.logs()
    assert desk.open_orders() == []


def test_another_venue_on_this_redis_is_refused(desk: Desk) -> None:
    """With a sim pipeline on a Redis, live pieces on that Redis exit 5 naming both venues and post nothing."""
    for args in (("book", "XBTMYR"), ("quote",), ("gateway",)):
        desk.spawn(*args)
    wait_until(desk.two_sided, 60, "a bid and an ask on the exchange")
    limits = ("--max-position", "0.1", "--max-order-value", "100000", "--max-daily-loss", "5000")
    for args in (("gateway", *limits), ("quote", "--order-size", "0.01")):
        done = desk.run(*args, "--mode", "live", env=CANARY, timeout=60)
        assert done.code == 5, done.err
        assert "api.luno.com" in done.err and "127.0.0.1" in done.err
        assert "canary" not in done.err + done.out
    wait_until(desk.two_sided, 20, "the first ones go on")
