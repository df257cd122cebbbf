"""Files that claim to be enormous: one clear error, within a second and 200 MB, in a process of its own."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")

SIDE = 60000

READ = """
import json, resource, sys, time
import numpy, PIL.Image, cv2, tifffile, simplejpeg
import pixelwright.io.images as images
images.formats()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = []
for path in sys.argv[1:]:
    began = time.perf_counter()
    try:
        images.read_image(path)
        words = "was read"
    except images.PixelwrightError as err:
        words = f"{type(err).__name__}: {err}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    answers.append([words, time.perf_counter() - began, grown])
print(json.dumps(answers))
"""


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, packed: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def tiff(width: int, height: int, compression: int, data: bytes, counts: int = 1) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)]
    tags += [(273, 4, counts, 200), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, counts, len(data))]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + bytes(4)).ljust(200, b"\0") + data


def bombs() -> dict[str, bytes]:
    zeros = zlib.compress(bytes(2**26), 9)
    gif = (
        b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        + b",\0\0\0\0"
        + struct.pack("<HHB", 65535, 65535, 0)
        + b"\x08\0;"
    )
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(6)
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2
    jpeg = (
        b"\xff\xd8\xff\xc0\0\x0b\x08"
        + struct.pack(">HH", 65000, 65000)
        + b"\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    )
    siz = struct.pack(">8IH", SIDE, SIDE, 0, 0, SIDE, SIDE, 0, 0, 1) + b"\x07\x01\x01"
    jp2 = b"\xff\x4f\xff\x51" + struct.pack(">HH", 41, 0) + siz
    return {
        "header.png": png(SIDE, SIDE, zeros[:1000]),
        "short.png": png(16000, 16000, zeros[:1000]),
        "lies.png": png(10, 10, zeros),
        "bomb.gif": gif,
        "bomb.bmp": bmp,
        "bomb.webp": webp,
        "bomb.jpg": jpeg,
        "bomb.j2k": jp2,
        "header.tif": tiff(2**20, 2**20, 1, b"x"),
        "short.tif": tiff(16000, 16000, 1, b"x"),
        "deflated.tif": tiff(16000, 16000, 8, zeros[:500]),
        "counts.tif": tiff(100, 100, 1, b"x", counts=2**30),
        "zeros.bin": bytes(1000),
    }


def test_bombs_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    paths = []
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
        paths.append(tmp_path / name)
    sparse = tmp_path / "sparse.png"
    with sparse.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(2**40)
    paths.append(sparse)
    done = subprocess.run([sys.executable, "-W", "error", "-c", READ, *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for path, (words, seconds, grown_mb) in zip(paths, json.loads(done.stdout), strict=True):
        if path.name != "lies.png":  # whose pixels are all there, and many more behind them
            assert words.startswith(("UnreadableImage", "ImageTooLarge")), (path.name, words)
            assert path.name in words
        assert seconds < 1, (path.name, seconds)
        assert grown_mb < 200, (path.name, grown_mb)
