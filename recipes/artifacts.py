"""What a recipe leaves beside its checkpoint: answers of model.onnx, and scores.json."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

log = logging.getLogger("recipe")


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """The file in ONNX Runtime, on as many threads as torch was given."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answer(session: onnxruntime.InferenceSession, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The graph's output for a batch."""
    return np.asarray(session.run(None, {"image": np.ascontiguousarray(image)})[0])


def mean_scores(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over images of each list of scores."""
    return {name: float(np.mean(list(values.values()))) for name, values in scores.items()}


def write_scores(run: Path, recipe: str, protocol: str, scores: dict[str, dict[str, float]]) -> None:
    """Writes RUN/scores.json: protocol, means, and every single value, so that intervals can be computed."""
    means = mean_scores(scores)
    content = {
        "recipe": recipe,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "protocol": protocol,
        "mean": means,
        "per_image": scores,
    }
    (run / "scores.json").write_text(json.dumps(content, indent=1) + "\n")
    for name, value in means.items():
        log.info("%s %.4f", name, value)
