"""Pictures and their masks: which belong together, and whether a mask counts classes or things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixelwright.data.index_png import coded, read_stored
from pixelwright.data.pairing import ENDINGS, MASKS, PICTURES, Pair, attachment, facing, pairs
from pixelwright.data.place import Place
from pixelwright.data.stated import split_of, split_of_path
from pixelwright.data.tree import Tree, is_picture, stem
from pixelwright.errors import ImageError

_LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".gif", ".webp")
_MOST_COLORS = 256  # of a mask; a photograph has thousands
_MOST_GRAYS = 128  # of a mask whose numbers have gaps
_TRIED = 8  # masks looked into
_PIECES = 100  # numbers looked at in one mask
_NO_MASK = "is in a folder for masks, but is a JPEG or has as many colors as a photograph; save masks as PNG"
_WHOLE = 0.9  # the share of the numbers in a mask that are in one piece each, where these are things


@dataclass(frozen=True, slots=True)
class Found:
    """Pictures with their masks.

    Attributes:
        pairs: All pictures, also those without a mask, where any has one.
        folders: In which the masks are.
        things: Whether the numbers are those of things.
        alike: Whether all masks that were looked into have the same numbers, as classes may and things hardly do.
        remark: How they were found.
        doubt: A file in a folder for masks that is none, where no other is, and why.
    """

    pairs: tuple[Pair, ...] = ()
    folders: tuple[str, ...] = ()
    things: bool = False
    alike: bool = False
    remark: str = ""
    doubt: tuple[str, str] | None = None


def mask_pairs(tree: Tree) -> Found:
    """Pictures and their masks, wherever they lie; nothing where there are none."""
    if tree.chosen:
        return Found()
    faced = facing(tree, PICTURES, MASKS, ENDINGS)
    facing_folders = _sure(tree, faced)
    found = [pair for one, other in facing_folders for pair in pairs(tree, one, other)]
    remark = f"masks from {', '.join(sorted({other for _, other in facing_folders}))}"
    folders = tuple(sorted({other for _, other in facing_folders}))
    if not any(pair.other for pair in found):
        found, remark, folders = *_side_by_side(tree), tuple(tree.folders)
    masks = [pair.other for pair in found if pair.other]
    if not masks or all(_fault(tree.places[name]) for name in masks[:_TRIED]):
        others = (pair.other for one, other in faced for pair in pairs(tree, one, other))
        other = next(filter(None, others), None)
        return Found(doubt=(other, _fault(tree.places[other]) or _NO_MASK) if other else None)
    return Found(tuple(found), folders, *_are_things(tree, found), remark)


def _sure(tree: Tree, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """For each folder of pictures the one folder of masks that has most of them: `masks` rather than `labels`."""
    best: dict[str, tuple[int, str]] = {}
    for one, other in found:
        masked = sum(name.lower().endswith(_LOSSLESS) for name in tree.folders[other])
        if masked > best.get(one, (0, ""))[0]:
            best[one] = masked, other
    return [(one, other) for one, (_, other) in best.items()]


def _side_by_side(tree: Tree) -> tuple[list[Pair], str]:
    """Pictures and masks in one folder: `a.jpg` and `a_mask.png`."""
    found: list[Pair] = []
    attached, left = "", ""
    for folder, names in tree.folders.items():
        if not all(split_of(part) or part.casefold() in PICTURES for part in folder.split("/") if part):
            continue  # in the folder of a class `a_1.png` is another picture
        prefix = f"{folder}/" if folder else ""
        stems = {stem(name): name for name in names if is_picture(name)}
        lossless = [one for one, name in stems.items() if name.lower().endswith(_LOSSLESS)]
        attached = attachment(list(stems), lossless) or ""
        pictures = [one for one in stems if one + attached in stems] if attached else []
        if len(pictures) * 3 < len(stems):
            continue
        split = split_of_path(folder)
        found += (Pair(prefix + stems[one], prefix + stems[one + attached], split) for one in pictures)
        # A second observer's masks, and the like, are neither pictures nor used.
        left = next((name for one, name in stems.items() if one not in pictures and not one.endswith(attached)), "")
    aside = f"; others, such as {left}, are left aside" if left else ""
    return found, f"masks beside the pictures, with {attached!r} attached{aside}"


def _fault(place: Place) -> str:
    """Why a file is no mask: it cannot be read, or has more numbers or colors than a mask; nothing where it is one."""
    try:
        stored = read_stored(place)
    except ImageError as err:
        return f"is in a folder for masks, and cannot be read: {str(err).removeprefix(f'{place}: ')}"
    count = np.unique(coded(stored) if stored.ndim == 3 else stored).size
    if stored.ndim == 3:
        return "" if count <= _MOST_COLORS else _NO_MASK
    return "" if stored.dtype == np.uint16 or count < _MOST_GRAYS or stored.max() + 1 == count else _NO_MASK


def _are_things(tree: Tree, found: list[Pair]) -> tuple[bool, bool]:
    """Whether nearly every number of a few masks is in one piece, and there are several: things, not classes.

    And whether these masks have the same numbers.
    """
    masks = [pair.other for pair in found if pair.other]
    whole = pieces = several = 0
    found_in: list[frozenset[int]] = []
    for name in masks[:: -(-len(masks) // _TRIED)]:
        numbers, in_one_piece = _pieces(tree.places[name])
        whole += in_one_piece
        pieces += min(len(numbers), _PIECES)
        several += len(numbers) > 1
        found_in.append(numbers)
    things = several * 2 > min(len(masks), _TRIED) and pieces > 0 and whole >= _WHOLE * pieces
    return things, len(found_in) > 1 == len(set(found_in))


def _pieces(place: Place) -> tuple[frozenset[int], int]:
    """The numbers above 0 in a mask; how many of the first are in one piece, 0 where they have gaps as classes have."""
    import cv2

    try:
        stored = read_stored(place)
    except ImageError:
        return frozenset(), 0
    if stored.ndim != 2:
        return frozenset(), 0
    counts = np.bincount(stored.ravel())
    present = np.flatnonzero(counts[1:]) + 1
    if not present.size or present[-1] > 1.5 * present.size + 1:  # classes leave gaps, things hardly
        return frozenset(present.tolist()), 0
    in_one = 0
    for number in present[:_PIECES].tolist():
        rows, columns = np.nonzero(stored == number)
        part = (stored[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == number).astype(np.uint8)
        in_one += cv2.connectedComponents(part, connectivity=8)[0] == 2
    return frozenset(present.tolist()), in_one
