"""From a folder of labeled pictures to a bundle that finds things: boxes, and discs that touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from pixelwright.model import load
from pixelwright.ops import boxes
from pixelwright.verbs.train import Trained, read_config, train

SIDE = 64
SMALL: dict[str, Any] = {
    "seed": 3,
    "machine.accelerator": "cpu",
    "machine.threads": 1,
    "machine.precision": "f32",
    "optimizer.learning_rate": 4e-3,
    "optimizer.ema_decay": 0.9,
    "batch.size": 8,
    "budget.validations": 2,
}

pytestmark = pytest.mark.slow

Disc = tuple[float, float, float]  # x, y, radius


def pair(random: np.random.Generator) -> tuple[Disc, Disc]:
    """Two discs that touch, somewhere and in any direction."""
    one, other = random.uniform(6, 10, 2)
    turn = random.uniform(0, 2 * np.pi)
    x, y = random.uniform(22, SIDE - 22, 2)
    reach = (one + other - 1) / 2
    shift = np.array([np.cos(turn), np.sin(turn)]) * reach
    return (x - shift[0], y - shift[1], one), (x + shift[0], y + shift[1], other)


def scene(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[Disc, Disc]]:
    """A gray picture of two touching discs without a line between them, their mask, and the discs."""
    discs = pair(random)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    ids = np.zeros((SIDE, SIDE), np.uint8)
    for which, (x, y, radius) in enumerate(discs):
        ids[np.hypot(columns - x, rows - y) < radius] = which + 1
    noisy = 40 + 120 * (ids > 0) + random.normal(0, 8, ids.shape)
    return noisy.clip(0, 255).astype(np.uint8), ids, discs


def write(folder: Path, count: int) -> Path:
    """Pictures with instance masks, two fifths of them for validation and calibration."""
    random = np.random.default_rng(8)
    for place in range(count):
        part = "train" if place < count * 3 // 5 else "val"
        pixels, ids, _ = scene(random)
        for name, array in (("images", pixels), ("labels", ids)):
            path = folder / part / name / f"{place:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), array)
    return folder


def write_voc(folder: Path, count: int) -> Path:
    """The same pictures with boxes, as Pascal VOC has them."""
    random = np.random.default_rng(9)
    for place in range(count):
        path = folder / ("train" if place < count * 3 // 5 else "val") / f"{place:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels, _, discs = scene(random)
        cv2.imwrite(str(path), pixels)
        objects = "".join(
            f"<object><name>disc</name><bndbox><xmin>{x - r:.1f}</xmin><ymin>{y - r:.1f}</ymin>"
            f"<xmax>{x + r:.1f}</xmax><ymax>{y + r:.1f}</ymax></bndbox></object>"
            for x, y, r in discs
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>1</depth></size>"
        text = f"<annotation><filename>{path.name}</filename>{size}{objects}</annotation>"
        path.with_suffix(".xml").write_text(text, encoding="utf-8")
    return folder


def learned(data: Path, output: Path, **changes: Any) -> Trained:
    config = read_config("detect", None, {**SMALL, "data.path": str(data), **changes})
    return train(config, output=output)


def test_touching_discs_become_a_bundle_that_tells_them_apart(tmp_path: Path) -> None:
    network = {"network": {"widths": [12, 16, 24], "head": 24}}
    made = learned(
        write(tmp_path / "data", 50),
        tmp_path / "run",
        **{"model": "starconvex", "goal": "mask_AP50", "budget.epochs": 40, **network},
    )
    assert made.score > 0.9
    assert made.bundle is not None
    model, random = load(made.bundle), np.random.default_rng(77)
    for _ in range(5):
        pixels, ids, discs = scene(random)
        found = model(pixels)
        assert len(found) == 2 and found.masks is not None
        masks = list(found.masks)
        assert not (masks[0] & masks[1]).any()
        for which, _ in enumerate(discs):
            true = ids == which + 1
            assert max(np.count_nonzero(one & true) / np.count_nonzero(one | true) for one in masks) > 0.5


def test_boxes_become_a_bundle_that_finds_things(tmp_path: Path) -> None:
    made = learned(
        write_voc(tmp_path / "data", 50),
        tmp_path / "run",
        **{"model": "onestage/n", "goal": "AP50", "budget.epochs": 60},
    )
    assert made.score > 0.9
    assert made.bundle is not None
    pixels, _, discs = scene(np.random.default_rng(78))
    found = load(made.bundle)(pixels)
    assert len(found) == 2
    true = np.array([[x - radius, y - radius, x + radius, y + radius] for x, y, radius in discs], np.float32)
    assert (boxes.iou(true, found.boxes_xyxy).max(axis=1) > 0.5).all()
