from __future__ import annotations

import subprocess
import sys

import pytest

from lunomm.errors import ConfigError, CredentialsError
from lunomm.luno.hosts import LUNO, ApiKey, Endpoint, endpoint, is_loopback


@pytest.mark.parametrize(
    "url", [None, "", "  ", "https://api.luno.com", "https://API.LUNO.COM/", "https://api.luno.com:443"]
)
def test_luno(url: str | None) -> None:
    assert endpoint(url) == LUNO == Endpoint("https://api.luno.com", "wss://ws.luno.com")
    assert endpoint(url).is_luno and endpoint(url).host == "api.luno.com"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://127.0.0.1:8377", "127.0.0.1:8377"),
        ("http://127.0.0.1:8377/", "127.0.0.1:8377"),
        ("http://127.9.8.7", "127.9.8.7"),
        ("http://localhost:1", "localhost:1"),
        ("http://[::1]:8377", "[::1]:8377"),
        (" http://LOCALHOST:8377 ", "localhost:8377"),
    ],
)
def test_this_machine(url: str, where: str) -> None:
    assert endpoint(url) == Endpoint(f"http://{where}", f"ws://{where}")
    assert not endpoint(url).is_luno and endpoint(url).host == where


@pytest.mark.parametrize(
    "url",
    [
        "http://api.luno.com",
        "https://api.luno.com:8443",
        "https://ws.luno.com",
        "https://api.luno.com.evil.example",
        "https://evil.example/api.luno.com",
        "https://api.luno.com/api",
        "https://api.luno.com?x=1",
        "https://api.luno.com#x",
        "https://user:secret@api.luno.com",
        "http://user:secret@127.0.0.1:8377",
        "http://127.0.0.1:8377@evil.example",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1\t.evil.example",
        "http://localhost.evil.example",
        "http://192.168.1.5:8377",
        "http://0.0.0.0:8377",
        "http://10.1:8377",
        "http://127.1:8377",
        "http://2130706433",
        "https://127.0.0.1:8377",
        "ws://127.0.0.1:8377",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://[fe80::1]",
        "//127.0.0.1",
        "127.0.0.1:8377",
        "file:///etc/passwd",
        "api.luno.com",
        "nonsense",
        "http://ⅼocalhost",
        "http://\x1b[31m",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint(url)
    message = str(caught.value)
    assert caught.value.exit_code == 3 and message.isascii() and message.isprintable()
    assert "secret" not in message.replace("LUNO_KEY_SECRET", "")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", False),
        ("127.0.0.300", False),
        ("", False),
        ("example.org", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("rest", "ws"),
    [
        ("https://evil.example", "wss://ws.luno.com"),
        ("https://api.luno.com", "wss://evil.example"),
        ("http://127.0.0.1:1", "ws://evil.example"),
        ("http://127.0.0.1:1@evil.example", "ws://127.0.0.1:1"),
        ("http://127.0.0.1:1/", "ws://127.0.0.1:1"),
        ("", ""),
    ],
)
def test_no_endpoint_can_be_made_by_hand_elsewhere(rest: str, ws: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(rest, ws)


def test_key_hides_both_halves() -> None:
    key = ApiKey("my-key-id", "my-secret")
    assert (key.id, key.secret) == ("my-key-id", "my-secret")
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert "my-" not in text


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [("", "s"), ("k", ""), ("k:s", "s"), ("k", "a b"), ("k", "a\n"), ("k\r\nX: y", "s"), ("k" * 201, "s"), ("k", "ü")],
)
def test_key_that_cannot_be_one(key_id: str, secret: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        ApiKey(key_id, secret)
    assert repr(key_id) not in str(caught.value)


def test_hosts_import_nothing_heavy() -> None:
    heavy = ("httpx", "websockets", "msgspec", "asyncio")
    code = f"import sys, lunomm.luno.hosts; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
