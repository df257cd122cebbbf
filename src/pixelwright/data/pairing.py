"""Pairing: which file belongs to a picture, by their names and those of the folders that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pixelwright.data.dataset import SplitName
from pixelwright.data.stated import split_of_path
from pixelwright.data.tree import Tree, is_picture, stem

# What folders are called, in any case, that hold pictures and their masks, or worse pictures and better ones.
PICTURES = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "photos", "leftimg8bit", "rgb"})
MASKS = frozenset(
    {"masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt", "ground_truth"}
    | {"segmentationclass", "labelmaps", "seg", "segmentation", "segmentations", "targets", "semantic", "classes"}
)
ENDINGS = frozenset({"annot", "annots", "annotations", "labels", "label", "masks", "mask", "gt"})
WORSE = frozenset(
    {"lq", "lr", "low", "input", "inputs", "noisy", "noise", "blur", "blurry", "blurred", "rain", "rainy", "hazy"}
    | {"haze", "degraded", "worse", "compressed", "jpeg"}
)
BETTER = frozenset(
    {"gt", "hq", "hr", "high", "target", "targets", "clean", "clear", "sharp", "groundtruth", "ground_truth"}
    | {"reference", "better", "original", "norain", "normal"}
)

# Between the name of a picture and that of what belongs to it, in one folder or two.
_JOINTS = "_-. "


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the file that belongs to it, by name; None where there is none."""

    picture: str
    other: str | None
    split: SplitName


def facing(
    tree: Tree, own: frozenset[str], other: frozenset[str], endings: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    """Folders of pictures with the folders of what belongs to them.

    Two folders face each other where their paths differ in one name, which is in `own` for the one and in `other`
    for the other (in any case); or in the last, which is `train` and `trainmask` or `train_mask` if `mask` is in
    `endings`.
    """
    frames: dict[tuple[str, ...], list[str]] = {}
    for folder in tree.folders:
        parts = folder.split("/")
        for place, part in enumerate(parts):
            if part.casefold() in other:
                frames.setdefault((*parts[:place], "*", *parts[place + 1 :]), []).append(folder)
    found = []
    for folder in tree.folders:
        parts = folder.split("/")
        for place, part in enumerate(parts):
            if part.casefold() in own:
                found += ((folder, one) for one in frames.get((*parts[:place], "*", *parts[place + 1 :]), ()))
        for joint in ("", "_", "-"):
            found += ((folder, one) for ending in endings if (one := f"{folder}{joint}{ending}") in tree.folders)
    return [(one, two) for one, two in found if one != two and any(map(is_picture, tree.folders[one]))]


def pairs(tree: Tree, folder: str, other: str) -> Iterator[Pair]:
    """Each picture of one folder with what belongs to it in the other: the same name, or with something attached.

    What is attached (`a.jpg`, `a_mask.png`) is found once for the folder: that with which most are found.
    """
    split = split_of_path(folder)
    pictures = [name for name in tree.folders[folder] if is_picture(name)]
    names = {stem(name): name for name in tree.folders[other] if is_picture(name)}
    attached = attachment([stem(name) for name in pictures], list(names)) or ""
    for name in pictures:
        found = names.get(stem(name)) or names.get(stem(name) + attached)
        yield Pair(_joined(folder, name), _joined(other, found) if found else None, split)


def attachment(stems: list[str], others: list[str]) -> str | None:
    """What is attached to names, with which most of them are among the others; None where nothing is."""
    counts: dict[str, int] = {}
    known = set(stems)
    for other in others:
        for cut in range(len(other) - 1, 0, -1):
            if other[cut] in _JOINTS and other[:cut] in known:
                counts[other[cut:]] = counts.get(other[cut:], 0) + 1
                break
    return min(counts, key=lambda one: (-counts[one], one), default=None)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
