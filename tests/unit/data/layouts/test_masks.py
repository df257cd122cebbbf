"""Masks that say the class of each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage

from datasets import HEIGHT, WIDTH, mask, picture, text
from found import LABELS, SIZE_HW, regions
from pixelwright.data import masks as export
from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError
from pixelwright.structures.label_map import LabelMap


def numbers(*values: int) -> npt.NDArray[np.uint8]:
    """A mask with these numbers, each in several pieces so that they are no things."""
    return np.resize(np.array(values, np.uint8), (HEIGHT, WIDTH))


def opened(root: Path, *ids: Any, labels: str = "", hints: Hints | None = None, palette: bool = False) -> Dataset:
    for number, one in enumerate(ids):
        picture(root / "images" / f"{number}.jpg", number)
        mask(root / "masks" / f"{number}.png", one, palette=palette)
    if labels:
        text(root / "labels.txt", labels)
    return open_dataset(root, layout="masks", hints=hints)


def first(dataset: Dataset) -> LabelMap:
    target = dataset.samples[0].truth()
    assert isinstance(target, LabelMap)
    return target


@pytest.mark.parametrize("palette", [False, True])
def test_indices_are_read_and_not_colors(tmp_path: Path, palette: bool) -> None:
    dataset = opened(tmp_path, numbers(0, 2, 1), palette=palette)
    assert np.array_equal(first(dataset).ids, numbers(0, 2, 1))
    assert dataset.labels == ("0", "1", "2")


def test_one_bit_is_background_and_foreground(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 1).astype(bool))
    assert np.array_equal(first(dataset).ids, numbers(0, 1))
    assert dataset.labels == ("background", "foreground")


def test_0_and_255_are_two_classes(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 255))
    assert np.array_equal(first(dataset).ids, numbers(0, 1))
    assert (dataset.labels, dataset.void_id) == (("background", "foreground"), None)


def test_gray_saved_as_colors_is_numbers(tmp_path: Path) -> None:
    dataset = opened(tmp_path, np.repeat(numbers(0, 2, 1)[:, :, None], 3, axis=2))
    assert np.array_equal(first(dataset).ids, numbers(0, 2, 1))


def test_255_among_lower_numbers_is_void(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 1, 2, 255))
    assert (dataset.labels, dataset.void_id, first(dataset).void_id) == (("0", "1", "2"), 255, 255)


def test_void_is_what_the_user_says(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 1, 2), hints=Hints(labels=("road", "tree"), void_id=2))
    assert (dataset.labels, dataset.void_id) == (("road", "tree"), 2)


def test_a_class_called_void_is_void(tmp_path: Path) -> None:
    assert opened(tmp_path, numbers(0, 1, 2), labels="road\ntree\nVoid\n").void_id == 2


def test_sixteen_bits_hold_more_classes(tmp_path: Path) -> None:
    ids = numbers(0, 1).astype(np.uint16)
    ids[0, 0] = 300
    dataset = opened(tmp_path, ids)
    assert (len(dataset.labels), first(dataset).ids[0, 0]) == (301, 300)


def test_a_number_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"masks/0\.png: has the number 2, but there are 2 labels"):
        opened(tmp_path, numbers(0, 1, 2), labels="road\ntree\n")


def test_a_mask_of_another_size_is_an_error_when_read(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 1)[:, :5])
    with pytest.raises(DataError, match=r"the mask has 5x8 pixels, the picture 12x8"):
        dataset.samples[0].truth()


def test_a_picture_that_is_turned_upright_needs_an_upright_mask(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    PillowImage.fromarray(np.zeros((WIDTH, HEIGHT, 3), np.uint8)).save(tmp_path / "images" / "0.jpg", exif=exif)
    mask(tmp_path / "masks" / "0.png", numbers(0, 1))
    assert first(open_dataset(tmp_path)).size_hw == (HEIGHT, WIDTH)


def test_pictures_without_a_mask_are_a_fault(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "lonely.jpg")
    dataset = opened(tmp_path, numbers(0, 1))
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("images/lonely.jpg", 1)]


@pytest.mark.parametrize("damage", [b"", b"no mask", b"\x89PNG\r\n\x1a\n1234"])
def test_a_damaged_mask_is_an_error_when_read(tmp_path: Path, damage: bytes) -> None:
    opened(tmp_path, numbers(0, 1), numbers(0, 1))
    (tmp_path / "masks" / "0.png").write_bytes(damage)
    dataset = open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"0\.png"):
        dataset.samples[0].truth()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("label_colors.txt", "128 64 128\troad\n0 128 0 tree\n0 0 0 void\n"),
        ("class_dict.csv", "name,r,g,b\nroad,128,64,128\ntree,0,128,0\nvoid,0,0,0\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nroad:128,64,128::\ntree:0,128,0::\nvoid:0,0,0::\n"),
    ],
)
def test_colors_are_classes_by_a_table(tmp_path: Path, name: str, table: str) -> None:
    colors = np.array([[128, 64, 128], [0, 128, 0], [0, 0, 0]], np.uint8)
    text(tmp_path / name, table)
    dataset = opened(tmp_path, colors[numbers(0, 1, 2)])
    assert (dataset.labels, dataset.void_id) == (("road", "tree", "void"), 2)
    assert np.array_equal(first(dataset).ids, numbers(0, 1, 2))


def test_a_color_that_is_not_in_the_table_is_named(tmp_path: Path) -> None:
    text(tmp_path / "label_colors.txt", "0 0 0 road\n")
    dataset = opened(tmp_path, np.full((HEIGHT, WIDTH, 3), (1, 2, 3), np.uint8))
    with pytest.raises(DataError, match=r"color 1, 2, 3"):
        dataset.samples[0].truth()


def test_colors_without_a_table_say_what_is_missing(tmp_path: Path) -> None:
    dataset = opened(tmp_path, np.full((HEIGHT, WIDTH, 3), (1, 2, 3), np.uint8))
    with pytest.raises(DataError, match=r"label_colors\.txt"):
        dataset.samples[0].truth()


@pytest.mark.parametrize(
    ("image", "other"),
    [
        ("train/a.jpg", "trainannot/a.png"),
        ("train/a.jpg", "train_labels/a.png"),
        ("images/train/a.jpg", "masks/train/a.png"),
        ("images/training/a.jpg", "annotations/training/a.png"),
        ("train/images/a.jpg", "train/masks/a.png"),
        ("train/images/a.jpg", "train/masks/a_mask.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("leftImg8bit/train/a.png", "gt/train/a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a_1stHO.png"),
        ("train/a.png", "train/a_L.png"),
    ],
)
def test_masks_are_found_wherever_people_keep_them(tmp_path: Path, image: str, other: str) -> None:
    for letter in "abc":
        picture(tmp_path / image.replace("a.", f"{letter}."), ord(letter))
        mask(tmp_path / Path(other).parent / Path(other).name.replace("a", letter, 1), numbers(0, 1, 2))
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, len(dataset), dataset.faults) == ("masks", 3, ())
    assert dataset.samples[0].split == ("train" if "train" in image else "")


def test_photographs_beside_each_other_are_no_masks(tmp_path: Path) -> None:
    for name in ("a", "a_edited", "b", "b_edited"):
        picture(tmp_path / f"{name}.png", len(name), (64, 64))
    assert open_dataset(tmp_path).layout == "clean"


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    result = regions()
    picture(tmp_path / "images" / "a.png", 0, SIZE_HW)
    mask(tmp_path / "masks" / "a.png", export.classes(result, SIZE_HW, highest=len(LABELS) - 1), palette=True)
    dataset = open_dataset(tmp_path, layout="masks", hints=Hints(labels=LABELS))
    assert dataset.void_id == 255
    assert np.array_equal(first(dataset).ids, result.ids)


def test_a_mask_of_another_format_starts_no_program(tmp_path: Path) -> None:
    dataset = opened(tmp_path, numbers(0, 1), numbers(0, 1))
    (tmp_path / "masks" / "0.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 8\n%%EndComments\n%%EOF\n"
    )
    with pytest.raises(DataError, match=r"cannot identify|is not an image"):
        dataset.samples[0].truth()


def test_one_mask_that_is_none_costs_its_picture_and_not_all(tmp_path: Path) -> None:
    masks = [numbers(0, 1, 2), np.dstack([numbers(9, 200)] * 2 + [numbers(0, 1)]), numbers(0, 77), numbers(0, 1)]
    dataset = opened(tmp_path, *masks, labels="sky\nroad\ncar\n")
    assert (dataset.labels, len(dataset), dataset.faults) == (("sky", "road", "car"), 4, ())
    for place, said in ((1, r"masks/1\.png: is in colors"), (2, r"masks/2\.png: ids: 77 has no label; there are 3")):
        with pytest.raises(DataError, match=said):
            dataset.samples[place].truth()
    assert first(dataset).labels == dataset.labels


def test_rings_in_every_picture_are_classes_for_who_wants_classes(tmp_path: Path) -> None:
    ring = np.zeros((HEIGHT, WIDTH), np.uint8)
    ring[1:7, 1:10], ring[2:6, 2:9], ring[3:5, 3:8] = 1, 2, 3
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.png", number)
        mask(tmp_path / "masks" / f"{number}.png", np.roll(ring, number % 2, axis=1))
    assert open_dataset(tmp_path).layout == "instance-masks"
    assert open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"}))).labels == ("0", "1", "2", "3")
    ring[ring == 3] = 2  # another number of things in one of them: no classes
    mask(tmp_path / "masks" / "0.png", ring)
    with pytest.raises(DataError, match=r"holds instances"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"})))


def test_masks_that_were_saved_as_jpeg_are_told_of(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
        picture(tmp_path / "masks" / f"{number}.jpg", number)
    (fault,) = open_dataset(tmp_path).faults
    assert (fault.where, fault.kind) == ("masks/0.jpg", "doubt")
    with pytest.raises(DataError, match=r"masks/0\.jpg: is in a folder for masks, but is a JPEG"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"})))


def test_things_that_are_as_many_in_each_picture_are_no_classes(tmp_path: Path) -> None:
    for number in range(3):
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[1:3, 1:4], ids[5:7, 6:9] = 1, 2 if number else 3
        picture(tmp_path / "images" / f"{number}.png", number)
        mask(tmp_path / "masks" / f"{number}.png", ids)
    with pytest.raises(DataError, match=r"holds instances"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"})))


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"\x89PNG\r\n\x1a\n"])
def test_masks_that_cannot_be_read_are_told_of_with_the_reason(tmp_path: Path, content: bytes) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
        text(tmp_path / "masks" / f"{number}.png", "").write_bytes(content)
    with pytest.raises(DataError, match=r"masks/0\.png: is in a folder for masks, and cannot be read: (?!.*masks/0)"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"})))
