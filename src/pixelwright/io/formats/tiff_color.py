"""What the samples of a TIFF page mean, and the picture they make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnsupportedImage
from pixelwright.io import exif, exif_tree, lcms, profiles, xmp
from pixelwright.io.formats.still import straight
from pixelwright.io.formats.tiff_layout import (
    ASSOCIATED,
    MIN_IS_WHITE,
    PALETTE,
    RGB,
    SEPARATED,
    UNASSOCIATED,
    YCBCR,
    Layout,
)
from pixelwright.io.stored import Stored
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Capture, Color, Mask, Pixels

CENTIMETER = 3
_BAND = re.compile(r"<Item\b[^>]*\bsample=\"(\d+)\"[^>]*\brole=\"description\"[^>]*>([^<]{1,100})</Item>")
_MAX_TAG_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class Meaning:
    """How to make a picture of samples.

    Attributes:
        color: Of the picture.
        dtype: Of the picture.
        white: Of the picture.
        orientation: 1..8.
        alpha_at: Which sample is alpha.
        premultiplied: Whether the color was multiplied by alpha.
        capture: Metadata to keep.
        stored_color: `cmyk`, `palette` or `ycbcr` where the picture is not as stored.
        icc: The profile of CMYK samples.
        warnings: What was overlooked.
    """

    color: Color
    dtype: Any
    white: float
    orientation: int
    alpha_at: int | None
    premultiplied: bool
    capture: Capture
    stored_color: str | None
    icc: bytes | None
    warnings: tuple[str, ...]


def meaning_of(page: Any, layout: Layout, stored: Stored) -> Meaning:
    """The meaning of a `tifffile.TiffPage` with a checked layout."""
    alpha_at, premultiplied, warnings = _alpha(layout)
    channels = _channels(layout, alpha_at, _band_names(page))
    profile = _bytes(page, 34675)
    if layout.photometric == SEPARATED:
        color = Color()
        how = "through the embedded profile" if lcms.is_cmyk(profile) else "by the plain formula, for want of a profile"
        warnings += (f"CMYK was converted to sRGB {how}.",)
    else:
        color, faults = (
            profiles.color_of(channels, profile) if channels in (RGB_CHANNELS, GRAY_CHANNELS) else (None, ())
        )
        color = color or Color(channels, "unknown", "unknown")
        warnings += faults
    dtype, white = _depth(layout)
    orientation = _number(page, 274)
    return Meaning(
        color=color,
        dtype=dtype,
        white=white,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        alpha_at=alpha_at,
        premultiplied=premultiplied,
        capture=_capture(page, stored),
        stored_color={SEPARATED: "cmyk", PALETTE: "palette", YCBCR: "ycbcr"}.get(layout.photometric),
        icc=profile,
        warnings=warnings,
    )


def _alpha(layout: Layout) -> tuple[int | None, bool, tuple[str, ...]]:
    first = layout.color_samples
    for index, kind in enumerate(layout.extras[: layout.samples - first]):
        if kind in (ASSOCIATED, UNASSOCIATED):
            return first + index, kind == ASSOCIATED, ()
    if not layout.extras and layout.photometric == RGB and layout.samples == 4:
        return 3, False, ("The fourth sample is not described; it was taken for alpha.",)
    return None, False, ()


def _channels(layout: Layout, alpha_at: int | None, bands: dict[int, str]) -> tuple[str, ...]:
    count = layout.samples - (alpha_at is not None)
    if layout.photometric in (PALETTE, SEPARATED):
        return RGB_CHANNELS
    if count == 1 and not bands:
        return GRAY_CHANNELS
    if count == 3 and layout.photometric in (RGB, YCBCR):
        return RGB_CHANNELS
    first = RGB_CHANNELS if layout.photometric in (RGB, YCBCR) else ()
    return tuple(bands.get(i) or (first[i] if i < len(first) else f"band {i + 1}") for i in range(count))


def _band_names(page: Any) -> dict[int, str]:
    """Names of bands as GDAL stores them."""
    text = (_bytes(page, 42112) or b"")[: 2**20].decode("utf-8", "replace")
    return {int(number): _plain(name) for number, name in _BAND.findall(text)}


def _plain(words: str) -> str:
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _depth(layout: Layout) -> tuple[Any, float]:
    """(dtype, white) of the picture."""
    if layout.photometric in (PALETTE, SEPARATED) or (layout.kind == "u" and layout.bits < 8):
        return np.uint8, 255.0
    own = 1.0 if layout.kind == "f" else float(2 ** (layout.bits - (layout.kind == "i")) - 1)
    white = layout.white if layout.white and (layout.kind == "f" or layout.white <= own) else own
    if layout.kind == "u" and layout.bits <= 16:
        return (np.uint8 if layout.bits == 8 else np.uint16), white
    return np.float32, white


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None or tag.valuebytecount > _MAX_TAG_BYTES else tag.value


def _bytes(page: Any, code: int) -> bytes | None:
    value = _tag(page, code)
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, tuple):
        return bytes(value) if all(isinstance(each, int) and 0 <= each < 256 for each in value) else None
    return value if isinstance(value, bytes) else None


def _number(page: Any, code: int) -> int:
    value = _tag(page, code)
    return int(value) if isinstance(value, int) else 1


def _capture(page: Any, stored: Stored) -> Capture:
    values = []
    for code in (282, 283):
        value = _tag(page, code)
        sound = isinstance(value, tuple) and len(value) == 2 and value[1]
        values.append(value[0] / value[1] if sound and isinstance(value, tuple) else 0.0)
    unit = {2: 1.0, CENTIMETER: 2.54}.get(_number(page, 296) if page.tags.get(296) else 2, 0.0)
    dpi = (values[0] * unit, values[1] * unit) if min(values) * unit > 0 else None
    place = exif_tree.Place(page.parent.byteorder, page.parent.is_bigtiff)
    made = exif_tree.block_of(stored.part, place, page.offset)
    return Capture(exif.read(made).block, xmp.reset(_bytes(page, 700)), dpi)


def picture(samples: npt.NDArray[Any], layout: Layout, meaning: Meaning, name: str) -> tuple[Pixels, Mask | None]:
    """Pixels and alpha of samples (H, W, S) as stored.

    Raises:
        UnsupportedImage: The values need more precision than float32 has.
    """
    mask, rest = None, samples
    if meaning.alpha_at is not None:
        mask = np.ascontiguousarray(_as_dtype(samples[..., meaning.alpha_at], layout, meaning, name))
        rest = np.delete(samples, meaning.alpha_at, axis=2)
    if layout.photometric == PALETTE:
        return _expand(rest[..., 0], layout), mask
    if layout.photometric == SEPARATED:
        return lcms.cmyk_to_rgb(np.ascontiguousarray(rest[..., :4]), meaning.icc), mask
    pixels = _as_dtype(rest, layout, meaning, name)
    if mask is not None and meaning.premultiplied:
        pixels = straight(pixels, mask, meaning.white)
    if layout.photometric == MIN_IS_WHITE:
        pixels = (meaning.white - pixels).astype(pixels.dtype) if pixels.dtype.kind == "f" else _invert(pixels, meaning)
    return np.ascontiguousarray(pixels), mask


def _invert(pixels: npt.NDArray[Any], meaning: Meaning) -> npt.NDArray[Any]:
    white = pixels.dtype.type(meaning.white)
    return white - np.minimum(pixels, white)


def _expand(indices: npt.NDArray[Any], layout: Layout) -> npt.NDArray[np.uint8]:
    table = np.asarray(layout.colormap, np.uint32).reshape(3, -1).T
    size = 2**layout.bits
    if len(table) < size:
        raise ValueError(f"a palette of {len(table)} colors for {layout.bits}-bit indices")
    if table.max() > 255:  # some old writers stored 8-bit values in the 16-bit table, as libtiff knows too
        table = (table * 255 + 32767) // 65535
    return table[:size].astype(np.uint8)[indices]


def _as_dtype(values: npt.NDArray[Any], layout: Layout, meaning: Meaning, name: str) -> npt.NDArray[Any]:
    if layout.kind == "u" and layout.bits < 8:
        return values * np.uint8(255 // (2**layout.bits - 1))
    if values.dtype == meaning.dtype:
        return values
    turned = values.astype(meaning.dtype)
    if not np.array_equal(turned.astype(values.dtype), values, equal_nan=values.dtype.kind == "f"):
        what = f"holds {values.dtype.name} values that float32 cannot hold exactly; nothing is rounded silently."
        raise UnsupportedImage(name, f"{what} Convert it to float32 or 16-bit integers first.")
    return turned
