"""Label maps are written without loss, and whatever does not fit together is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelwright.errors import ShapeError, UnknownName
from pixelwright.structures import label_map
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import encode_runs, runs_to_text, text_to_runs

LABELS = tuple("abcdefg")
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(arrays(np.uint8, SHAPES, elements=st.integers(0, 6)), st.sampled_from([None, 0, 3]))
def test_a_written_map_comes_back(ids: np.ndarray, void_id: int | None) -> None:
    made = LabelMap(ids, LABELS, void_id)
    record = json.loads(json.dumps(made.to_dict()))
    again = LabelMap.from_dict(record)
    assert (again.ids == ids).all() and again.void_id == void_id and again.shares == made.shares
    for row in record["label_map"]["classes"]:
        assert row["counts"] == runs_to_text(encode_runs(ids == row["id"]))
        assert row["pixels"] == np.count_nonzero(ids == row["id"])


def test_high_ids_keep_their_two_bytes() -> None:
    made = LabelMap(np.array([[300, 2]], np.uint16), tuple(map(str, range(301))))
    again = LabelMap.from_dict(made.to_dict())
    assert again.ids.dtype == np.uint16 and again.ids.tolist() == [[300, 2]]


def test_an_empty_map_is_a_map() -> None:
    made = LabelMap(np.zeros((0, 4), np.uint8), LABELS)
    assert made.shares == {} and str(made) == "nothing"
    assert LabelMap.from_dict(made.to_dict()).ids.shape == (0, 4)


def test_counting_in_parts_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_map, "COUNTED_AT_ONCE", 3)
    assert LabelMap(np.array([[0, 1, 1, 1], [1, 2, 2, 1]], np.uint8), LABELS).shares == {
        "b": 5 / 8,
        "c": 0.25,
        "a": 1 / 8,
    }


@pytest.mark.parametrize(
    "counts", [(["03", "21"], "overlap"), (["02", "31"], "gap"), (["05"], "too long"), ([], "none")]
)
def test_classes_that_do_not_fit_together_are_refused(counts: tuple[list[str], str]) -> None:
    classes = [{"label": "a", "id": place, "pixels": 1, "counts": text} for place, text in enumerate(counts[0])]
    with pytest.raises(ShapeError, match="overlap or do not cover 2 rows, 2 columns"):
        LabelMap.from_dict({"label_map": {"size": [2, 2], "void": None, "classes": classes}})


def test_classes_of_one_label_count_together() -> None:
    made = LabelMap(np.array([[0, 1, 2, 2]], np.uint8), ("crane", "sky", "crane"))
    assert made.shares == {"crane": 0.75, "sky": 0.25}
    assert made.mask("crane").tolist() == [[True, False, True, True]]


def test_a_mask_of_an_unknown_label_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'crane'"):
        LabelMap(np.zeros((1, 1), np.uint8), ("crane",)).mask("crame")


def test_an_id_without_a_label_is_refused() -> None:
    with pytest.raises(ShapeError, match="9 has no label; there are 7"):
        LabelMap(np.array([[0, 9]], np.uint8), LABELS)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_the_text_of_runs_comes_back(counts: list[int]) -> None:
    assert text_to_runs(runs_to_text(np.array(counts, np.uint32))).tolist() == counts


def test_the_text_of_runs_is_that_of_coco() -> None:
    # From the COCO API itself: mask.encode of a 4x4 mask with its middle 2x2 set gives counts 5 2 2 2 5.
    assert runs_to_text(np.array([5, 2, 2, 2, 5], np.uint32)) == "52203"


@pytest.mark.parametrize("text", ["P", "0P", "é", "0 ", "PPPPPPPP0", "~", "O"])
def test_damaged_counts_are_refused(text: str) -> None:
    with pytest.raises(ShapeError, match="run lengths"):
        text_to_runs(text)
