"""Losses: by how much an answer is wrong, as one number that is differentiable.

All are pure functions of an answer and the truth and give a mean, so that none depends on the size of a batch.
Networks answer with raw logits; the sigmoid or softmax is in here, where it is exact for large logits too.

Two kinds of truth are told apart by their type. Integers are ids of classes that exclude each other, (N, ...), with
`VOID` where nothing is known. Floating-point numbers are the weights of all classes, (N, K, ...): one-hot, mixed, or
several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.errors import ShapeError, UnknownName
from pixelwright.models.batch import VOID

ClassLoss = Callable[[Tensor, Tensor, "Sequence[float]", float], Tensor]
ValueLoss = Callable[[Tensor, Tensor], Tensor]


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error: (1/N) Σ (y − ŷ)² over all N numbers of tensors of one shape."""
    _alike("mse", prediction, target)
    return functional.mse_loss(prediction, target)


def mae(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, also called L1: (1/N) Σ |y − ŷ| over all N numbers of tensors of one shape."""
    _alike("mae", prediction, target)
    return functional.l1_loss(prediction, target)


def huber(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared near zero and absolute beyond 1: mean of e²/2 where |e| ≤ 1, |e| − 1/2 elsewhere.

    Source: Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.
    """
    _alike("huber", prediction, target)
    return functional.huber_loss(prediction, target)


def charbonnier(prediction: Tensor, target: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """A smooth absolute error: mean of √((y − ŷ)² + ε²).

    Source: Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging", ICIP
    1994; for restoration as in Lai et al., https://arxiv.org/abs/1704.03915, section 3.3, with their ε.
    """
    _alike("charbonnier", prediction, target)
    return torch.sqrt((prediction - target).square() + epsilon**2).mean()


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weights: Sequence[float] = (),
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy: −Σ_n Σ_c w_c q_nc log p_nc / Σ_n Σ_c w_c y_nc with p = softmax(logits).

    q = (1 − s) y + s/K is the truth y smoothed by s. Integer ids and their one-hot weights give the same number, with
    class weights too. Where nothing is known of any sample it is 0.

    Args:
        logits: (N, K, ...).
        target: int64 (N, ...) ids, or floating-point (N, K, ...) weights that add up to 1.
        class_weights: w, one for each class; empty for 1.
        label_smoothing: s, 0..1.

    Source: smoothing by Szegedy et al., https://arxiv.org/abs/1512.00567, section 7.
    """
    weights = _weights(logits, class_weights)
    if not target.is_floating_point():
        total = functional.cross_entropy(
            logits, target, weights, ignore_index=VOID, reduction="sum", label_smoothing=label_smoothing
        )
        known = target != VOID
        mass = known.sum() if weights is None else (weights[target.clamp(min=0)] * known).sum()
        return total / mass.clamp(min=torch.finfo(logits.dtype).tiny)
    _alike("cross_entropy", logits, target)
    smoothed = (
        target if not label_smoothing else target.lerp(torch.full_like(target, 1 / logits.shape[1]), label_smoothing)
    )
    terms, mass = smoothed * functional.log_softmax(logits, dim=1), target
    if weights is not None:
        row = weights.view(-1, *[1] * (logits.ndim - 2))
        terms, mass = terms * row, target * row
    return -terms.sum() / mass.sum().clamp(min=torch.finfo(logits.dtype).tiny)


def bce(
    logits: Tensor,
    target: Tensor,
    class_weights: Sequence[float] = (),
    label_smoothing: float = 0.0,
) -> Tensor:
    """Binary cross-entropy from logits: mean of −w_c q log σ(x) − (1 − q) log(1 − σ(x)) over all known numbers.

    Every class is a question of its own. q = (1 − s) y + s/2 is the truth y smoothed by s; the weight of a class counts
    where it is there, so a class with 9 absent for 1 present is balanced by w = 9.

    Args:
        logits: (N, K, ...).
        target: Floating-point (N, K, ...), 0..1, or int64 (N, ...) ids, which are taken as one-hot.
        class_weights: w, one for each class; empty for 1.
        label_smoothing: s, 0..1.
    """
    truth, known = _one_hot(logits, target)
    weights = _weights(logits, class_weights)
    if weights is not None:
        weights = weights.view(-1, *[1] * (logits.ndim - 2))
    smoothed = truth if not label_smoothing else truth * (1 - label_smoothing) + label_smoothing / 2
    terms = functional.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights, reduction="none")
    return _mean(terms, known)


def focal_terms(logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss of every number, without a mean: −α_t (1 − p_t)^γ log p_t.

    p_t is σ(x) where the truth is 1 and 1 − σ(x) where it is 0, and α_t likewise is α or 1 − α. What is easy counts
    little, so that a sea of background does not drown the few things in it; detectors divide the sum by their number.

    Args:
        logits: Any shape.
        target: The same shape, 0..1; in between, the distance to the truth takes the place of 1 − p_t.
        alpha: Share of the present class; negative for no such weight.
        gamma: 0 makes it the (weighted) binary cross-entropy.

    Source: Lin et al., "Focal Loss for Dense Object Detection", https://arxiv.org/abs/1708.02002, equation 5.
    """
    _alike("focal", logits, target)
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    wrong = (torch.sigmoid(logits) - target).abs()
    if alpha >= 0:
        terms = terms * (alpha * target + (1 - alpha) * (1 - target))
    return terms * wrong**gamma


def focal(
    logits: Tensor,
    target: Tensor,
    class_weights: Sequence[float] = (),
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean of `focal_terms` over all known numbers, with α = 0.25, γ = 2; arguments as those of `bce`.

    With class weights these take the place of α: w where a class is there and 1 where it is not.
    """
    truth, known = _one_hot(logits, target)
    smoothed = truth if not label_smoothing else truth * (1 - label_smoothing) + label_smoothing / 2
    weights = _weights(logits, class_weights)
    if weights is None:
        return _mean(focal_terms(logits, smoothed), known)
    row = weights.view(-1, *[1] * (logits.ndim - 2))
    return _mean(focal_terms(logits, smoothed, alpha=-1) * (1 + (row - 1) * smoothed), known)


def dice(
    logits: Tensor,
    target: Tensor,
    class_weights: Sequence[float] = (),
    label_smoothing: float = 0.0,
) -> Tensor:
    """Soft Dice loss over a batch: Σ_c w_c (1 − (2 Σ p_c y_c + 1) / (Σ p_c² + Σ y_c² + 1)) / Σ_c w_c.

    The inner sums run over all known pixels of the batch, so that a class which one picture lacks is no special case;
    the 1 (Laplace smoothing) makes a class that is nowhere and not expected cost nothing.

    Args:
        logits: (N, K, ...).
        target: int64 (N, ...) ids, for p = softmax over the classes; floating-point (N, K, ...), for p = sigmoid.
        class_weights: w, one for each class; empty for 1.
        label_smoothing: s, 0..1: of the truth, toward 1/K or, with sigmoids, 1/2.

    Source: Milletari et al., "V-Net", https://arxiv.org/abs/1606.04797, section 3.
    """
    truth, known = _one_hot(logits, target)
    exclusive = not target.is_floating_point()
    chances = logits.softmax(dim=1) if exclusive else logits.sigmoid()
    if label_smoothing:
        rest = 1 / logits.shape[1] if exclusive else 0.5
        truth = truth * (1 - label_smoothing) + label_smoothing * rest
    if known is not None:
        chances, truth = chances * known, truth * known
    axes = [axis for axis in range(logits.ndim) if axis != 1]
    shared = (chances * truth).sum(axes)
    both = chances.square().sum(axes) + truth.square().sum(axes)
    lost = 1 - (2 * shared + 1) / (both + 1)
    weights = _weights(logits, class_weights)
    return lost.mean() if weights is None else (lost * weights).sum() / weights.sum()


# What can be learned with `--loss`: of classes (of pictures or pixels), and of numbers (values or pictures).
CLASS_LOSSES: Mapping[str, ClassLoss] = MappingProxyType(
    {"cross-entropy": cross_entropy, "bce": bce, "focal": focal, "dice": dice}
)
VALUE_LOSSES: Mapping[str, ValueLoss] = MappingProxyType(
    {"mse": mse, "mae": mae, "l1": mae, "huber": huber, "charbonnier": charbonnier}
)


def class_loss(name: str) -> ClassLoss:
    """The loss of this name for classes: `(logits, target, class_weights, label_smoothing)`.

    Raises:
        UnknownName: No such loss; the message proposes the nearest.
    """
    if name not in CLASS_LOSSES:
        raise UnknownName("loss for classes", name, CLASS_LOSSES)
    return CLASS_LOSSES[name]


def value_loss(name: str) -> ValueLoss:
    """The loss of this name for numbers: `(prediction, target)`.

    Raises:
        UnknownName: No such loss; the message proposes the nearest.
    """
    if name not in VALUE_LOSSES:
        raise UnknownName("loss for numbers", name, VALUE_LOSSES)
    return VALUE_LOSSES[name]


def _alike(name: str, prediction: Tensor, target: Tensor) -> None:
    # Without this (N,) against (N, 1) would broadcast to (N, N) and train toward the mean, in silence.
    if prediction.shape != target.shape:
        raise ShapeError(f"{name}: expected a target of {tuple(prediction.shape)}, got {tuple(target.shape)}.")


def _weights(logits: Tensor, class_weights: Sequence[float]) -> Tensor | None:
    if not class_weights:
        return None
    if len(class_weights) != logits.shape[1]:
        raise ShapeError(f"class_weights: expected {logits.shape[1]}, one for each class, got {len(class_weights)}.")
    return logits.new_tensor(class_weights)


def _one_hot(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weights of all classes, and (N, 1, ...) which samples are known; None where all are."""
    if target.is_floating_point():
        _alike("target", logits, target)
        return target, None
    known = (target != VOID).unsqueeze(1)
    ids = target.clamp(min=0).unsqueeze(1)
    return torch.zeros_like(logits).scatter_(1, ids, 1.0), known.to(logits.dtype)


def _mean(terms: Tensor, known: Tensor | None) -> Tensor:
    if known is None:
        return terms.mean()
    return (terms * known).sum() / (known.sum() * terms.shape[1]).clamp(min=1)
