"""What a report draws of many answers, as plain numbers: who draws it decides how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve: its name, and its points from left to right."""

    name: str
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves over common axes from 0 to 1.

    Attributes:
        title: What they show.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        curves: The curves, the most telling first.
        ideal: Points of a line to compare with: the diagonal of chance.
        note: A sentence on how to read them.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    ideal: tuple[tuple[float, float], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How often each true class (row) was given each answer (column).

    Attributes:
        title: What it shows.
        counts: (K, A).
        labels: K names.
        answers: A names.
    """

    title: str
    counts: npt.NDArray[Any]
    labels: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """How often answers were right by how sure they were: (B,) each, NaN where a bin is empty."""

    title: str
    confidence: Floats
    accuracy: Floats
    counts: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How the pictures spread over a number: counts between neighboring edges."""

    title: str
    x_label: str
    counts: npt.NDArray[np.intp]
    edges: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ByClass:
    """One number for each class, named by the metrics it stands for: `f1` for `f1/cat`, `f1/dog`."""

    title: str
    metric: str


Figure = Curves | Confusion | Reliability | Histogram | ByClass
