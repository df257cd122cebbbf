"""The marker segments of a JPEG: everything a reader needs before the first scan, found in one pass.

Source: ITU-T T.81 (JPEG), T.871 (JFIF), ICC.1:2022 annex B.4, Exif 2.32, Adobe Technical Note 5116, XMP part 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
ICC_PREFIX = b"ICC_PROFILE\x00"

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_CENTIMETER = 2


class CutShort(ValueError):
    """The bytes end before the first scan."""


@dataclass(slots=True)
class JpegHeader:
    """What stands before the first scan.

    Attributes:
        size_hw: As stored.
        bits: Bits a sample.
        components: 1 gray, 3 color, 4 CMYK.
        progressive: Whether the scans refine each other.
        lossless: Whether this is the predictive coding that shares nothing with the usual one.
        adobe: Whether there is an Adobe segment; CMYK is then stored inverted.
        exif: The EXIF block with its prefix.
        xmp: The main XMP packet.
        icc: The profile put together; None where parts are missing.
        icc_parts: Number of profile segments seen.
        dpi: From the JFIF segment.
    """

    size_hw: tuple[int, int] = (0, 0)
    bits: int = 8
    components: int = 0
    progressive: bool = False
    lossless: bool = False
    adobe: bool = False
    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    icc_parts: int = 0
    dpi: tuple[float, float] | None = None
    _icc: dict[int, bytes] = field(default_factory=dict)


def parse(head: bytes) -> JpegHeader:
    """Reads the segments up to the first scan.

    Raises:
        CutShort: `head` ends too early; try with more of the file.
        ValueError: This is no sequence of segments.
    """
    header = JpegHeader()
    at, end = 2, len(head)
    while True:
        at, marker = _next_marker(head, at, end)
        if marker in _BARE:
            continue
        if marker == EOI:
            raise ValueError("the picture ends before it begins")
        if at + 2 > end:
            raise CutShort("cut off inside the header")
        length = (head[at] << 8) | head[at + 1]
        if length < 2:
            raise ValueError(f"marker {marker:#x} has the impossible length {length}")
        if marker == SOS:
            break
        if at + length > end:
            raise CutShort("cut off inside the header")
        if marker in _FRAMES or 0xE0 <= marker <= 0xEF:
            _take(header, marker, head[at + 2 : at + length])
        at += length
    if not header.components:
        raise ValueError("there is no frame header before the first scan")
    _join_icc(header)
    return header


def _next_marker(head: bytes, at: int, end: int) -> tuple[int, int]:
    """Skips to after the next marker; garbage between segments is passed over, as libjpeg does."""
    at = head.find(b"\xff", at)
    while 0 <= at < end - 1:
        if head[at + 1] not in (0xFF, 0x00):
            return at + 2, head[at + 1]
        at = head.find(b"\xff", at + 1)
    raise CutShort("cut off inside the header")


def _take(header: JpegHeader, marker: int, body: bytes) -> None:
    if marker in _FRAMES:
        if len(body) < 6:
            raise ValueError("the frame header is too short")
        header.bits, height, width, header.components = struct.unpack_from(">BHHB", body)
        header.size_hw = (height, width)
        header.progressive = marker in _PROGRESSIVE
        header.lossless = marker in _LOSSLESS
    elif marker == 0xE0 and body.startswith(b"JFIF\x00") and len(body) >= 12:
        unit, x, y = struct.unpack_from(">BHH", body, 7)
        if unit in (1, 2) and x and y:
            factor = 2.54 if unit == _CENTIMETER else 1.0
            header.dpi = (x * factor, y * factor)
    elif marker == 0xE1 and body.startswith(b"Exif\x00") and header.exif is None:
        header.exif = body
    elif marker == 0xE1 and body.startswith(XMP_PREFIX) and header.xmp is None:
        header.xmp = body[len(XMP_PREFIX) :]
    elif marker == 0xE2 and body.startswith(ICC_PREFIX) and len(body) > 14:
        header.icc_parts = max(header.icc_parts, body[13])
        header._icc.setdefault(body[12], body[14:])
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        header.adobe = True


def _join_icc(header: JpegHeader) -> None:
    parts = [header._icc.get(number) for number in range(1, header.icc_parts + 1)]
    whole = [part for part in parts if part is not None]
    header.icc_parts = len(header._icc)
    if whole and len(whole) == len(parts):
        header.icc = b"".join(whole)


def segments(exif: bytes | None, xmp: bytes | None, icc: bytes | None) -> tuple[bytes, list[str]]:
    """Metadata segments to stand behind the JFIF segment, and what did not fit into one (64 KiB)."""
    parts, left_out = [], []
    for name, marker, body in (
        ("EXIF", 0xE1, exif and b"Exif\x00\x00" + exif),
        ("XMP", 0xE1, xmp and XMP_PREFIX + xmp),
    ):
        if body and len(body) <= 65533:
            parts.append(_segment(marker, body))
        elif body:
            left_out.append(name)
    room = 65533 - 14
    pieces = [icc[i : i + room] for i in range(0, len(icc), room)] if icc else []
    if len(pieces) > 255:
        left_out.append("ICC profile")
        pieces = []
    for number, piece in enumerate(pieces, 1):
        parts.append(_segment(0xE2, ICC_PREFIX + bytes((number, len(pieces))) + piece))
    return b"".join(parts), left_out


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jfif(dpi: tuple[float, float] | None) -> bytes:
    """A JFIF segment with the resolution."""
    if dpi is None or not all(0.5 <= value < 65535 for value in dpi):
        return _segment(0xE0, b"JFIF\x00" + struct.pack(">HBHHBB", 0x0102, 0, 1, 1, 0, 0))
    x, y = (round(value) for value in dpi)
    return _segment(0xE0, b"JFIF\x00" + struct.pack(">HBHHBB", 0x0102, 1, x, y, 0, 0))
