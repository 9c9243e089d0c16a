"""The seal: what was not said with the key, or was said for another channel, is not believed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunomm.bus.seal import Seal

KEY = "0123456789abcdef-canary"
TEXT = '{"v":1,"pair":"XBTMYR","price":"300000"}'
NAME = "QUOTES::XBTMYR"


def test_a_sealed_message_is_json_with_everything_in_it() -> None:
    sealed = Seal(KEY).sign(NAME, TEXT)
    assert {k: v for k, v in json.loads(sealed).items() if k != "mac"} == json.loads(TEXT)
    assert Seal(KEY).genuine(NAME, sealed)


@pytest.mark.parametrize(
    "forged",
    [
        TEXT,
        "",
        "{}",
        '{"mac":""}',
        TEXT[:-1] + ',"mac":"' + "0" * 64 + '"}',
        TEXT[:-1] + ',"mac":"' + "é" * 64 + '"}',
        Seal("another key of some length").sign(NAME, TEXT),
        Seal(KEY).sign("QUOTES::ETHMYR", TEXT),
        Seal(KEY).sign("QUOTES::XBTMYR{", TEXT[1:]),
        Seal(KEY).sign(NAME, TEXT).replace("300000", "300001"),
        Seal(KEY).sign(NAME, TEXT) + " ",
    ],
)
def test_a_forgery_is_not_believed(forged: str) -> None:
    assert not Seal(KEY).genuine(NAME, forged)


@given(st.text(max_size=200), st.integers(0, 300), st.characters())
def test_no_change_of_a_character_survives(body: str, at: int, put: str) -> None:
    sealed = Seal(KEY).sign(NAME, json.dumps({"text": body}))
    at %= len(sealed)
    changed = sealed[:at] + put + sealed[at + 1 :]
    assert Seal(KEY).genuine(NAME, changed) == (changed == sealed)


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(Seal(KEY)) + str(Seal(KEY))
