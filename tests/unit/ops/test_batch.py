"""The input contract is carried out exactly as it is written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwright.errors import ShapeError
from pixelwright.ops.batch import decode_hw, prepare, stack, tensor
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.raster import Window, crop
from pixelwright.structures.spec import InputSpec, Resize


def picture(height: int = 6, width: int = 8) -> Image:
    return Image(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))


def test_mean_and_std_are_applied_after_scaling_to_white() -> None:
    spec = InputSpec(white=255.0, mean=[1.0, 2.0, 3.0], std=[2.0, 2.0, 2.0])
    made = prepare(Image(np.array([[[11, 12, 13]]], np.uint8)), spec).tensor
    assert made.ravel().tolist() == [5.0, 5.0, 5.0]


def test_bgr_reverses_the_channels() -> None:
    made = prepare(Image(np.array([[[1, 2, 3]]], np.uint8)), InputSpec(channels="bgr", white=255.0)).tensor
    assert made.ravel().tolist() == pytest.approx([3, 2, 1])


def test_a_uint8_graph_gets_bytes_in_its_layout() -> None:
    made = prepare(picture(), InputSpec(dtype="uint8", white=255.0, layout="NHWC"))
    assert made.tensor.dtype == np.uint8
    assert np.array_equal(made.tensor, picture().pixels)


def test_a_gray_graph_gets_luma_and_a_color_graph_three_equal_channels() -> None:
    assert prepare(picture(), InputSpec(channels="gray")).tensor.shape == (1, 6, 8)
    gray = Image(np.full((2, 2, 1), 51, np.uint8), GRAY)
    assert np.allclose(prepare(gray, InputSpec()).tensor, 0.2)


def test_alpha_is_flattened_over_white_unless_refused() -> None:
    clear = Image(np.zeros((2, 2, 3), np.uint8), alpha=np.zeros((2, 2), np.uint8))
    assert (prepare(clear, InputSpec()).tensor == 1).all()
    with pytest.raises(ShapeError, match="alpha"):
        prepare(clear, InputSpec(alpha="refuse"))


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="8x6 is smaller than the 9x9"):
        prepare(picture(), InputSpec(crop_hw=(9, 9)))


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["stretch", "shorter"]), st.booleans())
def test_the_corners_of_the_tensor_map_back_to_the_original(height: int, width: int, rule: str, crop: bool) -> None:
    spec = InputSpec(resize=Resize(rule=rule, size_hw=(12, 12)), crop_hw=(12, 12) if crop else None)  # type: ignore[arg-type]
    made = prepare(picture(height, width), spec)
    rows, columns = made.tensor.shape[1:]
    corners = made.placement.to_original(np.array([[0, 0], [columns, rows]], np.float32))
    center = corners.mean(axis=0)
    assert np.allclose(center, [width / 2, height / 2], atol=max(1.0, height / 12, width / 12))
    if not crop:
        assert np.allclose(corners, [[0, 0], [width, height]], atol=1e-3)


def test_decoding_may_stop_at_the_size_the_resize_needs_only_where_the_contract_says_so() -> None:
    resize = Resize(rule="shorter", size_hw=(256, 256))
    assert decode_hw((3000, 4000), InputSpec(resize=resize)) is None
    assert decode_hw((3000, 4000), InputSpec(resize=resize, reduced_decode=1.0)) == (256, 341)
    assert decode_hw((3000, 4000), InputSpec(resize=resize, reduced_decode=1.5)) == (384, 512)


def test_sides_are_padded_to_the_multiple() -> None:
    assert tensor(picture(5, 9), InputSpec(multiple_of=8)).shape == (3, 8, 16)


def test_a_batch_holds_its_tensors_in_order() -> None:
    one, two = prepare(picture(), InputSpec()), prepare(picture(), InputSpec(channels="bgr"))
    assert np.array_equal(stack([one, two])[1], two.tensor)
    assert stack([one]).shape == (1, 3, 6, 8)


def test_a_crop_of_a_picture_keeps_its_own_shape() -> None:
    part = crop(picture(60, 80), Window(10, 10, 20, 40))
    made = prepare(part, InputSpec(resize=Resize(rule="shorter", size_hw=(10, 10))))
    assert made.tensor.shape == (3, 10, 20)
    assert made.original_hw == (20, 40)


SEQUENCE = InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")


def test_a_sequence_is_taken_as_it_is() -> None:
    steps = np.array([[1.5, -2.0, 300.0], [0.0, 7.0, -0.25]], np.float32)
    made = prepare(Image(steps[..., None], GRAY), SEQUENCE)
    assert made.tensor.tolist() == steps.tolist()
    assert stack([made, made]).shape == (2, 2, 3)


def test_mean_and_std_apply_to_all_numbers_of_a_sequence() -> None:
    spec = InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF", mean=[1.0], std=[2.0])
    assert prepare(Image(np.full((2, 3, 1), 5, np.float32), GRAY), spec).tensor.tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize("pixels", [np.zeros((4, 5, 1), np.uint8), np.zeros((4, 5, 3), np.float32)])
def test_a_picture_is_no_sequence(pixels: np.ndarray) -> None:
    image = Image(pixels, GRAY) if pixels.shape[2] == 1 else Image(pixels)
    with pytest.raises(ShapeError, match="takes no pictures"):
        prepare(image, SEQUENCE)
