"""JPEG 2000: 8 bits through Pillow, more through OpenCV, which keeps the values as they are.

Source: ITU-T T.800 (JPEG 2000 part 1), annexes A and I.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io import isobmff, profiles
from pixelwright.io.border import decode_opencv
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.still import Still, check_page, decode_pillow, encode_pillow, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

PSNR_DB = {100: 60, 0: 25}  # what quality 100 and 0 aim at; lossless where no quality is given
_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_CODESTREAM = b"\xff\x4f\xff\x51"
_CMYK = 12
_MAX_TILES = 2**16


def sniff(head: bytes) -> bool:
    """Whether it is a JP2 file or a bare codestream."""
    return head.startswith((_SIGNATURE, _CODESTREAM))


def open_raster(stored: Stored, page: int) -> Raster:
    """The picture as stored."""
    check_page(stored.name, page)
    data = stored.whole()
    still = read_header(data, stored.name)

    def samples() -> npt.NDArray[np.generic]:
        return decode_opencv(data) if still.bits > 8 else _decode_8(data, still)

    return raster_of(stored, still, samples)


def read_header(data: bytes, name: str) -> Still:
    """Size, depth and color.

    Raises:
        UnreadableImage: Cut off or nonsense.
        UnsupportedImage: More than 16 bits, ink, or components of different kinds.
    """
    boxes = dict(_boxes(data)) if data.startswith(_SIGNATURE) else {}
    at = data.find(_CODESTREAM)
    if at < 0 or len(data) < at + 42:
        raise UnreadableImage(name, "is truncated: it has no codestream.")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, count = struct.unpack_from(">8IH", data, at + 8)
    size_hw = (y1 - y0, x1 - x0)
    if min(size_hw) <= 0 or not 1 <= count <= 16384 or not (tile_x and tile_y):
        raise UnreadableImage(name, f"is damaged: its header says {size_hw[1]}x{size_hw[0]} pixels.")
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > _MAX_TILES:
        raise UnreadableImage(name, f"is damaged: tiles of {tile_x}x{tile_y} pixels.")
    parts = [data[at + 42 + 3 * i : at + 45 + 3 * i] for i in range(min(count, 5))]
    kinds = {part[0] for part in parts if len(part) == 3}
    if len(kinds) != 1 or (bits := (kinds.copy().pop() & 0x7F) + 1) > 16 or kinds.pop() & 0x80 or count > 4:
        raise UnsupportedImage(name, f"has {count} components of a kind that is not read here. Convert it to TIFF.")
    color = boxes.get(b"colr", b"")
    if color[:1] == b"\x01" and int.from_bytes(color[3:7], "big") == _CMYK:
        raise UnsupportedImage(name, "stores CMYK, which is not read from JPEG 2000 here. Convert it to RGB.")
    palette = b"pclr" in boxes
    return Still(
        size_hw=size_hw,
        format="jpeg2000",
        bits=max(8, bits),
        gray=count <= 2 and not palette,
        alpha=count in (2, 4),
        orientation=1,
        white=float(2**bits - 1) if bits > 8 else None,
        profile=color[3 : 3 + profiles.MAX_ICC_BYTES] if color[:1] == b"\x02" else None,
        stored_color="palette" if palette else None,
    )


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Boxes of the header, the first of each kind last so that a dictionary keeps it."""
    found = []
    try:
        for kind, body, end in isobmff.walk(data, 0, len(data)):
            if kind == b"jp2h":
                found += [(inner, data[a:b]) for inner, a, b in isobmff.walk(data, body, end)]
                break
    except ValueError:
        return []
    return found[::-1]


def _decode_8(data: bytes, still: Still) -> npt.NDArray[np.generic]:
    from PIL import Jpeg2KImagePlugin

    picture = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(data))
    if picture.size != still.size_hw[::-1]:
        raise ValueError(f"the boxes say {picture.size}, the codestream {still.size_hw[::-1]}")
    return decode_pillow(picture, ("L" if still.gray else "RGB") + "A" * still.alpha)


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """8 bits with alpha; lossless where no quality is given. Metadata has no agreed place in a JP2."""
    lossy = options.quality is not None and not options.lossless
    how = {}
    if lossy:
        decibel = PSNR_DB[0] + (PSNR_DB[100] - PSNR_DB[0]) * (options.quality or 0) / 100
        how = {"quality_mode": "dB", "quality_layers": [decibel]}
    file.write(encode_pillow(raster.read(), "JPEG2000", irreversible=lossy, no_jp2=False, **how))


FORMAT = Format(
    name="jpeg2000",
    title="JPEG 2000",
    suffixes=(".jp2", ".j2k", ".jpx", ".j2c"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(alpha=True, profile=False, metadata=False),
)
