"""AVIF: the boxes are read here, the pixels come through OpenCV, which keeps 10 and 12 bits."""

from __future__ import annotations

import itertools
import struct
from typing import BinaryIO

import numpy as np

from pixelwright.io import exif, isobmff, profiles
from pixelwright.io.border import decode_opencv, quiet_opencv, swapped
from pixelwright.io.exchange import to_numpy
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.heif_still import still_of
from pixelwright.io.formats.still import as_rgb, check_page, encode_pillow, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster

QUALITY = 90  # on libavif's scale; visually without loss
LOSSLESS = 100  # what OpenCV takes for: exactly
SPEED = 6  # of 10: libavif's own default
MAX_SIDE_PX = 65535
_DEPTHS = {255.0: 8, 1023.0: 10, 4095.0: 12}


def sniff(head: bytes) -> bool:
    """Whether it is a base media file of an AVIF brand."""
    return head[4:8] == b"ftyp" and (head[8:12] in (b"avif", b"avis") or b"avif" in _compatible(head))


def _compatible(head: bytes) -> list[bytes]:
    size = int.from_bytes(head[:4], "big")
    return [head[i : i + 4] for i in range(16, min(size, 200, len(head)), 4)]


def open_raster(stored: Stored, page: int) -> Raster:
    """The primary picture as stored; of a sequence the still one."""
    data = stored.whole()
    still, boxes = still_of(data, stored.name, "avif")
    check_page(stored.name, page)
    if boxes.double_ipma:
        data = _merged(data, boxes)
    return raster_of(stored, still, lambda: decode_opencv(data))


def _merged(data: bytes, boxes: isobmff.Boxes) -> bytes:
    """One association box instead of several, the room left over blanked so that no offset moves.

    Encoders of 2019 wrote one box for each item; decoders take the file for broken since ISO/IEC 14496-12:2020
    forbids it.
    """
    ranges, (inside, outside) = boxes.double_ipma, boxes.iprp
    heads = {data[body : body + 4] for body, _ in ranges}
    adjoining = all(a[1] + 8 == b[0] for a, b in itertools.pairwise(ranges))
    if len(heads) != 1 or not adjoining or ranges[-1][1] != outside:
        return data
    entries = b"".join(data[body + 8 : end] for body, end in ranges)
    count = sum(int.from_bytes(data[body + 4 : body + 8], "big") for body, _ in ranges)
    merged = struct.pack(">I4s", 16 + len(entries), b"ipma") + heads.pop() + struct.pack(">I", count) + entries
    start = ranges[0][0] - 8
    left = outside - start - len(merged)
    holder = struct.pack(">I", outside - inside + 8 - left)  # the box around shrinks by what is blanked behind it
    blank = struct.pack(">I4s", left, b"free") + bytes(left - 8)
    return data[: inside - 8] + holder + data[inside - 4 : start] + merged + blank + data[outside:]


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """8 bits, or 10 and 12 bits as the white value says, with alpha and metadata.

    Color with loss keeps its full resolution at 8 bits; at 10 and 12 it is halved.
    """
    image = raster.read()
    if image.alpha is not None:
        image = as_rgb(image)  # OpenCV knows no gray with alpha
    if image.color.is_rgb and image.pixels.dtype == np.uint8 and not options.lossless:
        quality = options.quality or QUALITY
        file.write(encode_pillow(image, "AVIF", quality=quality, subsampling="4:4:4", speed=SPEED))
    else:  # Pillow knows neither more bits, nor gray, nor how to lose nothing
        file.write(_encode_opencv(image, LOSSLESS if options.lossless else options.quality or QUALITY))


def _encode_opencv(image: Image, quality: int) -> bytes:
    with quiet_opencv() as cv2:
        known = [
            (cv2.IMAGE_METADATA_EXIF, exif.to_embed(image.capture)),
            (cv2.IMAGE_METADATA_XMP, image.capture.xmp),
            (cv2.IMAGE_METADATA_ICCP, profiles.profile_of(image.color)),
        ]
        kept = [(kind, np.frombuffer(body, np.uint8)) for kind, body in known if body]
        settings = [cv2.IMWRITE_AVIF_DEPTH, _DEPTHS[image.white], cv2.IMWRITE_AVIF_SPEED, SPEED]
        settings += [cv2.IMWRITE_AVIF_QUALITY, quality]
        done, data = cv2.imencodeWithMetadata(
            ".avif", swapped(to_numpy(image)), [k for k, _ in kept], [b for _, b in kept], settings
        )
    if not done:
        raise ValueError("OpenCV wrote no AVIF")
    return data.tobytes()


FORMAT = Format(
    name="avif",
    title="AVIF",
    suffixes=(".avif", ".avifs"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(dtypes=("uint8", "uint16"), whites=(1023.0, 4095.0), alpha=True, max_side_px=MAX_SIDE_PX),
)
