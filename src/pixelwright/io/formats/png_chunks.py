"""The chunks of a PNG: found, checked and made. Source: PNG Specification, third edition (W3C, 2025)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from pixelwright.errors import UnreadableImage
from pixelwright.io import exif, profiles, xmp
from pixelwright.io.stored import Stored
from pixelwright.structures.image import Capture, Color

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"

_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"pHYs", b"eXIf", b"iTXt", b"sBIT"}
_MAX_CHUNK_BYTES = 2**24  # of those that are kept; a picture's own data is not bounded by this
_MAX_CHUNKS = 2**18  # 2 GiB in the usual 8 KiB pieces
_SRGB_GAMMA = 45455
_SRGB_XY = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # white, red, green, blue


@dataclass(slots=True)
class PngHeader:
    """What stands in the chunks around the pixels.

    Attributes:
        size_hw: As stored.
        depth: Bits a sample: 1, 2, 4, 8, 16.
        kind: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha.
        interlaced: Whether the pixels come in seven passes.
        kept: The first of each chunk type that matters here.
        data: Offset and length of each piece of pixel data.
        warnings: What was overlooked.
    """

    size_hw: tuple[int, int]
    depth: int
    kind: int
    interlaced: bool
    kept: dict[bytes, bytes] = field(default_factory=dict)
    data: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """Stored values a pixel."""
        return {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[self.kind]


def parse(stored: Stored) -> PngHeader:
    """Walks the chunks without reading pixel data.

    Raises:
        UnreadableImage: Truncated, or a header that no PNG may have.
    """
    header: PngHeader | None = None
    ended = False
    with stored.file() as file:
        for count, (name, at, length) in enumerate(_chunks(file, stored)):
            if header is None:
                header = _first(stored.name, name, _body(file, stored.name, name, at, length))
            if count > _MAX_CHUNKS:
                raise UnreadableImage(stored.name, f"is damaged: more than {_MAX_CHUNKS} chunks.")
            if name == b"IDAT":
                header.data.append((at, length))
            elif name in _KEPT:
                _keep(header, file, stored.name, (name, at, length))
            ended = name == b"IEND"
    if header is None or not ended:
        raise UnreadableImage(stored.name, f"is truncated: {stored.size} bytes and no end chunk.")
    if not header.data:
        raise UnreadableImage(stored.name, "is damaged: it has no pixel data.")
    if header.kind == 3 and b"PLTE" not in header.kept:
        raise UnreadableImage(stored.name, "is damaged: a palette picture without its palette.")
    if header.kind in (0, 2) and len(header.kept.get(b"tRNS", bytes(2 * header.samples))) != 2 * header.samples:
        del header.kept[b"tRNS"]
        header.warnings.append("The tRNS chunk names no color and was ignored.")
    return header


def _chunks(file: BinaryIO, stored: Stored) -> Iterator[tuple[bytes, int, int]]:
    at = len(SIGNATURE)
    while at + 8 <= stored.size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if not name.isalpha():
            raise UnreadableImage(stored.name, f"is damaged: {name!r} at byte {at + 4} is no chunk name.")
        if at + 12 + length > stored.size:
            raise UnreadableImage(stored.name, f"is truncated inside its {name.decode('latin-1')} chunk.")
        yield name, at + 8, length
        if name == b"IEND":
            return
        at += 12 + length


def _body(file: BinaryIO, path: str, name: bytes, at: int, length: int) -> bytes:
    """A chunk's body, its checksum tested."""
    file.seek(at)
    body = file.read(length)
    if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(file.read(4), "big"):
        raise UnreadableImage(path, f"is damaged: the checksum of its {name.decode('latin-1')} chunk is wrong.")
    return body


def _first(path: str, name: bytes, body: bytes) -> PngHeader:
    if name != b"IHDR" or len(body) != 13:
        raise UnreadableImage(path, "is damaged: it does not begin with a PNG header.")
    width, height, depth, kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", body)
    allowed = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.get(kind, ())
    sound = 0 < width < 2**31 and 0 < height < 2**31 and depth in allowed
    if not sound or packing or filtering or interlaced > 1:
        raise UnreadableImage(path, f"is damaged: its header says {width}x{height}, kind {kind}, {depth} bits.")
    return PngHeader((height, width), depth, kind, bool(interlaced))


def _keep(header: PngHeader, file: BinaryIO, path: str, chunk: tuple[bytes, int, int]) -> None:
    name, at, length = chunk
    label = name.decode("latin-1")
    if length > _MAX_CHUNK_BYTES:
        header.warnings.append(f"The {label} chunk of {length} bytes was left unread.")
        return
    critical = name[0:1].isupper() or name == b"tRNS"
    try:
        body = _body(file, path, name, at, length)
    except UnreadableImage:
        if critical:
            raise
        header.warnings.append(f"The checksum of the {label} chunk is wrong; it was ignored.")
        return
    if name == b"iTXt" and not body.startswith(XMP_KEYWORD + b"\x00"):
        return
    header.kept.setdefault(name, body)


def pixel_data(stored: Stored, header: PngHeader) -> Iterator[bytes]:
    """The compressed pixels, piece by piece, every checksum tested."""
    with stored.file() as file:
        for at, length in header.data:
            yield _body(file, stored.name, b"IDAT", at, length)


def capture_of(header: PngHeader) -> tuple[Capture, int]:
    """Metadata to keep, and the orientation."""
    block = exif.read(header.kept.get(b"eXIf"))
    dpi = block.dpi
    physical = header.kept.get(b"pHYs", b"")
    if len(physical) == 9:
        x, y, unit = struct.unpack(">IIB", physical)
        dpi = (exif.dpi_of_meters(x, y) if unit == 1 else None) or dpi
    return Capture(block.block, xmp.reset(_xmp(header.kept.get(b"iTXt"))), dpi), block.orientation


def _xmp(chunk: bytes | None) -> bytes | None:
    if not chunk or len(chunk) < len(XMP_KEYWORD) + 3:
        return None
    packed, rest = chunk[len(XMP_KEYWORD) + 1], chunk[len(XMP_KEYWORD) + 3 :]
    text = rest.split(b"\x00", 2)[-1]
    return profiles.unfold(text, xmp.MAX_XMP_BYTES) if packed else text


def color_of(header: PngHeader, channels: tuple[str, ...]) -> tuple[Color, tuple[str, ...]]:
    """The color, by the precedence of the standard: cICP, iCCP, sRGB, then gAMA with cHRM."""
    kept = header.kept
    code = kept.get(b"cICP", b"")
    if len(code) == 4:
        return profiles.color_of_codes(channels, code[0], code[1]), ()
    if b"iCCP" in kept:
        _, _, packed = kept[b"iCCP"].partition(b"\x00")
        return profiles.color_of(channels, profiles.unfold(packed[1:]) or b"damaged")
    if b"sRGB" in kept or b"gAMA" not in kept or len(kept[b"gAMA"]) != 4:
        return Color(channels), ()
    gamma = int.from_bytes(kept[b"gAMA"], "big")
    xy = struct.unpack(">8I", kept[b"cHRM"]) if len(kept.get(b"cHRM", b"")) == 32 else _SRGB_XY
    plain = max(abs(a - b) for a, b in zip(xy, _SRGB_XY, strict=True)) < 100
    if not 1000 <= gamma <= 1_000_000 or (plain and abs(gamma - _SRGB_GAMMA) < 500):
        return Color(channels), ()
    exponent = None if abs(gamma - _SRGB_GAMMA) < 500 else 100000 / gamma
    matrix = profiles.matrix_of([value / 100000 for value in xy]) if len(channels) == 3 else None
    if matrix is None and len(channels) == 3:
        return Color(channels), ("The cHRM chunk makes no sense and was ignored; sRGB is assumed.",)
    return profiles.color_of(channels, profiles.make(matrix, exponent))


def chunk(name: bytes, body: bytes) -> bytes:
    """A whole chunk with its length and checksum."""
    return b"".join(parts(name, body))


def parts(name: bytes, body: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """A chunk that is still to be put together: pixels are large, and every copy counts."""
    return struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def metadata(color: Color, capture: Capture) -> bytes:
    """The chunks that stand between header and pixels."""
    made = []
    profile = profiles.profile_of(color)
    if profile is not None:
        made.append(chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(profile)))
    elif color.transfer in ("pq", "hlg") and color.primaries in profiles.CODED_PRIMARIES.values():
        primaries = next(code for code, name in profiles.CODED_PRIMARIES.items() if name == color.primaries)
        made.append(chunk(b"cICP", bytes((primaries, 16 if color.transfer == "pq" else 18, 0, 1))))
    elif color.is_srgb:
        made.append(chunk(b"sRGB", b"\x00"))
    if capture.dpi:
        x, y = (min(round(value / exif.METERS_PER_INCH), 2**31 - 1) for value in capture.dpi)
        made.append(chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if capture.exif:
        made.append(chunk(b"eXIf", capture.exif))
    if capture.xmp:
        made.append(chunk(b"iTXt", XMP_KEYWORD + b"\x00\x00\x00\x00\x00" + capture.xmp))
    return b"".join(made)
