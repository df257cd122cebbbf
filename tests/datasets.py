"""Tiny data sets in every layout, made by hand, for tests."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

WIDTH, HEIGHT = 12, 8


@dataclass(frozen=True, slots=True)
class Example:
    """A data set and what is to be found in it."""

    make: Callable[[Path], None]
    count: int
    kind: str
    labels: tuple[str, ...]


def picture(path: Path, value: int = 0, size_hw: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """A picture that differs from those of other values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (*size_hw, 3), np.uint8)
    PillowImage.fromarray(pixels).save(path)
    return path


def mask(path: Path, ids: Any, *, palette: bool = False) -> Path:
    """A PNG of numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PillowImage.fromarray(np.asarray(ids))
    if palette:
        image.putpalette([200, 10, 10, 20, 200, 20] + [0] * 762)
    image.save(path)
    return path


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding=encoding, newline="")
    return path


def idx(path: Path, values: npt.NDArray[Any], *, packed: bool = True) -> Path:
    """An IDX file of bytes."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


def coco(**changes: Any) -> dict[str, Any]:
    """A COCO file of two pictures and two categories with a gap between their ids."""
    ring = [1, 1, 5, 1, 5, 5, 1, 5]
    rows = [
        {"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 1, 4, 4], "area": 16, "segmentation": [ring]},
        {"id": 2, "image_id": 10, "category_id": 7, "bbox": [0, 0, 12, 8], "segmentation": RUNS, "iscrowd": 1},
    ]
    images = [{"id": one, "file_name": f"{one}.png", "width": WIDTH, "height": HEIGHT} for one in (10, 20)]
    categories = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    return {"images": images, "annotations": rows, "categories": categories} | changes


RUNS = {"counts": [8, 8, 80], "size": [HEIGHT, WIDTH]}  # the second column


def page(name: str, *boxes: tuple[Any, ...], size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    """The XML of a picture; a box is a class and four corners."""
    tags = ("xmin", "ymin", "xmax", "ymax")
    things = "".join(
        f"<object><name>{label}</name><difficult>0</difficult><bndbox>"
        + "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, corners, strict=True))
        + "</bndbox></object>"
        for label, *corners in boxes
    )
    sizes = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{sizes}{things}</annotation>"


def image_folder(root: Path) -> None:
    for number, (split, label) in enumerate([("train", "cat"), ("train", "dog"), ("val", "cat"), ("val", "dog")]):
        picture(root / split / label / f"{number}.png", number)


def table(root: Path) -> None:
    for number in range(3):
        picture(root / "images" / f"{number}.png", number)
    text(root / "data.csv", "path,label,split\n0.png,cat,train\n1.png,dog,train\n2.png,cat,val\n")


def coco_set(root: Path) -> None:
    for number in (10, 20):
        picture(root / "train2017" / f"{number}.png", number)
    text(root / "annotations" / "instances_train2017.json", json.dumps(coco()))


def yolo(root: Path) -> None:
    text(root / "data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n")
    for number, split in enumerate(("train", "train", "val")):
        picture(root / "images" / split / f"{number}.png", number)
        text(root / "labels" / split / f"{number}.txt", f"{number % 2} 0.5 0.5 0.5 0.5\n")


def voc(root: Path) -> None:
    for number, split in enumerate(("train", "val")):
        picture(root / split / f"{number}.png", number)
        text(root / split / f"{number}.xml", page(f"{number}.png", ("cat", 1, 1, 4, 4), ("dog", 3, 3, 12, 8)))


def masks(root: Path) -> None:
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[2:4, 3:6] = ids[6:, 8:] = 1
    for number, split in enumerate(("train", "train", "val")):
        picture(root / split / f"{number}.jpg", number)
        mask(root / f"{split}annot" / f"{number}.png", ids, palette=True)
    text(root / "labels.txt", "road\ntree\n")


def instance_masks(root: Path) -> None:
    ids = np.zeros((HEIGHT, WIDTH), np.uint16)
    ids[0:3, 0:3], ids[4:8, 2:5], ids[1:6, 7:12] = 1, 2, 3
    for number in range(3):
        picture(root / "images" / f"{number}.png", number)
        mask(root / "labels" / f"{number}.png", ids)


def pairs(root: Path) -> None:
    for number in range(2):
        picture(root / "lq" / f"{number}.png", number)
        picture(root / "gt" / f"{number}.png", number + 100, (2 * HEIGHT, 2 * WIDTH))


def clean(root: Path) -> None:
    for number in range(2):
        picture(root / f"{number}.png", number)


def idx_set(root: Path) -> None:
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    for prefix in ("train", "t10k"):
        idx(root / f"{prefix}-images-idx3-ubyte.gz", values)
        idx(root / f"{prefix}-labels-idx1-ubyte.gz", np.array([0, 2, 1]))


def npz(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    labels = np.array([[0], [1], [1]], np.uint8)
    arrays = {
        f"{part}_{what}": one for part in ("train", "val") for what, one in (("images", images), ("labels", labels))
    }
    np.savez_compressed(root / "data.npz", **arrays)


def shards(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        with tarfile.open(root / f"{split}-000000.tar", "w") as tar:
            for number in range(2):
                out = io.BytesIO()
                PillowImage.fromarray(np.full((HEIGHT, WIDTH, 3), number * 40, np.uint8)).save(out, "PNG")
                for ending, data in (("png", out.getvalue()), ("cls", str(number).encode())):
                    info = tarfile.TarInfo(f"{number:04}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))


EXAMPLES = {
    "image-folder": Example(image_folder, 4, "classes", ("cat", "dog")),
    "csv": Example(table, 3, "classes", ("cat", "dog")),
    "coco": Example(coco_set, 2, "instances", ("cat", "dog")),
    "yolo": Example(yolo, 3, "boxes", ("cat", "dog")),
    "voc": Example(voc, 2, "boxes", ("cat", "dog")),
    "masks": Example(masks, 3, "map", ("road", "tree")),
    "instance-masks": Example(instance_masks, 3, "instances", ("object",)),
    "pairs": Example(pairs, 2, "pair", ()),
    "clean": Example(clean, 2, "clean", ()),
    "idx": Example(idx_set, 6, "classes", ("0", "1", "2")),
    "npz": Example(npz, 6, "classes", ("0", "1")),
    "shards": Example(shards, 4, "classes", ("0", "1")),
}


def zipped(folder: Path, path: Path) -> Path:
    """The files of a folder in a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


def tarred(folder: Path, path: Path) -> Path:
    """The files of a folder in a tar."""
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.add(file, file.relative_to(folder).as_posix())
    return path
