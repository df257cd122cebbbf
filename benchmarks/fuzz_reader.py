"""Feeds damaged images to the reader and counts what must never happen: crashes, hangs, foreign errors, memory.

    python benchmarks/fuzz_reader.py --n 20000 --seed 1

Every input is made from its number and the seed alone, so that a finding is repeated with `--only NUMBER`. Inputs
are read in worker processes under an address-space limit; a worker that dies or takes longer than ten seconds is
replaced. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzz_workers import outcomes

TIMEOUT_S = 10.0
ADDRESS_SPACE_BYTES = 3 * 2**30
MAX_PIXELS = 2**22
OVERRUN_BYTES = 400 * 2**20  # above what the process had before: 4 megapixels cannot need more
EDGE_IMAGES = Path(os.environ.get("PIXELWRIGHT_SHARED", "../shared")) / "data" / "edge-images"
INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def make_seeds() -> list[bytes]:
    """Small sound files of every format and many of their kinds."""
    return [*_own_seeds(), *_pillow_seeds(), *_tiff_seeds(), *_edge_seeds()]


def _pixels(height: int, width: int, channels: int, dtype: Any) -> Any:
    ramp = np.linspace(0, 1, height * width * channels).reshape(height, width, channels)
    top = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    noise = np.random.default_rng(0).random(ramp.shape) * 0.1
    return (np.clip(ramp * 0.9 + noise, 0, 1) * top).astype(dtype)


def _own_seeds() -> list[bytes]:
    """Whatever the package itself writes, with metadata."""
    from pixelwright.errors import PixelwrightError
    from pixelwright.io.exchange import from_numpy
    from pixelwright.io.images import formats, write_image
    from pixelwright.io.profiles import TO_XYZ_D50, make
    from pixelwright.structures.image import Capture, Color

    exif = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    capture = Capture(exif=exif, xmp=b'<x:xmpmeta tiff:Orientation="6"/>', dpi=(300.0, 300.0))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for form in formats():
            for dtype in (np.uint8, np.uint16, np.float32):
                for channels in (1, 2, 3, 4):
                    image = from_numpy(_pixels(21, 34, channels, dtype)).replace(capture=capture)
                    if image.color.is_rgb and form.holds.profile:
                        icc = make(TO_XYZ_D50["display-p3"], 2.2)
                        image = image.replace(color=Color(image.color.channels, "gamma", "display-p3", icc))
                    if form.name == "avif" and dtype == np.uint16:
                        image = image.replace(white=1023.0, pixels=image.pixels >> 6)
                        image = image if image.alpha is None else image.replace(alpha=image.alpha >> 6)
                    path = Path(folder) / f"seed{form.suffixes[0]}"
                    try:
                        write_image(image, path, format_name=form.name)
                    except PixelwrightError:
                        continue
                    found.append(path.read_bytes())
    return found


def _pillow_seeds() -> list[bytes]:
    from PIL import Image

    rgb = Image.fromarray(_pixels(40, 57, 3, np.uint8))
    cases: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (rgb, "JPEG", {"progressive": True, "quality": 60}),
        (rgb.convert("CMYK"), "JPEG", {"quality": 60}),
        (rgb, "JPEG", {"subsampling": "4:2:0", "restart_marker_blocks": 2}),
        (rgb.convert("P"), "PNG", {"transparency": 3}),
        (rgb.convert("1"), "PNG", {}),
        (rgb.convert("L").convert("P"), "BMP", {}),
        (rgb.convert("1"), "BMP", {}),
        (
            rgb.convert("P"),
            "GIF",
            {"save_all": True, "append_images": [rgb.rotate(9).convert("P")] * 2},
        ),
        (rgb, "WEBP", {"save_all": True, "append_images": [rgb.rotate(9)], "lossless": True}),
        (rgb, "WEBP", {"quality": 50}),
        (rgb, "JPEG2000", {"no_jp2": True}),
        (rgb, "JPEG2000", {"tile_size": (32, 32)}),
    ]
    cases += [(rgb, "TIFF", {"compression": name}) for name in ("tiff_lzw", "packbits", "jpeg", "zstd", "lzma")]
    cases += [(rgb.convert("1"), "TIFF", {"compression": name}) for name in ("group3", "group4", "raw")]
    cases += [(rgb.convert("P"), "TIFF", {}), (rgb.convert("CMYK"), "TIFF", {})]
    return [_saved(*case) for case in cases]


def _saved(picture: Any, form: str, options: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()


def _tiff_seeds() -> list[bytes]:
    import tifffile

    cases: list[tuple[Any, dict[str, Any]]] = [
        (_pixels(40, 57, 3, np.uint16), {"photometric": "rgb", "rowsperstrip": 7}),
        (_pixels(40, 57, 3, np.uint8), {"photometric": "rgb", "tile": (16, 32)}),
        (_pixels(40, 57, 3, np.uint8).transpose(2, 0, 1).copy(), {"photometric": "rgb", "planarconfig": "separate"}),
        (_pixels(40, 57, 1, np.float64)[..., 0], {}),
        (_pixels(40, 57, 1, np.uint8)[..., 0], {"photometric": "miniswhite"}),
        (_pixels(40, 57, 5, np.uint16), {"planarconfig": "contig", "photometric": "minisblack"}),
    ]
    found = []
    for array, options in cases:
        for big in (False, True):
            target = io.BytesIO()
            with tifffile.TiffWriter(target, bigtiff=big) as writer:
                writer.write(array, metadata=None, **options)
                writer.write(array, metadata=None, **options)
            found.append(target.getvalue())
    return found


def _edge_seeds() -> list[bytes]:
    if not EDGE_IMAGES.is_dir():
        return []
    found = [path.read_bytes() for path in sorted(EDGE_IMAGES.iterdir()) if path.suffix != ".md"]
    return [data for data in found if 8 < len(data) < 2**17]


Mutation = Callable[[random.Random, bytearray, list[bytes]], bytearray]


def _flip(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        data[_place(dice, data)] ^= 1 << dice.randrange(8)
    return data


def _place(dice: random.Random, data: bytearray) -> int:
    """Headers are where it hurts: half of all places lie in the first 300 bytes."""
    return dice.randrange(min(300, len(data)) if dice.random() < 0.5 else len(data))


def _cut(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    return data[: dice.randrange(1, len(data) + 1)]


def _number(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    for _ in range(dice.choice((1, 1, 2, 3))):
        value, form = dice.choice(INTERESTING), dice.choice(("<B", "<H", ">H", "<I", ">I"))
        packed = struct.pack(form, value & (256 ** struct.calcsize(form) - 1))
        at = _place(dice, data)
        data[at : at + len(packed)] = packed
    return data


def _move(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    """Deletes, doubles or blanks a range."""
    start = _place(dice, data)
    end = min(len(data), start + dice.choice((1, 2, 4, 8, 12, 30, 200)))
    kind = dice.randrange(3)
    part = data[start:end]
    data[start:end] = (bytearray(), part * dice.choice((2, 3, 50)), bytearray(len(part)))[kind]
    return data or bytearray(1)


def _splice(dice: random.Random, data: bytearray, seeds: list[bytes]) -> bytearray:
    kin = [seed for seed in seeds if seed[:3] == bytes(data[:3])] or seeds
    other = dice.choice(kin)
    return data[: dice.randrange(1, len(data) + 1)] + other[dice.randrange(len(other)) :]


def _repaired(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    """Damages a PNG chunk and mends its checksum, so that the damage gets behind the first gate."""
    if not data.startswith(b"\x89PNG"):
        return _flip(dice, data, _seeds)
    out, at = data[:8], 8
    pieces = []
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        pieces.append((bytes(data[at + 4 : at + 8]), bytearray(data[at + 8 : at + 8 + length])))
        at += 12 + length
    if not pieces:
        return _flip(dice, data, _seeds)
    target = dice.randrange(len(pieces))
    for index, (name, body) in enumerate(pieces):
        if index == target and body:
            if name == b"IDAT" and dice.random() < 0.7:
                try:
                    body = bytearray(zlib.compress(bytes(_flip(dice, bytearray(zlib.decompress(body)), []))))
                except zlib.error:
                    body = _flip(dice, body, [])
            else:
                body = dice.choice((_flip, _number, _move))(dice, body, [])
        out += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
    return out


MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _number, _number, _move, _splice, _repaired)


def mutated(number: int, seed: int, seeds: list[bytes]) -> bytes:
    """Input `number`: one sound file, one to three times damaged."""
    dice = random.Random(f"{seed}:{number}")
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(dice, data, seeds)
    return bytes(data)


def read_one(data: bytes) -> str:
    """`read`, `refused`, or `foreign: ...`."""
    from pixelwright.errors import PixelwrightError
    from pixelwright.io.icc import to_srgb8
    from pixelwright.io.images import open_raster, read_pages
    from pixelwright.structures.raster import Window

    try:
        with open_raster(data, max_pixels=MAX_PIXELS) as raster:
            image = raster.read()
            height, width = raster.size_hw
            raster.read(Window(height // 2, width // 2, height - height // 2, width - width // 2))
        if image.color.is_rgb or image.color.is_gray:
            to_srgb8(image)
        for _, _page in zip(range(3), read_pages(data, max_pixels=MAX_PIXELS), strict=False):
            pass
    except PixelwrightError:
        return "refused"
    except Exception as err:
        return f"foreign: {type(err).__name__}: {err}"
    return "read"


def work(seeds_path: str, seed: int) -> None:
    """The worker: numbers come on standard input, outcomes go out on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    blob = Path(seeds_path).read_bytes()
    seeds, at = [], 0
    while at < len(blob):
        (size,) = struct.unpack_from("<I", blob, at)
        seeds.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    for sound in seeds:  # so that every library is loaded before memory is measured
        read_one(sound)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for line in sys.stdin:
        outcome = read_one(mutated(int(line), seed, seeds))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak - before > OVERRUN_BYTES:
            outcome, before = f"overrun: {(peak - before) >> 20} MiB", peak
        print(json.dumps(outcome), flush=True)


def run(numbers: range, seed: int, jobs: int) -> tuple[Counter[str], list[tuple[int, str]], str]:
    """Outcomes counted, findings listed, and what was written on the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        seeds_path = Path(folder) / "seeds"
        seeds_path.write_bytes(b"".join(struct.pack("<I", len(data)) + data for data in make_seeds()))
        command = [sys.executable, "-W", "error", __file__, "--worker", str(seeds_path), "--seed", str(seed)]
        with (Path(folder) / "noise").open("w+") as noise:
            counts, findings = outcomes(command, numbers, TIMEOUT_S, noise, jobs)
            noise.seek(0)
            return counts, findings, noise.read()


def main() -> int:
    """Runs, prints one JSON line, and fails where anything was found."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="write this input to fuzz-NUMBER.bin and read it here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.seed)
        return 0
    if options.only is not None:
        data = mutated(options.only, options.seed, make_seeds())
        Path(f"fuzz-{options.only}.bin").write_bytes(data)
        print(read_one(data))
        return 0
    began = time.perf_counter()
    numbers = range(options.start, options.start + options.n)
    counts, findings, noise = run(numbers, options.seed, options.jobs)
    bad = {kind: counts.get(kind, 0) for kind in ("crash", "hang", "foreign", "overrun")}
    line = {
        "benchmark": "fuzz_reader",
        "n": options.n,
        "seed": options.seed,
        "read": counts["read"],
        "refused": counts["refused"],
        **bad,
        "stderr_lines": len(noise.splitlines()),
        "stderr_sample": noise[:500],
        "findings": findings[:50],
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(line))
    return int(any(bad.values()))


if __name__ == "__main__":
    sys.exit(main())
