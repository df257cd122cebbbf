"""Enhancement keeps what a file is, and tiled equals whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import blur
from pixelwright.errors import BundleError, RuntimeFailure, ShapeError, UsageError
from pixelwright.io.images import read_image, write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import GRAY, Capture, Color, Image
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.spec import InputSpec, OutputSpec


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "blur": load(blur(folder / "a").path),
        "strided": load(blur(folder / "b", name="strided", stride=2).path),
        "twice": load(blur(folder / "c", name="twice", scale=2, stride=2).path),
        "whole": load(blur(folder / "d", name="whole", tiling=None).path),
        "8-bit": load(blur(folder / "e", name="eight", input=InputSpec(), tiling=None).path),
        "gray": load(
            blur(folder / "f", name="refuses", input=InputSpec(color="as-is", gray="refuse", alpha="refuse")).path
        ),
    }


def noise(*shape: int, dtype: type = np.uint16, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).integers(0, 256 if dtype == np.uint8 else 65536, shape)
    return Image(values.astype(dtype), Color() if shape[2] == 3 else GRAY)


def box_blur(image: Image) -> np.ndarray:
    """The 5x5 mean with zero padding, written out: what the test network computes."""
    values = np.pad(image.pixels.astype(np.float64), ((2, 2), (2, 2), (0, 0)))
    height, width = image.size_hw
    return sum(values[dy : dy + height, dx : dx + width] for dy in range(5) for dx in range(5)) / 25


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.sampled_from(["blur", "strided", "twice"]))
def test_tiled_equals_whole(models: dict[str, Model], height: int, width: int, tile_px: int, name: str) -> None:
    image = noise(height, width, 3)
    whole = models[name](image, tile_px=10_000)
    tiled = models[name](image, tile_px=tile_px)
    # 16-bit steps; the network's float32 sums may be ordered otherwise for another shape.
    assert np.abs(whole.pixels.astype(int) - tiled.pixels).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_arithmetic_is_the_networks(models: dict[str, Model], dtype: type) -> None:
    image = noise(31, 45, 3, dtype=dtype)
    made = models["blur"](image)
    assert made.pixels.dtype == dtype
    assert np.abs(made.pixels - box_blur(image)).max() <= 0.51


def test_any_window_of_a_result_is_that_part_of_the_whole(models: dict[str, Model]) -> None:
    model, image = models["twice"], noise(41, 53, 3)
    prepared = model.task.prepare(Raster.of(image), model.bundle)
    (result,) = model.task.predict([prepared], model.graphs(1), model.bundle, model.options)
    whole = result.read().pixels.astype(int)
    for window in (Window(0, 0, 82, 106), Window(3, 5, 7, 9), Window(81, 105, 1, 1), Window(20, 0, 40, 106)):
        part = result.read(window)
        assert part.size_hw == (window.height, window.width)
        assert np.abs(part.pixels - whole[window.slices]).max() <= 1


def test_gray_stays_gray(models: dict[str, Model]) -> None:
    image = noise(20, 20, 1)
    made = models["blur"](image)
    assert made.color.is_gray
    assert np.abs(made.pixels - box_blur(image)).max() <= 0.51


def test_more_channels_are_each_enhanced(models: dict[str, Model]) -> None:
    bands = Color(("blue", "green", "red", "nir", "swir"))
    image = Image(np.random.default_rng(3).random((12, 13, 5)).astype(np.float32), bands)
    made = models["blur"](image)
    assert made.color == bands and made.pixels.dtype == np.float32
    assert np.allclose(made.pixels, box_blur(image), atol=1e-5)


def test_alpha_comes_along_untouched_or_enlarged(models: dict[str, Model]) -> None:
    alpha = np.random.default_rng(4).integers(0, 65536, (20, 22)).astype(np.uint16)
    image = noise(20, 22, 3).replace(alpha=alpha)
    assert np.array_equal(models["blur"](image).alpha, alpha)
    large = models["twice"](image)
    assert large.alpha is not None and large.alpha.shape == (40, 44)
    tiled = models["twice"](image, tile_px=7)
    assert tiled.alpha is not None and np.array_equal(large.alpha, tiled.alpha)


def test_profile_metadata_white_and_spacing_come_along(models: dict[str, Model]) -> None:
    color = Color(icc=b"a profile", primaries="display-p3")
    image = Image(
        np.full((9, 9, 3), 4000, np.uint16), color, white=4095, capture=Capture(exif=b"e", dpi=(300, 300)),
        spacing_mm=(0.5, 0.5),
    )  # fmt: skip
    made = models["twice"](image)
    assert (made.color, made.white, made.capture) == (image.color, image.white, image.capture)
    assert made.spacing_mm == (0.25, 0.25)
    assert made.pixels.max() <= 4095


def test_floats_above_white_are_not_clipped(models: dict[str, Model]) -> None:
    bright = Image(np.full((9, 9, 3), 7.5, np.float32))
    assert models["blur"](bright).pixels[4, 4].tolist() == pytest.approx([7.5] * 3)


def test_a_model_that_must_see_the_whole_gets_it(models: dict[str, Model]) -> None:
    image = noise(40, 40, 3)
    assert np.array_equal(models["whole"](image, tile_px=8).pixels, models["whole"](image).pixels)


def test_an_8_bit_srgb_contract_makes_8_bit_and_flattens(models: dict[str, Model]) -> None:
    made = models["8-bit"](noise(9, 9, 3).replace(alpha=np.zeros((9, 9), np.uint16)))
    assert made.pixels.dtype == np.uint8 and made.alpha is None and made.white == 255
    assert made.pixels[4, 4].tolist() == [255] * 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 1, 1)])
def test_the_smallest_images_work(models: dict[str, Model], shape: tuple[int, int, int]) -> None:
    for name in ("blur", "strided", "twice"):
        scale = 2 if name == "twice" else 1
        assert models[name](noise(*shape)).size_hw == (shape[0] * scale, shape[1] * scale)


def test_what_the_contract_refuses_is_refused_in_one_sentence(models: dict[str, Model]) -> None:
    with pytest.raises(ShapeError, match="gray"):
        models["gray"](noise(9, 9, 1))
    with pytest.raises(ShapeError, match="alpha"):
        models["gray"](noise(9, 9, 3).replace(alpha=np.zeros((9, 9), np.uint16)))
    with pytest.raises(ShapeError, match="neither gray nor RGB"):
        models["gray"](Image(np.zeros((9, 9, 2), np.uint8), Color(("a", "b"))))
    with pytest.raises(ShapeError, match="NaN"):
        models["blur"](Image(np.full((9, 9, 3), np.nan, np.float32)))


def test_options_that_enhance_does_not_read_are_refused(models: dict[str, Model]) -> None:
    with pytest.raises(UsageError, match="does not read top_k; it reads tile_px"):
        models["blur"](noise(9, 9, 3), top_k=1)


def test_a_network_that_makes_infinities_is_reported(tmp_path: Path) -> None:
    model = load(blur(tmp_path / "loud", name="loud", gain=100.0).path)
    with pytest.raises(RuntimeFailure, match="not finite"):
        model(Image(np.full((9, 9, 3), 3e38, np.float32)))


def test_a_decoder_that_makes_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"makes no image|label"):
        load(blur(tmp_path / "x", output=OutputSpec(decoder="softmax", parameters={"output": "out"})).path)


def test_a_model_that_must_see_the_whole_gets_it_from_every_writer(models: dict[str, Model], tmp_path: Path) -> None:
    image, model = noise(900, 70, 3), models["whole"]
    prepared = model.task.prepare(Raster.of(image), model.bundle)
    (result,) = model.task.predict([prepared], model.graphs(1), model.bundle, model.options)
    whole = model(image).pixels
    assert np.array_equal(result.read(Window(700, 0, 100, 70)).pixels, whole[700:800])
    for name in ("a.tif", "a.png"):
        write_image(result, tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name).pixels, whole)


def test_pixels_converted_to_srgb_are_not_labeled_with_the_files_profile(models: dict[str, Model]) -> None:
    wide = noise(9, 9, 3).replace(color=Color(primaries="display-p3", transfer="srgb"))
    model = models["8-bit"]
    (result,) = model.task.predict([Raster.of(wide)], model.graphs(1), model.bundle, model.options)
    assert result.color.is_srgb and result.read().color.is_srgb


def test_a_network_that_makes_another_size_than_stated_is_reported(tmp_path: Path) -> None:
    output = OutputSpec(decoder="image", parameters={"output": "out"})  # the scale of 2 left out
    model = load(blur(tmp_path / "x", name="x", scale=2, output=output).path)
    with pytest.raises(RuntimeFailure, match=r"made \(18, 18\) pixels, its contract says \(9, 9\)"):
        model(noise(9, 9, 3))
