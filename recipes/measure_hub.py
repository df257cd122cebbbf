"""Measures hub models on real data: `python recipes/measure_hub.py fastestdet-coco --data DIR`.

Prints the rows for the model's `measured` in hub.toml. Detection: average precision as pycocotools computes it.
Embedding: are two pictures of one person? Nothing is trained and nothing chosen on what is scored, but that the
pictures of coco128 were among those that COCO detectors are trained on: a check of the conversion, not of the model.
"""

import argparse
import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import pixelwright as pw
from pixelwright.contract import PredictOptions
from pixelwright.structures import spec as s

SEED = 0
RESAMPLES = 300  # of pictures or of persons, for the intervals
AP_OPTIONS = PredictOptions(threshold=0.001, top_k=100)  # all that the curve needs: COCO counts 100 things a picture
AP_METRICS = {"ap": 0, "ap50": 1}  # places in COCOeval.stats
FOLDS = 10

Interval = tuple[float, float]
Scores = dict[str, tuple[float, Interval]]


def fingerprint(contents: Iterable[bytes]) -> str:
    """The SHA-256 of the sorted SHA-256 digests of the files, one a line."""
    digests = sorted(hashlib.sha256(content).hexdigest() for content in contents)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def members(archive: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """Name without ending and content of each file of a folder in a zip archive, in order."""
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.startswith(folder) and not name.endswith("/"):
                yield Path(name).stem, files.read(name)


def coco_truth(archive: Path, sizes_hw: dict[str, tuple[int, int]], classes: int) -> Any:
    """The boxes of coco128 (YOLO text, `class cx cy w h` relative) as pycocotools wants them."""
    boxes = []
    for stem, content in members(archive, "boxes/"):
        if stem not in sizes_hw:  # two box files of the archive have no picture
            continue
        height, width = sizes_hw[stem]
        for line in content.decode().split("\n"):
            if not line.strip():
                continue
            class_id, *relative = (float(value) for value in line.split())
            x, y, w, h = np.multiply(relative, [width, height, width, height])
            box = [x - w / 2, y - h / 2, w, h]
            boxes.append({"image_id": int(stem), "category_id": int(class_id), "bbox": box, "area": w * h})
    annotations = [{"id": number, "iscrowd": 0, **box} for number, box in enumerate(boxes, 1)]
    images = [{"id": int(stem), "height": hw[0], "width": hw[1]} for stem, hw in sizes_hw.items()]
    truth: Any = COCO()
    truth.dataset = {
        "info": {},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": class_id, "name": str(class_id)} for class_id in range(classes)],
    }
    truth.createIndex()
    return truth


def measure_detection(model: Any, archive: Path) -> tuple[int, Scores]:
    """How many pictures, and AP and AP50 with intervals over pictures."""
    rows, sizes_hw = [], {}
    for stem, content in members(archive, "images/"):
        sizes_hw[stem] = pw.open_raster(content).size_hw
        found = model(content)
        for row in found:
            left, top, right, bottom = row.box_xyxy
            box = [left, top, right - left, bottom - top]
            rows.append({"image_id": int(stem), "category_id": row.class_id, "bbox": box, "score": row.score})
    with contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        truth = coco_truth(archive, sizes_hw, len(model.bundle.spec.output.labels))
        evaluation: Any = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.evaluate()
        images = np.arange(len(evaluation.params.imgIds))
        whole = accumulated(evaluation, images)
        rng = np.random.default_rng(SEED)
        drawn = [accumulated(evaluation, rng.choice(images, len(images))) for _ in range(RESAMPLES)]
    return len(images), {name: (whole[name], percentiles([one[name] for one in drawn])) for name in AP_METRICS}


def accumulated(evaluation: Any, images: NDArray[np.intp]) -> dict[str, float]:
    """AP and AP50 over pictures, some perhaps several times."""
    everything, all_ids = evaluation.evalImgs, evaluation.params.imgIds
    per_image = np.array(everything, object).reshape(-1, len(all_ids))
    evaluation.evalImgs = per_image[:, images].ravel().tolist()
    evaluation.params.imgIds = evaluation._paramsEval.imgIds = list(images)
    try:
        evaluation.accumulate()
        evaluation.summarize()
        return {name: float(evaluation.stats[place]) for name, place in AP_METRICS.items()}
    finally:
        evaluation.evalImgs = everything
        evaluation.params.imgIds = evaluation._paramsEval.imgIds = all_ids


def measure_verification(model: Any, archive: Path) -> tuple[int, Scores]:
    """How many pictures, accuracy and equal error rate of "same person?" with intervals over persons."""
    pictures = [(name, content) for name, content in persons(archive)]
    vectors = np.stack([model(content).vector for _, content in pictures])
    people = np.array([name for name, _ in pictures])
    similarity = vectors @ vectors.T
    names = np.unique(people)
    rng = np.random.default_rng(SEED)
    drawn = [rng.choice(names, len(names)) for _ in range(RESAMPLES)]
    rates = [equal_error_rate(*pairs(similarity, people, chosen)) for chosen in drawn]
    folds = [verified(similarity, people, held) for held in np.array_split(rng.permutation(names), FOLDS)]
    means = [float(np.mean(rng.choice(folds, FOLDS))) for _ in range(RESAMPLES)]
    return len(pictures), {
        "verification-accuracy": (float(np.mean(folds)), percentiles(means)),
        "eer": (equal_error_rate(*pairs(similarity, people, names)), percentiles(rates)),
    }


def persons(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The folder (a person) and the content of each picture."""
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".pgm"):
                yield Path(name).parent.name, files.read(name)


def pairs(
    similarity: NDArray[np.float32], people: NDArray[Any], chosen: Sequence[Any] | NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Similarities of all pairs of pictures of one person, and of two, among the persons chosen."""
    same, other = [], []
    rows = {name: np.flatnonzero(people == name) for name in np.unique(chosen)}
    upper = np.triu_indices(len(next(iter(rows.values()))), 1)
    for name in chosen:
        same.append(similarity[np.ix_(rows[name], rows[name])][upper])
    for one, two in combinations(chosen, 2):
        if one != two:
            other.append(similarity[np.ix_(rows[one], rows[two])].ravel())
    return np.concatenate(same), np.concatenate(other)


def equal_error_rate(same: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Where as many of one person are taken for two as of two for one (between two thresholds: their mean)."""
    thresholds = np.unique(np.concatenate((same, other)))
    misses = np.searchsorted(np.sort(same), thresholds) / len(same)
    mistaken = 1 - np.searchsorted(np.sort(other), thresholds) / len(other)
    place = int(np.argmin(np.abs(misses - mistaken)))
    return float((misses[place] + mistaken[place]) / 2)


def verified(similarity: NDArray[np.float32], people: NDArray[Any], held: NDArray[Any]) -> float:
    """Balanced accuracy on the pairs of the persons held out, at the threshold that is best for all others."""
    same, other = pairs(similarity, people, np.setdiff1d(people, held))
    thresholds = np.unique(np.concatenate((same, other)))
    hits = 1 - np.searchsorted(np.sort(same), thresholds) / len(same)
    refused = np.searchsorted(np.sort(other), thresholds) / len(other)
    best = thresholds[np.argmax(hits + refused)]
    same, other = pairs(similarity, people, held)
    return float((np.mean(same >= best) + np.mean(other < best)) / 2)


def percentiles(values: Sequence[float]) -> Interval:
    """The 95 % percentile bootstrap interval."""
    low, high = np.percentile(values, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


DEFINITIONS = {
    "ap": "COCO AP, mean over IoU 0.50:0.05:0.95, 80 classes, 100 detections a picture, score from 0.001; pycocotools",
    "ap50": "COCO AP at IoU 0.50, 100 detections a picture, score from 0.001; pycocotools",
    "verification-accuracy": "same person or not, mean of the accuracies on same and on different pairs, 10 folds of 3 "
    "persons, threshold from the other 27; faces not aligned",
    "eer": "equal error rate over all 1,350 same and 43,500 different pairs; faces not aligned",
}
DATA = {
    "detect": (
        "coco128-train",
        "coco128-train.zip",
        "128 pictures of COCO train2017: the detector's training pictures",
    ),
    "embed": ("orl-faces", "orl-faces-s1-s30.zip", "300 pictures of 30 persons"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a hub model that is pulled, or a bundle folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    options = parser.parse_args()
    model = pw.load(options.model)
    task = model.task.name
    name, file, split = DATA[task]
    archive = options.data / name / file
    if task == "detect":
        n, scores = measure_detection(pw.load(options.model, options=AP_OPTIONS), archive)
    else:
        n, scores = measure_verification(model, archive)
    rows = [
        s.Measured(
            metric=metric,
            definition=DEFINITIONS[metric],
            value=round(value, 4),
            n=n,
            data=s.Data(name, fingerprint([archive.read_bytes()]), split),
            runtime=model.runtime.name,
            date=datetime.now(UTC).date().isoformat(),
            ci95=interval,
        )
        for metric, (value, interval) in scores.items()
    ]
    for row in rows:
        print(msgspec.json.encode(row).decode())


if __name__ == "__main__":
    main()
