"""One suite for every layout in the registry."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import EXAMPLES, tarred, zipped
from pixelwright import registry
from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.data.layout import Hints
from pixelwright.data.opening import describe, open_dataset
from pixelwright.data.tree import Tree, is_picture
from pixelwright.errors import DataError, PixelwrightError
from pixelwright.io.digest import sha256_of
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.targets import Annotations, Classes, Values

LAYOUTS = registry.names("layout")
TRUTHS: dict[str, type | None] = {
    "classes": Classes,
    "values": Values,
    "boxes": Annotations,
    "instances": Annotations,
    "keypoints": Annotations,
    "map": LabelMap,
    "pair": Image,
    "clean": None,
}

every_layout = pytest.mark.parametrize("name", LAYOUTS)


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    root = tmp_path / "data"
    EXAMPLES[name].make(root)
    return root


def plain(target: Any) -> Any:
    """A truth as something that can be compared."""
    match target:
        case Annotations():
            masks = [mask.tolist() for mask in target.masks] if target.masks is not None else None
            return target.boxes_xyxy.tolist(), target.class_ids.tolist(), masks
        case LabelMap():
            return target.ids.tolist()
        case Image():
            return target.pixels.tolist()
        case _:
            return target


def contents(dataset: Dataset) -> list[Any]:
    return [(one.id, one.split, one.read().pixels.tolist(), plain(one.truth())) for one in dataset.samples]


def test_every_built_in_layout_has_an_example() -> None:
    assert set(EXAMPLES) >= set(registry.BUILTIN["layout"])


@every_layout
def test_it_is_found_without_being_named(name: str, folder: Path) -> None:
    example, dataset = EXAMPLES[name], open_dataset(folder)
    assert (dataset.layout, dataset.kind, dataset.labels) == (name, example.kind, example.labels)
    assert len(dataset) == example.count
    assert not dataset.faults


@every_layout
def test_its_kind_is_one_of_those_it_states(name: str, folder: Path) -> None:
    assert open_dataset(folder).kind in registry.get("layout", name).kinds


@every_layout
def test_ids_are_sorted_unique_and_do_not_know_where_the_data_is(name: str, folder: Path, tmp_path: Path) -> None:
    ids = [sample.id for sample in open_dataset(folder).samples]
    assert ids == sorted(set(ids))
    assert not any("\\" in one or one.startswith("/") for one in ids)
    shutil.copytree(folder, tmp_path / "elsewhere" / "deep")
    assert [sample.id for sample in open_dataset(tmp_path / "elsewhere" / "deep").samples] == ids


@every_layout
def test_pictures_and_truth_are_of_the_stated_kind(name: str, folder: Path) -> None:
    dataset = open_dataset(folder)
    for sample in dataset.samples:
        target, image = sample.truth(), sample.read()
        wanted = TRUTHS[dataset.kind]
        assert target is None if wanted is None else isinstance(target, wanted)
        if isinstance(target, LabelMap):
            assert target.size_hw == image.size_hw
        if isinstance(target, Annotations):
            height, width = image.size_hw
            assert (target.boxes_xyxy >= 0).all()
            assert (target.boxes_xyxy <= [width, height, width, height]).all()
            assert (target.class_ids < len(dataset.labels)).all()
            assert (target.masks is not None) == (dataset.kind == "instances")


@every_layout
def test_samples_go_to_other_processes(name: str, folder: Path) -> None:
    dataset = open_dataset(folder)
    assert contents(pickle.loads(pickle.dumps(dataset))) == contents(dataset)  # noqa: S301  # our own


@every_layout
def test_digests_are_of_the_stored_bytes(name: str, folder: Path) -> None:
    samples = open_dataset(folder).samples
    for sample in samples:
        path = sample.picture.path
        assert len(sample.picture.digest()) == 64
        assert path is None or sample.picture.digest() == sha256_of(path)
    assert fingerprint(open_dataset(folder)) == fingerprint(open_dataset(folder).only(reversed(samples)))


@every_layout
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_it_is_read_within_an_archive_as_in_a_folder(name: str, folder: Path, tmp_path: Path, pack: Any) -> None:
    if name == "shards":
        pytest.skip("a tar within an archive is not opened")
    packed = pack(folder, tmp_path / f"packed.{'zip' if pack is zipped else 'tar'}")
    inside, outside = open_dataset(packed), open_dataset(folder)
    assert inside.layout == name
    assert contents(inside) == contents(outside)


@every_layout
def test_a_folder_around_it_changes_nothing(name: str, folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    shutil.copytree(folder, outer / "inner")
    (outer / "README.md").write_text("about", encoding="utf-8")
    assert contents(open_dataset(outer)) == contents(open_dataset(folder))


@every_layout
def test_an_empty_folder_is_none_of_them(name: str, tmp_path: Path) -> None:
    assert registry.get("layout", name).recognize(Tree.of(tmp_path), Hints()) is None
    with pytest.raises(DataError):
        open_dataset(tmp_path, layout=name)


@every_layout
def test_it_is_refused_where_another_kind_is_wanted(name: str, folder: Path) -> None:
    kinds = registry.get("layout", name).kinds
    other = next(kind for kind in ("values", "pair", "map") if kind not in kinds)
    with pytest.raises(DataError, match=r"expected"):
        open_dataset(folder, layout=name, hints=Hints(kinds=frozenset({other})))


@every_layout
def test_it_is_described_in_words(name: str, folder: Path) -> None:
    lines = describe(open_dataset(folder))
    assert f"layout {name}" in lines[0]
    assert all(lines)


def damaged(path: Path) -> Iterator[bytes]:
    """A file cut off, with bytes changed, and as garbage."""
    data, rng = path.read_bytes(), np.random.default_rng(len(path.name))
    yield from (b"", b"\0" * 64, b"\xff\xfe" + data, data[: len(data) // 2], data[:-1], data + b"}],<\n1,2,3")
    for _ in range(25):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 3).tolist():
            changed[place] = int(rng.integers(0, 256))
        yield bytes(changed)


@every_layout
def test_damaged_files_are_faults_or_one_clear_error(name: str, folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not is_picture(path.name)]
    for path in files[:2]:
        whole = path.read_bytes()
        for data in damaged(path):
            path.write_bytes(data)
            try:
                for sample in open_dataset(folder, layout=name).samples:
                    sample.truth()
            except PixelwrightError as err:
                assert len(str(err)) > 10
        path.write_bytes(whole)
