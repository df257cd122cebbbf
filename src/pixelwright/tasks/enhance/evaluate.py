"""How near enhanced pictures come to better ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Evaluation, Outcome, PredictOptions, Scoring
from pixelwright.errors import DataError
from pixelwright.metrics import fidelity
from pixelwright.metrics.figures import Figure, Histogram
from pixelwright.metrics.score import Picks, Statistic
from pixelwright.ops import color, resample
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import BundleSpec
from pixelwright.structures.targets import Target

EXACT_DB = 100.0  # for pictures that do not differ at all: a mean needs a number
BINS = 20
GAP_PX = 4
AMPLIFIED = 8  # times, of differences that are shown
METRICS = ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y")


class Observation(NamedTuple):
    """One picture's scores, in dB and up to 1."""

    psnr_rgb: float
    psnr_y: float
    ssim_rgb: float
    ssim_y: float


def options(spec: BundleSpec) -> PredictOptions:
    """Nothing but what the bundle decides."""
    del spec
    return PredictOptions()


def observe(result: Raster | Image, target: Target, scoring: Scoring) -> Observation:
    """What a picture contributes; a raster is computed here.

    Raises:
        DataError: The truth is of another kind, size or number of channels.
    """
    truth, seen = _sides(result, target)
    border = int(scoring.spec.output.parameters.get("scale", 1))
    border_px = border if border > 1 else 0
    planes = [fidelity.inner(fidelity.studio_luma(one, white=1.0)[:, :, None], border_px) for one in (truth, seen)]
    return Observation(
        psnr_rgb=min(EXACT_DB, fidelity.psnr(truth, seen, white=1.0)),
        psnr_y=min(EXACT_DB, fidelity.psnr(*planes)),
        ssim_rgb=fidelity.ssim(truth, seen, white=1.0),
        ssim_y=fidelity.ssim(*planes),
    )


def _sides(result: Raster | Image, target: Target) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Truth and answer (H, W, C) with white at 1."""
    if not isinstance(target, Image):
        raise DataError(f"expected a better picture to score against, got {type(target).__name__}.")
    made = result.read() if isinstance(result, Raster) else result
    if made.size_hw != target.size_hw:
        raise DataError(
            f"the enhanced picture has {made.size_hw} pixels (rows, columns), the better one {target.size_hw}."
        )
    channels = made.pixels.shape[2], target.pixels.shape[2]
    if channels[0] != channels[1]:
        made, target = color.to_rgb(made), color.to_rgb(target)
    return tuple(one.pixels.astype(np.float64) / one.white for one in (target, made))  # pyright: ignore[reportReturnType]


def statistic(observations: Sequence[Observation], scoring: Scoring) -> Statistic:
    """Means over pictures."""
    del scoring
    table = np.array(observations, np.float64).reshape(-1, len(METRICS))
    known = np.isfinite(table)

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=len(table)).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (weights @ np.where(known, table, 0)) / (weights @ known)
        return dict(zip(METRICS, means.tolist(), strict=True))

    return over


def outcome(observation: Observation, scoring: Scoring) -> Outcome:
    """What became of a picture: its PSNR."""
    del scoring
    said = f"PSNR {observation.psnr_rgb:.2f} dB, SSIM {observation.ssim_y:.4f}"
    return Outcome(observation.psnr_rgb, None, None, said)


def figures(observations: Sequence[Observation], scoring: Scoring) -> list[Figure]:
    """How the pictures spread."""
    del scoring
    found: list[Figure] = []
    for name, title in (("psnr_rgb", "PSNR of single pictures, dB"), ("ssim_y", "SSIM (luma) of single pictures")):
        values = np.array([getattr(one, name) for one in observations])
        values = values[np.isfinite(values)]
        if len(values):
            found.append(Histogram(title, title.partition(" of ")[0], *np.histogram(values, BINS)))
    return found


def draw(image: Image, result: Raster | Image, target: Target, scoring: Scoring) -> Image:
    """The picture, the enhanced and the better one, and their difference eight times as strong."""
    del scoring
    truth, made = _sides(result, target)
    size_hw = truth.shape[:2]
    before = resample.resize(image.pixels, size_hw, kernel="nearest")
    strong = np.clip(0.5 + AMPLIFIED * (made - truth), 0, 1)
    panels = [
        before,
        *(np.broadcast_to(np.rint(one * 255).clip(0, 255), (*size_hw, 3)) for one in (made, truth, strong)),
    ]
    gap = np.full((size_hw[0], GAP_PX, 3), 255)
    row = np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)
    return Image(row.astype(np.uint8))


EVALUATION = Evaluation(
    task="enhance",
    kinds=frozenset({"pair", "clean"}),
    options=options,
    observe=observe,
    statistic=statistic,
    goals=(("psnr_rgb", True), ("psnr_y", True), ("ssim_rgb", True), ("ssim_y", True)),
    outcome=outcome,
    figures=figures,
    draw=draw,
    shows=f"What went in, what came out, the better picture, and the difference of both, {AMPLIFIED} times as strong.",
)
