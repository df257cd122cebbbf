"""How pictures and sequences become batches of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwright.contract import Example, LossOptions
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError
from pixelwright.models.architecture import Problem
from pixelwright.ops import batch as inference
from pixelwright.structures.image import Color, Image
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Classes, Values
from pixelwright.tasks.classify.train import TRAINING

PICTURES = Problem("classify", ("cat", "dog", "owl"), 3, (8, 8))
SEQUENCES = Problem("classify", ("up", "down"), 1, (5, 2), sequence=True)
RANDOM = np.random.default_rng(0)
EMPTY = Dataset(Path("x"), "test", "classes", ("a", "b"), ())


@pytest.mark.parametrize(
    ("sizes_hw", "expected"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(30, 40)] * 3, (30, 40)),
        ([(480, 640)] * 3, (160, 160)),
        ([(100, 90), (60, 70), (66, 200)], (64, 64)),
        ([(3, 500), (4, 9)], (32, 32)),
    ],
)
def test_the_size_is_that_of_the_pictures_if_they_agree_and_are_small_else_a_square(
    sizes_hw: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    resize = TRAINING.input(EMPTY, sizes_hw, 3).resize
    assert resize is not None
    assert resize.size_hw == expected


def test_a_picture_is_kept_as_it_will_be_prepared_later() -> None:
    spec = InputSpec(resize=Resize(rule="stretch", size_hw=(8, 8)), mean=[0.5], std=[0.25])
    image = Image(RANDOM.integers(0, 256, (20, 13, 3), dtype=np.uint8))
    example = TRAINING.encode(image, Classes((1,)), PICTURES, spec)
    later = inference.prepare(image, spec).tensor
    assert example.pixels.dtype == np.uint8
    np.testing.assert_allclose((example.pixels.transpose(2, 0, 1) / 255 - 0.5) / 0.25, later, atol=1e-5)


@pytest.mark.parametrize(("ids", "weights"), [((1,), [0, 1, 0]), ((0, 2), [1, 0, 1]), ((), [0, 0, 0])])
def test_classes_become_weights(ids: tuple[int, ...], weights: list[int]) -> None:
    spec = InputSpec(resize=Resize(rule="stretch", size_hw=(8, 8)))
    example = TRAINING.encode(Image(np.zeros((8, 8, 3), np.uint8)), Classes(ids), PICTURES, spec)
    assert example.target["classes"].tolist() == weights


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Classes((3,)), "class 3, and there are 3 labels"),
        (Values((1.0,)), "expected classes, got Values"),
        (None, "NoneType"),
    ],
)
def test_a_truth_that_does_not_fit_is_refused(target: Classes | Values | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        TRAINING.encode(Image(np.zeros((8, 8, 3), np.uint8)), target, PICTURES, InputSpec())


def test_pictures_become_a_batch_between_0_and_1() -> None:
    pixels = RANDOM.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    classes = np.eye(3, dtype=np.float32)
    examples = [Example(pixels[row], {"classes": classes[row]}, str(row)) for row in range(2)]
    batch = TRAINING.collate(examples, RANDOM, PICTURES)
    assert batch.images.shape == (2, 3, 8, 8) and batch.images.dtype == torch.float32
    assert batch.images[1, 2, 3, 4] == pytest.approx(pixels[1, 3, 4, 2] / 255)
    assert batch.classes is not None and batch.classes.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert batch.ids == ("0", "1")


def _sequence(values: list[list[float]]) -> Image:
    return Image(np.array(values, np.float32)[:, :, None], color=Color(channels=("value",), transfer="unknown"))


def test_sequences_are_filled_up_to_the_longest_and_their_lengths_are_kept() -> None:
    spec = TRAINING.input(Dataset(Path("x"), "test", "classes", ("a", "b"), (), sequence=True), [(3, 2)], 1)
    assert spec.is_sequence
    examples = [
        TRAINING.encode(_sequence([[1, 2], [3, 4], [5, 6]]), Classes((0,)), SEQUENCES, spec),
        TRAINING.encode(_sequence([[7, 8]]), Classes((1,)), SEQUENCES, spec),
    ]
    batch = TRAINING.collate(examples, RANDOM, SEQUENCES)
    assert batch.images.tolist() == [[[1, 2], [3, 4], [5, 6]], [[7, 8], [0, 0], [0, 0]]]
    assert batch.lengths is not None and batch.lengths.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("values", "said"), [([[1.0, 2.0, 3.0]], "expected 2 features a step, got 3"), ([[1.0, np.nan]], "NaN or infinity")]
)
def test_a_sequence_that_does_not_fit_is_refused(values: list[list[float]], said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        TRAINING.encode(_sequence(values), Classes((0,)), SEQUENCES, InputSpec())


def test_the_loss_is_cross_entropy_or_binary_where_classes_do_not_exclude_each_other() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    examples = [Example(np.zeros((8, 8, 3), np.uint8), {"classes": np.array([1, 0, 0], np.float32)}, "a")]
    batch = TRAINING.collate(examples, RANDOM, PICTURES)
    one = TRAINING.loss({"logits": logits}, batch, PICTURES, LossOptions())
    # -log(e^2 / (e^2 + 1 + e^-1)), and the mean of log(1 + e^-2), log 2, log(1 + e^-1).
    assert one["cross-entropy"].item() == pytest.approx(np.log(np.exp(2) + 1 + np.exp(-1)) - 2, rel=1e-5)
    several = TRAINING.loss(
        {"logits": logits}, batch, Problem("classify", PICTURES.labels, 3, (8, 8), exclusive=False), LossOptions()
    )
    expected = np.mean([np.log1p(np.exp(-2)), np.log(2), np.log1p(np.exp(-1))])
    assert several["bce"].item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_may_be_named() -> None:
    examples = [Example(np.zeros((8, 8, 3), np.uint8), {"classes": np.array([1, 0, 0], np.float32)}, "a")]
    batch = TRAINING.collate(examples, RANDOM, PICTURES)
    parts = TRAINING.loss({"logits": torch.zeros(1, 3)}, batch, PICTURES, LossOptions("focal"))
    assert list(parts) == ["focal"]
