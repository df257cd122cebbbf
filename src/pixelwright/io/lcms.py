"""Little CMS, through Pillow: for profiles that work through tables, and for ink."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from pixelwright.io import profiles

Bytes = npt.NDArray[np.uint8]


def is_cmyk(profile: bytes | None) -> bool:
    """Whether a profile is a sound one for CMYK."""
    parsed = profiles.parse(profile) if profile else None
    return parsed is not None and parsed.space == "CMYK"


def cmyk_to_rgb(ink: Bytes, profile: bytes | None) -> Bytes:
    """sRGB (H, W, 3) from ink (H, W, 4), 255 = full ink; through the profile where it is a CMYK profile."""
    if profile and is_cmyk(profile):
        try:
            return to_srgb(ink, "CMYK", profile)
        except ValueError:
            pass  # a profile that parses but that Little CMS refuses is as good as none
    rgb = np.empty((*ink.shape[:2], 3), np.uint8)
    rows = max(1, 2**18 // ink.shape[1])  # strips keep the 16-bit products small
    for top in range(0, len(ink), rows):
        bare = 255 - ink[top : top + rows].astype(np.uint16)  # paper that shines through, 255 = all
        rgb[top : top + rows] = (bare[..., :3] * bare[..., 3:] + 127) // 255
    return rgb


def to_srgb(pixels: Bytes, mode: str, profile: bytes) -> Bytes:
    """8-bit sRGB (H, W, 3) from 8-bit pixels of a profile; relative colorimetric with black point compensation.

    Args:
        pixels: (H, W, C), or (H, W, 1) for mode L.
        mode: Pillow's name: L, RGB or CMYK.
        profile: An ICC profile for that mode.

    Raises:
        ValueError: Little CMS does not take the profile.
    """
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        picture = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if mode == "L" else pixels), mode=mode)
        turned = ImageCms.profileToProfile(
            picture,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, TypeError) as err:
        raise ValueError(f"Little CMS refuses the ICC profile: {err}") from err
    return np.asarray(turned)
