"""Convolution and pooling as networks compute them, against the formulas written out in NumPy.

All kernels are asymmetric: with a symmetric one a flipped convolution would pass.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tolerance import FLOAT32

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

Convolve = Callable[..., np.ndarray]

# No row, column or diagonal of it is its own mirror image.
KERNEL = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 7.0], [11.0, -13.0, 17.0]], np.float32)


def over_the_kernel(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """y(x, y) = Σ_a Σ_b X(x + a, y + b) w(a, b): the sum runs over the kernel, here with rows first."""
    height, width = kernel.shape
    made = np.zeros((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for y in range(made.shape[0]):
        for x in range(made.shape[1]):
            for b in range(height):
                for a in range(width):
                    made[y, x] += image[y + b, x + a] * kernel[b, a]
    return made


def over_the_picture(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """y(x, y) = Σ_i Σ_j X(i, j) w(i − x, j − y): the sum runs over the picture; w is 0 outside of the kernel."""
    height, width = kernel.shape
    made = np.zeros((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for y in range(made.shape[0]):
        for x in range(made.shape[1]):
            for j in range(image.shape[0]):
                for i in range(image.shape[1]):
                    if 0 <= j - y < height and 0 <= i - x < width:
                        made[y, x] += image[j, i] * kernel[j - y, i - x]
    return made


def layer(images: np.ndarray, weights: np.ndarray, bias: np.ndarray, padding: int = 0, stride: int = 1) -> np.ndarray:
    """y_k = b_k + Σ_c (X_c framed by zeros, with w_kc), every `stride`-th of both axes: (N, C, H, W) to (N, K, ...)."""
    framed = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    answers = []
    for image in framed:
        channels = [
            bias[k] + sum(over_the_kernel(image[c], weights[k, c]) for c in range(image.shape[0]))
            for k in range(len(weights))
        ]
        answers.append(np.stack(channels)[:, ::stride, ::stride])
    return np.stack(answers)


def in_torch(
    images: np.ndarray, weights: np.ndarray, bias: np.ndarray, padding: int = 0, stride: int = 1
) -> np.ndarray:
    given = (torch.from_numpy(array) for array in (images, weights, bias))
    return functional.conv2d(*given, stride=stride, padding=padding).numpy()


def in_onnx_runtime(
    images: np.ndarray, weights: np.ndarray, bias: np.ndarray, padding: int = 0, stride: int = 1
) -> np.ndarray:
    node = helper.make_node("Conv", ["in", "w", "b"], ["out"], pads=[padding] * 4, strides=[stride] * 2)
    graph = helper.make_graph(
        [node],
        "convolution",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, images.shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"in": images})[0]


FRAMEWORKS = [pytest.param(in_torch, id="torch"), pytest.param(in_onnx_runtime, id="onnxruntime")]


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, *FLOAT32)


def test_the_sum_over_the_kernel_is_the_sum_over_the_picture() -> None:
    image = random(6, 7)
    close(over_the_picture(image, KERNEL), over_the_kernel(image, KERNEL))


def test_a_convolution_by_hand() -> None:
    image = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    # 1·1 + 2·2 + 0·3 + 1·4 at the left, 2·1 + 0·2 + 1·3 + 3·4 at the right
    assert over_the_kernel(image, np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[9.0, 17.0]]


@pytest.mark.parametrize("convolve", FRAMEWORKS)
def test_an_impulse_comes_out_as_the_kernel_mirrored_for_it_is_never_flipped(convolve: Convolve) -> None:
    image = np.zeros((1, 1, 5, 5), np.float32)
    image[0, 0, 2, 2] = 1
    made = convolve(image, KERNEL[None, None], np.zeros(1, np.float32))
    assert made[0, 0].tolist() == KERNEL[::-1, ::-1].tolist()


@pytest.mark.parametrize("convolve", FRAMEWORKS)
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_layer_sums_channels_and_adds_its_bias(convolve: Convolve, padding: int, stride: int) -> None:
    images, weights, bias = random(2, 3, 6, 5), random(4, 3, 3, 2), random(4)
    close(convolve(images, weights, bias, padding, stride), layer(images, weights, bias, padding, stride))


@pytest.mark.parametrize("convolve", FRAMEWORKS)
def test_padding_frames_with_zeros(convolve: Convolve) -> None:
    ones = np.ones((1, 1, 2, 2), np.float32)
    made = convolve(ones, KERNEL[None, None], np.zeros(1, np.float32), 1)
    # Of the kernel counts what lies on the picture: 5 + 7 − 13 + 17, −4 + 5 + 11 − 13, 2 + 3 + 5 + 7, 1 + 2 − 4 + 5.
    assert made[0, 0].tolist() == [[16.0, -1.0], [17.0, 4.0]]


def test_opencv_filters_with_the_same_kernel_about_its_middle() -> None:
    image = random(8, 9)
    filtered = cv2.filter2D(image, -1, KERNEL, borderType=cv2.BORDER_CONSTANT)
    close(filtered, layer(image[None, None], KERNEL[None, None], np.zeros(1), 1)[0, 0])
    close(filtered, in_torch(image[None, None], KERNEL[None, None], np.zeros(1, np.float32), 1)[0, 0])


def test_a_true_convolution_needs_the_kernel_turned_by_half() -> None:
    image = random(6, 6)
    true = np.zeros((4, 4))
    for y in range(4):
        for x in range(4):
            true[y, x] = sum(image[y + 2 - b, x + 2 - a] * KERNEL[b, a] for b in range(3) for a in range(3))
    turned = np.ascontiguousarray(KERNEL[::-1, ::-1])
    close(in_torch(image[None, None], turned[None, None], np.zeros(1, np.float32))[0, 0], true)
    assert np.abs(over_the_kernel(image, KERNEL) - true).max() > 1


def pooled(image: np.ndarray, size: int, padding: int = 0) -> np.ndarray:
    """The largest number of each window of `size`, side by side; what does not fill one is left out."""
    framed = np.pad(image, padding, constant_values=-np.inf)
    rows, columns = (side // size for side in framed.shape)
    made = np.empty((rows, columns), image.dtype)
    for row in range(rows):
        for column in range(columns):
            made[row, column] = framed[row * size : (row + 1) * size, column * size : (column + 1) * size].max()
    return made


def max_pool(image: np.ndarray, size: int, padding: int = 0) -> np.ndarray:
    return functional.max_pool2d(torch.from_numpy(image)[None, None], size, padding=padding)[0, 0].numpy()


def test_max_pooling_keeps_the_largest_of_each_window() -> None:
    image = np.array([[1, 9, 2, 3], [4, 5, 8, 0]], np.float32)
    assert max_pool(image, 2).tolist() == [[9.0, 8.0]]


@pytest.mark.parametrize("size_hw", [(4, 4), (5, 7), (7, 5), (3, 2)])
def test_max_pooling_rounds_down(size_hw: tuple[int, int]) -> None:
    image = random(*size_hw)
    made = max_pool(image, 2)
    assert made.shape == (size_hw[0] // 2, size_hw[1] // 2)
    assert made.tolist() == pooled(image, 2).tolist()


def test_max_pooling_pads_with_minus_infinity_so_that_negative_numbers_stay() -> None:
    image = -1 - np.abs(random(4, 6))
    made = max_pool(image, 2, padding=1)
    assert made.tolist() == pooled(image, 2, padding=1).tolist()
    assert (made < 0).all()  # zeros in the frame would have won
