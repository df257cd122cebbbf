"""Which answers count: the labels and least scores that a bundle decides on, or that a user asks for instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnknownName
from pixelwright.structures.spec import Decision


def check_classes(classes: Sequence[str], labels: Sequence[str]) -> None:
    """Refuse labels that a model does not have.

    Raises:
        UnknownName: With the nearest labels.
    """
    known = set(labels)
    for label in classes:
        if label not in known:
            raise UnknownName("class", label, known)


def wanted_classes(classes: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each label whether it was asked for; all where nothing was."""
    if not classes:
        return np.ones(len(labels), bool)
    chosen = set(classes)
    return np.array([label in chosen for label in labels], bool)


def thresholds(
    labels: Sequence[str], decision: Decision, asked: float | None, *, otherwise: float = 0.0
) -> npt.NDArray[np.float32]:
    """The least score of each label: what a user asks for, else the bundle's, else `otherwise`."""
    if asked is not None:
        return np.full(len(labels), asked, np.float32)
    least = np.full(len(labels), otherwise if decision.threshold is None else decision.threshold, np.float32)
    for place, label in enumerate(labels):
        least[place] = decision.thresholds.get(label, least[place])
    return least


def passing(
    scores: npt.NDArray[np.float32], least: npt.NDArray[np.float32], *, exclusive: bool
) -> npt.NDArray[np.bool_]:
    """(K,) which labels reach their least score.

    Where more than two classes exclude each other, none does unless the highest score reaches its own, of equal ones
    the first: thresholds are fitted to pictures where their class is the highest, and say nothing of the others. Of
    two classes one passes where the other does not.

    Args:
        scores: (K,).
        least: (K,).
        exclusive: Whether a picture has exactly one class.
    """
    passes = scores >= least
    if exclusive and len(scores) > 2 and not passes[scores.argmax()]:
        return np.zeros(len(scores), bool)
    return passes
