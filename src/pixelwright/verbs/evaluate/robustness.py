"""What spoiled pictures do to a score: noise, blur, JPEG and brightness at five severities.

The idea is that of Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations, ICLR 2019 (https://arxiv.org/abs/1903.12261): few kinds of harm, each at five strengths, the score of
each beside that of the pictures as they are. The strengths are ours, and blur goes with the size of the picture, so
that pictures of 28 pixels are harmed like those of 4000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Evaluation
from pixelwright.data.dataset import Dataset
from pixelwright.errors import UsageError
from pixelwright.model import Model
from pixelwright.ops import color
from pixelwright.structures.image import Image
from pixelwright.verbs.evaluate.scored import Evaluated, EvaluateOptions, observe
from pixelwright.verbs.tally import Progress

Pixels = npt.NDArray[np.uint8]

MOST_PICTURES = 300  # evenly taken: twenty passes over all of a large set would take a day
SEVERITIES: dict[str, tuple[float, ...]] = {
    "noise": (0.04, 0.08, 0.12, 0.18, 0.26),  # standard deviation, white is 1
    "blur": (0.004, 0.008, 0.014, 0.022, 0.032),  # standard deviation, as a share of the shorter side
    "jpeg": (60, 40, 25, 15, 8),  # quality as the Independent JPEG Group counts it
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # added to every value, white is 1
}
UNITS = {
    "noise": "Gaussian, standard deviation {} of white",
    "blur": "Gaussian, standard deviation {} of the shorter side",
    "jpeg": "quality {}",
    "brightness": "{} of white added",
}


@dataclass(frozen=True, slots=True, eq=False)
class Robustness:
    """One metric of spoiled pictures.

    Attributes:
        metric: Which one.
        clean: Of the same pictures unspoiled.
        values: For each kind of harm its value at the five severities.
        n: Pictures.
    """

    metric: str
    clean: float
    values: dict[str, tuple[float, ...]]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "metric": self.metric,
            "clean": _known(self.clean),
            "n": self.n,
            "severities": {kind: list(strengths) for kind, strengths in SEVERITIES.items()},
            "values": {kind: [_known(value) for value in found] for kind, found in self.values.items()},
        }

    def lines(self) -> list[str]:
        """A table for a terminal."""
        head = f"{self.metric} of {self.n} spoiled pictures, severity 1 to 5 (as they are: {self.clean:.4f})"
        return [head, *(f"  {kind:<10}  " + "  ".join(f"{v:.4f}" for v in row) for kind, row in self.values.items())]


def robustness_of(
    evaluated: Evaluated, options: EvaluateOptions, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> Robustness:
    """The headline metric of some of the pictures, spoiled in each way at each severity.

    Args:
        evaluated: What was scored.
        options: How it was scored.
        on_progress: Called as pictures are done.

    Raises:
        UsageError: The task makes pictures better: there, harm is the task itself.
    """
    model = evaluated.model
    if model.task.makes_images:
        raise UsageError(f"--robustness: {model.task.name} mends spoiled pictures; give pairs of other harm instead.")
    if evaluated.dataset.sequence:
        raise UsageError("--robustness: noise, blur, JPEG and brightness are for pictures; this data holds sequences.")
    metric = evaluated.headline.metric
    rows = np.unique(np.linspace(0, len(evaluated.seen) - 1, min(MOST_PICTURES, len(evaluated.seen))).astype(int))
    places = [evaluated.seen[row].place for row in rows]
    dataset = evaluated.dataset.only(evaluated.dataset.samples[place] for place in places)
    passes = [(kind, level) for kind, strengths in SEVERITIES.items() for level in range(len(strengths))]
    total, found = len(passes) * len(dataset), []
    for done, (kind, level) in enumerate(passes):
        change = partial(spoil, kind=kind, level=level, seed=options.seed)
        asked = replace(options, change=change, look=False)
        tell = partial(_tell, on_progress, done * len(dataset), total)
        found.append(_value(model, dataset, evaluated, asked, tell))
    levels = len(next(iter(SEVERITIES.values())))
    return Robustness(
        metric=metric,
        clean=float(evaluated.statistic(rows)[metric]),
        values={kind: tuple(found[place * levels : (place + 1) * levels]) for place, kind in enumerate(SEVERITIES)},
        n=len(rows),
    )


def spoil(image: Image, number: int, *, kind: str, level: int, seed: int = 0) -> Image:
    """The picture as 8-bit RGB, spoiled.

    Args:
        image: In any depth.
        number: Of the picture: its noise is its own, whoever computes it.
        kind: A key of `SEVERITIES`.
        level: 0..4.
        seed: Of the noise.
    """
    strength = SEVERITIES[kind][level]
    plain = color.to_8_bit(color.flatten_alpha(image))
    pixels = plain.pixels
    if kind == "noise":
        noise = np.random.default_rng((seed, number, level)).normal(0, strength * 255, pixels.shape)
        spoiled = pixels + noise
    elif kind == "blur":
        spoiled = _blurred(pixels, strength * min(pixels.shape[:2]))
    elif kind == "jpeg":
        spoiled = _stored(pixels, int(strength))
    else:
        spoiled = pixels + strength * 255
    return plain.replace(pixels=np.clip(np.rint(spoiled), 0, 255).astype(np.uint8))


def _blurred(pixels: Pixels, sigma_px: float) -> npt.NDArray[Any]:
    import cv2

    made = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), max(sigma_px, 1e-3), borderType=cv2.BORDER_REFLECT_101)
    return made.reshape(pixels.shape)


def _stored(pixels: Pixels, quality: int) -> npt.NDArray[Any]:
    from PIL import Image as PillowImage

    if pixels.shape[2] not in (1, 3):  # of a picture with more channels each is stored by itself
        return np.concatenate([_stored(pixels[:, :, [c]], quality) for c in range(pixels.shape[2])], axis=2)
    out = BytesIO()
    PillowImage.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(out, "JPEG", quality=quality)
    with PillowImage.open(out) as stored:
        return np.asarray(stored).reshape(pixels.shape)


def _value(
    model: Model, dataset: Dataset, evaluated: Evaluated, options: EvaluateOptions, tell: Callable[[Progress], None]
) -> float:
    seen, _ = observe(model, dataset, evaluated.scoring, options, tell)
    if not seen:
        return float("nan")
    evaluation: Evaluation = evaluated.evaluation
    statistic = evaluation.statistic([one.observation for one in seen], evaluated.scoring)
    return float(statistic(np.arange(len(seen)))[evaluated.headline.metric])


def _tell(on_progress: Callable[[Progress], None], before: int, total: int, progress: Progress) -> None:
    on_progress(Progress(before + progress.done, progress.failed, total))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
