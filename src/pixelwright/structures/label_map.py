"""A class for each pixel of an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError, UnknownName
from pixelwright.structures.masks import Runs, runs_to_text, text_to_runs

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16))
COUNTED_AT_ONCE = 1 << 20  # NumPy counts in numbers of 8 bytes: eight times the memory of the ids


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """The class of each pixel of the upright full-resolution image.

    Attributes:
        ids: (H, W) uint8, or uint16 where there are more than 256 classes: position in `labels`.
        labels: All classes of the model, in order.
        void_id: The class that means "nothing known here", or None; it need not have a label.

    Raises:
        ShapeError: The map is not (H, W) of a small unsigned integer, or has an id without a label.

    Example:
        >>> import numpy as np
        >>> found = LabelMap(np.array([[0, 0, 1, 1]], np.uint8), ("background", "cat"))
        >>> found.shares
        {'background': 0.5, 'cat': 0.5}
    """

    ids: Ids
    labels: tuple[str, ...]
    void_id: int | None = None

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype not in DTYPES:
            raise ShapeError(f"ids: expected (H, W) uint8 or uint16, got {self.ids.shape} {self.ids.dtype}.")
        unknown = without_label(self.ids, len(self.labels), self.void_id)
        if unknown is not None:
            raise ShapeError(f"ids: {unknown} has no label; there are {len(self.labels)}. Name void, or add labels.")

    def __str__(self) -> str:
        return ", ".join(f"{label} {share:.1%}" for label, share in self.shares.items()) or "nothing"

    def _repr_html_(self) -> str:
        """A table with a bar for each class, for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(label)}</td><td>{share:.1%}</td>"
            f"<td><meter min=0 max=1 value={share:.4f}></meter></td></tr>"
            for label, share in self.shares.items()
        )
        return f"<table>{rows}</table>"

    @property
    def size_hw(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.ids.shape
        return height, width

    @property
    def shares(self) -> dict[str, float]:
        """The share of the pixels of each label that is there, largest first; void is left out."""
        counts = _counts(self.ids)
        pixels: Counter[str] = Counter()
        for one in np.flatnonzero(counts).tolist():
            if one != self.void_id:
                pixels[self.labels[one]] += int(counts[one])  # several classes may be called the same
        return {label: count / self.ids.size for label, count in pixels.most_common()}

    def mask(self, label: str) -> npt.NDArray[np.bool_]:
        """Where the class of this label is, or several of one label are: (H, W).

        Raises:
            UnknownName: There is no such label.
        """
        if label not in self.labels:
            raise UnknownName("class", label, self.labels)
        called = [one for one, other in enumerate(self.labels) if other == label]
        inside = self.ids == called[0]
        for one in called[1:]:
            inside |= self.ids == one
        return inside

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines: each class that is there, with its runs as COCO writes them."""
        classes: list[dict[str, Any]] = [
            {
                "label": "void" if one == self.void_id else self.labels[one],
                "id": one,
                "pixels": int(runs[1::2].sum(dtype=np.int64)),
                "counts": runs_to_text(runs),
            }
            for one, runs in encode_ids(self.ids)
        ]
        ranked = sorted(classes, key=lambda row: -row["pixels"])
        return {"label_map": {"size": list(self.size_hw), "void": self.void_id, "classes": ranked}}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> LabelMap:
        """The result that `to_dict` wrote; labels of classes that are not there are empty.

        Raises:
            ShapeError: The classes overlap, or do not cover the picture.
        """
        written = record["label_map"]
        height, width = written["size"]
        rows, void_id = written["classes"], written["void"]
        labels = [""] * (max((row["id"] for row in rows if row["id"] != void_id), default=-1) + 1)
        for row in rows:
            if row["id"] != void_id:
                labels[row["id"]] = row["label"]
        encoded = [(row["id"], text_to_runs(row["counts"])) for row in rows]
        return cls(_decode(encoded, (height, width)), tuple(labels), void_id)


def without_label(ids: Ids, labels: int, void_id: int | None) -> int | None:
    """The lowest id that is neither void nor one of the first `labels`; None where all are."""
    if ids.max(initial=0) < labels:
        return None
    present: list[int] = np.flatnonzero(_counts(ids)).tolist()
    return next((one for one in present if one >= labels and one != void_id), None)


def _counts(ids: Ids) -> npt.NDArray[np.int64]:
    """How many pixels each class has."""
    flat, counts = ids.ravel(), np.zeros(int(ids.max(initial=0)) + 1, np.int64)
    for start in range(0, flat.size, COUNTED_AT_ONCE):
        counts += np.bincount(flat[start : start + COUNTED_AT_ONCE], minlength=len(counts))
    return counts


def encode_ids(ids: Ids) -> Iterator[tuple[int, Runs]]:
    """Each class that is there with its runs, all from one pass over the places where the class changes."""
    flat = ids.ravel(order="F")
    if not flat.size:
        return
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    order = np.argsort(flat[starts], kind="stable")
    present, firsts = np.unique(flat[starts[order]], return_index=True)
    for class_id, stretches in zip(present.tolist(), np.split(order, firsts[1:]), strict=True):
        bounds = np.stack((starts[stretches], ends[stretches]), axis=1).ravel()
        rest = [flat.size] if bounds[-1] < flat.size else []
        yield class_id, np.diff(np.concatenate(([0], bounds, rest))).astype(np.uint32)


def _decode(encoded: Sequence[tuple[int, Runs]], size_hw: tuple[int, int]) -> npt.NDArray[Any]:
    """The map whose classes have these runs."""
    dtype = np.dtype(np.uint8 if max((class_id for class_id, _ in encoded), default=0) < 256 else np.uint16)
    ends = [np.cumsum(runs, dtype=np.int64)[1::2] for _, runs in encoded]
    lengths = np.concatenate([runs[1::2] for _, runs in encoded] or [np.zeros(0, np.uint32)]).astype(np.int64)
    starts = np.concatenate([*ends, np.zeros(0, np.int64)]) - lengths
    values = np.repeat(np.array([class_id for class_id, _ in encoded], dtype), [len(end) for end in ends])
    order = np.argsort(starts, kind="stable")
    # Each stretch begins where the one before ends, and the last ends where the map does.
    bounds = np.concatenate(([0], np.cumsum(lengths[order])))
    if (starts[order] != bounds[:-1]).any() or bounds[-1] != size_hw[0] * size_hw[1]:
        raise ShapeError(
            f"label map: the runs of its classes overlap or do not cover {size_hw[0]} rows, {size_hw[1]} columns. "
            "Each pixel needs exactly one class."
        )
    return np.ascontiguousarray(np.repeat(values[order], lengths[order]).reshape(size_hw[1], size_hw[0]).T)
