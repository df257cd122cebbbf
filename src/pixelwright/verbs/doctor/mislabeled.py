"""Labels that are likely wrong: a classifier that has not seen the sample firmly contradicts, and so do its neighbors.

The features are small copies of the pictures and their edges, as they are kept for every sample anyway, and the
classifier is linear; where that does not suffice to tell the classes apart, nothing is said. Of what it contradicts,
those are told of whose nearest pictures rather have the other label too: two judges that err on different samples;
unless the classifier hardly errs. Of 1,500 digits with 30 labels made wrong at random they told of 26, 25 of them
rightly, and of 5 where none was; of as many chest X-rays 21, 21 and 5.

Source: Northcutt, Jiang, Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70, 2021,
https://arxiv.org/abs/1911.00068, equations 1 and 2 (a class counts as seen where its score reaches the mean score that
samples labeled so have; a sample is off the diagonal where that is another class than its label).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Dataset
from pixelwright.ops.appearance import FEATURES, describe
from pixelwright.ops.linear import fit_linear
from pixelwright.verbs.doctor.finding import Case

Floats = npt.NDArray[np.float32]

AT_ONCE = 20_000  # samples judged together: 150 MB of features
LEAST_SAMPLES = 50
LEAST_PER_CLASS = 5  # or its mean score says nothing
LEAST_ACCURACY = 0.8  # of the classifier, below which it is no judge
LEAST_MARGIN = 0.9  # by which another class must score above the label; 0.5 told of 8 and 9 right labels, not 5 and 5
SURE_SCORE = 0.9  # enough for a class to count as seen, where the mean score is nearly 1
NEIGHBORS = 10
SURE_ACCURACY = 0.99  # of the classifier, from which it is believed without asking the neighbors


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and a sentence on how."""

    cases: tuple[Case, ...]
    remark: str


def find_mislabeled(
    dataset: Dataset,
    class_ids: npt.NDArray[np.int64],
    copies: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    families: npt.NDArray[np.int64],
) -> Verdict:
    """Samples whose label a classifier firmly contradicts, the most certain first.

    Args:
        dataset: Names the classes and samples.
        class_ids: (N,) of each sample, -1 where it has none or could not be read.
        copies: (N, 32, 32) gray and (N, 8, 8, 3) color.
        families: (N,) number of the family of near copies that a sample is of: they would give each other away.
    """
    rows = np.flatnonzero(class_ids >= 0)
    counts = np.bincount(class_ids[rows], minlength=len(dataset.labels))
    rows = rows[counts[class_ids[rows]] >= LEAST_PER_CLASS]
    if len(rows) < LEAST_SAMPLES or len(np.unique(class_ids[rows])) < 2:
        return Verdict((), f"labels were not judged: that takes {LEAST_SAMPLES} samples of two classes or more")
    groups = _groups(dataset, families)
    order = np.random.default_rng(0).permutation(rows)
    cases: list[tuple[float, bool, Case]] = []  # by how much, whether the neighbors agree, and what
    right = 0
    for part in np.array_split(order, -(-len(order) // AT_ONCE)):
        kept = [groups[row] for row in part.tolist()]
        if len(set(kept)) < 2:
            return Verdict((), "labels were not judged: all pictures are nearly equal")
        seen, given = describe(copies[0][part], copies[1][part]), class_ids[part]
        _, scores = fit_linear(seen, given, len(dataset.labels), groups=kept)
        right += int((scores.argmax(axis=1) == given).sum())
        for place, other, margin in _contradicted(given, scores):
            agreed = _neighbors_agree(seen, given, np.array(kept), place, other)
            cases.append((margin, agreed, _case(dataset, int(part[place]), (given[place], other), scores[place])))
    accuracy = right / len(rows)
    judge = f"by a linear classifier on {FEATURES}, right on {accuracy:.1%} of samples it had not seen"
    if accuracy < LEAST_ACCURACY:
        return Verdict((), f"labels were not judged: {judge}, which is too little")
    sure = accuracy >= SURE_ACCURACY
    ranked = sorted((one for one in cases if sure or one[1]), key=lambda one: (-one[0], one[2].ids))
    asked = "" if sure else f", and by the nearest {NEIGHBORS}"
    return Verdict(tuple(case for _, _, case in ranked), f"labels were judged {judge}{asked}")


def _groups(dataset: Dataset, families: npt.NDArray[np.int64]) -> list[str]:
    """What a fold must not part: a group of the data, else a family of copies."""
    return [
        f"group {sample.group}" if sample.group else f"family {family}"
        for sample, family in zip(dataset.samples, families.tolist(), strict=True)
    ]


def _contradicted(given: npt.NDArray[np.int64], scores: Floats) -> Iterator[tuple[int, int, float]]:
    """Rows off the diagonal of the confident joint: place, class that is seen, and by how much it scores higher."""
    own = np.take_along_axis(scores, given[:, None], axis=1)[:, 0]
    sums = np.bincount(given, weights=own, minlength=scores.shape[1])
    counts = np.bincount(given, minlength=scores.shape[1])
    usual = np.where(counts > 0, np.minimum(sums / np.maximum(counts, 1), SURE_SCORE), np.inf)  # equation 2
    reached = np.where(scores >= usual, scores, -1)
    seen = reached.argmax(axis=1)
    margins = np.take_along_axis(scores, seen[:, None], axis=1)[:, 0] - own
    suspect = (reached.max(axis=1) >= 0) & (seen != given) & (own < usual[given]) & (margins >= LEAST_MARGIN)
    for place in np.flatnonzero(suspect).tolist():
        yield place, int(seen[place]), float(margins[place])


def _neighbors_agree(
    rows: Floats, given: npt.NDArray[np.int64], groups: npt.NDArray[np.str_], place: int, other: int
) -> bool:
    """Whether more of the nearest pictures of other groups have the other class than have the label."""
    apart = np.square(rows - rows[place]).sum(axis=1)
    apart[groups == groups[place]] = np.inf
    nearest = given[np.argsort(apart)[:NEIGHBORS]]
    return int((nearest == other).sum()) > int((nearest == given[place]).sum())


def _case(dataset: Dataset, row: int, classes: tuple[int, int], scores: Floats) -> Case:
    given, other = classes
    said = f"labeled {dataset.labels[given]} ({scores[given]:.2f}), "
    return Case((dataset.samples[row].id,), f"{said}looks like {dataset.labels[other]} ({scores[other]:.2f})")
