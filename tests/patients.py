"""Data sets for the doctor: sound ones, and faults to be put into them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

SHAPES = ("disc", "square", "triangle")
SIDE = 48


def shape_picture(shape: str, rng: np.random.Generator) -> PillowImage.Image:
    """A shape of random size, place and color on a ground of its own: no two are alike."""
    ground, paint = rng.integers(0, 90, 3), rng.integers(150, 256, 3)
    texture = rng.normal(0, 12, (6, 6, 3)) + ground
    picture = PillowImage.fromarray(texture.clip(0, 255).astype(np.uint8)).resize((SIDE, SIDE))
    half = rng.uniform(9, 15)
    x, y = rng.uniform(17, SIDE - 17, 2)
    pen, color = ImageDraw.Draw(picture), tuple(paint.tolist())
    if shape == "disc":
        pen.ellipse((x - half, y - half, x + half, y + half), fill=color)
    elif shape == "square":
        pen.rectangle((x - half, y - half, x + half, y + half), fill=color)
    else:
        pen.polygon(((x, y - half), (x - half, y + half), (x + half, y + half)), fill=color)
    return picture


def shape_folders(root: Path, each: int = 60, *, seed: int = 0) -> Path:
    """An image folder with splits: `each` pictures of each class, of which every fifth is for validation."""
    rng = np.random.default_rng(seed)
    for shape in SHAPES:
        for number in range(each):
            folder = root / ("val" if number % 5 == 0 else "train") / shape
            folder.mkdir(parents=True, exist_ok=True)
            shape_picture(shape, rng).save(folder / f"{shape}{number:03d}.png")
    return root


def boxed_pictures(root: Path, count: int = 30, *, seed: int = 0) -> Path:
    """COCO: a white box in each picture, and its annotation."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        pixels = (rng.normal(70, 25, (12, 16, 3)).clip(0, 255)).astype(np.uint8)
        picture = PillowImage.fromarray(pixels).resize((96, 72))
        left, top = rng.integers(2, 50), rng.integers(2, 40)
        width, height = rng.integers(10, 40), rng.integers(10, 28)
        ImageDraw.Draw(picture).rectangle((left, top, left + width - 1, top + height - 1), fill="white")
        picture.save(root / "images" / f"{number:03d}.png")
        images.append({"id": number, "file_name": f"{number:03d}.png", "width": 96, "height": 72})
        box = [int(left), int(top), int(width), int(height)]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": box, "iscrowd": 0})
    coco = {"images": images, "categories": [{"id": 1, "name": "box"}], "annotations": annotations}
    (root / "coco.json").write_text(json.dumps(coco))
    return root
