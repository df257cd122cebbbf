"""To sRGB: what a model or a screen sees.

Matrix profiles are applied in float, so that 16 bits stay 16; those that work through tables go through Little CMS.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UsageError
from pixelwright.io import lcms, profiles
from pixelwright.io.profiles import GAMMA, SRGB_CURVE, TO_XYZ_D50, Curve, Floats, Profile
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Color, Image, white_of

BACKGROUND = 255  # white: what to_srgb8 shows behind transparent pixels
HDR_WHITE_NITS = 203.0  # diffuse white of PQ and HLG pictures, ITU-R BT.2408
_STRIP_PIXELS = 2**18  # floats are made of this many pixels at a time
_FINE = 65535  # steps of the table that encodes light as sRGB; its error at black is 0.05 of an 8-bit step

_NOT_PICTURES = "Choose one of them as gray or three as RGB first (Image.replace)."


@np.errstate(all="ignore")  # profiles may hold any numbers; what comes out is clipped
def to_srgb(image: Image) -> Image:
    """The image in sRGB (gray: on the sRGB curve) at its own dtype and white; alpha untouched.

    HDR pictures (PQ, HLG) are brought to light with diffuse white at full white; what is brighter is clipped, and a
    warning says so. Profiles that work through tables go through Little CMS in 8 bits; a warning says so where the
    image has more.

    Raises:
        UsageError: The channels are neither gray nor RGB.
    """
    color = image.color
    if color.is_srgb or (color.transfer == "srgb" and (color.is_gray or color.primaries == "srgb")):
        return image if color.is_srgb else image.replace(color=Color(color.channels))
    if not (color.is_rgb or color.is_gray):
        names = ", ".join(color.channels)
        raise UsageError(f"{image.source.path}: the channels {names} are no picture to convert. {_NOT_PICTURES}")
    parsed = profiles.parse(color.icc) if color.icc else None
    if parsed is not None and not parsed.is_plain:
        return _through_tables(image)
    profile, warnings = _profile(color, parsed)
    pixels = _through_float(image, profile) if profile else image.pixels
    return image.replace(pixels=pixels, color=Color(color.channels), warnings=image.warnings + warnings)


@np.errstate(all="ignore")
def to_srgb8(image: Image, *, background: int = BACKGROUND) -> Image:
    """The picture a model sees: 8-bit sRGB, three channels, no alpha.

    Values are scaled by 255 / white with rounding, NaN becomes black, gray is repeated over three channels, and
    alpha is flattened over a background of `background` (0 black .. 255 white).

    Raises:
        UsageError: The channels are neither gray nor RGB.
    """
    if image.color.is_rgb and image.color.is_srgb and image.pixels.dtype == np.uint8 and image.alpha is None:
        return image
    image = to_srgb(image)
    if not (image.color.is_rgb or image.color.is_gray):
        names = ", ".join(image.color.channels)
        raise UsageError(f"{image.source.path}: the channels {names} are no picture to show. {_NOT_PICTURES}")
    height, width = image.size_hw
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        part = np.nan_to_num(image.pixels[top : top + rows].astype(np.float32) * np.float32(255 / image.white))
        np.clip(part, 0, 255, out=part)
        if image.alpha is not None:
            opacity = np.clip(image.alpha[top : top + rows, :, None] / np.float32(image.white), 0, 1)
            part = part * opacity + background * (1 - opacity)
        out[top : top + rows] = np.rint(part)
    return image.replace(pixels=out, color=Color(), white=255.0, alpha=None)


def _profile(color: Color, parsed: Profile | None) -> tuple[Profile | None, tuple[str, ...]]:
    """The curves and matrix of a color, from its profile or else from its names; None where nothing is known."""
    if parsed is not None:
        return parsed, ()
    matrix = TO_XYZ_D50.get(color.primaries)
    warnings = () if matrix is not None else (f"Unknown primaries ({color.primaries}) were taken for sRGB's.",)
    if matrix is None:
        matrix = TO_XYZ_D50["srgb"]
    if color.transfer == "unknown":
        curve, warnings = SRGB_CURVE, (*warnings, "The unknown transfer function was taken for sRGB's.")
    elif color.transfer in ("pq", "hlg"):
        curve = Curve(table=_hdr_table(color.transfer))
        named = color.transfer.upper()
        warnings = (*warnings, f"HDR ({named}) was shown in SDR: brighter than {HDR_WHITE_NITS:g} cd/m2 is clipped.")
    else:
        gamma = {"srgb": None, "linear": 1.0, "gamma": GAMMA.get(color.primaries, 2.2)}[color.transfer]
        curve = SRGB_CURVE if gamma is None else Curve((gamma, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0))
    if color.is_gray:
        return Profile("GRAY", (curve,)), warnings
    return Profile("RGB ", (curve, curve, curve), matrix), warnings


@lru_cache(maxsize=2)
def _hdr_table(transfer: str) -> npt.NDArray[np.float32]:
    """Light relative to diffuse white. Source: ITU-R BT.2100-3, tables 4 (PQ) and 5 (HLG, 1000 cd/m2 display)."""
    signal = np.linspace(0, 1, 4096)
    if transfer == "pq":
        power = np.power(signal, 1 / 78.84375)
        light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        return (np.power(light, 1 / 0.1593017578125) * 10000 / HDR_WHITE_NITS).astype(np.float32)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return (np.power(scene, 1.2) * 1000 / HDR_WHITE_NITS).astype(np.float32)


def _through_float(image: Image, profile: Profile) -> npt.NDArray[np.generic]:
    pixels, white = image.pixels, image.white
    out = np.empty_like(pixels)
    tables = [_light_table(curve, pixels.dtype, white) for curve in profile.curves]
    to_srgb_light = None
    if profile.to_xyz is not None:
        to_srgb_light = np.linalg.solve(TO_XYZ_D50["srgb"], profile.to_xyz).astype(np.float32)
    rows = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        part = pixels[top : top + rows]
        light = np.empty(part.shape, np.float32)
        for index in range(part.shape[2]):
            table, curve = tables[index], profile.curves[index]
            stored = part[..., index]
            light[..., index] = curve(np.nan_to_num(stored / white)) if table is None else table[stored]
        if to_srgb_light is not None:
            light = light @ to_srgb_light.T
        out[top : top + rows] = _encoded(light, pixels.dtype, white)
    return out


def _light_table(curve: Curve, dtype: np.dtype[np.generic], white: float) -> npt.NDArray[np.float32] | None:
    """The curve for every stored value there is; None for floats."""
    if dtype.kind == "f":
        return None
    return curve(np.minimum(np.arange(int(white_of(dtype)) + 1) / white, 1.0))


@lru_cache(maxsize=1)
def _srgb_table() -> npt.NDArray[np.float32]:
    return srgb_encode(np.arange(_FINE + 1, dtype=np.float32) / np.float32(_FINE))


def srgb_encode(light: Floats) -> npt.NDArray[np.float32]:
    """sRGB values 0..1 of light 0..1. Source: IEC 61966-2-1."""
    bright = 1.055 * np.power(np.maximum(light, 0.0031308), 1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, bright).astype(np.float32)


def _encoded(light: npt.NDArray[np.float32], dtype: np.dtype[np.generic], white: float) -> npt.NDArray[np.generic]:
    np.clip(light, 0, 1, out=light)
    if dtype == np.uint8:  # the table is exact enough for 8 bits and five times as fast
        stored = _srgb_table()[np.rint(light * np.float32(_FINE)).astype(np.uint16)] * np.float32(white)
    else:
        stored = srgb_encode(light) * np.float32(white)
    return np.rint(stored).astype(dtype) if dtype.kind == "u" else stored.astype(dtype)


def _through_tables(image: Image) -> Image:
    profile, warnings = image.color.icc or b"", ()
    pixels = image.pixels
    if pixels.dtype != np.uint8 or image.white != 255:
        warnings = ("The ICC profile works through tables; it was applied in 8 bits.",)
        scaled = np.nan_to_num(pixels.astype(np.float32)) * np.float32(255 / image.white)
        pixels = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    gray = image.color.is_gray
    try:
        shown = lcms.to_srgb(np.ascontiguousarray(pixels), "L" if gray else "RGB", profile)
    except ValueError as err:
        kept = (f"The ICC profile was not applied: {err}.",)
        return image.replace(color=Color(image.color.channels), warnings=image.warnings + kept)
    shown = shown[..., :1] if gray else shown
    if image.pixels.dtype != np.uint8 or image.white != 255:
        wide = shown.astype(np.float64) * (image.white / 255)
        shown = (np.rint(wide) if image.pixels.dtype.kind == "u" else wide).astype(image.pixels.dtype)
    color = Color(GRAY_CHANNELS if gray else RGB_CHANNELS)
    return image.replace(pixels=np.ascontiguousarray(shown), color=color, warnings=image.warnings + warnings)
