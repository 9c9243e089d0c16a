from __future__ import annotations

import base64

import pytest

from lunomm.simulator.access import CallBudgets, basic_credentials, is_loopback_host, is_loopback_origin

S = 1_000_000_000


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"Basic {encoded('sim:sim')}", ("sim", "sim")),
        (f"basic {encoded('key:with:colons')}", ("key", "with:colons")),
        (f"Basic {encoded(':')}", ("", "")),
        (f"Basic {encoded('no colon')}", None),
        (f"Bearer {encoded('sim:sim')}", None),
        ("Basic", None),
        ("", None),
        ("Basic not base64", None),
        ("Basic /w==", None),
        ("Basic " + "A" * 5000, None),
    ],
)
def test_basic(header: str, found: tuple[str, str] | None) -> None:
    assert basic_credentials(header) == found


@pytest.mark.parametrize("host", ["localhost", "localhost:8377", "127.0.0.1:1", "[::1]:80", "LOCALHOST"])
def test_loopback_names(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::1", "0.0.0.0", "192.168.0.1:80"],
)
def test_other_names(host: str) -> None:
    assert not is_loopback_host(host)


def test_origins() -> None:
    assert is_loopback_origin("http://localhost/")
    assert is_loopback_origin("http://127.0.0.1:8377")
    for origin in ("http://evil.example", "null", "", "http://[", "file://"):
        assert not is_loopback_origin(origin)


def test_three_hundred_a_minute_then_five_a_second() -> None:
    budgets = CallBudgets()
    assert all(budgets.take("a", 0) for _ in range(300))
    assert not budgets.take("a", 0)
    assert budgets.take("b", 0)
    assert budgets.used(0) == budgets.used_by("a", 0) == 301
    assert [budgets.take("a", S) for _ in range(6)] == [True] * 5 + [False]
    assert (budgets.used(59 * S), budgets.used(60 * S), budgets.used(61 * S)) == (307, 6, 0)
    assert (budgets.used_by("b", S), budgets.used_by("nobody", S)) == (1, 0)
    assert all(budgets.take("a", 3600 * S) for _ in range(300))
    assert not budgets.take("a", 3600 * S)


def test_a_client_within_its_budget_is_seen_at_work() -> None:
    """Its bucket is full whenever one looks; its calls are not none."""
    budgets = CallBudgets()
    assert all(budgets.take("a", at * S) for at in range(0, 120, 2))
    assert budgets.used_by("a", 119 * S) == 30
