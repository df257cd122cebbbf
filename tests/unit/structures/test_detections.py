"""Detections are checked when made, are taken apart by rows, and come back from what they write."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from found import boxes, things
from pixelwright.errors import ShapeError
from pixelwright.structures.detections import Detections
from pixelwright.structures.masks import Masks

SIZE_HW = (4, 6)
thousandths = st.integers(-5_000_000, 5_000_000).map(lambda number: number / 1000)


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    count = draw(st.integers(0, 5))

    def floats(*shape: int) -> np.ndarray:
        numbers = draw(st.lists(thousandths, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        return np.array(numbers, np.float32).reshape(shape)

    scores = np.sort(np.array(draw(st.lists(st.floats(0, 1, width=32), min_size=count, max_size=count)), np.float32))
    names = ("a", "b.c", "ü") if draw(st.booleans()) else ()
    masks = [np.array(draw(st.lists(st.booleans(), min_size=24, max_size=24))).reshape(SIZE_HW) for _ in range(count)]
    return Detections(
        floats(count, 4),
        scores[::-1],
        np.array(draw(st.lists(st.integers(0, 80), min_size=count, max_size=count)), np.int32),
        tuple(draw(st.lists(st.text("ab ü<\n", max_size=5), min_size=count, max_size=count))),
        Masks.of(masks, SIZE_HW) if draw(st.booleans()) else None,
        floats(count, 3, 3) if names else None,
        names,
        np.arange(count, dtype=np.int32) if draw(st.booleans()) else None,
    )


@settings(deadline=None)
@given(detections())
def test_what_is_written_comes_back(result: Detections) -> None:
    again = Detections.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.labels == result.labels
    assert np.array_equal(again.class_ids, result.class_ids)
    # Written with six and three decimals.
    assert np.allclose(again.scores, result.scores, rtol=0, atol=1e-6)
    assert np.allclose(again.boxes_xyxy, result.boxes_xyxy, rtol=1e-6, atol=1e-3)
    if len(result):  # what columns there were is not to be seen where there are no rows
        assert again.keypoint_names == result.keypoint_names
        for column in ("keypoints", "track_ids"):
            was, now = getattr(result, column), getattr(again, column)
            assert (was is None) == (now is None)
            assert was is None or np.allclose(was, now, rtol=1e-6, atol=1e-3)
        assert (result.masks is None) == (again.masks is None)
        if result.masks is not None and again.masks is not None:
            assert all(map(np.array_equal, result.masks, again.masks))
    assert again.to_dict() == Detections.from_dict(again.to_dict()).to_dict()


def test_rows_and_columns_agree() -> None:
    found = things()
    assert [row.label for row in found] == list(found.labels) == ["cat", "dog & <fox>"]
    assert found[0].box_xyxy == (3.0, 2.0, 30.0, 20.0)
    assert len(found) == 2 and str(found) == "1 cat, 1 dog & <fox>"
    assert str(boxes()) == "nothing above the threshold"
    assert "dog &amp; &lt;fox&gt;" in found._repr_html_() and boxes()._repr_html_() == "nothing above the threshold"


@pytest.mark.parametrize("rows", [np.array([1]), np.array([False, True]), slice(1, None)])
def test_rows_are_taken_with_all_their_columns(rows: Any) -> None:
    whole, part = things(), things().take(rows)
    assert part.to_dict()["detections"] == whole.to_dict()["detections"][1:]


def test_no_rows_can_be_taken_of_nothing() -> None:
    assert len(boxes().take(slice(None))) == len(things().take(np.array([], np.intp))) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"boxes_xyxy": np.zeros((2, 5), np.float32)}, r"boxes_xyxy: expected \(2, 4\), got \(2, 5\)"),
        ({"scores": np.array([0.1, 0.9], np.float32)}, "descending"),
        ({"scores": np.array([0.9, np.nan], np.float32)}, "scores: holds NaN"),
        ({"boxes_xyxy": np.full((2, 4), np.inf, np.float32)}, "boxes_xyxy: holds NaN or infinity"),
        ({"class_ids": np.zeros(3, np.int32)}, r"class_ids: expected \(2,\)"),
        ({"keypoints": np.zeros((2, 2, 3), np.float32)}, r"keypoints: expected \(2, 3, 3\)"),
        ({"keypoint_names": ("a", "a", "b")}, "twice"),
        ({"track_ids": np.zeros(1, np.int32)}, "track_ids"),
        ({"masks": Masks((1, 1), ())}, "masks: expected 2, got 0"),
    ],
)
def test_columns_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    sound = {name: getattr(things(), name) for name in Detections.__dataclass_fields__}
    with pytest.raises(ShapeError, match=said):
        Detections(**(sound | changes))


def test_masks_of_another_size_are_refused_on_reading() -> None:
    record = things().to_dict()
    record["detections"][1]["mask"]["size"] = [10, 10]
    assert Detections.from_dict(record).masks is not None  # the first row says the size, and the runs fill it
    record["detections"][1]["mask"]["counts"] = "0"
    with pytest.raises(ShapeError, match="add up to 0 pixels"):
        Detections.from_dict(record)
