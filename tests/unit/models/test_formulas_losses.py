"""Each loss against its formula, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixelwright.errors import ShapeError, UnknownName
from tolerance import FLOAT32

torch = pytest.importorskip("torch")

from pixelwright.models import losses  # noqa: E402
from pixelwright.models.batch import VOID  # noqa: E402

RANDOM = np.random.default_rng(11)
LOGITS = RANDOM.normal(0, 3, (6, 4)).astype(np.float32)
IDS = np.array([0, 3, 1, 1, 2, 0])
ONE_HOT = np.eye(4, dtype=np.float32)[IDS]
SEVERAL = (RANDOM.random((6, 4)) < 0.5).astype(np.float32)
WEIGHTS = (0.5, 1.0, 2.0, 4.0)


def value(loss: Any, prediction: np.ndarray, target: np.ndarray, *options: Any) -> float:
    return float(loss(torch.from_numpy(prediction), torch.from_numpy(target), *options))


def close(actual: float, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, *FLOAT32)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits.astype(np.float64))
    return exponents / exponents.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def test_mse_of_scalars_by_hand() -> None:
    # (1/3) (0.5² + 1² + 2²)
    close(value(losses.mse, np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 5.0])), 5.25 / 3)


def test_mse_of_vectors_is_the_mean_over_samples_and_components() -> None:
    predicted, truth = RANDOM.random((5, 3)), RANDOM.random((5, 3))
    expected = sum((truth[n, d] - predicted[n, d]) ** 2 for n in range(5) for d in range(3)) / (5 * 3)
    close(value(losses.mse, predicted, truth), expected)


def test_mae_by_hand() -> None:
    close(value(losses.mae, np.array([1.0, -2.0]), np.array([4.0, -1.0])), 2.0)


def test_huber_is_squared_near_zero_and_straight_beyond_one() -> None:
    close(value(losses.huber, np.array([0.5, 3.0]), np.zeros(2)), (0.5 * 0.5**2 + (3 - 0.5)) / 2)


def test_charbonnier_is_a_smooth_absolute_error() -> None:
    predicted, truth = RANDOM.random((4, 3)), RANDOM.random((4, 3))
    close(value(losses.charbonnier, predicted, truth), np.mean(np.sqrt((truth - predicted) ** 2 + 1e-6)))
    close(value(losses.charbonnier, truth, truth), 1e-3)


@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", [IDS, ONE_HOT], ids=["ids", "one-hot"])
def test_cross_entropy(target: np.ndarray, weights: tuple[float, ...], smoothing: float) -> None:
    w = np.asarray(weights or (1.0,) * 4)
    smoothed = (1 - smoothing) * ONE_HOT + smoothing / 4
    expected = -(w * smoothed * np.log(softmax(LOGITS))).sum() / (w * ONE_HOT).sum()
    close(value(losses.cross_entropy, LOGITS, target, weights, smoothing), expected)


def test_cross_entropy_of_mixed_truth() -> None:
    mixed = 0.3 * ONE_HOT + 0.7 * ONE_HOT[::-1]
    expected = -(mixed * np.log(softmax(LOGITS))).sum(axis=1).mean()
    close(value(losses.cross_entropy, LOGITS, np.ascontiguousarray(mixed)), expected)


def test_cross_entropy_leaves_out_what_is_not_known() -> None:
    target = np.array([0, VOID, 1, VOID, 2, 0])
    known = target != VOID
    expected = -np.log(softmax(LOGITS)[known, target[known]]).mean()
    close(value(losses.cross_entropy, LOGITS, target), expected)


@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("target", "truth"), [(SEVERAL, SEVERAL), (ONE_HOT, ONE_HOT), (IDS, ONE_HOT)])
def test_binary_cross_entropy(
    target: np.ndarray, truth: np.ndarray, weights: tuple[float, ...], smoothing: float
) -> None:
    w, p = np.asarray(weights or (1.0,) * 4), sigmoid(LOGITS)
    q = (1 - smoothing) * truth + smoothing / 2
    close(value(losses.bce, LOGITS, target, weights, smoothing), (-w * q * np.log(p) - (1 - q) * np.log(1 - p)).mean())


def test_binary_cross_entropy_of_a_large_logit_is_finite() -> None:
    close(value(losses.bce, np.array([[200.0]]), np.array([[0.0]])), 200.0)


def focal(logits: np.ndarray, truth: np.ndarray, alpha: float = 0.25, gamma: float = 2.0) -> np.ndarray:
    """−α_t (1 − p_t)^γ log p_t, as in the paper."""
    p = sigmoid(logits)
    p_t, alpha_t = np.where(truth == 1, p, 1 - p), np.where(truth == 1, alpha, 1 - alpha)
    return -alpha_t * (1 - p_t) ** gamma * np.log(p_t)


@pytest.mark.parametrize(("target", "truth"), [(SEVERAL, SEVERAL), (IDS, ONE_HOT)])
def test_focal_loss(target: np.ndarray, truth: np.ndarray) -> None:
    close(value(losses.focal, LOGITS, target), focal(LOGITS, truth).mean())


def test_focal_loss_without_focus_is_half_the_binary_cross_entropy() -> None:
    terms = losses.focal_terms(torch.from_numpy(LOGITS), torch.from_numpy(SEVERAL), alpha=0.5, gamma=0.0)
    close(float(terms.mean()), value(losses.bce, LOGITS, SEVERAL) / 2)


def test_class_weights_of_the_focal_loss_count_where_a_class_is() -> None:
    unweighted = focal(LOGITS, SEVERAL, alpha=0.5) * 2
    expected = (unweighted * np.where(SEVERAL == 1, WEIGHTS, 1.0)).mean()
    close(value(losses.focal, LOGITS, SEVERAL, WEIGHTS), expected)


@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize(("target", "truth", "chances"), [(IDS, ONE_HOT, softmax), (SEVERAL, SEVERAL, sigmoid)])
def test_dice_loss(target: np.ndarray, truth: np.ndarray, chances: Any, weights: tuple[float, ...]) -> None:
    p = chances(LOGITS)
    each = 1 - (2 * (p * truth).sum(axis=0) + 1) / ((p**2).sum(axis=0) + (truth**2).sum(axis=0) + 1)
    close(value(losses.dice, LOGITS, target, weights), np.average(each, weights=weights or None))


def test_losses_of_maps_are_those_of_their_pixels() -> None:
    logits, ids = RANDOM.normal(0, 2, (2, 4, 3, 5)).astype(np.float32), RANDOM.integers(0, 4, (2, 3, 5))
    flat = np.ascontiguousarray(logits.transpose(0, 2, 3, 1).reshape(-1, 4))
    for loss in losses.CLASS_LOSSES.values():
        for weights in ((), WEIGHTS):
            close(value(loss, logits, ids, weights), value(loss, flat, ids.ravel(), weights))


@pytest.mark.parametrize("name", losses.CLASS_LOSSES)
def test_pixels_of_which_nothing_is_known_change_nothing(name: str) -> None:
    logits, ids = RANDOM.normal(0, 2, (1, 4, 3, 5)).astype(np.float32), RANDOM.integers(0, 4, (1, 3, 5))
    beyond = np.concatenate([logits, RANDOM.normal(0, 9, logits.shape).astype(np.float32)])
    unknown = np.concatenate([ids, np.full_like(ids, VOID)])
    close(value(losses.class_loss(name), beyond, unknown), value(losses.class_loss(name), logits, ids))


@pytest.mark.parametrize("name", losses.CLASS_LOSSES)
def test_where_nothing_is_known_there_is_no_loss_and_no_gradient(name: str) -> None:
    logits = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = losses.class_loss(name)(logits, torch.full((2, 3, 3), VOID), (), 0.0)
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


@pytest.mark.parametrize("name", losses.VALUE_LOSSES)
def test_a_target_of_another_shape_is_refused_and_never_broadcast(name: str) -> None:
    with pytest.raises(ShapeError, match=r"expected a target of \(4, 1\), got \(4,\)"):
        losses.value_loss(name)(torch.zeros(4, 1), torch.zeros(4))


def test_another_number_of_class_weights_is_refused() -> None:
    with pytest.raises(ShapeError, match="expected 4, one for each class, got 2"):
        value(losses.cross_entropy, LOGITS, IDS, (1.0, 2.0))


def test_an_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="cross-entropy"):
        losses.class_loss("crossentropy")
    with pytest.raises(UnknownName, match="mse"):
        losses.value_loss("msee")
