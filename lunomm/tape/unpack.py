"""The bytes of a tape, decompressed as far as they are true.

Not ``gzip.open``: where a compressed file breaks off into something that is not compressed data (zeros after a power
cut), it loses up to all that was read with the break, and one byte too many is a break to it. Here everything before
the break is given out first.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

MAGIC: Final = b"\x1f\x8b"
_READ: Final = 64 * 1024
_PIECE: Final = 2**20
"""Decompressed bytes handed out at once: a small file may be made of gigabytes of zeros."""

_GZIP: Final = 31


class Broken(Exception):
    """The file goes on, or ends, as no compressed file does; what came before is all there is.

    untrue: it was read to its end, and is not what was compressed.
    """

    def __init__(self, what: str, *, untrue: bool = False) -> None:
        super().__init__(what)
        self.untrue = untrue


def unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file of any number of members, in pieces of bounded size.

    Raises:
        Broken: after everything that could be read.
        OSError: the disk's.
    """
    inflate, inside = zlib.decompressobj(_GZIP), False
    while block := stream.read(_READ):
        while block:
            if inflate.eof:
                block = block.lstrip(b"\0")  # padding, as tar and dd leave it
                if not block:
                    break
                if not block.startswith(MAGIC[: len(block)]):
                    raise Broken("is followed by something else")
                inflate, inside = zlib.decompressobj(_GZIP), False
            before = inflate.copy()
            try:
                piece = inflate.decompress(block, _PIECE)
            except zlib.error as error:
                yield _until_it_breaks(before, block)
                raise Broken("is damaged", untrue="check" in str(error)) from None
            inside = True
            block = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if piece:
                yield piece
    if inside and not inflate.eof:
        raise Broken("ends early")


def _until_it_breaks(inflate: zlib._Decompress, block: bytes) -> bytes:
    """zlib keeps for itself what it made of a block that breaks later; byte by byte it gives it out."""
    found = bytearray()
    try:
        for index in range(len(block)):
            found += inflate.decompress(block[index : index + 1])
    except zlib.error:
        return bytes(found)
    return bytes(found)
