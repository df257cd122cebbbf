"""A YOLO data set holds what was found, in shares of the picture, as its trainers and tools read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as PillowImage

from found import KEYPOINTS, LABELS, SIZE_HW, boxes, found, record, things
from pixelwright.data import yolo
from pixelwright.structures.detections import Detections
from pixelwright.structures.masks import Masks


def without_keypoints() -> Detections:
    whole = things()
    return Detections(whole.boxes_xyxy, whole.scores, whole.class_ids, whole.labels, whole.masks)


def test_a_box_is_its_class_center_and_size_in_shares() -> None:
    assert yolo.lines(boxes((5, 4, 20, 10), ids=[2]), (20, 50)) == ["2 0.250000 0.350000 0.300000 0.300000"]


def test_boxes_are_cut_off_at_the_border_and_left_out_beyond() -> None:
    lines = yolo.lines(boxes((-10, -10, 15, 10), (50, 50, 60, 60), (3, 3, 3, 9)), SIZE_HW)
    assert lines == ["0 0.250000 0.250000 0.500000 0.500000"]


def test_scores_and_tracks_stand_at_the_end() -> None:
    tracked = boxes((0, 0, 30, 20), track_ids=np.array([4], np.int32))
    assert yolo.lines(tracked, SIZE_HW, with_scores=True) == ["0 0.500000 0.500000 1.000000 1.000000 0.900000 4"]


def test_keypoints_follow_the_box_with_their_visibility() -> None:
    first, second = (line.split() for line in yolo.lines(things(), SIZE_HW))
    assert len(first) == len(second) == 5 + 3 * len(KEYPOINTS)
    assert first[5:] == ["0.150000", "0.175000", "2.000000", "0.350000", "0.212500", "1.000000", *["0.000000"] * 3]
    assert second[8:11] == ["0.000000"] * 3  # outside of the picture
    scored = yolo.lines(things(), SIZE_HW, with_scores=True)[0].split()
    assert scored[7] == "0.900000" and scored[-2:] == ["0.900000", "7"]


def test_masks_are_polygons_of_one_line_each() -> None:
    first, second = yolo.lines(without_keypoints(), SIZE_HW)
    corners = np.array(second.split()[1:], float).reshape(-1, 2) * (30, 20)
    assert sorted(np.rint(corners).tolist()) == [[8, 5], [8, 15], [20, 5], [20, 15]]
    assert np.allclose(corners, np.rint(corners), atol=1e-4)
    # Two rectangles, and the bridge there and back.
    assert len(first.split()) == 1 + 2 * (4 + 4 + 2)


def test_a_thing_with_an_empty_mask_is_the_polygon_of_its_box() -> None:
    empty = boxes((0, 0, 15, 10), masks=Masks.of([np.zeros(SIZE_HW, bool)], SIZE_HW))
    corners = [0, 0, 0.5, 0, 0.5, 0.5, 0, 0.5]
    assert np.array(yolo.lines(empty, SIZE_HW)[0].split()[1:], float).tolist() == corners


@pytest.mark.parametrize("labels", [LABELS, (), ("\x80\u2028", "\udcff", "no", "1", "😀")])
def test_the_description_is_yaml(labels: tuple[str, ...]) -> None:
    said = yaml.safe_load(yolo.data_yaml(labels))
    shown = [label.replace("\udcff", "\\udcff") for label in labels]
    assert said == {"train": "images", "val": "images", "names": dict(enumerate(shown))}


def test_keypoints_know_their_mirror() -> None:
    said = yaml.safe_load(yolo.data_yaml(("face",), KEYPOINTS))
    assert said["kpt_shape"] == [3, 3] and said["flip_idx"] == [1, 0, 2]
    assert "flip_idx" not in yaml.safe_load(yolo.data_yaml(("face",), ("left eye", "nose")))


def test_labels_are_for_trainers_and_predictions_have_scores(tmp_path: Path) -> None:
    yolo.write(
        found([record(0, "sub/a.png", boxes((5, 4, 20, 10))), record(1, "b.png", boxes())], Detections), tmp_path
    )
    assert len((tmp_path / "yolo/labels/sub/a.txt").read_text().split()) == 5
    assert len((tmp_path / "yolo/predictions/sub/a.txt").read_text().split()) == 6
    assert (tmp_path / "yolo/labels/b.txt").read_bytes() == b""


def test_what_was_corrected_by_hand_is_not_written_over(tmp_path: Path) -> None:
    job = found([record(0, "a.png", boxes((5, 4, 20, 10)))], Detections)
    yolo.write(job, tmp_path)
    (tmp_path / "yolo/labels/a.txt").write_text("by hand")
    yolo.write(job, tmp_path)
    assert (tmp_path / "yolo/labels/a.txt").read_text() == "by hand"


@pytest.mark.parametrize("with_masks", [False, True])
def test_supervision_reads_it(tmp_path: Path, with_masks: bool) -> None:
    supervision = pytest.importorskip("supervision")
    result = without_keypoints() if with_masks else boxes((3, 2, 30, 20), (8, 5, 20, 15))
    yolo.write(found([record(0, "a.png", result)], Detections, keypoints=()), tmp_path)
    (tmp_path / "yolo/images").mkdir()
    PillowImage.new("RGB", SIZE_HW[::-1]).save(tmp_path / "yolo/images/a.png")
    folder = tmp_path / "yolo"
    read = supervision.DetectionDataset.from_yolo(
        str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml")
    )
    ((_, _, again),) = list(read)
    assert again.class_id.tolist() == [0, 1]
    assert np.allclose(again.xyxy, result.boxes_xyxy, atol=1e-2)
