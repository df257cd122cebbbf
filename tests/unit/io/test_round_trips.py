"""What is written comes back: every lossless format, depth, alpha, gray, odd size and orientation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwright.io.images import formats, read_image, write_image
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Capture, Color, Image

LOSSLESS = {"png": ".png", "tiff": ".tif", "webp": ".webp", "bmp": ".bmp", "jpeg2000": ".jp2"}
NO_GRAY = {"webp"}
KEEPS_METADATA = {"png", "tiff", "webp"}
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def pictures(draw: st.DrawFn, dtypes: tuple[str, ...], *, alpha: bool) -> Image:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    dtype: Any = np.dtype(draw(st.sampled_from(dtypes)))
    channels = draw(st.sampled_from([GRAY_CHANNELS, RGB_CHANNELS]))
    dice = np.random.default_rng(draw(st.integers(0, 1000)))
    top = 1.0 if dtype.kind == "f" else np.iinfo(dtype).max

    def values(*shape: int) -> Any:
        return (dice.random(shape) * top).astype(dtype)

    mask = values(height, width) if alpha and draw(st.booleans()) else None
    return Image(values(height, width, len(channels)), Color(channels), alpha=mask)


@pytest.mark.parametrize("name", LOSSLESS)
@QUICK
@given(data=st.data())
def test_lossless_formats_give_back_what_was_written(name: str, data: st.DataObject, tmp_path: Path) -> None:
    form = next(form for form in formats() if form.name == name)
    image = data.draw(pictures(form.holds.dtypes, alpha=form.holds.alpha))
    path = tmp_path / f"x{LOSSLESS[name]}"
    write_image(image, path)
    again = read_image(path)
    expected = image.pixels
    if name in NO_GRAY and image.color.is_gray:
        expected = np.repeat(expected, 3, axis=2)
    assert again.pixels.dtype == image.pixels.dtype
    assert np.array_equal(again.pixels, expected)
    opaque = image.alpha is None
    assert (again.alpha is None) == opaque
    if again.alpha is not None and image.alpha is not None:
        assert np.array_equal(again.alpha, image.alpha)
    assert again.source.format == name


@pytest.mark.parametrize("name", sorted(KEEPS_METADATA))
@QUICK
@given(order=st.sampled_from("<>"), dpi=st.integers(20, 3000), xmp=st.binary(min_size=1, max_size=300))
def test_metadata_comes_back(name: str, order: str, dpi: int, xmp: bytes, tmp_path: Path) -> None:
    from PIL import Image as PillowImage

    tags = PillowImage.Exif()
    tags.endian = order
    tags[271] = "Maker"
    tags.get_ifd(34665)[34855] = 400
    packet = b"<x:xmpmeta>" + xmp.hex().encode() + b"</x:xmpmeta>"
    capture = Capture(exif=tags.tobytes()[6:], xmp=packet, dpi=(float(dpi), float(dpi)))
    write_image(Image(np.zeros((3, 5, 3), np.uint8), capture=capture), tmp_path / f"x{LOSSLESS[name]}")
    again = read_image(tmp_path / f"x{LOSSLESS[name]}").capture
    found = PillowImage.Exif()
    found.load(again.exif or b"")
    assert found[271] == "Maker"
    assert found.get_ifd(34665)[34855] == 400
    assert again.xmp == packet
    if name != "webp":  # which keeps a resolution only inside EXIF, where there is one already
        assert again.dpi == pytest.approx((dpi, dpi), abs=0.02)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "avif", "bmp"])
def test_resolution_alone_survives_everywhere(suffix: str, tmp_path: Path) -> None:
    capture = Capture(dpi=(300.0, 150.0))
    write_image(Image(np.zeros((16, 16, 3), np.uint8), capture=capture), tmp_path / f"x.{suffix}")
    assert read_image(tmp_path / f"x.{suffix}").capture.dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("primaries", ["srgb", "display-p3", "adobe-rgb", "bt2020"])
@pytest.mark.parametrize("transfer", ["srgb", "linear", "gamma"])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "avif"])
def test_named_colors_are_written_as_a_profile_and_recognized(
    primaries: str, transfer: str, suffix: str, tmp_path: Path
) -> None:
    color = Color(transfer=transfer, primaries=primaries)
    write_image(Image(np.full((16, 16, 3), 90, np.uint8), color), tmp_path / f"x.{suffix}")
    again = read_image(tmp_path / f"x.{suffix}").color
    assert (again.transfer, again.primaries) == (transfer, primaries)
    assert (again.icc is None) == color.is_srgb
