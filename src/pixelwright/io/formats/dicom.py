"""DICOM, through pydicom (the extra `medical`), read only: gray as its file says to show it, color as RGB.

Nothing about the patient is taken over. What is done to gray values on the way is stated in the warnings: a stored
value goes through the modality transform, then through the first window, to black and white of 8 or 16 bits.
Source: DICOM PS3.3 2024e, C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import MissingExtra, PixelwrightError, UnreadableImage, UnsupportedImage
from pixelwright.io.format import Format
from pixelwright.io.formats.dicom_pixels import decode_frame
from pixelwright.io.formats.still import Still, check_page, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster, Window

Values = npt.NDArray[Any]  # float32

_MAGIC = slice(128, 132)
_WITHOUT_PREAMBLE = (b"\x02\x00\x00\x00UL", b"\x08\x00\x05\x00CS", b"\x08\x00\x08\x00CS")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, slots=True)
class Shown:
    """How gray values are shown.

    Attributes:
        slope: Of the modality transform.
        intercept: Of the modality transform.
        window: (center, width), None to go from the smallest to the largest value.
        function: `LINEAR`, `LINEAR_EXACT` or `SIGMOID`.
        inverted: Whether the smallest value is white.
        padding: The stored value that stands for no picture.
        as_stored: Whether 8-bit values need nothing of this.
    """

    slope: float
    intercept: float
    window: tuple[float, float] | None
    function: str
    inverted: bool
    padding: float | None
    as_stored: bool


def sniff(head: bytes) -> bool:
    """Whether it has DICOM's mark after the preamble, or begins with one of its usual elements."""
    return head[_MAGIC] == b"DICM" or head.startswith(_WITHOUT_PREAMBLE)


def _pydicom() -> ModuleType:
    try:
        import pydicom
    except ImportError as err:
        raise MissingExtra("Reading DICOM", "medical") from err
    # It warns of each value that is not quite as the standard says, with the value: a name of a patient, perhaps.
    warnings.filterwarnings("ignore", module=r"pydicom\.")
    return pydicom


def open_raster(stored: Stored, page: int) -> Raster:
    """One frame, shown as the file says."""
    pydicom = _pydicom()
    with stored.file() as file:
        header = _quietly(stored, lambda: pydicom.dcmread(file, stop_before_pixels=True, force=True))
    still, shown, spacing_mm = _quietly(stored, lambda: _described(header, stored, page))

    def samples() -> npt.NDArray[np.generic]:
        return _quietly(stored, lambda: _samples(header, stored, still, shown))

    raster = raster_of(stored, still, samples)

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        return raster.decode(window, at_least_hw).replace(spacing_mm=spacing_mm)

    return replace(raster, decode=decode, spacing_mm=spacing_mm)


def _quietly(stored: Stored, step: Callable[[], Any]) -> Any:
    """What a step returns; of its failure nothing is told that may be the patient's."""
    try:
        return step()
    except (PixelwrightError, OSError, MemoryError):
        raise
    except Exception as err:
        what = f"is damaged: pydicom cannot make sense of it ({type(err).__name__})."
        raise UnreadableImage(stored.name, what) from err


def _described(header: Any, stored: Stored, page: int) -> tuple[Still, Shown | None, tuple[float, float] | None]:
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    if not rows or not columns:
        kind = header.get("SOPClassUID")
        raise UnsupportedImage(stored.name, f"holds no picture ({getattr(kind, 'name', None) or 'of no known kind'}).")
    pages = int(header.get("NumberOfFrames") or 1)
    check_page(stored.name, page, pages)
    photometric = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    bits = int(header.get("BitsStored") or header.get("BitsAllocated") or 16)
    spacing_mm, notes = _spacing_mm(header, page)
    gray = photometric.startswith("MONOCHROME")
    shown = _shown(header, page, bits) if gray else None
    if shown is not None:
        notes = (*notes, *_said(shown))
    still = Still(
        (rows, columns),
        "dicom",
        bits=_color_bits(header, bits) if not gray else 8 if bits <= 8 else 16,
        gray=gray,
        white=None if gray or bits <= 8 or photometric == "PALETTE COLOR" else float(2**bits - 1),
        stored_color=photometric.lower() if photometric not in ("MONOCHROME2", "RGB") else None,
        page=page,
        pages=pages,
        warnings=notes,
    )
    return still, shown, spacing_mm


def _color_bits(header: Any, bits: int) -> int:
    lut = header.get("RedPaletteColorLookupTableDescriptor")
    return bits if lut is None else 8 if int(lut[2]) <= 8 else 16


def _group(header: Any, page: int, name: str) -> Any:
    """A functional group of an enhanced multi-frame file: the frame's own, or the one for all; else the header."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", page), ("SharedFunctionalGroupsSequence", 0)):
        sequence = header.get(groups) or ()
        found = sequence[index].get(name) if index < len(sequence) else None
        if found:
            return found[0]
    return header


def _first(value: Any) -> float | None:
    """The first of one or several numbers; None where there is none."""
    if value is None or value == "":
        return None
    several: Sequence[Any] = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    number = float(several[0])
    return number if math.isfinite(number) else None


def _shown(header: Any, page: int, bits: int) -> Shown:
    transform = _group(header, page, "PixelValueTransformationSequence")
    slope = _first(transform.get("RescaleSlope"))
    intercept = _first(transform.get("RescaleIntercept"))
    voi = _group(header, page, "FrameVOILUTSequence")
    center, width = _first(voi.get("WindowCenter")), _first(voi.get("WindowWidth"))
    window = (center, width) if center is not None and width is not None and width > 0 else None
    inverse = header.get("PresentationLUTShape") == "INVERSE"
    tables = header.get("ModalityLUTSequence") or (window is None and header.get("VOILUTSequence"))
    signed = int(header.get("PixelRepresentation") or 0)
    return Shown(
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        window=window,
        function=str(voi.get("VOILUTFunction") or "LINEAR"),
        inverted=inverse or header.get("PhotometricInterpretation") == "MONOCHROME1",
        padding=_first(header.get("PixelPaddingValue")),
        as_stored=bits == 8 and not signed and window is None and not tables,
    )


def _said(shown: Shown) -> tuple[str, ...]:
    said = []
    if shown.window is not None:
        said.append(f"shown through its first window: center {shown.window[0]:g}, width {shown.window[1]:g}")
    elif not shown.as_stored:
        said.append("states no window: its smallest to its largest value are shown as black to white")
    if shown.inverted:
        said.append("inverted, since it stores white as its smallest value")
    return tuple(said)


def _spacing_mm(header: Any, page: int) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    measures = _group(header, page, "PixelMeasuresSequence")
    for source, name in ((measures, "PixelSpacing"), (header, "ImagerPixelSpacing")):
        stated = source.get(name)
        if stated and len(stated) == 2 and min(float(one) for one in stated) > 0:
            at_detector = name == "ImagerPixelSpacing"
            note = ("its pixel spacing is that at the detector, which the body is smaller than",)
            return (float(stated[0]), float(stated[1])), note if at_detector else ()
    return None, ()


def _samples(header: Any, stored: Stored, still: Still, shown: Shown | None) -> npt.NDArray[np.generic]:
    pixels = decode_frame(stored, header, still.page)
    if shown is None:
        return _color(pixels, header)
    if shown.as_stored:
        return ~pixels if shown.inverted else pixels
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    outside = pixels == shown.padding if shown.padding is not None else None
    if header.get("ModalityLUTSequence"):
        pixels = apply_modality_lut(pixels, header)
    if shown.window is None and header.get("VOILUTSequence"):
        pixels = apply_voi_lut(pixels, header)
    values = pixels.astype(np.float32)
    if not header.get("ModalityLUTSequence"):
        values = values * np.float32(shown.slope) + np.float32(shown.intercept)
    light = _windowed(values, shown, outside)
    if shown.inverted:
        light = 1 - light
    if outside is not None:
        light[outside] = 0
    dtype, white = (np.uint8, 255) if still.bits == 8 else (np.uint16, 65535)
    return np.rint(light * np.float32(white)).astype(dtype)


def _color(pixels: npt.NDArray[Any], header: Any) -> npt.NDArray[np.generic]:
    if header.get("PhotometricInterpretation") != "PALETTE COLOR":
        return pixels
    from pydicom.pixels.processing import apply_color_lut

    return apply_color_lut(pixels, header)[..., :3]


def _windowed(values: Values, shown: Shown, outside: npt.NDArray[np.bool_] | None) -> Values:
    """Light 0..1 of gray values. Source: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if shown.window is None:
        inside = values if outside is None or outside.all() else values[~outside]
        low, high = float(inside.min()), float(inside.max())
        return np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    center, width = shown.window
    if shown.function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60)))
    if shown.function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if width <= 1:
        return (values > center - 0.5).astype(np.float32)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


FORMAT = Format(name="dicom", title="DICOM", suffixes=(".dcm", ".dicom"), sniff=sniff, open=open_raster)
