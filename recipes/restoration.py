"""What the image-to-image recipes share around training: PSNR, ONNX export with a parity check, the score file."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from photos import Pixels
from torch import Tensor, nn

log = logging.getLogger("recipe")


def to_batch(pixels: NDArray[np.float32]) -> Tensor:
    """`(N, H, W, C)` as a tensor `(N, C, H, W)`; the memory stays as it is, which torch calls channels_last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def psnr(reference: NDArray, image: NDArray) -> float:
    """Peak signal-to-noise ratio in dB of images with white at 1.0, over all channels together."""
    return float(-10 * np.log10(np.mean(np.square(reference - image, dtype=np.float64))))


def mean_scores(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over images of each list of scores."""
    return {name: float(np.mean(list(values.values()))) for name, values in scores.items()}


def write_scores(
    run: Path, recipe: str, protocol: str, scores: dict[str, dict[str, float]], means: dict[str, float]
) -> None:
    """Writes RUN/scores.json: protocol, means, and every single value, so that intervals can be computed."""
    content = {
        "recipe": recipe,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": protocol,
        "mean": means,
        "per_image": scores,
    }
    (run / "scores.json").write_text(json.dumps(content, indent=1) + "\n")
    for name, value in means.items():
        log.info("%s %.4f", name, value)


def image_session(path: Path):
    raise NotImplementedError


def run_image():
    raise NotImplementedError


def export_image_model():
    raise NotImplementedError
