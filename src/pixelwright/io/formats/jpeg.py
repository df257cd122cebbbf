"""JPEG, through libjpeg-turbo (simplejpeg): decoded at the scale that is needed, with the GIL released."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io import exif, lcms, profiles, xmp
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats import jpeg_markers
from pixelwright.io.formats.still import check_page
from pixelwright.io.stored import Stored
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Capture, Color, Image, Source
from pixelwright.structures.raster import Raster, Window, crop

log = logging.getLogger(__name__)

QUALITY = 95  # default on writing: PSNR above 40 dB on photographs, where 75 loses visible detail
CHROMA = "444"  # full-resolution color: 4:2:0 smears red edges, and a model's output should not lose them
_END = b"\xff\xd9"
MAX_SIDE_PX = 65500  # libjpeg's limit
MAX_HEADER_BYTES = 2**26  # metadata before the pixels; cameras write below 1 MiB

# libjpeg's complaints about things that leave every pixel right
_HARMLESS = re.compile(r"JFIF|Adobe color|SOS parameters|Unsupported marker|progression|extraneous bytes", re.I)


def sniff(head: bytes) -> bool:
    """Whether it begins with a start-of-image marker and another marker."""
    return head[:3] == b"\xff\xd8\xff"


def read_header(stored: Stored) -> jpeg_markers.JpegHeader:
    """The segments before the first scan, of a kind that can be decoded.

    Raises:
        UnreadableImage: Cut off or nonsense.
        UnsupportedImage: 12-bit or lossless JPEG.
    """
    try:
        header = jpeg_markers.parse(stored.head)
    except jpeg_markers.CutShort:
        header = jpeg_markers.parse(stored.part(0, MAX_HEADER_BYTES))
    if header.lossless or header.bits != 8:
        kind = "lossless" if header.lossless else f"{header.bits}-bit"
        raise UnsupportedImage(
            stored.name, f"is a {kind} JPEG, which no decoder here reads. Convert it to TIFF or PNG."
        )
    if header.components not in (1, 3, 4) or 0 in header.size_hw:
        height, width = header.size_hw
        what = f"has a JPEG header of {width}x{height} pixels with {header.components} components."
        raise UnreadableImage(stored.name, what)
    return header


def open_raster(stored: Stored, page: int) -> Raster:
    """A JPEG as stored; the pages of a multi-picture file behind the first are not pages of it."""
    check_page(stored.name, page)
    header = read_header(stored)
    block = exif.read(header.exif)
    color, warnings = _color(header, block)
    source = Source(
        path=stored.name,
        format="jpeg",
        stored_size_hw=header.size_hw,
        orientation=block.orientation,
        stored_color="cmyk" if header.components == 4 else None,
    )
    capture = Capture(block.block, xmp.reset(header.xmp), header.dpi or block.dpi)

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        data = stored.whole()
        pixels, complaint = decode_pixels(data, header, stored.name, at_least_hw if window is None else None)
        if header.components == 4:
            pixels = lcms.cmyk_to_rgb(pixels if not header.adobe else 255 - pixels, header.icc)
        image = Image(
            pixels,
            color,
            capture=capture,
            source=replace(source, scale=_scale(pixels.shape[:2], header.size_hw)),
            warnings=warnings + complaint,
        )
        return image if window is None else crop(image, window)

    return Raster(header.size_hw, np.uint8, color, 255.0, decode, capture=capture, source=source, warnings=warnings)


def _scale(decoded_hw: tuple[int, ...], full_hw: tuple[int, int]) -> float:
    """n/8, the scale libjpeg took: it rounds sizes up, so the smallest n that fits is the one."""
    for eighths in range(1, 8):
        if all(-(-full * eighths // 8) == decoded for full, decoded in zip(full_hw, decoded_hw, strict=True)):
            return eighths / 8
    return 1.0


def _color(header: jpeg_markers.JpegHeader, block: exif.Exif) -> tuple[Color, tuple[str, ...]]:
    if header.components == 4:
        if lcms.is_cmyk(header.icc):
            return Color(), ("CMYK was converted to sRGB through the embedded profile.",)
        return Color(), ("CMYK without a profile was converted to sRGB by the plain formula; colors are approximate.",)
    channels = GRAY_CHANNELS if header.components == 1 else RGB_CHANNELS
    if header.icc_parts and header.icc is None:
        return Color(channels), ("The embedded ICC profile is incomplete and was ignored; sRGB is assumed.",)
    if not header.icc and block.is_adobe_rgb and header.components == 3:
        return Color(channels, "gamma", "adobe-rgb"), ()
    return profiles.color_of(channels, header.icc)


def decode_pixels(
    data: bytes, header: jpeg_markers.JpegHeader, name: str, at_least_hw: tuple[int, int] | None = None
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Samples (H, W, C) as stored, gray, RGB or CMYK, and what the decoder complained of without harm.

    Raises:
        UnreadableImage: Truncated or damaged scans; libjpeg itself would fill the rest with gray and say nothing.
    """
    import simplejpeg

    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}[header.components]
    height, width = at_least_hw or (0, 0)
    if at_least_hw and (height >= header.size_hw[0] or width >= header.size_hw[1]):
        height = width = 0
    sizes: dict[str, Any] = {"min_height": height, "min_width": width}
    try:
        return simplejpeg.decode_jpeg(data, space, **sizes), ()
    except ValueError as err:
        said = str(err)
        if "Premature end of JPEG file" in said and not header.progressive:
            return _without_end_marker(data, space, sizes, name, err)
        if not _HARMLESS.search(said) or data.rfind(_END) < 0:
            raise UnreadableImage(name, f"is damaged or truncated: {said}.") from err
    pixels = simplejpeg.decode_jpeg(data, space, strict=False, **sizes)
    return pixels, (f"The decoder complained, the picture may be damaged: {said}.",)


def _without_end_marker(
    data: bytes, space: str, sizes: dict[str, Any], name: str, first: ValueError
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """A picture that lacks nothing but its last two bytes is whole; libjpeg says the same of one cut in the middle."""
    import simplejpeg

    try:
        pixels = simplejpeg.decode_jpeg(data + _END, space, **sizes)
    except ValueError:
        raise UnreadableImage(name, f"is truncated: {first}.") from first
    return pixels, ("The end-of-image marker is missing; all pixels are there.",)


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """Encodes the whole raster at `QUALITY` and `CHROMA` unless told otherwise, with its metadata."""
    import simplejpeg

    image = raster.read()
    space = "GRAY" if image.color.is_gray else "RGB"
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image.pixels),
        quality=options.quality or QUALITY,
        colorspace=space,
        colorsubsampling="Gray" if image.color.is_gray else CHROMA,
    )
    metadata, left_out = jpeg_markers.segments(image.capture.exif, image.capture.xmp, profiles.profile_of(image.color))
    if left_out:
        log.warning("%s: %s did not fit into JPEG segments and was left out.", image.source.path, ", ".join(left_out))
    file.write(data[:2] + jpeg_markers.jfif(image.capture.dpi) + metadata)
    file.write(memoryview(data)[2 + _jfif_length(data) :])


def _jfif_length(data: bytes) -> int:
    """Bytes of the JFIF segment that the encoder put behind the first marker; ours replaces it."""
    if data[2:4] != b"\xff\xe0":
        return 0
    return 2 + int.from_bytes(data[4:6], "big")


FORMAT = Format(
    name="jpeg",
    title="JPEG",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(max_side_px=MAX_SIDE_PX),
)
