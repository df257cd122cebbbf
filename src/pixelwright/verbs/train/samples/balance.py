"""Balance: class weights and chances by how much of each class there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Training
from pixelwright.errors import UsageError
from pixelwright.models.architecture import Problem
from pixelwright.verbs.train.samples.store import Store

LARGEST_RATIO = 20.0  # of two weights: a class of three pictures must not drown all others

Floats = npt.NDArray[np.float64]


def amounts(store: Store, training: Training, problem: Problem) -> Floats:
    """How much of each class each sample holds: (N, K).

    Raises:
        UsageError: The task has no classes to be balanced.
    """
    if training.amounts is None:
        raise UsageError(f"{training.task}: has no classes that could be balanced. Leave the option out.")
    return np.stack([training.amounts(store.get([place])[0], problem) for place in range(len(store))])


def class_weights(table: Floats) -> tuple[float, ...]:
    """One for each class: as the mean amount of a class to its own, so that all classes weigh the same; 1 in the mean.

    A class that is rarer than the mean by more than `LARGEST_RATIO` weighs no more than that; one that is not there
    weighs 1.

    Example:
        >>> class_weights(np.array([[3.0, 0.0], [0.0, 1.0]]))
        (0.5, 1.5)
    """
    totals = table.sum(axis=0)
    there = totals > 0
    weights = np.ones(len(totals))
    weights[there] = np.minimum(totals[there].mean() / totals[there], LARGEST_RATIO)
    weights[there] /= weights[there].mean()
    return tuple(float(weight) for weight in weights)


def chances(table: Floats) -> Floats:
    """Of each sample (N,), adding up to 1: each class is drawn equally often where a sample has one class.

    Of several the rarest counts, as in the repeat factors of Gupta et al., LVIS, https://arxiv.org/abs/1908.03195; a
    sample without any is drawn as often as the mean.

    Example:
        >>> chances(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).tolist()
        [0.25, 0.25, 0.5]
    """
    there = table > 0
    counts = np.maximum(there.sum(axis=0), 1)
    rarity = np.where(there, 1 / counts, 0).max(axis=1)
    filled = rarity > 0
    rarity[~filled] = rarity[filled].mean() if filled.any() else 1
    return rarity / rarity.sum()


def weights_of(asked: str | Sequence[float], table: Floats | None, labels: Sequence[str]) -> tuple[float, ...]:
    """What the configuration's `class_weights` come to.

    Raises:
        UsageError: There is not one for each class.
    """
    if isinstance(asked, str):
        return class_weights(table) if asked and table is not None else ()
    if asked and len(asked) != len(labels):
        raise UsageError(f"class_weights: expected {len(labels)}, one for each of {list(labels)}, got {len(asked)}.")
    return tuple(asked)
