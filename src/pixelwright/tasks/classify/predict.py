"""Classification from an image to class scores, by the bundle's contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers
from pixelwright.errors import BundleError
from pixelwright.ops import batch, decision
from pixelwright.structures.results import ClassScores

DEFAULT_TOP_K = 5


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle without classes, and labels the model does not have.

    Raises:
        BundleError: It has no labels, or its decoder makes images.
        UnknownName: With the nearest labels.
    """
    output = bundle.spec.output
    if not output.labels or registry.get("decoder", output.decoder).makes != "scores":
        raise BundleError(bundle.path, f"decoder {output.decoder!r} with {len(output.labels)} labels gives no classes.")
    decision.check_classes(options.classes, output.labels)


def predict(
    prepared: Sequence[batch.Prepared], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[ClassScores]:
    """Class scores for each prepared image."""
    spec = bundle.spec
    scores = answers(batch.stack(prepared), graphs, bundle)
    labels = spec.output.labels
    wanted = decision.wanted_classes(options.classes, labels)
    least = decision.thresholds(labels, spec.decision, options.threshold)
    exclusive = registry.get("decoder", spec.output.decoder).exclusive
    kept = (wanted & decision.passing(row, least, exclusive=exclusive) for row in scores)
    top_k = options.top_k or DEFAULT_TOP_K
    return [_rank(row, labels, keep, top_k) for row, keep in zip(scores, kept, strict=True)]


def _rank(scores: npt.NDArray[np.float32], labels: list[str], keep: npt.NDArray[np.bool_], top_k: int) -> ClassScores:
    order = np.argsort(-scores, kind="stable")
    order = order[keep[order]][:top_k]
    return ClassScores(order.astype(np.int32), scores[order], tuple(labels[i] for i in order))
