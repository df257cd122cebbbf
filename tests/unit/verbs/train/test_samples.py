"""The store of decoded samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwright.contract import Example
from pixelwright.data.dataset import Sample
from pixelwright.errors import DataError, TrainingError
from pixelwright.verbs.train.samples.store import Store


class Nowhere:
    path: Path | None = None


def _samples(count: int) -> list[Sample]:
    picture: Any = Nowhere()
    return [Sample(f"{number:02}", picture, lambda: None) for number in range(count)]


class Encoder:
    """Makes an example of 100 bytes, and remembers for whom."""

    def __init__(self, broken: str = "") -> None:
        self.seen: list[str] = []
        self.broken = broken

    def __call__(self, sample: Sample) -> Example:
        self.seen.append(sample.id)
        if sample.id == self.broken:
            raise DataError(f"{sample.id}: is broken.")
        return Example(np.full((10, 10, 1), int(sample.id), np.uint8), {}, sample.id)


def test_what_fits_is_decoded_once() -> None:
    encode = Encoder()
    store = Store(_samples(5), encode, budget_bytes=1000, threads=2)
    assert [example.id for example in store.get([4, 0, 4])] == ["04", "00", "04"]
    assert sorted(encode.seen) == ["00", "01", "02", "03", "04"]


def test_what_does_not_fit_is_decoded_when_it_is_asked_for() -> None:
    encode = Encoder()
    store = Store(_samples(5), encode, budget_bytes=250, threads=1)
    assert (len(store), store.beyond) == (5, 3)
    encode.seen.clear()
    assert [int(example.pixels[0, 0, 0]) for example in store.get([3, 1])] == [3, 1]
    assert encode.seen == ["03"]


@pytest.mark.parametrize("budget_bytes", [1000, 150, 0])
def test_for_a_broken_sample_the_next_one_is_taken_and_it_is_named_whatever_memory_there_is(budget_bytes: int) -> None:
    noted: list[tuple[str, str]] = []
    store = Store(_samples(4), Encoder("03"), budget_bytes=budget_bytes, threads=2, note=noted.extend)
    assert [example.id for example in store.get(range(len(store)))] == ["00", "01", "02", "00"]
    assert noted == [("03", "03: is broken.")]


def test_a_fault_of_the_program_is_none_of_a_sample() -> None:
    def encode(sample: Sample) -> Example:
        raise MemoryError

    with pytest.raises(MemoryError):
        Store(_samples(4), encode, budget_bytes=1000, threads=2)


def test_a_store_of_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"none of the 1 samples can be used\. 00: is broken\."):
        Store(_samples(1), Encoder("00"), budget_bytes=1000, threads=1)


def test_for_a_sample_found_broken_later_the_next_one_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(_samples(30), Encoder("20"), budget_bytes=100, threads=1)
    assert store.beyond == 29
    assert [example.id for example in store.get([20, 19])] == ["21", "19"]
    assert store.get([20])[0].id == "21"
    assert caplog.messages == ["20: is broken. The next one takes its place."]
