"""Sound: parts without what cannot be read, found before hours are spent and not after."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.data.splits import Splits
from pixelwright.errors import DataError, PixelwrightError
from pixelwright.verbs.train.samples.store import lost_text

log = logging.getLogger(__name__)


def sound(splits: Splits, threads: int) -> Splits:
    """The parts that networks are scored on, without samples that cannot be read; what is learned from stays as it is.

    Raises:
        DataError: Nothing of the validation part can be read.
    """
    parts = {name: _sound(name, getattr(splits, name), threads) for name in ("validation", "calibration", "test")}
    return replace(splits, **parts)


def _sound(name: str, part: Dataset, threads: int) -> Dataset:
    with ThreadPoolExecutor(max(threads, 1), thread_name_prefix="look") as pool:
        faults = list(pool.map(_fault, part.samples))
    lost = [(sample.id, fault) for sample, fault in zip(part.samples, faults, strict=True) if fault]
    if not lost:
        return part
    log.warning("%d of %d samples of the %s part cannot be used: %s", len(lost), len(part), name, lost_text(lost))
    if len(lost) == len(part) and name == "validation":
        raise DataError(f"{part.root}: nothing of the validation part can be used. {lost_text(lost)}")
    return part.only(sample for sample, fault in zip(part.samples, faults, strict=True) if not fault)


def can_be_used(sample: Sample) -> bool:
    """Whether its picture and its truth can be read."""
    return not _fault(sample)


def _fault(sample: Sample) -> str:
    try:
        sample.read()
        sample.truth()
    except PixelwrightError as err:
        return str(err) or type(err).__name__
    return ""
