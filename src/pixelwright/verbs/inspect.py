"""What the reader understood of a file, and the picture a model will see of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pixelwright.io.icc import to_srgb8
from pixelwright.io.images import MAX_PIXELS, open_raster, read_image
from pixelwright.io.stored import Readable
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster

REPORT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Report:
    """Facts from the header; no pixel was decoded.

    Attributes:
        path: The file.
        format: Registry name of its format, found from the content.
        size_hw: Height and width, upright.
        stored_size_hw: Height and width as stored.
        orientation: The EXIF orientation that is applied on reading.
        page: Which page this is.
        pages: How many there are.
        dtype: Of the pixels that come out.
        bits: Meaningful bits a channel.
        white: The value of full white.
        channels: Their names.
        alpha: Whether there is an alpha mask beside them.
        transfer: From value to light.
        primaries: The gamut.
        icc_bytes: Size of the embedded profile, 0 for none.
        exif_bytes: Size of the EXIF block, 0 for none.
        xmp_bytes: Size of the XMP packet, 0 for none.
        dpi: Pixels per inch (x, y).
        stored_color: What is stored where that is not what comes out, such as `palette`.
        windowed: Whether windows are read without decoding everything.
        decoded_bytes: What the whole takes in memory.
        warnings: What had to be overlooked.
    """

    path: str
    format: str
    size_hw: tuple[int, int]
    stored_size_hw: tuple[int, int]
    orientation: int
    page: int
    pages: int
    dtype: str
    bits: int
    white: float
    channels: tuple[str, ...]
    alpha: bool
    transfer: str
    primaries: str
    icc_bytes: int
    exif_bytes: int
    xmp_bytes: int
    dpi: tuple[float, float] | None
    stored_color: str | None
    windowed: bool
    decoded_bytes: int
    warnings: tuple[str, ...]


def inspect(source: Readable, *, page: int = 0, max_pixels: int = MAX_PIXELS) -> Report:
    """What the reader understands of a file from its header.

    Raises:
        ImageError: The file cannot be read; the reason is in the message.
    """
    with open_raster(source, page=page, max_pixels=max_pixels) as raster:
        return _report(raster)


def _report(raster: Raster) -> Report:
    origin, color, capture = raster.source, raster.color, raster.capture
    return Report(
        path=origin.path,
        format=origin.format,
        size_hw=raster.size_hw,
        stored_size_hw=origin.stored_size_hw,
        orientation=origin.orientation,
        page=origin.page,
        pages=origin.pages,
        dtype=np.dtype(raster.dtype).name,
        bits=origin.bits,
        white=raster.white,
        channels=color.channels,
        alpha=raster.has_alpha,
        transfer=color.transfer,
        primaries=color.primaries,
        icc_bytes=len(color.icc or b""),
        exif_bytes=len(capture.exif or b""),
        xmp_bytes=len(capture.xmp or b""),
        dpi=capture.dpi,
        stored_color=origin.stored_color,
        windowed=raster.windowed,
        decoded_bytes=raster.nbytes,
        warnings=raster.warnings,
    )


def upright(source: Readable, *, page: int = 0, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture a model sees: upright, 8-bit sRGB, three channels, alpha flattened over white.

    Raises:
        ImageError: The file cannot be read.
        UsageError: Its channels are neither gray nor RGB.
    """
    return to_srgb8(read_image(source, page=page, max_pixels=max_pixels))


def report_dict(report: Report) -> dict[str, Any]:
    """The report as plain types for JSON, with its version."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(report).items()}
    return {"version": REPORT_VERSION, **plain}


def report_text(report: Report) -> str:
    """The report in a few lines for people."""
    height, width = report.size_hw
    lines = [f"{report.path}: {report.format.upper()}, {width} x {height} pixels, {_color_words(report)}"]
    if report.orientation != 1:
        stored = "{} x {}".format(*report.stored_size_hw[::-1])
        lines.append(f"  orientation   {report.orientation}, stored {stored}; turned upright on reading")
    if report.pages > 1:
        lines.append(f"  page          {report.page} of {report.pages} (from 0)")
    lines.append(f"  pixels        {report.dtype}, {report.bits} bits, white = {report.white:g}")
    lines.append(f"  color         {report.primaries} primaries, {report.transfer} transfer, {_profile_words(report)}")
    if report.stored_color:
        lines.append(f"  stored as     {report.stored_color}")
    kept = [f"{name} {size} bytes" for name, size in (("EXIF", report.exif_bytes), ("XMP", report.xmp_bytes)) if size]
    if report.dpi:
        kept.append("{:g} x {:g} dpi".format(*(round(value, 2) for value in report.dpi)))
    lines.append(f"  metadata      {', '.join(kept) or 'none'}")
    windows = "read in windows" if report.windowed else "decoded whole"
    lines.append(f"  in memory     {report.decoded_bytes / 1e6:.1f} MB, {windows}")
    lines += [f"  warning       {sentence}" for sentence in report.warnings]
    return "\n".join(lines)


def _color_words(report: Report) -> str:
    known = {("gray",): "gray", ("red", "green", "blue"): "RGB"}
    words = known.get(report.channels) or f"{len(report.channels)} channels ({', '.join(report.channels)})"
    return f"{words} with alpha" if report.alpha else words


def _profile_words(report: Report) -> str:
    return f"ICC profile of {report.icc_bytes} bytes" if report.icc_bytes else "no ICC profile"
