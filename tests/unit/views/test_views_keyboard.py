"""Bytes of a terminal as keys: whatever a sequence contains, none of its letters is a key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.views.keyboard import LONGEST_PASTE, Decoder, Key, Kind

OTHER = Key(Kind.OTHER)


def keys(*reads: bytes, late_s: float = 5.0) -> list[Key]:
    """Reads 10 ms apart, and the time after them."""
    decoder, found = Decoder(), []
    for index, data in enumerate(reads):
        found += decoder.feed(data, index * 0.01)
    return [*found, *decoder.rest(len(reads) * 0.01 + late_s)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\r", Kind.ENTER), (b"\n", Kind.ENTER), (b"\x7f", Kind.BACKSPACE), (b"\x08", Kind.BACKSPACE),
     (b"\x15", Kind.CLEAR), (b"\t", Kind.TAB), (b"\x1b", Kind.ESCAPE), (b"\x01", Kind.OTHER), (b"\x00", Kind.OTHER)],
)  # fmt: skip
def test_editing_keys(data: bytes, kind: Kind) -> None:
    assert keys(data) == [Key(kind)]


def test_characters() -> None:
    assert keys(b"g2") == [Key(Kind.CHARACTER, "g"), Key(Kind.CHARACTER, "2")]
    assert keys("é漢".encode()) == [OTHER, OTHER]


SEQUENCES = [
    b"\x1b[A", b"\x1b[1;5C", b"\x1b[15~", b"\x1bOP", b"\x1bOp", b"\x1bp", b"\x1b!", b"\x1b[[A", b"\x1b[M !!",
    b"\x1b[<0;12;3M", b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1bP1$r0m\x1b\\", b"\x1b[?1;2c", b"\x1b[12;40R", b"\x1b[I",
]  # fmt: skip


@pytest.mark.parametrize("data", SEQUENCES)
def test_a_sequence_is_one_key_that_means_nothing_in_one_piece_or_many(data: bytes) -> None:
    assert keys(data) == [OTHER]
    assert keys(data + b"q") == [OTHER, Key(Kind.CHARACTER, "q")]
    assert keys(*(data[i : i + 1] for i in range(len(data)))) == [OTHER]


def test_one_escape_is_the_key_when_nothing_follows() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b", 1.0) == [] and decoder.wake_s() == pytest.approx(1.05)
    assert decoder.rest(1.04) == [] and decoder.rest(1.051) == [Key(Kind.ESCAPE)] and decoder.wake_s() is None
    assert decoder.feed(b"\x1b", 2.0) == [] and decoder.feed(b"[A", 2.01) == [OTHER]
    assert decoder.feed(b"\x1b", 3.0) == [] and decoder.feed(b"g", 3.2) == [Key(Kind.ESCAPE), Key(Kind.CHARACTER, "g")]


def test_a_marked_paste_is_one_key_also_in_pieces_and_without_an_end() -> None:
    data = b"\x1b[200~!PANIC\rq\x1b[A\x1b[201~"
    assert keys(data) == [Key(Kind.PASTE, "!PANIC\rq\x1b[A")]
    for cut in range(1, len(data)):
        assert keys(data[:cut], data[cut:]) == [Key(Kind.PASTE, "!PANIC\rq\x1b[A")]
    assert keys(b"\x1b[200~pq") == [Key(Kind.PASTE, "pq")]
    (long,) = keys(b"\x1b[200~" + b"q" * 100_000 + b"\x1b[201~")
    assert len(long.text) == LONGEST_PASTE


def test_a_string_without_an_end_is_given_up() -> None:
    assert keys(b"\x1b]" + b"q" * 10_000)[0] == OTHER and len(keys(b"\x1b]qqq")) == 1
    assert keys(b"\x1b[" + b"1" * 200)[0] == OTHER


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=6))
def test_no_bytes_break_it_and_text_is_printable(reads: list[bytes]) -> None:
    for key in keys(*reads):
        assert key.kind in (Kind.CHARACTER, Kind.PASTE) or key.text == ""
        assert key.kind is not Kind.CHARACTER or (len(key.text) == 1 and " " <= key.text <= "~")
