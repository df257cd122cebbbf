"""Profiles and conversion to sRGB, against Little CMS, published matrices and hand-made numbers."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageCms

from pixelwright.errors import UsageError
from pixelwright.io import icc, profiles
from pixelwright.io.icc import to_srgb, to_srgb8
from pixelwright.io.profiles import TO_XYZ_D50
from pixelwright.structures.image import GRAY, GRAY_CHANNELS, RGB_CHANNELS, Color, Image

P3 = profiles.make(TO_XYZ_D50["display-p3"], None)
# http://www.brucelindbloom.com/index.html?Eqn_RGB_XYZ_Matrix.html and, for BT.2020 and P3, ICC profiles of the W3C
PUBLISHED = {
    "srgb": [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]],
    "adobe-rgb": [
        [0.6097559, 0.2052401, 0.1492240],
        [0.3111242, 0.6256560, 0.0632197],
        [0.0194811, 0.0608902, 0.7448387],
    ],
    "display-p3": [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]],
    "bt2020": [[0.67348, 0.16566, 0.12505], [0.27904, 0.67534, 0.04562], [-0.00194, 0.02998, 0.79686]],
}
CUBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3, indexing="ij"), axis=-1).reshape(6, 36, 3).astype(np.uint8)


def colored(pixels: np.ndarray[Any, Any], profile: bytes) -> Image:
    return Image(pixels, Color(RGB_CHANNELS, *profiles.names_of(profile), profile))


@pytest.mark.parametrize("primaries", ["display-p3", "adobe-rgb", "bt2020"])
@pytest.mark.parametrize("gamma", [None, 1.8, 2.2])
def test_conversion_agrees_with_little_cms(primaries: str, gamma: float | None) -> None:
    profile = profiles.make(TO_XYZ_D50[primaries], gamma)
    ours = to_srgb(colored(CUBE, profile)).pixels
    theirs = ImageCms.profileToProfile(
        PillowImage.fromarray(CUBE),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.HIGHRESPRECALC,
    )
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1


def test_16_bits_stay_16() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    out = to_srgb(colored(ramp, P3))
    assert out.pixels.dtype == np.uint16
    assert len(np.unique(out.pixels[..., 0])) > 60000
    assert np.abs(out.pixels.astype(int) - ramp).max() <= 3  # grays are grays in both; 3 of 65535 is float32
    assert out.color.is_srgb


def test_a_profile_that_is_srgb_changes_nothing() -> None:
    image = colored(CUBE, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert (image.color.transfer, image.color.primaries) == ("srgb", "srgb")
    assert np.array_equal(to_srgb(image).pixels, CUBE)
    assert to_srgb(image).color.icc is None


def test_gray_on_a_gamma_curve() -> None:
    """0.5 ** 2.2 = 0.2176 of the light, which sRGB stores as 0.5029 = 128.2 of 255."""
    gray = Image(np.full((1, 1, 1), 128, np.uint8), Color(GRAY_CHANNELS, "gamma", "srgb", profiles.make(None, 2.2)))
    assert to_srgb(gray).pixels.tolist() == [[[129]]]
    assert to_srgb8(gray).pixels.tolist() == [[[129, 129, 129]]]


@pytest.mark.parametrize(
    ("transfer", "value", "expected"), [("linear", 0.5, 188), ("srgb", 0.5, 128), ("gamma", 0.5, 128)]
)
def test_named_transfers(transfer: str, value: float, expected: int) -> None:
    image = Image(np.full((1, 1, 3), value, np.float32), Color(transfer=transfer))
    assert to_srgb8(image).pixels[0, 0].tolist() == [expected] * 3


def test_pq_at_diffuse_white_is_white() -> None:
    """ITU-R BT.2408: 203 cd/m2 is a PQ signal of 58 %."""
    image = Image(np.full((1, 1, 1), 0.5807, np.float32), Color(GRAY_CHANNELS, "pq", "bt2020"))
    assert to_srgb8(image).pixels[0, 0, 0] in (254, 255)


@pytest.mark.parametrize(
    ("dtype", "white", "stored", "expected"),
    [
        (np.uint16, 0.0, 257 * 100, 100),
        (np.uint16, 0.0, 257 * 100 + 129, 101),
        (np.uint16, 4095.0, 2048, 128),
        (np.float32, 0.0, 2.0, 255),
        (np.float32, 0.0, -1.0, 0),
        (np.float32, 0.0, np.nan, 0),
    ],
)
def test_8_bits_are_rounded_and_clipped(dtype: Any, white: float, stored: float, expected: int) -> None:
    image = Image(np.full((1, 1, 1), stored, dtype), GRAY, white)
    assert to_srgb8(image).pixels.tolist() == [[[expected] * 3]]


def test_alpha_is_flattened_over_the_stated_background() -> None:
    image = Image(np.zeros((1, 3, 3), np.uint8), alpha=np.array([[0, 128, 255]], np.uint8))
    assert to_srgb8(image).pixels[0, :, 0].tolist() == [255, 127, 0]
    assert to_srgb8(image, background=0).pixels[0, :, 0].tolist() == [0, 0, 0]
    assert to_srgb8(image).alpha is None


def test_channels_that_are_no_picture_are_refused() -> None:
    with pytest.raises(UsageError, match="nir"):
        to_srgb8(Image(np.zeros((2, 2, 2), np.uint8), Color(("nir", "pan"), "unknown", "unknown")))


def table_profile() -> bytes:
    """A display profile that works through a table which swaps nothing: a 2-point lut8 in Lab."""
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    curve = bytes(range(256)) * 3
    corners = [(int(255 * (r + g + b) / 3), 128, 128) for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    lut = b"mft1" + bytes(4) + bytes((3, 3, 2, 0)) + identity + curve + bytes(sum(corners, ())) + curve
    plain = profiles.make(TO_XYZ_D50["srgb"], 2.2)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    at = 132 + 24
    tags = (
        struct.pack(">I", 2)
        + struct.pack(">4sII", b"A2B0", at, len(lut))
        + struct.pack(">4sII", b"wtpt", at + len(lut), 20)
    )
    body = lut + white
    head = bytearray(plain[:128])
    head[8:12] = b"\x02\x40\0\0"
    head[20:24] = b"Lab "
    struct.pack_into(">I", head, 0, at + len(body))
    return bytes(head) + tags + body


def test_table_profiles_go_through_little_cms_and_say_so() -> None:
    profile = table_profile()
    parsed = profiles.parse(profile)
    assert parsed is not None
    assert not parsed.is_plain
    image = Image(np.full((2, 2, 3), 40000, np.uint16), Color(RGB_CHANNELS, "unknown", "unknown", profile))
    out = to_srgb(image)
    assert out.pixels.dtype == np.uint16
    assert any("tables" in sentence for sentence in out.warnings)


@pytest.mark.parametrize("change", ["cut", "signature", "counts", "tag"])
def test_damaged_profiles_are_none(change: str) -> None:
    data = bytearray(P3)
    if change == "cut":
        data = data[:-40]
    elif change == "signature":
        data[36] = 0
    elif change == "counts":
        data[128:132] = b"\xff\xff\xff\xff"
    else:
        struct.pack_into(">I", data, 136, 2**31)
    assert profiles.parse(bytes(data)) is None
    color, warnings = profiles.color_of(RGB_CHANNELS, bytes(data))
    assert color.is_srgb
    assert "damaged" in warnings[0]


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_profile_is_survived(noise: bytes, at: int) -> None:
    data = P3[:at] + noise + P3[at + len(noise) :]
    color, _ = profiles.color_of(RGB_CHANNELS, data)
    to_srgb8(Image(CUBE, color))


def test_a_profile_for_other_channels_is_ignored_with_a_warning() -> None:
    color, warnings = profiles.color_of(RGB_CHANNELS, profiles.make(None, 2.2))
    assert color.icc is None
    assert "GRAY" in warnings[0]


def test_gray_under_an_rgb_profile_takes_its_curve() -> None:
    color, warnings = profiles.color_of(GRAY_CHANNELS, profiles.make(TO_XYZ_D50["srgb"], 1.0))
    assert (color.transfer, warnings) == ("linear", ())
    assert profiles.color_of(GRAY_CHANNELS, P3)[0].is_srgb


@pytest.mark.parametrize(
    ("name", "xy"),
    [
        ("srgb", (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)),
        ("display-p3", (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
        ("adobe-rgb", (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)),
        ("bt2020", (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    ],
)
def test_matrices_follow_from_primaries_and_equal_the_published_ones(name: str, xy: tuple[float, ...]) -> None:
    computed = profiles.matrix_of(xy)
    assert computed is not None
    assert np.abs(computed - TO_XYZ_D50[name]).max() < 1e-6
    assert np.abs(computed - np.array(PUBLISHED[name])).max() < 6e-4  # there with a white of other digits


def test_impossible_primaries_are_none() -> None:
    assert profiles.matrix_of((0.3, 0.3) * 4) is None
    assert profiles.matrix_of((0.3, 0.0, 0.6, 0.3, 0.3, 0.6, 0.1, 0.1)) is None


def test_srgb_encoding_by_its_definition() -> None:
    assert icc.srgb_encode(np.array([0.0, 0.0031308, 0.5, 1.0])).tolist() == pytest.approx(
        [0, 0.04045, 0.735357, 1], abs=1e-5
    )
