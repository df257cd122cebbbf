"""A labelme file holds shapes in our coordinates and finds its picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from found import LABELS, SIZE_HW, boxes, found, record, regions, scores, things
from pixelwright.data import labelme
from pixelwright.structures.detections import Detections
from pixelwright.structures.results import ClassScores


def test_a_box_is_a_rectangle() -> None:
    document = labelme.document(boxes((1, 2.5, 3, 4)), "a.png", (7, 9))
    (shape,) = document["shapes"]
    assert (shape["label"], shape["shape_type"], shape["points"]) == ("cat", "rectangle", [[1, 2.5], [3, 4]])
    assert shape["group_id"] is None and shape["score"] == 0.9
    assert (document["imageHeight"], document["imageWidth"], document["imageData"]) == (7, 9, None)


def test_parts_and_keypoints_of_a_thing_share_its_group() -> None:
    shapes = labelme.document(things(), "a.png", SIZE_HW)["shapes"]
    kinds = [(shape["group_id"], shape["shape_type"], shape["label"]) for shape in shapes]
    assert kinds == [
        (0, "polygon", "cat"),
        (0, "polygon", "cat"),
        (0, "point", "left eye"),
        (0, "point", "right eye"),
        (1, "polygon", LABELS[1]),
        (1, "point", "left eye"),
        (1, "point", "right eye"),
        (1, "point", "nose"),
    ]
    assert shapes[2]["points"] == [[4.5, 3.5]]
    assert sorted(shapes[4]["points"]) == [[8, 5], [8, 15], [20, 5], [20, 15]]


def test_a_label_map_is_polygons_with_islands_on_top() -> None:
    shapes = labelme.document(regions(), "a.png", SIZE_HW)["shapes"]
    assert [shape["label"] for shape in shapes] == ["cat", LABELS[2], "cat"]
    assert sorted(shapes[2]["points"]) == [[12, 8], [12, 10], [14, 8], [14, 10]]


def test_the_best_class_is_a_flag() -> None:
    document = labelme.document(scores(), "a.png", SIZE_HW)
    assert (document["flags"], document["shapes"]) == ({LABELS[1]: True}, [])
    nothing = ClassScores(np.zeros(0, np.int32), np.zeros(0, np.float32), ())
    assert labelme.document(nothing, "a.png", SIZE_HW)["flags"] == {}


def test_the_path_leads_from_the_file_to_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = [record(0, "sub/a.png", boxes()), record(1, "b.png", boxes()) | {"path": str(tmp_path / "photos" / "b.png")}]
    (tmp_path / "out").mkdir()
    labelme.write(found([*job, record(2, "c.png", boxes()) | {"path": "https://x/c.png"}], Detections), Path("out"))
    paths = {
        name: json.loads((tmp_path / "out/labelme" / name).read_text())["imagePath"]
        for name in ("sub/a.json", "b.json", "c.json")
    }
    assert paths == {
        "sub/a.json": "../../../photos/sub/a.png",
        "b.json": "../../photos/b.png",
        "c.json": "https://x/c.png",
    }
