"""PGM and PPM, the binary kinds (P5, P6) of the Netpbm formats: 8 or 16 bit, gray or RGB.

Source: the specifications `pgm(5)` and `ppm(5)` of Netpbm, https://netpbm.sourceforge.net/doc/pgm.html.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.still import Still, check_page, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

# Magic, then width, height and greatest value, each after blanks or comments, then exactly one blank.
_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(rb"P([56])" + 3 * (_GAP + rb"([0-9]{1,9})") + rb"\s")
_MAGIC = re.compile(rb"P[1-7][\s#]")
_MAGIC_OF_CHANNELS = {1: b"P5", 3: b"P6"}


def sniff(head: bytes) -> bool:
    """Whether it begins with P and a kind of Netpbm, also those that are refused later with a reason."""
    return _MAGIC.match(head) is not None


def open_raster(stored: Stored, page: int) -> Raster:
    """A PGM or PPM as stored; values are sRGB, as everybody writes them."""
    check_page(stored.name, page)
    header = _HEADER.match(stored.head)
    if header is None:
        if stored.head[1:2] in b"12347":
            kind = stored.head[:2].decode("ascii")
            raise UnsupportedImage(stored.name, f"is Netpbm of kind {kind}; read are P5 and P6 (binary PGM and PPM).")
        raise UnreadableImage(stored.name, "is damaged: its PGM or PPM header is cut off or no numbers.")
    kind, width, height, most = (int(number) for number in header.groups())
    if not width or not height or not 0 < most < 65536:
        raise UnreadableImage(stored.name, f"is damaged: its header says {width}x{height} pixels up to {most}.")
    bits = 8 if most < 256 else 16
    still = Still((height, width), "pnm", bits=bits, gray=kind == 5, white=float(most))

    def samples() -> npt.NDArray[np.generic]:
        return _samples(stored, header.end(), still, most)

    return raster_of(stored, still, samples)


def _samples(stored: Stored, start: int, still: Still, most: int) -> npt.NDArray[np.generic]:
    channels = 1 if still.gray else 3
    height, width = still.size_hw
    stored_as = np.dtype(np.uint8 if still.bits == 8 else ">u2")
    data = stored.whole()
    needed = height * width * channels * stored_as.itemsize
    if len(data) - start < needed:
        what = f"is cut off: {len(data) - start} bytes of pixels, {needed} are needed."
        raise UnreadableImage(stored.name, what)
    values = np.frombuffer(data, stored_as, height * width * channels, start).reshape(height, width, channels)
    if values.max(initial=0) > most:
        raise UnreadableImage(stored.name, f"is damaged: it has values over {most}, its greatest.")
    return values.astype(np.uint8 if still.bits == 8 else np.uint16)


def write(raster: Raster, file: BinaryIO, _options: WriteOptions) -> None:
    """8 or 16 bits, gray or RGB; there is no place for a profile, EXIF, XMP or a resolution."""
    image = raster.read()
    height, width, channels = image.pixels.shape
    file.write(_MAGIC_OF_CHANNELS[channels] + b"\n%d %d\n%d\n" % (width, height, int(image.white)))
    file.write(np.ascontiguousarray(image.pixels, image.pixels.dtype.newbyteorder(">")).data)


FORMAT = Format(
    name="pnm",
    title="PGM, PPM",
    suffixes=(".ppm", ".pgm", ".pnm"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(dtypes=("uint8", "uint16"), profile=False, metadata=False),
)
