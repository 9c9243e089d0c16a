"""Compressed bytes, as far as they are true: everything before a break, and no break that is none."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest

from lunomm.tape.unpack import Broken, unpacked

TEXT = b"".join(b'{"recv_ns":%d,"frame":"%d"}\n' % (n, n * n) for n in range(4000))


def read(data: bytes) -> tuple[bytes, str | None, bool]:
    """What came out, how it broke off, and whether that means it is untrue."""
    found = bytearray()
    try:
        for piece in unpacked(io.BytesIO(data)):
            found += piece
    except Broken as broken:
        return bytes(found), str(broken), broken.untrue
    return bytes(found), None, False


def flushed(*parts: bytes) -> bytes:
    """As the recorder writes: to a whole block after each part, and not yet ended."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(part) + squeeze.flush(zlib.Z_SYNC_FLUSH) for part in parts)


def test_whole_files() -> None:
    assert read(gzip.compress(TEXT)) == (TEXT, None, False)
    assert read(gzip.compress(TEXT) * 3) == (TEXT * 3, None, False)
    assert read(gzip.compress(TEXT) + b"\0" * 500) == (TEXT, None, False)
    assert read(gzip.compress(b"\0" * 10**7))[0] == b"\0" * 10**7


def test_every_cut_gives_the_beginning_and_says_so() -> None:
    whole = gzip.compress(TEXT)
    rng = random.Random(1)
    for cut in [1, 7, 8, 9, *(rng.randrange(2, len(whole)) for _ in range(60))]:
        found, why, untrue = read(whole[:-cut])
        assert TEXT.startswith(found) and (why, untrue) == ("ends early", False)
    assert read(whole[:-1])[0] == TEXT


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\xff" * 300, bytes(range(256))])
def test_everything_before_the_break_comes_out(tail: bytes) -> None:
    found, why, untrue = read(flushed(TEXT[:50_000], TEXT[50_000:]) + tail)
    assert found.startswith(TEXT) and why is not None and not untrue


def test_a_changed_byte_is_never_taken_for_the_truth() -> None:
    whole = bytearray(gzip.compress(TEXT))
    rng = random.Random(2)
    for _ in range(20):
        at = rng.randrange(12, len(whole))
        whole[at] ^= 1 << rng.randrange(8)
        found, why, untrue = read(bytes(whole))
        assert why is not None, "the checksum at its end does not match"
        assert untrue or found != TEXT or at >= len(whole) - 8
        whole = bytearray(gzip.compress(TEXT))


def test_something_else_behind_it() -> None:
    assert read(gzip.compress(TEXT) + b"hello") == (TEXT, "is followed by something else", False)
