"""What a task answers about an image, as columns: one row per thing, best first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

UNIT_TOLERANCE = 1e-3  # a unit vector rounded to float16 or to text is one still


class ClassScore(NamedTuple):
    """One row of `ClassScores`."""

    label: str
    score: float
    class_id: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Classes with their scores, best first.

    Attributes:
        class_ids: (N,) int32, position in the bundle's labels.
        scores: (N,) float32, 0..1, descending.
        labels: N texts.

    Raises:
        ShapeError: The columns differ in length, a score is not finite, or the scores do not descend.

    Example:
        >>> import numpy as np
        >>> answer = ClassScores(np.array([7, 1], np.int32), np.array([0.9, 0.1], np.float32), ("7", "1"))
        >>> answer[0].label, len(answer)
        ('7', 2)
    """

    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.class_ids) == len(self.scores) == len(self.labels):
            raise ShapeError(
                f"columns differ: {len(self.class_ids)} ids, {len(self.scores)} scores, {len(self.labels)} labels."
            )
        if not np.isfinite(self.scores).all():
            raise ShapeError("scores: hold NaN or infinity. Leave such rows out.")
        if np.any(np.diff(self.scores) > 0):
            raise ShapeError("scores: expected them descending. Sort the rows, best first.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> ClassScore:
        return ClassScore(self.labels[row], float(self.scores[row]), int(self.class_ids[row]))

    def __iter__(self) -> Iterator[ClassScore]:
        return (self[row] for row in range(len(self)))

    def __str__(self) -> str:
        return ", ".join(f"{row.label} {row.score:.1%}" for row in self) or "no class above the threshold"

    def _repr_html_(self) -> str:
        """A table with a bar for each score, for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(row.label)}</td><td>{row.score:.1%}</td>"
            f"<td><meter min=0 max=1 value={row.score:.4f}></meter></td></tr>"
            for row in self
        )
        return f"<table>{rows}</table>" if rows else escape(str(self))

    @property
    def top(self) -> ClassScore | None:
        """The best row; None where nothing passed the threshold."""
        return self[0] if len(self) else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        return {"classes": [{"label": row.label, "score": round(row.score, 6), "id": row.class_id} for row in self]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> ClassScores:
        """The result that `to_dict` wrote."""
        rows = record["classes"]
        return cls(
            class_ids=np.array([row["id"] for row in rows], np.int32),
            scores=np.array([row["score"] for row in rows], np.float32),
            labels=tuple(row["label"] for row in rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class NamedValues:
    """Numbers that belong to a whole picture or sequence, each with its name.

    Attributes:
        values: (V,) float32, in their own units.
        names: V texts.

    Raises:
        ShapeError: The columns differ in length, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> answer = NamedValues(np.array([4.5, 0.25], np.float32), ("age", "tilt"))
        >>> answer["tilt"], len(answer)
        (0.25, 2)
    """

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.names),):
            raise ShapeError(f"values: expected one for each of {len(self.names)} names, got {self.values.shape}.")
        if not np.isfinite(self.values).all():
            raise ShapeError("values: hold NaN or infinity.")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.names.index(name)])

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in zip(self.names, self.values.tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        pairs = zip(self.names, self.values.tolist(), strict=True)
        return {"values": [{"name": name, "value": value} for name, value in pairs]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> NamedValues:
        """The result that `to_dict` wrote."""
        rows = record["values"]
        return cls(np.array([row["value"] for row in rows], np.float32), tuple(row["name"] for row in rows))


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector that stands for an image: near vectors, like images. Compare only within one space.

    Attributes:
        vector: (D,) float32 of unit length, so that the dot product of two is their cosine similarity.
        space: What the vector is of: name, version and digest of the model.

    Raises:
        ShapeError: The vector is not (D,), or not of unit length.

    Example:
        >>> import numpy as np
        >>> east, north = (Embedding(np.array(v, np.float32), "plane") for v in ([1, 0], [0, 1]))
        >>> east.similarity(north)
        0.0
    """

    vector: npt.NDArray[np.float32]
    space: str

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.vector))
        if self.vector.ndim != 1 or not abs(length - 1) < UNIT_TOLERANCE:
            raise ShapeError(f"vector: expected (D,) of length 1, got {self.vector.shape} of length {length:g}.")

    def __len__(self) -> int:
        return len(self.vector)

    def __str__(self) -> str:
        return f"{len(self)} numbers in {self.space}"

    def similarity(self, other: Embedding) -> float:
        """The cosine of the angle between both, -1..1.

        Raises:
            ShapeError: They are of different spaces.
        """
        if self.space != other.space:
            raise ShapeError(
                f"embeddings of {self.space} and {other.space} cannot be compared. Use one model for both."
            )
        return float(self.vector @ other.vector)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        return {"embedding": [round(float(value), 7) for value in self.vector], "space": self.space}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Embedding:
        """The result that `to_dict` wrote."""
        return cls(np.array(record["embedding"], np.float32), record["space"])
