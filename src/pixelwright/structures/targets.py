"""What is true of a picture: the ground truth that models learn from and are measured against.

`Classes`, `Values` and `Annotations` are here; the truth of a label map is a `LabelMap`, that of a restoration the
better `Image`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a whole picture or sequence: positions in the data set's labels, ascending.

    One where classes exclude each other; any number, none among them, where they do not.
    """

    ids: tuple[int, ...]

    def __post_init__(self) -> None:
        if (
            any(one >= other for one, other in zip(self.ids, self.ids[1:], strict=False))
            or min(self.ids, default=0) < 0
        ):
            raise ShapeError(f"ids: expected different numbers from 0 up, ascending, got {self.ids}.")


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers that belong to a whole picture, one for each name in the data set's labels."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise ShapeError(f"values: expected finite numbers, got {self.values}.")


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The things in an image, one row each: the columns of `Detections`, and what evaluation has to know of them.

    Attributes:
        boxes_xyxy: (N, 4) float32 in pixels of the upright full-resolution image, left < right, top < bottom.
        class_ids: (N,) int32, position in the data set's labels.
        masks: One for each row, or None.
        keypoints: (N, K, 3) float32: x, y, and visibility (0 not labeled, 1 hidden, 2 visible); or None.
        crowd: (N,) a row that stands for many things (COCO's `iscrowd`): what overlaps it is neither right nor wrong.
        ignore: (N,) a row that evaluation leaves out (difficult, truncated): finding it is neither right nor wrong.
        areas: (N,) float32 in pixels, by which COCO sorts into small, medium and large: of the mask where there is
            one. None stands for that of the mask or box.

    Raises:
        ShapeError: The columns do not fit each other, or a box is empty or not finite.
    """

    boxes_xyxy: Floats
    class_ids: npt.NDArray[np.int32]
    masks: Masks | None = None
    keypoints: Floats | None = None
    crowd: Flags | None = None
    ignore: Flags | None = None
    areas: Floats | None = None

    def __post_init__(self) -> None:
        count = len(self.class_ids)
        if self.boxes_xyxy.shape != (count, 4):
            raise ShapeError(f"boxes_xyxy: expected {(count, 4)}, got {self.boxes_xyxy.shape}. Give one row a thing.")
        if not np.isfinite(self.boxes_xyxy).all() or not (self.boxes_xyxy[:, 2:] > self.boxes_xyxy[:, :2]).all():
            raise ShapeError("boxes_xyxy: a box is empty or not finite. Leave such rows out.")
        columns = {"masks": self.masks, "keypoints": self.keypoints, "crowd": self.crowd}
        columns |= {"ignore": self.ignore, "areas": self.areas}
        for name, column in columns.items():
            if column is not None and len(column) != count:
                raise ShapeError(f"{name}: expected {count} rows, got {len(column)}. Give one a thing.")

    def __len__(self) -> int:
        return len(self.class_ids)


Target = Classes | Values | Annotations | LabelMap | Image
