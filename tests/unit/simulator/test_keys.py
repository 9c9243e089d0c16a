from __future__ import annotations

import pytest

from lunomm.errors import UsageError
from lunomm.simulator.keys import ALL, PERMISSIONS, R_BALANCE, R_ORDERS, W_ORDERS, Key, KeyRing, parse_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ann:s3cret", Key("ann", "s3cret", "ann")),
        ("fund/reader:pw:33", Key("reader", "pw", "fund", 33)),
        ("a:b:Perm_R_Balance+Perm_W_Orders", Key("a", "b", "a", 65)),
        ("a:b:0", Key("a", "b", "a", 0)),
    ],
)
def test_a_key_as_it_is_spoken(text: str, key: Key) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a:", ":b", "/a:b", "a b:c", "a:b:c", "a:b:-1", "a:b:1:2", "x/y/z:b", "a:b:4096", "é:b"),
        *("a:" + "s" * 201, "a:hush:Perm_R_Everything", "a:b:9999999", "a:b:１"),
    ],
)
def test_other_texts_are_refused_without_repeating_the_secret(text: str) -> None:
    with pytest.raises(UsageError, match="--account") as caught:
        parse_key(text)
    assert "hush" not in str(caught.value)


def test_every_bit_is_needed() -> None:
    key = Key("k", "s", "o", R_BALANCE | R_ORDERS)
    assert key.may(0) and key.may(R_BALANCE) and key.may(R_BALANCE | R_ORDERS)
    assert not key.may(W_ORDERS) and not key.may(W_ORDERS | R_ORDERS)
    assert sum(PERMISSIONS.values()) == ALL and Key("k", "s", "o").may(ALL)
    assert "s3cret" not in repr(Key("k", "s3cret", "o"))


def test_the_ring_finds_by_id_and_secret_and_the_later_key_of_a_name_wins() -> None:
    ring = KeyRing([Key("a", "1", "x"), Key("b", "2", "x"), Key("a", "3", "y")])
    assert ring.find("a", "3") == Key("a", "3", "y")
    assert ring.find("a", "1") is None and ring.find("c", "") is None and ring.find("a", "\ud800") is None
    assert ring.owners == ["y", "x"]
    ring.revoke("b")
    found = ring.find("b", "2")
    assert found is not None and found.revoked
    with pytest.raises(KeyError):
        ring.revoke("c")
