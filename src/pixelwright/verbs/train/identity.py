"""Identity: whether the data of a run are still what they were."""

from __future__ import annotations

import hashlib

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.data.digests import digests_of
from pixelwright.data.splits import Splits
from pixelwright.errors import PixelwrightError
from pixelwright.structures.targets import Annotations, Classes, Values


def identity_of(splits: Splits) -> str:
    """SHA-256 over names, pictures and truth of what is learned from and validated on.

    Truth that is a picture itself (a label map, a better picture) counts by its name alone, that of things by boxes
    and classes: to decode all masks would take longer than to read all pictures.
    """
    found = hashlib.sha256()
    for part in (splits.train, splits.validation):
        found.update(repr((part.kind, part.labels, len(part))).encode())
        for sample, digest in zip(part.samples, digests_of(part.samples), strict=True):
            found.update(f"{sample.id}\0{digest}\0".encode("utf-8", "surrogateescape"))
            found.update(_truth(part, sample))
    return found.hexdigest()


def _truth(part: Dataset, sample: Sample) -> bytes:
    if part.kind not in ("classes", "values", "boxes"):
        return b""
    try:
        truth = sample.truth()
    except PixelwrightError as err:  # it is counted as lost when it is to be learned from
        return str(err).encode("utf-8", "surrogateescape")
    if isinstance(truth, Classes | Values):
        return repr(truth).encode()
    return truth.boxes_xyxy.tobytes() + truth.class_ids.tobytes() if isinstance(truth, Annotations) else b""
