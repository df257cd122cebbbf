"""Label maps and better pictures are learned from folders, and the bundle at the end answers for any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage

import pixelwright as pw
from pixelwright.metrics.fidelity import psnr
from pixelwright.verbs.train import Trained, read_config, train

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "augment.preset": "none",
    "budget.baseline": False,
    "budget.validations": 2,
    "machine.threads": 1,
    "machine.precision": "f32",
    "optimizer.ema_decay": 0.9,
    "batch.size": 8,
    "input.size_hw": [32, 32],
}

Pixels = npt.NDArray[np.uint8]


def scene(random: np.random.Generator, height: int = 48, width: int = 56) -> tuple[Pixels, Pixels]:
    """A bright disk on dark ground, and its map; stripes at the left and right are void (2)."""
    rows, columns = np.mgrid[:height, :width]
    y, x = random.uniform(14, height - 14), random.uniform(14, width - 14)
    disk = np.hypot(rows - y, columns - x) < 10
    pixels = np.where(disk, 190, 60)[:, :, None] + random.normal(0, 10, (height, width, 3))
    ids = disk.astype(np.uint8)
    ids[:, :3] = ids[:, -3:] = 2
    return np.clip(pixels, 0, 255).astype(np.uint8), ids


def smooth(random: np.random.Generator, height: int = 72, width: int = 80) -> Pixels:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / random.uniform(4, 9) + columns / random.uniform(4, 9)) for _ in range(3)]
    return ((np.stack(waves, axis=-1) * 0.4 + 0.5) * 255).astype(np.uint8)


def save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(pixels).save(path)


def trained(task: str, data: Path, run: Path, **changes: Any) -> Trained:
    return train(read_config(task, None, {**QUICK, "data.path": str(data), **changes}), output=run)


def test_label_maps_are_learned_around_what_is_void(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        pixels, ids = scene(random)
        save(pixels, tmp_path / "data" / "images" / f"{number:02}.png")
        save(ids, tmp_path / "data" / "masks" / f"{number:02}.png")
    changes = {"data.labels": ["ground", "disk"], "data.void_id": 2, "budget.epochs": 25}
    changes |= {"model": "unet", "network.channels": [8, 12, 16], "optimizer.learning_rate": 0.01}
    done = trained("segment", tmp_path / "data", tmp_path / "run", **changes)
    assert done.score > 0.9
    assert done.bundle is not None
    pixels, ids = scene(random, 61, 83)
    save(pixels, tmp_path / "other.png")
    found = pw.load(done.bundle)(tmp_path / "other.png")
    known = ids != 2
    assert found.ids.shape == (61, 83)
    assert float((found.ids == ids)[known].mean()) > 0.97


@pytest.mark.parametrize(("preset", "scale"), [("denoise", 1), ("super-resolve-x2", 2)])
def test_better_pictures_are_learned_from_clean_ones(tmp_path: Path, preset: str, scale: int) -> None:
    random = np.random.default_rng(0)
    for number in range(24):
        save(smooth(random), tmp_path / "data" / f"{number:02}.png")
    changes: dict[str, Any] = {"degrade.preset": preset, "budget.epochs": 90, "optimizer.learning_rate": 0.01}
    if scale == 1:
        noise = {"gaussian": 1.0, "sensor": 0.0, "gaussian_sigma": [0.15, 0.15], "jpeg": 0.0, "rounded": 1.0}
        changes |= {"degrade.changes": noise, "model": "resunet", "network.channels": [8, 12, 16]}
    else:
        changes |= {"model": "span", "network.channels": 8, "network.blocks": 3}
    done = trained("enhance", tmp_path / "data", tmp_path / "run", **changes)
    assert done.bundle is not None
    clean = smooth(random)
    if scale == 1:
        worse = np.clip(clean + random.normal(0, 0.15 * 255, clean.shape), 0, 255).astype(np.uint8)
        before = worse
    else:
        worse = np.asarray(PillowImage.fromarray(clean).resize((40, 36), PillowImage.Resampling.BICUBIC))
        before = worse.repeat(2, axis=0).repeat(2, axis=1)
    save(worse, tmp_path / "worse.png")
    made = pw.load(done.bundle)(tmp_path / "worse.png")
    assert made.size_hw == clean.shape[:2]
    assert psnr(clean, made.pixels) > psnr(clean, before) + 2


def test_better_pictures_are_learned_from_pairs_of_which_one_does_not_fit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(16):
        clean = smooth(random, 40, 48)
        save(clean, tmp_path / "data" / "target" / f"{number:02}.png")
        save(clean // 2, tmp_path / "data" / "input" / f"{number:02}.png")
    save(smooth(random, 39, 48), tmp_path / "data" / "target" / "03.png")
    changes = {"model": "resunet", "network.channels": [8, 12, 16], "budget.epochs": 60, "data.calibration": 0.0}
    changes |= {"optimizer.learning_rate": 0.01}
    done = trained("enhance", tmp_path / "data", tmp_path / "run", **changes)
    assert done.score > 14  # of pictures at half their light
    assert "03.png" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
