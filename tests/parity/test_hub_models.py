"""Every third-party model of the hub, pulled from a folder of the real files, converted, verified, and put to work.

What is expected was read off the pictures by a person.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwright as pw
from pixelwright import hub
from pixelwright.verbs.models import verify_models

pytestmark = [pytest.mark.shared, pytest.mark.slow]

GIRAFFE = "000000000025"  # a large one at a fence and a small one
DINNER = "000000000110"  # a man in front and a woman at his side, faces large, pizza between them
UMBRELLA = "000000000036"  # one woman in the middle, seen from the head to the knees, with an umbrella
FACE_NAMES = [name for name in hub.entries() if name.startswith("ultraface")]


@pytest.fixture(scope="module", autouse=True)
def _pulled(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELWRIGHT_MIRROR", str(shared / "models"))
        patch.setenv("PIXELWRIGHT_OFFLINE", "1")
        patch.setenv("PIXELWRIGHT_CACHE", str(tmp_path_factory.mktemp("hub")))
        yield


@pytest.fixture(autouse=True)
def _own_cache() -> None:
    """One cache for this module, in place of one for each test."""


@pytest.fixture(scope="module")
def photos(shared: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(shared / "data" / "coco128-train" / "coco128-train.zip") as archive:
        return {name: archive.read(f"images/{name}.jpg") for name in (GIRAFFE, DINNER, UMBRELLA)}


def _run(name: str, picture: Any) -> Any:
    hub.pull(name)
    return pw.load(name)(picture)


@pytest.mark.parametrize("name", list(hub.entries()))
def test_a_model_is_converted_and_verified(name: str) -> None:
    hub.pull(name)
    (verdict,) = verify_models([name], threads=1)
    assert verdict.outcome == "verified"


@pytest.mark.parametrize(("name", "cat"), [("mobilenet-v1-imagenet", 4), ("mobilenet-v2-imagenet", 3)])
def test_classifiers_know_a_cat_and_a_cup(shared: Path, name: str, cat: int) -> None:
    photos = shared / "data" / "photos-open"
    labels = [row.label for row in _run(name, photos / "chelsea.png")]
    assert {"tiger cat", "Egyptian cat", "tabby, tabby cat"} <= set(labels[:cat])
    assert next(iter(_run(name, photos / "coffee.png"))).label == "espresso"


@pytest.mark.parametrize("name", ["resnet8-cifar10", "resnet8-cifar10-int8"])
def test_the_tiny_classifiers_make_a_distribution(photos: dict[str, bytes], name: str) -> None:
    hub.pull(name)
    scores = pw.load(name, options=pw.PredictOptions(top_k=10))(photos[GIRAFFE])
    assert len(scores) == 10 and sum(row.score for row in scores) == pytest.approx(1, abs=0.03)
    assert next(iter(scores)).label in {"frog", "deer", "horse"}  # an animal


def test_the_detector_finds_the_large_giraffe(photos: dict[str, bytes]) -> None:
    best = next(iter(_run("fastestdet-coco", photos[GIRAFFE])))
    assert best.label == "giraffe"
    np.testing.assert_allclose(best.box_xyxy, (385, 60, 600, 357), atol=30)


def test_the_face_detectors_agree_whatever_file_they_come_from(photos: dict[str, bytes]) -> None:
    found = [_run(name, photos[DINNER]) for name in FACE_NAMES]
    for one in found:
        assert len(one) == 2 and set(one.labels) == {"face"}
        np.testing.assert_allclose(one.boxes_xyxy, found[0].boxes_xyxy, atol=0.1)
        np.testing.assert_allclose(one.scores, found[0].scores, atol=1e-4)


def test_offsets_are_decoded_as_the_authors_graph_does_for_every_prior() -> None:
    graphs = {name: hub.pull(name) for name in ("ultraface-rfb320", "ultraface-rfb320-raw")}
    from pixelwright import registry
    from pixelwright.runtimes.probe import read_probe

    (ours, theirs) = (
        registry.get("decoder", bundle.spec.output.decoder).run(
            read_probe(bundle.file("probe"))[0].outputs,
            bundle.spec.output.parameters,
            input_hw=(240, 320),
            threshold=0.0,
        )[0]
        for bundle in (graphs["ultraface-rfb320-raw"], graphs["ultraface-rfb320"])
    )
    assert len(ours.boxes_xyxy) == 4420
    np.testing.assert_allclose(ours.boxes_xyxy, theirs.boxes_xyxy, atol=0.02)


def test_the_joints_of_a_person_are_where_they_are(photos: dict[str, bytes]) -> None:
    found = _run("movenet-lightning", photos[UMBRELLA])
    assert list(found.labels) == ["person"] and found.keypoints is not None
    names = hub.entry("movenet-lightning").draft.output.keypoints
    places = {name: found.keypoints[0, row] for row, name in enumerate(names)}
    face = next(iter(_run("ultraface-rfb320", photos[UMBRELLA]))).box_xyxy
    assert face[0] < places["nose"][0] < face[2] and face[1] < places["nose"][1] < face[3]
    assert places["left shoulder"][0] > places["right shoulder"][0]  # she looks at us
    assert places["nose"][1] < places["left shoulder"][1] < places["left hip"][1]


def test_the_segmenter_finds_a_person_where_the_face_is(photos: dict[str, bytes]) -> None:
    found = _run("deeplab-voc", photos[UMBRELLA])
    left, top, right, bottom = (int(side) for side in next(iter(_run("ultraface-rfb320", photos[UMBRELLA]))).box_xyxy)
    person = found.labels.index("person")
    assert (np.asarray(found.ids)[top:bottom, left:right] == person).mean() > 0.9
    assert np.asarray(found.ids).shape == pw.read_image(photos[UMBRELLA]).size_hw


@pytest.mark.parametrize("name", ["mobilenet-v1-features", "mobilenet-v2-features"])
def test_features_tell_cats_from_cups(shared: Path, name: str) -> None:
    photos = shared / "data" / "photos-open"
    cat, cup = pw.read_image(photos / "chelsea.png"), pw.read_image(photos / "coffee.png")
    half = cat.replace(pixels=cat.pixels[:, : cat.size_hw[1] * 3 // 4])
    vectors = [np.asarray(_run(name, one).vector) for one in (cat, half, cup)]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


def test_face_vectors_tell_persons_apart(shared: Path) -> None:
    from PIL import Image

    hub.pull("mobilefacenet")
    model = pw.load("mobilefacenet")
    vectors = []
    with zipfile.ZipFile(shared / "data" / "orl-faces" / "orl-faces-s1-s30.zip") as archive:
        files = sorted(name for name in archive.namelist() if name.endswith(".pgm"))[:40]
        for name in files:
            with Image.open(io.BytesIO(archive.read(name))) as opened:
                vectors.append(model(opened.convert("RGB")).vector)
    persons = np.array([Path(name).parent.name for name in files])
    similarity = np.stack(vectors) @ np.stack(vectors).T
    same = persons[:, None] == persons[None]
    np.fill_diagonal(same, False)
    other = persons[:, None] != persons[None]
    assert similarity[same].mean() > similarity[other].mean() + 0.3
