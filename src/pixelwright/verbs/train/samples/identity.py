"""Identity: whether the data of a run are still what they were."""

from __future__ import annotations

import hashlib

from pixelwright.data.digests import digests_of
from pixelwright.data.splits import Splits


def identity_of(splits: Splits) -> str:
    """SHA-256 over names, pictures and truth of what is learned from, set thresholds by, and validated on.

    Files count by their bytes, masks and better pictures among them: nothing is decoded.
    """
    found = hashlib.sha256()
    for part in (splits.train, splits.calibration, splits.validation):
        found.update(repr((part.kind, part.labels, len(part))).encode())
        pictures = digests_of(sample.picture for sample in part.samples)
        truths = digests_of(sample.truth for sample in part.samples)
        for sample, picture, truth in zip(part.samples, pictures, truths, strict=True):
            found.update(f"{sample.id}\0{picture}\0{truth}\0".encode("utf-8", "surrogateescape"))
    return found.hexdigest()
