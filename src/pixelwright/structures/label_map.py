"""A class for each pixel of an image."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.masks import decode_runs, encode_runs, runs_to_text, text_to_runs

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


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
        if self.ids.ndim != 2 or self.ids.dtype not in (np.uint8, np.uint16):
            raise ShapeError(f"ids: expected (H, W) uint8 or uint16, got {self.ids.shape} {self.ids.dtype}.")
        unknown = [value for value in self._present() if value >= len(self.labels) and value != self.void_id]
        if unknown:
            raise ShapeError(f"ids: {unknown[0]} has no label; there are {len(self.labels)}. Name void, or add labels.")

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
        """The share of the pixels of each class that is there, largest first; void is left out."""
        counts = np.bincount(self.ids.ravel(), minlength=1)
        order = sorted(np.flatnonzero(counts), key=lambda class_id: -counts[class_id])
        return {self.labels[one]: float(counts[one] / self.ids.size) for one in order if one != self.void_id}

    def mask(self, label: str) -> npt.NDArray[np.bool_]:
        """Where a class is, (H, W)."""
        return self.ids == self.labels.index(label)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines: each class that is there, with its runs as COCO writes them."""
        classes = [
            {
                "label": "void" if one == self.void_id else self.labels[one],
                "id": one,
                "pixels": int(np.count_nonzero(self.ids == one)),
                "counts": runs_to_text(encode_runs(self.ids == one)),
            }
            for one in self._present()
        ]
        ranked = sorted(classes, key=lambda row: -row["pixels"])
        return {"label_map": {"size": list(self.size_hw), "void": self.void_id, "classes": ranked}}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> LabelMap:
        """The result that `to_dict` wrote; labels of classes that are not there are empty."""
        written = record["label_map"]
        height, width = written["size"]
        rows, void_id = written["classes"], written["void"]
        highest = max((row["id"] for row in rows), default=0)
        ids = np.zeros((height, width), np.uint8 if highest < 256 else np.uint16)
        labels = [""] * (max((row["id"] for row in rows if row["id"] != void_id), default=-1) + 1)
        for row in rows:
            ids[decode_runs(text_to_runs(row["counts"]), (height, width))] = row["id"]
            if row["id"] != void_id:
                labels[row["id"]] = row["label"]
        return cls(ids, tuple(labels), void_id)

    def _present(self) -> list[int]:
        return np.flatnonzero(np.bincount(self.ids.ravel())).tolist() if self.ids.size else []
