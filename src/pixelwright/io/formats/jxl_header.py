"""The first bits of a JPEG XL codestream: size, depth and color, before a decoder makes room for pixels.

Source: ISO/IEC 18181-1:2024, annexes B (header fields), D (image header) and E (color encoding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PRIMARIES = {1: "srgb", 9: "bt2020", 11: "display-p3"}
_TRANSFER = {1: "srgb", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
_MAX_EXTRA = 256
_ALPHA, _SPOT, _CFA = 0, 2, 5


@dataclass(slots=True)
class JxlHeader:
    """What the header says.

    Attributes:
        size_hw: As stored, before `orientation`.
        orientation: 1..8, which decoders apply on their own.
        bits: Bits a sample.
        floating: Whether samples are floating point.
        gray: Whether there is one channel of color.
        alpha: Whether an extra channel is alpha.
        premultiplied: Whether the color was multiplied by it.
        embedded: Whether an ICC profile is stored.
        transfer: As in `Color`.
        primaries: As in `Color`.
    """

    size_hw: tuple[int, int] = (0, 0)
    orientation: int = 1
    bits: int = 8
    floating: bool = False
    gray: bool = False
    alpha: bool = False
    premultiplied: bool = False
    embedded: bool = False
    transfer: str = "srgb"
    primaries: str = "srgb"


class _Bits:
    """Reads bits, lowest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the header is cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def flag(self) -> bool:
        return bool(self.take(1))

    def choice(self, options: Sequence[tuple[int, int]]) -> int:
        """U32: one of four (offset, bits)."""
        offset, bits = options[self.take(2)]
        return offset + self.take(bits)

    def enum(self) -> int:
        return self.choice(((0, 0), (1, 0), (2, 4), (18, 6)))


def parse(codestream: bytes) -> JxlHeader:
    """The header of a codestream.

    Raises:
        ValueError: Cut off, or no codestream.
    """
    if codestream[:2] != b"\xff\x0a":
        raise ValueError("there is no codestream")
    bits, header = _Bits(codestream[2:4096]), JxlHeader()
    header.size_hw = _size(bits)
    if bits.flag():  # everything else as usual
        return header
    if bits.flag():
        _extra_fields(bits, header)
    header.bits, header.floating = _depth(bits)
    bits.flag()  # whether 16-bit buffers suffice
    extras = bits.choice(((0, 0), (1, 0), (2, 4), (1, 12)))
    for _ in range(min(extras, _MAX_EXTRA)):
        _extra_channel(bits, header)
    bits.flag()  # XYB
    _color(bits, header)
    return header


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.flag()
    height = 8 * (1 + bits.take(5)) if small else bits.choice(_SIDE)
    ratio = bits.take(3)
    if ratio:
        above, below = _RATIOS[ratio]
        return height, height * above // below
    return height, 8 * (1 + bits.take(5)) if small else bits.choice(_SIDE)


def _extra_fields(bits: _Bits, header: JxlHeader) -> None:
    header.orientation = 1 + bits.take(3)
    if bits.flag():  # intrinsic size
        _size(bits)
    if bits.flag():  # preview
        small = bits.flag()
        sides = ((16, 0), (32, 0), (1, 5), (33, 9)) if small else ((1, 6), (65, 8), (321, 10), (1345, 12))
        bits.choice(sides)
        if bits.take(3) == 0:
            bits.choice(sides)
    if bits.flag():  # animation
        bits.choice(((100, 0), (1000, 0), (1, 10), (1, 30)))
        bits.choice(((1, 0), (1001, 0), (1, 8), (1, 10)))
        bits.choice(((0, 0), (0, 3), (0, 16), (0, 32)))
        bits.flag()


def _depth(bits: _Bits) -> tuple[int, bool]:
    if not bits.flag():
        return bits.choice(((8, 0), (10, 0), (12, 0), (1, 6))), False
    depth = bits.choice(((32, 0), (16, 0), (24, 0), (1, 6)))
    bits.take(4)
    return depth, True


def _extra_channel(bits: _Bits, header: JxlHeader) -> None:
    if bits.flag():  # the usual kind: 8-bit alpha
        header.alpha = True
        return
    kind = bits.enum()
    _depth(bits)
    bits.choice(((0, 0), (3, 0), (4, 0), (1, 3)))
    name_bytes = bits.choice(((0, 0), (0, 4), (16, 5), (48, 10)))
    bits.take(8 * name_bytes)
    if kind == _ALPHA:
        header.alpha = True
        header.premultiplied = bits.flag()
    elif kind == _SPOT:
        bits.take(64)
    elif kind == _CFA:
        bits.choice(((1, 0), (0, 2), (3, 4), (19, 8)))


def _color(bits: _Bits, header: JxlHeader) -> None:
    if bits.flag():  # sRGB
        return
    header.embedded = bits.flag()
    space = bits.enum()
    header.gray = space == 1
    if header.embedded:
        header.transfer = header.primaries = "unknown"
        return
    if space != 2 and bits.enum() == 2:
        _point(bits)
    if space not in (1, 2):
        primaries = bits.enum()
        header.primaries = _PRIMARIES.get(primaries, "unknown")
        if primaries == 2:
            for _ in range(3):
                _point(bits)
    if bits.flag():
        bits.take(24)
        header.transfer = "gamma"
    else:
        header.transfer = _TRANSFER.get(bits.enum(), "unknown")


def _point(bits: _Bits) -> None:
    for _ in range(2):
        bits.choice(((0, 19), (524288, 19), (1048576, 20), (2097152, 21)))
