"""Whether a file is the picture that it should be, and nothing else: it comes from a process that
has run a notebook, and goes to browsers."""

from __future__ import annotations

import struct
import zlib
from typing import Final

#: Width and height in pixels: twice what a card shows.
SIZE: Final = (640, 360)
LARGEST: Final = 1 << 20
"""Bytes of a picture."""

_MARK: Final = b"\x89PNG\r\n\x1a\n"
_RGBA: Final = 6
#: Size, 8 bits a channel, with transparency, the one way of compressing, no interlacing.
_HEADER: Final = struct.pack(">IIBBBBB", *SIZE, 8, _RGBA, 0, 0, 0)
_PIXELS: Final = SIZE[1] * (1 + 4 * SIZE[0])  # a line has one byte more, its filter
_KINDS: Final = (b"IHDR", b"IDAT", b"IEND")
_FILTERS: Final = 5


def is_picture(data: bytes) -> bool:
    """Whether it is a PNG of our size, whole, with nothing in it but pixels."""
    if len(data) > LARGEST or not data.startswith(_MARK):
        return False
    chunks = _chunks(data)
    if chunks is None or [kind for kind, _ in chunks if kind != b"IDAT"] != [b"IHDR", b"IEND"]:
        return False
    (first, header), (last, end) = chunks[0], chunks[-1]
    pixels = b"".join(body for kind, body in chunks if kind == b"IDAT")
    return (first, header, last, end) == (b"IHDR", _HEADER, b"IEND", b"") and _are_whole(pixels)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """The parts of a PNG; None where there is another one, or one is not as it says."""
    found, place = [], len(_MARK)
    while place < len(data):
        if len(data) - place < 12:
            return None
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind not in _KINDS or end > len(data):
            return None
        (checked,) = struct.unpack_from(">I", data, end - 4)
        if checked != zlib.crc32(data[place + 4 : end - 4]):
            return None
        found.append((kind, data[place + 8 : end - 4]))
        place = end
    return found


def _are_whole(compressed: bytes) -> bool:
    """Whether it is as many pixels as there should be, and no more."""
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(compressed, _PIXELS + 1)
    except zlib.error:
        return False
    if len(pixels) != _PIXELS or not unpacking.eof or unpacking.unused_data:
        return False
    return max(pixels[:: 1 + 4 * SIZE[0]]) < _FILTERS
