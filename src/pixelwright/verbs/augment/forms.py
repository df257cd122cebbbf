"""How a data set of each kind is laid out when it is written: always a layout that `open_dataset` reads back.

classes                 train/cat/a.png, a folder a class; a table where classes are several or no folder names
values                  labels.csv, pictures/a.png
boxes, instances, keypoints     annotations/instances_train.json (COCO), train/a.png
map                     images/train/a.png, masks/train/a.png, labels.txt
pair                    input/train/a.png, target/train/a.png
clean                   train/a.png

Beside each lies `groups.csv`, so that no picture is ever parted from its variants.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelwright.data import groups
from pixelwright.data.dataset import Dataset, Kind, Sample
from pixelwright.data.layouts.masks import VOID_NAMES
from pixelwright.data.opening import open_dataset
from pixelwright.data.pairing import BETTER, MASKS, PICTURES, WORSE
from pixelwright.data.stated import split_of
from pixelwright.errors import DataError
from pixelwright.io.atomic import whole_file
from pixelwright.io.images import fitting_suffix
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import runs_to_text
from pixelwright.structures.raster import Raster
from pixelwright.structures.targets import Annotations, Classes, Target, Values
from pixelwright.verbs.job import stopped
from pixelwright.verbs.outputs import write_picture

Records = Callable[[], Iterable[dict[str, Any]]]

_ROLES = PICTURES | MASKS | WORSE | BETTER  # folders called so are taken for a part of every sample
NO_SPLIT = "all"  # the folder of pictures that belong to no split
VOC_VOID = 255  # what readers take for void where no label is called so,
MOST_BESIDE_VOID = 254  # and there are no more labels
WHOLE = 0.5  # of a pixel: COCO's keypoints are those of a pixel, ours of its center


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of data is written.

    Attributes:
        layout: Registry name of the layout that reads it.
        place: `(sample, its truth, name without ending)` to where the picture goes, relative and without ending.
        keep: `(root, place, truth, size_hw)`: writes what lies beside the picture, and gives what its record says.
        finish: `(root, data set, records)`: writes the files that all share.
    """

    layout: str
    place: Callable[[Sample, Target | None, str], str]
    keep: Callable[[Path, str, Target | None, tuple[int, int]], dict[str, Any]]
    finish: Callable[[Path, Dataset, Records], None]


def form_of(dataset: Dataset) -> Form:
    """What a data set is written as."""
    if dataset.kind != "classes":
        return FORMS[dataset.kind]
    folders = dataset.exclusive and len(dataset.labels) > 1 and all(map(_is_folder_name, dataset.labels))
    return _class_folders(dataset) if folders else TABLE


def _is_folder_name(label: str) -> bool:
    """Whether a folder of this name is the class again when it is read: no path, and no split or role."""
    plain = label == label.strip(" .") and not set(label) & set('/\\:*?"<>|') and label.isprintable()
    return bool(label) and plain and label.casefold() not in _ROLES and split_of(label) is None


def _class_folders(dataset: Dataset) -> Form:
    def place(sample: Sample, target: Target | None, name: str) -> str:
        if not isinstance(target, Classes) or len(target.ids) != 1:
            raise DataError(f"{sample.id}: has no class to be laid under.")
        label = dataset.labels[target.ids[0]]
        return f"{sample.split}/{label}/{name}" if sample.split else f"{label}/{name}"

    return Form("image-folder", place, _keep_nothing, _finish_nothing)


def _in_split(sample: Sample, target: Target | None, name: str) -> str:
    del target
    return f"{sample.split or NO_SPLIT}/{name}"


def _in_table(sample: Sample, target: Target | None, name: str) -> str:
    del sample, target
    return f"pictures/{name}"


def _below(folder: str) -> Callable[[Sample, Target | None, str], str]:
    def place(sample: Sample, target: Target | None, name: str) -> str:
        del target
        return f"{folder}/{sample.split}/{name}" if sample.split else f"{folder}/{name}"

    return place


def _keep_nothing(root: Path, place: str, target: Target | None, size_hw: tuple[int, int]) -> dict[str, Any]:
    del root, place, target, size_hw
    return {}


def _finish_nothing(root: Path, dataset: Dataset, records: Records) -> None:
    del root, dataset, records


def _keep_row(root: Path, place: str, target: Target | None, size_hw: tuple[int, int]) -> dict[str, Any]:
    del root, size_hw
    if isinstance(target, Classes):
        return {"ids": list(target.ids)}
    if isinstance(target, Values):
        return {"values": list(target.values)}
    raise DataError(f"{place}: has no label to be written.")


def _finish_table(root: Path, dataset: Dataset, records: Records) -> None:
    """`labels.csv`: values and several classes in a column each."""
    several = dataset.kind == "classes" and not dataset.exclusive
    with _sharing(root / "labels.csv") as out:
        lines = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
        writer = csv.writer(lines)
        columns = dataset.labels if several or dataset.kind == "values" else ("label",)
        writer.writerow(["path", *columns, "split"])
        for record in records():
            cells: list[Any] = record.get("values", [])
            if dataset.kind == "classes":
                ids = set(record["ids"])
                cells = [int(one in ids) for one in range(len(dataset.labels))]
                cells = cells if several else [dataset.labels[one] for one in record["ids"]]
            writer.writerow([record["file"], *cells, record["split"]])
        lines.detach()


def finish_groups(root: Path, records: Records) -> None:
    """`groups.csv`: a picture, its variants, and whatever it belonged to before are of one group."""
    with _sharing(root / groups.FILE) as out:
        groups.write_groups(((record["file"], record["group"]) for record in records()), out)


def _keep_things(root: Path, place: str, target: Target | None, size_hw: tuple[int, int]) -> dict[str, Any]:
    del root
    if not isinstance(target, Annotations):
        raise DataError(f"{place}: has no annotations to be written.")
    return {"size_hw": list(size_hw), "things": [_thing(target, row) for row in range(len(target))]}


def _thing(target: Annotations, row: int) -> dict[str, Any]:
    """A row as COCO writes it, but for its ids."""
    left, top, right, bottom = (round(float(side), 3) for side in target.boxes_xyxy[row])
    box = [left, top, round(right - left, 3), round(bottom - top, 3)]
    thing: dict[str, Any] = {"category_id": int(target.class_ids[row]) + 1, "bbox": box, "area": box[2] * box[3]}
    thing["iscrowd"] = int(target.crowd is not None and target.crowd[row])
    if target.ignore is not None and target.ignore[row]:
        thing["ignore"] = 1
    if target.masks is not None:
        runs = target.masks.runs[row]
        thing["segmentation"] = {"size": list(target.masks.size_hw), "counts": runs_to_text(runs)}
        thing["area"] = int(runs[1::2].sum())
    if target.areas is not None:
        thing["area"] = float(target.areas[row])
    if target.keypoints is not None:
        points = target.keypoints[row].astype(np.float64)
        points[:, :2] = np.where(points[:, 2:] > 0, points[:, :2] - WHOLE, 0)
        thing["keypoints"] = [round(value, 3) for value in points.ravel().tolist()]
        thing["num_keypoints"] = int((points[:, 2] > 0).sum())
    return thing


def _finish_coco(root: Path, dataset: Dataset, records: Records) -> None:
    """`annotations/instances_SPLIT.json` for each split, an element a line."""
    (root / "annotations").mkdir(exist_ok=True)
    for split in sorted({sample.split for sample in dataset.samples}):

        def mine(split: str = split) -> Iterator[tuple[int, dict[str, Any]]]:
            return enumerate((record for record in records() if record["split"] == split), 1)

        with _sharing(root / "annotations" / f"instances_{split or NO_SPLIT}.json") as out:
            out.write(b'{"info": {"description": "made by pixelwright augment"},\n"categories": [\n')
            _write_rows(out, (_category(dataset, place) for place in range(len(dataset.labels))))
            out.write(b'],\n"images": [\n')
            _write_rows(out, ({"id": number, **_picture(record)} for number, record in mine()))
            out.write(b'],\n"annotations": [\n')
            things = ((number, thing) for number, record in mine() for thing in record["things"])
            _write_rows(out, ({"id": i, "image_id": number, **thing} for i, (number, thing) in enumerate(things, 1)))
            out.write(b"]}\n")


def _category(dataset: Dataset, place: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": place + 1, "name": dataset.labels[place]}
    if dataset.keypoints:
        number = {name: one for one, name in enumerate(dataset.keypoints, 1)}
        row["keypoints"] = list(dataset.keypoints)
        row["skeleton"] = [[number[one], number[other]] for one, other in dataset.skeleton]
        row |= {"flip_idx": list(dataset.mirrored)} if dataset.mirrored else {}
    return row


def _picture(record: dict[str, Any]) -> dict[str, Any]:
    height, width = record["size_hw"]
    return {"file_name": record["file"], "width": width, "height": height}


def _write_rows(out: BinaryIO, rows: Iterable[dict[str, Any]]) -> None:
    for number, row in enumerate(rows):
        out.write((b",\n" if number else b"") + json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))


def _keep_map(root: Path, place: str, target: Target | None, size_hw: tuple[int, int]) -> dict[str, Any]:
    del size_hw
    if not isinstance(target, LabelMap):
        raise DataError(f"{place}: has no map to be written.")
    mask = root / f"masks/{place.partition('/')[2]}.png"
    mask.parent.mkdir(parents=True, exist_ok=True)
    ids, stored = target.ids, _stored_void(target.labels, target.void_id)
    if stored is not None and stored != target.void_id:
        ids = np.where(ids == target.void_id, ids.dtype.type(stored), ids)
    write_picture(Raster.of(Image(ids[:, :, None], GRAY)), mask, None, in_job=True)
    return {} if stored is None or not (ids == stored).any() else {"void": stored}


def _stored_void(labels: Sequence[str], void_id: int | None) -> int | None:
    """The number of void in masks: 255 where who reads them will take that for void, else that which it has."""
    if void_id is None or any(label.casefold() in VOID_NAMES for label in labels) or len(labels) > MOST_BESIDE_VOID:
        return void_id
    # Masks of 0 and 255 alone would be read as those of two classes.
    return VOC_VOID if any(one != void_id for one in range(1, len(labels))) else void_id


def void_remarks(root: Path, records: Records) -> tuple[str, ...]:
    """What must be said to the reader of written masks, where it does not find out by itself what void is in them."""
    stored = {record["void"] for record in records() if "void" in record}
    if not stored:
        return ()
    try:
        found = {open_dataset(root).void_id}
    except DataError:  # numbers that are none of the classes
        found = set()
    return () if stored == found else (f"void is written as {max(stored)}: read the masks with --void {max(stored)}.",)


def _finish_maps(root: Path, dataset: Dataset, records: Records) -> None:
    del records
    if dataset.labels:
        with _sharing(root / "labels.txt") as out:
            out.write("".join(f"{label}\n" for label in dataset.labels).encode())


def _keep_better(root: Path, place: str, target: Target | None, size_hw: tuple[int, int]) -> dict[str, Any]:
    del size_hw
    if not isinstance(target, Image):
        raise DataError(f"{place}: has no better picture.")
    raster = Raster.of(target)
    better = root / f"target/{place.partition('/')[2]}{fitting_suffix(raster, 'png')}"
    better.parent.mkdir(parents=True, exist_ok=True)
    write_picture(raster, better, None, in_job=True)
    return {}


class _sharing:  # noqa: N801 (reads as the function it is)
    """A file of the whole data set, there whole or not at all; a full disk stops the run."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, whole_file(path)

    def __enter__(self) -> BinaryIO:
        try:
            return self._file.__enter__()
        except OSError as err:
            raise stopped(self._path, err) from err

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._file.__exit__(kind, error, trace)
        except OSError as err:
            raise stopped(self._path, err) from err


TABLE = Form("csv", _in_table, _keep_row, _finish_table)
_THINGS = Form("coco", _in_split, _keep_things, _finish_coco)
FORMS: Mapping[Kind, Form] = {
    "values": TABLE,
    "boxes": _THINGS,
    "instances": _THINGS,
    "keypoints": _THINGS,
    "map": Form("masks", _below("images"), _keep_map, _finish_maps),
    "pair": Form("pairs", _below("input"), _keep_better, _finish_nothing),
    "clean": Form("clean", _in_split, _keep_nothing, _finish_nothing),
}
