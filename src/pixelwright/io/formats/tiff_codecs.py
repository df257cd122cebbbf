"""LZW and PackBits for TIFF, in NumPy: libtiff's own print their complaints on the user's terminal, and OpenCV's copy
of it takes truncated data for sound. Source: TIFF 6.0, sections 9 and 13.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_CLEAR, _END, _FIRST = 256, 257, 258
_BLOCK = 4096  # codes between two clears at most
# Width of the n-th code after a clear: TIFF widens one code early, before entries 511, 1023 and 2047
_WIDTHS = np.repeat((9, 10, 11, 12), (254, 512, 1024, _BLOCK - 1790))
_STARTS = np.concatenate([[0], np.cumsum(_WIDTHS)[:-1]])


def unpack_lzw(data: bytes, wanted: int) -> bytes:
    """At most `wanted` bytes.

    An entry of the LZW table is what the output says from where the code before it was written, one byte longer; so
    each code is a copy of earlier output, and copies of copies are followed back in doubling steps, a block at a time.

    Raises:
        ValueError: A code that does not exist yet, or the old variant with reversed bits.
    """
    if data[:1] == b"\x00" and len(data) > 1 and data[1] & 1:
        raise ValueError("LZW of the old kind, with bits reversed, is not read")
    padded = np.frombuffer(data + bytes(8), np.uint8)
    total_bits = 8 * len(data)
    parts, have, bit = [], 0, 0
    while have < wanted and bit + 9 <= total_bits:
        codes, bit, ended = _block(padded, bit, total_bits)
        if len(codes):
            parts.append(_expand(codes))
            have += len(parts[-1])
        if ended:
            break
    return b"".join(part.tobytes() for part in parts)[:wanted]


def _block(padded: npt.NDArray[np.uint8], bit: int, total_bits: int) -> tuple[npt.NDArray[np.int64], int, bool]:
    """(codes up to the next clear, where the block after it begins, whether the data ends)."""
    fits = int(np.searchsorted(_STARTS + _WIDTHS, total_bits - bit, side="right"))
    at = _STARTS[:fits] + bit
    byte = at >> 3
    four = padded[byte].astype(np.int64) << 24
    for index, shift in ((1, 16), (2, 8), (3, 0)):
        four |= padded[byte + index].astype(np.int64) << shift
    codes = four >> (32 - (at & 7) - _WIDTHS[:fits]) & ((1 << _WIDTHS[:fits]) - 1)
    stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
    if not len(stops):
        return codes, total_bits, True
    stop = int(stops[0])
    return codes[:stop], bit + int(_STARTS[stop] + _WIDTHS[stop]), bool(codes[stop] == _END)


def _expand(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The bytes that the codes of one block stand for."""
    numbers = np.arange(len(codes), dtype=np.intp)
    copied = codes >= _FIRST
    parent = np.where(copied, codes - _FIRST, numbers).astype(np.intp)  # the code whose string begins the entry
    if (parent[copied] >= numbers[copied]).any():
        raise ValueError("LZW data names a code that does not exist yet")
    length, ancestor = 1 + copied.astype(np.intp), parent
    while True:  # length of each string: steps to a literal in the tree of prefixes, in doubling steps
        further = length.take(ancestor) - 1
        if not further.any():
            break
        length = length + further
        ancestor = ancestor.take(ancestor)
    ends = np.cumsum(length, dtype=np.intp)
    starts = ends - length
    source = np.arange(int(ends[-1]), dtype=np.intp)
    source -= np.repeat(starts - starts.take(parent), length)  # literals point at themselves
    while True:
        further = source.take(source)
        if np.array_equal(further, source):
            break
        source = further
    literal = np.zeros(len(source), np.uint8)
    literal[starts[~copied]] = codes[~copied]
    return literal.take(source)


def unpack_packbits(data: bytes, wanted: int) -> bytes:
    """At most `wanted` bytes."""
    out, at, end = bytearray(), 0, len(data)
    while at < end and len(out) < wanted:
        count = data[at]
        if count < 128:
            out += data[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            if count > 128:
                out += data[at + 1 : at + 2] * (257 - count)
            at += 2 if count > 128 else 1
    return bytes(out[:wanted])
