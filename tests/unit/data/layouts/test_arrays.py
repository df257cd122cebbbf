"""IDX files and `.npz`: pictures, sequences, and headers that lie."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import idx, text, zipped
from pixelwright.data import arrays
from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError, ImageError
from pixelwright.structures.targets import Classes, Values

PICTURES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_may_be_packed_or_plain(tmp_path: Path, packed: bool) -> None:
    idx(tmp_path / "train-images-idx3-ubyte", PICTURES, packed=packed)
    idx(tmp_path / "train-labels-idx1-ubyte", np.array([0, 2, 1]), packed=packed)
    dataset = open_dataset(tmp_path)
    assert [sample.truth() for sample in dataset.samples] == [Classes((0,)), Classes((2,)), Classes((1,))]
    assert np.array_equal(dataset.samples[1].read().pixels[:, :, 0], PICTURES[1])
    assert dataset.samples[1].id == "train-images-idx3-ubyte#1"


def test_prefixes_of_idx_files_name_the_split(tmp_path: Path) -> None:
    for prefix in ("train20k", "t10k", "val"):
        idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", PICTURES)
        idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.array([0, 2, 1]))
    found = {sample.id.partition("-")[0]: sample.split for sample in open_dataset(tmp_path).samples}
    assert found == {"train20k": "train", "t10k": "test", "val": "validation"}


def test_classes_of_idx_files_are_named_by_a_list(tmp_path: Path) -> None:
    idx(tmp_path / "images-idx3-ubyte.gz", PICTURES)
    idx(tmp_path / "labels-idx1-ubyte.gz", np.array([0, 1, 1]))
    text(tmp_path / "labels.txt", "1 cat\n0 dog\n")
    assert open_dataset(tmp_path).labels == ("dog", "cat")
    assert open_dataset(tmp_path, hints=Hints(labels=("a", "b", "c"))).labels == ("a", "b", "c")


def test_as_many_labels_as_pictures_are_needed(tmp_path: Path) -> None:
    idx(tmp_path / "train-images-idx3-ubyte.gz", PICTURES)
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([0, 2]))
    with pytest.raises(DataError, match=r"expected a class for each of 3 pictures, got \(2,\)"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_claims_terabytes_is_refused_unread(tmp_path: Path, packed: bool) -> None:
    data = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**10, 2**10) + bytes(100)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(data) if packed else data)
    idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(3))
    with pytest.raises(DataError, match=r"2147483648x1024x1024 values"):
        open_dataset(tmp_path)


def test_a_packed_file_that_is_cut_off_is_an_error_when_read(tmp_path: Path) -> None:
    path = idx(tmp_path / "train-images-idx3-ubyte.gz", np.random.default_rng(0).integers(0, 255, (30, 20, 20)))
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(30))
    path.write_bytes(path.read_bytes()[:-1000])
    dataset = open_dataset(tmp_path)
    with pytest.raises(ImageError, match=r"train-images"):
        dataset.samples[0].read()


def saved(path: Path, *, packed: bool = True, **arrays: Any) -> Dataset:
    (np.savez_compressed if packed else np.savez)(path / "data.npz", **arrays)
    return open_dataset(path / "data.npz")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_mapped_or_unpacked_to_the_same(tmp_path: Path, packed: bool, order: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    dataset = saved(tmp_path, packed=packed, x=np.asarray(pictures, order=order), y=np.array([0, 1, 0]))
    assert all(np.array_equal(sample.read().pixels, one) for sample, one in zip(dataset.samples, pictures, strict=True))
    assert dataset.samples[0].read().color.is_rgb


def test_the_names_of_arrays_name_the_split(tmp_path: Path) -> None:
    arrays = {}
    for part in ("train", "valid", "test"):
        arrays |= {f"x_{part}": PICTURES, f"y_{part}": np.array([0, 1, 1])}
    splits = [sample.split for sample in saved(tmp_path, **arrays).samples]
    assert splits == ["test"] * 3 + ["train"] * 3 + ["validation"] * 3


def test_the_name_of_the_file_names_the_split_else(tmp_path: Path) -> None:
    for part in ("train", "val"):
        np.savez(tmp_path / f"{part}.npz", images=PICTURES, labels=np.array([0, 1, 1]))
    assert [sample.split for sample in open_dataset(tmp_path).samples] == ["train"] * 3 + ["validation"] * 3


def test_columns_of_0_and_1_are_several_classes(tmp_path: Path) -> None:
    dataset = saved(tmp_path, x=PICTURES, y=np.array([[1, 1], [0, 0], [0, 1]]))
    assert not dataset.exclusive
    assert [sample.truth() for sample in dataset.samples] == [Classes((0, 1)), Classes(()), Classes((1,))]


def test_one_hot_rows_are_one_class(tmp_path: Path) -> None:
    dataset = saved(tmp_path, x=PICTURES, y=np.array([[1, 0], [0, 1], [0, 1]], np.float32))
    assert dataset.exclusive
    assert [sample.truth() for sample in dataset.samples] == [Classes((0,)), Classes((1,)), Classes((1,))]


def test_fractions_are_values(tmp_path: Path) -> None:
    dataset = saved(tmp_path, x=PICTURES, y=np.array([0.5, 1, 2]))
    assert (dataset.kind, dataset.labels) == ("values", ("value",))
    assert dataset.samples[0].truth() == Values((0.5,))


def test_sequences_have_as_many_rows_as_valid_steps(tmp_path: Path) -> None:
    steps = np.arange(3 * 6 * 2, dtype=np.float32).reshape(3, 6, 2)
    dataset = saved(tmp_path, x=steps, lengths=np.array([6, 1, 3]), y=np.array([0, 1, 1]))
    assert dataset.sequence
    images = [sample.read() for sample in dataset.samples]
    assert [image.size_hw for image in images] == [(6, 2), (1, 2), (3, 2)]
    assert images[2].pixels.dtype == np.float32
    assert np.array_equal(images[2].pixels[:, :, 0], steps[2, :3])


def test_sequences_may_be_of_whole_numbers_and_without_lengths(tmp_path: Path) -> None:
    counted = saved(tmp_path, x=PICTURES, lengths=np.array([1, 2, 4]), y=np.array([0, 1, 1]))
    assert counted.sequence
    assert not saved(tmp_path, x=PICTURES, y=np.array([0, 1, 1])).sequence
    assert saved(tmp_path, x=PICTURES.astype(np.float64), y=np.array([0, 1, 1])).sequence


@pytest.mark.parametrize("lengths", [[0, 1, 1], [1, 1, 7], [1, 1], [1.5, 1, 1]])
def test_lengths_that_cannot_be_are_refused(tmp_path: Path, lengths: list[float]) -> None:
    with pytest.raises(DataError, match=r"expected (1\.\.6|3 whole numbers)"):
        saved(tmp_path, x=np.zeros((3, 6, 2), np.float32), lengths=np.array(lengths), y=np.array([0, 1, 1]))


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((3, 3, 8, 8), np.uint8), "channels go last"),
        (np.full((3, 8, 8, 3), 200, np.float32), "expected floats from 0 to 1, got 200"),
        (np.zeros((3, 8, 8, 5), np.uint8), "1 or 3"),
        (np.zeros((3, 8, 8, 3), np.int32), "expected uint8, uint16 or floats"),
        (np.zeros((3, 8), np.uint8), "expected \\(N, H, W\\)"),
        (np.zeros((2, 8, 8), np.uint8), "for the 2 rows"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path: Path, x: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        saved(tmp_path, x=x, y=np.array([0, 1, 1]))


@pytest.mark.parametrize("y", [[-1, 0, 1], [0, 1, np.nan], ["a", "b", "c"]])
def test_truth_that_is_no_number_is_refused(tmp_path: Path, y: Any) -> None:
    with pytest.raises(DataError, match=r"expected"):
        saved(tmp_path, x=PICTURES, y=np.array(y))


class Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("trapped", ["x", "y"])
def test_pickled_arrays_are_refused_and_not_run(tmp_path: Path, trapped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arrays: dict[str, Any] = {"x": PICTURES, "y": np.array([0, 1, 1])}
    trap = np.empty(3, object)
    trap[:] = [Trap() for _ in range(3)]
    with pytest.raises(DataError, match=r"pickled Python objects"):
        saved(tmp_path, **(arrays | {trapped: trap}))
    assert not (tmp_path / "trapped").exists()


def test_a_damaged_file_hides_no_others_and_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "cache.npz").write_bytes(b"junk")
    saved(tmp_path, x=PICTURES, y=np.zeros(3, int))
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, len(dataset)) == ("npz", 3)
    assert [(fault.where, fault.kind) for fault in dataset.faults] == [("cache.npz", "doubt")]


def test_more_classes_than_anybody_has_are_refused_before_they_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has the class 1000000000; expected 100,000 classes at most"):
        saved(tmp_path, x=PICTURES, y=np.array([0, 1, 10**9]))
    head = struct.pack(">BBBBI", 0, 0, 12, 1, 3)
    idx(tmp_path / "train-images-idx3-ubyte", PICTURES)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(head + struct.pack(">3i", 0, 1, 10**9))
    with pytest.raises(DataError, match=r"expected 100,000 classes at most"):
        open_dataset(tmp_path, layout="idx")


def test_what_unpacks_to_more_than_the_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_MEMORY_SHARE", 1e-12)
    with pytest.raises(DataError, match=r"Save it without compression"):
        saved(tmp_path, x=PICTURES, y=np.zeros(3, int))
    assert len(saved(tmp_path, packed=False, x=PICTURES, y=np.zeros(3, int))) == 3
    with pytest.raises(DataError, match=r"outside of an archive: then it is mapped"):
        open_dataset(zipped(tmp_path, tmp_path / "packed.zip"), layout="npz")
    idx(tmp_path / "train-images-idx3-ubyte.gz", PICTURES)
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(3))
    with pytest.raises(DataError, match=r"Unpack it"):
        open_dataset(tmp_path, layout="idx")
