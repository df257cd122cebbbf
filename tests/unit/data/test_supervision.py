"""Results go to supervision and come back. Where it is not installed, a stand-in with its fields takes its place."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from found import LABELS, boxes, things
from pixelwright.data.supervision import from_supervision, to_keypoints, to_supervision
from pixelwright.errors import MissingExtra, UsageError


@dataclass
class StandIn:
    """The fields of `supervision.Detections`."""

    xyxy: np.ndarray
    mask: np.ndarray | None = None
    confidence: np.ndarray | None = None
    class_id: np.ndarray | None = None
    tracker_id: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.xyxy)


@pytest.fixture(params=["stand-in", "real"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "real":
        return pytest.importorskip("supervision")
    module = SimpleNamespace(Detections=StandIn, KeyPoints=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "supervision", module)
    return module


@pytest.mark.usefixtures("package")
def test_a_result_comes_back() -> None:
    again = from_supervision(to_supervision(things()))
    written = things().to_dict()["detections"]
    for row in written:
        del row["keypoints"]  # a type of their own there
    assert again.to_dict()["detections"] == written
    assert len(from_supervision(to_supervision(boxes()))) == 0


@pytest.mark.usefixtures("package")
def test_rows_carry_their_labels_and_masks() -> None:
    given = to_supervision(things())
    assert given.data["class_name"].tolist() == ["cat", LABELS[1]]
    assert given.mask.shape == (2, 20, 30) and given.tracker_id.tolist() == [7, 8]
    assert given.xyxy.tolist() == things().boxes_xyxy.tolist()


@pytest.mark.usefixtures("package")
def test_keypoints_are_a_type_of_their_own() -> None:
    points, ours = to_keypoints(things()), things().keypoints
    assert ours is not None
    assert np.array_equal(points.xy, ours[:, :, :2])
    assert np.array_equal(points.keypoint_confidence, ours[:, :, 2])
    with pytest.raises(UsageError, match="no keypoints"):
        to_keypoints(boxes((1, 2, 3, 4)))


def test_foreign_rows_are_sorted_and_get_labels(package: Any) -> None:
    foreign = package.Detections(
        xyxy=np.array([[0, 0, 1, 1], [2, 2, 3, 3]], float),
        confidence=np.array([0.2, 0.7]),
        class_id=np.array([1, 0]),
    )
    found = from_supervision(foreign, LABELS)
    assert found.labels == LABELS[:2] and found.boxes_xyxy[0].tolist() == [2, 2, 3, 3]
    bare = from_supervision(package.Detections(xyxy=np.array([[0, 0, 1, 1]], float)), ["thing"])
    assert bare[0] == ("thing", 1.0, (0, 0, 1, 1), 0)
    with pytest.raises(UsageError, match="class 1 has none among 1"):
        from_supervision(foreign, ["only one"])


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pixelwright\[supervision\]'"):
        to_supervision(boxes())
