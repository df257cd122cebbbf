"""AVIF: the boxes are read here, the pixels come through Pillow (8 bits) or OpenCV (10 and 12 bits, kept)."""

from __future__ import annotations

import io
import itertools
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io import exif, isobmff, profiles
from pixelwright.io.border import quiet_opencv
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.heif_still import still_of
from pixelwright.io.formats.png_write import stacked
from pixelwright.io.formats.still import Still, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster

QUALITY = 90  # on libavif's scale; visually without loss, chroma at full resolution
SPEED = 6  # of 10: libavif's own default
MAX_SIDE_PX = 65535
_DEPTHS = {1023.0: 10, 4095.0: 12}


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
    if page:
        raise UnreadableImage(stored.name, f"has 1 page; page {page} was asked for (they count from 0).")
    if boxes.double_ipma:
        data = _merged(data, boxes)

    def samples() -> npt.NDArray[np.generic]:
        decoded = _decode_deep(data) if still.bits > 8 else _decode_8(data, boxes)
        return decoded if decoded.shape[:2] == still.size_hw else _refused(decoded, still, stored.name)

    return raster_of(stored, still, samples)


def _refused(decoded: npt.NDArray[np.generic], still: Still, name: str) -> npt.NDArray[np.generic]:
    what = f"is damaged: the header says {still.size_hw[::-1]} pixels, {decoded.shape[1::-1]} came out."
    raise UnreadableImage(name, what)


def _decode_8(data: bytes, boxes: isobmff.Boxes) -> npt.NDArray[np.generic]:
    from PIL import AvifImagePlugin

    with AvifImagePlugin.AvifImageFile(io.BytesIO(_without_exif(data, boxes))) as picture:
        picture.load()
        return np.asarray(picture)


def _without_exif(data: bytes, boxes: isobmff.Boxes) -> bytes:
    """The same file with its EXIF item renamed: Pillow would parse it and warn of every fault in it."""
    if not any(item.kind == b"Exif" for item in boxes.items.values()):
        return data
    at = data.find(b"Exif", 0, isobmff.MAX_META_BYTES)
    while at >= 0:
        if data[at + 4 : at + 5] == b"\0" and data.rfind(b"infe", max(0, at - 16), at) >= 0:
            return data[:at] + b"Gone" + data[at + 4 :]
        at = data.find(b"Exif", at + 1, isobmff.MAX_META_BYTES)
    return data


def _decode_deep(data: bytes) -> npt.NDArray[np.generic]:
    with quiet_opencv() as cv2:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if samples is None:
        raise ValueError("the AV1 data cannot be decoded")
    return samples if samples.ndim == 2 else samples[..., (2, 1, 0, 3)[: samples.shape[2]]]


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
    """8 bits, or 10 and 12 bits as the white value says, with alpha and metadata."""
    image = raster.read()
    data = _encode_8(image, options) if image.pixels.dtype == np.uint8 else _encode_deep(image, options)
    file.write(data)


def _encode_8(image: Image, options: WriteOptions) -> bytes:
    from PIL import Image as PillowImage

    samples = stacked(image)
    target = io.BytesIO()
    PillowImage.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(
        target,
        "AVIF",
        quality=100 if options.lossless else options.quality or QUALITY,
        subsampling="4:4:4",
        speed=SPEED,
        icc_profile=profiles.profile_of(image.color) or b"",
        exif=exif.to_embed(image.capture) or b"",
        xmp=image.capture.xmp or b"",
    )
    return target.getvalue()


def _encode_deep(image: Image, options: WriteOptions) -> bytes:
    samples = stacked(image)
    if samples.shape[2] == 2:  # OpenCV knows no gray with alpha
        samples = samples[..., (0, 0, 0, 1)]
    order = (2, 1, 0, 3)[: samples.shape[2]] if samples.shape[2] > 1 else (0,)
    with quiet_opencv() as cv2:
        known = [
            (cv2.IMAGE_METADATA_EXIF, exif.to_embed(image.capture)),
            (cv2.IMAGE_METADATA_XMP, image.capture.xmp),
            (cv2.IMAGE_METADATA_ICCP, profiles.profile_of(image.color)),
        ]
        kept = [(kind, np.frombuffer(body, np.uint8)) for kind, body in known if body]
        settings = [cv2.IMWRITE_AVIF_DEPTH, _DEPTHS[image.white], cv2.IMWRITE_AVIF_SPEED, SPEED]
        settings += [cv2.IMWRITE_AVIF_QUALITY, 100 if options.lossless else options.quality or QUALITY]
        done, data = cv2.imencodeWithMetadata(
            ".avif", np.ascontiguousarray(samples[..., order]), [k for k, _ in kept], [b for _, b in kept], settings
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
