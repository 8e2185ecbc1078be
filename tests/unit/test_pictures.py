"""What the hub takes for a picture, of all that a process may write."""

from __future__ import annotations

import base64
import io
import json
import struct
import tempfile
import zlib

import pytest
from PIL import Image, PngImagePlugin

from hub_extensions.pictures import SIZE, is_picture
from hub_extensions.trial_runs import Trial, told_in

WELL = {
    "problem": "",
    "cell": "",
    "traceback": "",
    "seconds": 1.5,
    "memory": 1,
    "needs_viewer": False,
    "missing": ["one"],
}


def png(size: tuple[int, int] = SIZE, mode: str = "RGBA", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 200 if mode == "L" else (1, 2, 3, 4)[: len(mode)]).save(
        file, "PNG", **options
    )
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def of(pixels: bytes) -> bytes:
    """A file that says of these compressed pixels that they are a picture."""
    return png()[:33] + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


LINE = bytes(1 + 4 * SIZE[0])


def test_a_picture_of_our_size_is_one() -> None:
    assert is_picture(png())
    assert is_picture(of(zlib.compress(LINE * SIZE[1])))


def test_nothing_else_is() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "<script>")
    whole = png()
    broken = bytearray(whole)
    broken[60] ^= 1
    for data in (
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        whole[:-1],
        whole[:8],
        whole[:33],
        whole + b"<script>",
        bytes(broken),
        png((SIZE[0] + 1, SIZE[1])),
        png(mode="RGB"),
        png(mode="L"),
        png(pnginfo=text),
        of(zlib.compress(LINE * (SIZE[1] - 1))),
        of(zlib.compress(LINE * 10_000)),
        of(zlib.compress(LINE * SIZE[1]) + b"more"),
        of(zlib.compress(LINE * SIZE[1])[:-4]),
        of(zlib.compress((b"\x05" + LINE[1:]) * SIZE[1])),
        of(b"no zlib"),
        whole[:33] + chunk(b"IEND", b"") + whole[33:],
    ):
        assert not is_picture(data)


def told(*lines: bytes) -> Trial:
    with tempfile.TemporaryFile() as file:
        file.write(b"\n".join(lines))
        file.flush()
        return told_in(file.fileno())


def text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def test_pictures_come_with_a_notebook_that_ran_and_needs_nobody() -> None:
    both = json.dumps({"light": text(png()), "dark": text(png())}).encode()
    assert told(json.dumps(WELL).encode(), both).pictures == {
        "light": png(),
        "dark": png(),
    }
    for change in ({"needs_viewer": True}, {"problem": "It fails."}):
        assert told(json.dumps(WELL | change).encode(), both).pictures == {}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"light": 1, "dark": 2}',
        json.dumps({"light": text(png())}).encode(),
        json.dumps({"light": text(png()), "dark": text(png()[:-1])}).encode(),
        json.dumps({"light": text(png()), "dark": "<b>"}).encode(),
    ],
)
def test_there_are_both_pictures_or_none(line: bytes) -> None:
    trial = told(json.dumps(WELL).encode(), line)
    assert trial.problem == ""
    assert trial.missing == ("one",)
    assert trial.pictures == {}


@pytest.mark.parametrize(
    "change",
    [
        {"problem": None},
        {"problem": "x" * 201},
        {"traceback": "x" * 20_001},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"memory": 1 << 60},
        {"missing": ["x"] * 101},
        {"missing": "x"},
        {"more": 1},
    ],
)
def test_what_is_out_of_bounds_is_no_word(change: dict[str, object]) -> None:
    trial = told(json.dumps(WELL | change).encode())
    assert "anything to tell" in trial.problem
    assert trial.seconds == 0


@pytest.mark.parametrize("line", [b"", b"\xff", b"{", b"[" * 300_000, b"1" * 1_000_000])
def test_what_is_no_word_is_none(line: bytes) -> None:
    assert "anything to tell" in told(line).problem
