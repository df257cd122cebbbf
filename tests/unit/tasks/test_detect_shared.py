"""Published detectors on real pictures: what other code computes of them, and what people have drawn."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image as PillowImage

from bundles import spec
from pixelwright.bundle import write_bundle
from pixelwright.model import Model, load
from pixelwright.ops.boxes import iou
from pixelwright.structures.detections import Detections
from pixelwright.structures.spec import (
    Decision,
    GraphSpec,
    InputSpec,
    OutputSpec,
    Resize,
    Suppression,
    TensorSpec,
)

pytestmark = pytest.mark.shared

RAW: dict[str, Any] = {
    "boxes": "boxes",
    "scores": "scores",
    "strides": [8, 16, 32, 64],
    "sizes": [[10, 16, 24], [32, 48], [64, 96], [128, 192, 256]],
    "centers": "ceil",
    "clip": True,
}
FACES: dict[str, tuple[str, dict[str, Any]]] = {
    "version-RFB-320.onnx": ("boxes", {"boxes": "boxes", "scores": "scores", "background": 1}),
    "version-RFB-320_simplified.onnx": ("ssd", RAW),
    "version-RFB-320_without_postprocessing.onnx": ("ssd", RAW),
}


class Photo(NamedTuple):
    """A picture with the boxes that people have drawn."""

    pixels: np.ndarray
    class_ids: np.ndarray
    boxes_xyxy: np.ndarray


@pytest.fixture(scope="module")
def photos(shared: Path) -> list[Photo]:
    return list(_photos(shared / "data" / "coco128-train" / "coco128-train.zip"))


def _photos(path: Path) -> Iterator[Photo]:
    with ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if name.startswith("images/"))[::2]:
            with PillowImage.open(io.BytesIO(archive.read(name))) as opened:
                pixels = np.asarray(opened.convert("RGB"))
            drawn = f"boxes/{Path(name).stem}.txt"
            text = archive.read(drawn).decode() if drawn in archive.namelist() else ""  # nothing to be drawn
            rows = np.array([line.split() for line in text.splitlines()], float).reshape(-1, 5)
            centers, sides = rows[:, 1:3], rows[:, 3:] / 2
            corners = np.concatenate((centers - sides, centers + sides), axis=1) * np.tile(pixels.shape[1::-1], 2)
            yield Photo(pixels, rows[:, 0].astype(int), corners.astype(np.float32))


def face_detector(shared: Path, folder: Path, file: str) -> Model:
    decoder, parameters = FACES[file]
    outputs = [TensorSpec("scores", "float32", [1, 4420, 2]), TensorSpec("boxes", "float32", [1, 4420, 4])]
    contract = spec(
        name="faces",
        task="detect",
        graphs={"model": GraphSpec([TensorSpec("input", "float32", [1, 3, 240, 320], "NCHW")], outputs)},
        input=InputSpec(
            white=255.0, mean=[127.0] * 3, std=[128.0] * 3, resize=Resize(rule="stretch", size_hw=(240, 320))
        ),
        output=OutputSpec(
            decoder=decoder, parameters=parameters, labels=["face"], suppression=Suppression(iou_threshold=0.3)
        ),
        decision=Decision(threshold=0.7),
    )
    path = shared / "models" / "ultraface_rfb320" / file
    return load(write_bundle(folder / Path(file).stem.lower(), contract, {"model": path}).path)


@pytest.fixture(scope="module")
def things(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = shared / "models" / "fastestdet_coco"
    contract = spec(
        name="fastestdet",
        task="detect",
        graphs={
            "model": GraphSpec(
                [TensorSpec("input.1", "float32", [1, 3, 352, 352], "NCHW")],
                [TensorSpec("758", "float32", [1, 85, 22, 22])],
            )
        },
        input=InputSpec(channels="bgr", resize=Resize(rule="stretch", size_hw=(352, 352), kernel="box")),
        output=OutputSpec(
            decoder="fastestdet",
            parameters={"output": "758"},
            labels=(folder / "coco.names").read_text(encoding="utf-8").split("\n")[:80],
            suppression=Suppression(iou_threshold=0.45),
        ),
        decision=Decision(threshold=0.3),
    )
    place = tmp_path_factory.mktemp("models") / "fastestdet"
    return load(write_bundle(place, contract, {"model": folder / "FastestDet.onnx"}).path)


def test_three_exports_of_a_face_detector_find_the_same_faces(
    shared: Path, tmp_path: Path, photos: list[Photo]
) -> None:
    # The first computes its boxes in the graph, as its authors do; of the others our decoder computes them.
    models = [face_detector(shared, tmp_path, file) for file in FACES]
    faces = 0
    for photo in photos:
        published, *ours = (model(photo.pixels) for model in models)
        faces += len(published)
        for result in ours:
            assert len(result) == len(published)
            assert np.abs(result.boxes_xyxy - published.boxes_xyxy).max(initial=0) < 0.05
            assert np.abs(result.scores - published.scores).max(initial=0) < 1e-3
    assert faces > 30


def test_fastestdet_answers_as_its_formulas_do_cell_by_cell(things: Model, photos: list[Photo]) -> None:
    photo = PillowImage.fromarray(photos[6].pixels).resize((352, 352))
    result = things(np.asarray(photo), iou_threshold=1.0, threshold=0.4, top_k=1000)
    tensor = np.asarray(photo)[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    output = things.graphs(1)["model"].run({"input.1": tensor})["758"][0]
    expected = []
    for row in range(22):
        for column in range(22):
            cell = output[:, row, column].tolist()
            score = cell[0] ** 0.6 * max(cell[5:]) ** 0.4
            x, y = (column + math.tanh(cell[1])) / 22 * 352, (row + math.tanh(cell[2])) / 22 * 352
            wide, high = 352 / (1 + math.exp(-cell[3])), 352 / (1 + math.exp(-cell[4]))
            corners = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
            if score >= 0.4:
                expected.append((score, [min(max(side, 0), 352) for side in corners]))
    expected.sort(key=lambda one: -one[0])
    assert len(result) == len(expected) > 5
    assert np.allclose(result.scores, [score for score, _ in expected], atol=1e-3)
    assert np.allclose(result.boxes_xyxy, [box for _, box in expected], atol=0.1)


def recall(results: list[Detections], photos: list[Photo], small_px: float, large_px: float) -> float:
    """Share of the drawn boxes between two sizes that a box of the same class overlaps by half."""
    hits = total = 0
    for result, photo in zip(results, photos, strict=True):
        sides = np.sqrt(np.prod(photo.boxes_xyxy[:, 2:] - photo.boxes_xyxy[:, :2], axis=1))
        same = photo.class_ids[:, None] == result.class_ids[None]
        hit = ((iou(photo.boxes_xyxy, result.boxes_xyxy) >= 0.5) & same).any(axis=1)
        wanted = (sides >= small_px) & (sides < large_px)
        hits, total = hits + int(hit[wanted].sum()), total + int(wanted.sum())
    return hits / total


def test_large_things_that_people_have_drawn_are_found(things: Model, photos: list[Photo]) -> None:
    results = [things(photo.pixels) for photo in photos]
    assert recall(results, photos, 200, 1e9) > 0.5


def test_tiles_find_more_of_the_small_things(things: Model, photos: list[Photo]) -> None:
    some = photos[::2]
    whole = recall([things(photo.pixels) for photo in some], some, 0, 48)
    tiled = recall([things(photo.pixels, tile_px=240) for photo in some], some, 0, 48)
    assert tiled > 1.5 * whole
