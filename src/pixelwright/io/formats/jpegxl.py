"""JPEG XL, through pillow-jxl-plugin (the extra `formats`): its decoder, without its Pillow face, which squeezes."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import MissingExtra, UnreadableImage, UnsupportedImage
from pixelwright.io import exif, isobmff, orientation
from pixelwright.io.border import reading
from pixelwright.io.exchange import to_numpy
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats import jxl_header
from pixelwright.io.formats.still import Still, check_page, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Color
from pixelwright.structures.raster import Raster

EFFORT = 5  # of 9: within 2 % of the size of the default 7 in half the time
QUALITY = 90
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_EAGER_PIXELS = 2**25  # pictures with a profile of their own are decoded on opening up to this size
_THREADS = 1  # many files are read at once


def sniff(head: bytes) -> bool:
    """Whether it is a bare codestream or a container."""
    return head.startswith((b"\xff\x0a", _CONTAINER))


def _plugin() -> ModuleType:
    try:
        import pillow_jxl
    except ImportError as err:
        raise MissingExtra("Reading and writing JPEG XL", "formats") from err
    return pillow_jxl


def open_raster(stored: Stored, page: int) -> Raster:
    """The picture as the decoder delivers it, upright already."""
    plugin = _plugin()
    check_page(stored.name, page)
    data = stored.whole()
    header, boxes = _header(data, stored.name)
    still = _still(header, boxes, stored.name)
    if header.embedded and math.prod(still.size_hw) <= _EAGER_PIXELS:
        # Which profile the pixels come in is the decoder's choice; it tells only together with them.
        decoded, profile = _decode(plugin, data, still, stored.name)
        still = replace(still, color=None, profile=profile)
        return raster_of(stored, still, lambda: decoded)
    return raster_of(stored, still, lambda: _decode(plugin, data, still, stored.name)[0])


def _decode(plugin: ModuleType, data: bytes, still: Still, name: str) -> tuple[npt.NDArray[np.generic], bytes | None]:
    """(samples, the profile they are in)."""
    with reading(name):
        _, info, raw, profile, _ = plugin.Decoder(num_threads=_THREADS)(data)
    dtype = np.uint8 if still.bits <= 8 else np.uint16
    count = (1 if still.gray else 3) + bool(info.has_alpha_channel)
    values = np.frombuffer(raw, dtype)
    if values.size != info.height * info.width * count:
        raise UnreadableImage(name, f"is damaged: {values.size} values for {info.width}x{info.height} pixels.")
    return values.reshape(info.height, info.width, count), profile


def _header(data: bytes, name: str) -> tuple[jxl_header.JxlHeader, dict[bytes, bytes]]:
    """The codestream's header and the metadata boxes around it."""
    boxes: dict[bytes, bytes] = {}
    codestream = data
    if data.startswith(_CONTAINER):
        codestream = b""
        for kind, body, end in isobmff.walk(data, 0, len(data)):
            if kind in (b"jxlc", b"jxlp"):
                codestream += data[body + 4 * (kind == b"jxlp") : min(end, body + 4096)]
            elif kind in (b"Exif", b"xml "):
                boxes.setdefault(kind, data[body : min(end, body + isobmff.MAX_ITEM_BYTES)])
    try:
        return jxl_header.parse(codestream), boxes
    except (ValueError, IndexError, KeyError) as err:
        raise UnreadableImage(name, f"is damaged or truncated: {err}.") from err


def _still(header: jxl_header.JxlHeader, boxes: dict[bytes, bytes], name: str) -> Still:
    if header.floating or header.bits > 16 or (header.bits > 8 and not header.gray):
        kind = "floating-point" if header.floating else f"{header.bits}-bit RGB"
        what = f"is {kind} JPEG XL, which pillow-jxl-plugin squeezes to 8 bits. Convert it to TIFF with libjxl's djxl."
        raise UnsupportedImage(name, what)
    channels = GRAY_CHANNELS if header.gray else RGB_CHANNELS
    warnings = []
    if header.transfer in ("pq", "hlg"):
        warnings.append(f"HDR picture ({header.transfer.upper()} transfer): showing its values as sRGB would be wrong.")
    if header.embedded and math.prod(header.size_hw) > _EAGER_PIXELS:
        warnings.append("The embedded ICC profile was not looked at on opening so large a picture.")
    body = boxes.get(b"Exif", b"")
    skip = 0 if body[:4] in (b"II*\0", b"MM\0*") else 4  # older writers left out the offset in front
    return Still(
        size_hw=orientation.turn_size(header.size_hw, header.orientation),
        format="jpegxl",
        bits=header.bits,
        gray=header.gray,
        alpha=header.alpha,
        premultiplied=header.premultiplied,
        orientation=1,  # the codestream's own was applied by the decoder; that of EXIF is not to be looked at
        color=Color(channels, header.transfer, header.primaries),
        exif=body[skip:] or None,
        xmp=boxes.get(b"xml "),
        warnings=tuple(warnings),
    )


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """8-bit sRGB with alpha; lossless exactly where no quality was given, unless told otherwise."""
    plugin = _plugin()
    image = raster.read()
    samples, block = to_numpy(image), exif.to_embed(image.capture)
    lossless = options.quality is None if options.lossless is None else options.lossless
    encoder = plugin.Encoder(
        mode={1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]],
        lossless=lossless,
        quality=100 if lossless else options.quality or QUALITY,
        decoding_speed=0,
        effort=EFFORT,
        use_container=bool(block or image.capture.xmp),
        use_original_profile=False,
        num_threads=-1,
    )
    kept = {"exif": block, "jumb": None, "xmp": image.capture.xmp, "compress": False}
    height, width = image.size_hw
    file.write(encoder(samples.tobytes(), width, height, jpeg_encode=False, **kept))


FORMAT = Format(
    name="jpegxl",
    title="JPEG XL",
    suffixes=(".jxl",),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(alpha=True, profile=False),
)
