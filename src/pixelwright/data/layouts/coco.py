"""COCO: a JSON file with pictures, categories and annotations.

```
annotations/instances_train2017.json    train2017/a.jpg          as COCO itself
train/_annotations.coco.json            train/a.jpg              beside the pictures
coco.json                               images/a.jpg
```

Boxes, polygons, run lengths (compressed or not), crowds, areas and keypoints with their skeleton are read. Ids of
categories may have gaps. A keypoint's place is that of a pixel in COCO and that of its center here: half a pixel is
added. The split is in the name of the file or folder. An annotation that cannot be used is a fault.

Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pixelwright.data.coco_json import (
    ANNOTATION,
    PICTURE,
    Category,
    File,
    Id,
    Picture,
    decoded,
    is_masked,
    mask_of,
    owned_of,
    points_of,
    read_file,
)
from pixelwright.data.dataset import Dataset, Fault, Kind, Sample, SplitName
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.lookup import Lookup, remarks_on_strays
from pixelwright.data.pictures import FilePicture
from pixelwright.data.stated import SPLITS, mirrored_of, split_of_path, split_within
from pixelwright.data.things import Thing, Things, mask_fault, shape_fault
from pixelwright.data.tree import Tree, stem
from pixelwright.errors import DataError, PixelwrightError
from pixelwright.structures.targets import Annotations

_STARTS = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"')
_INSIDE = (b'"file_name"', b'"bbox"', b'"category_id"', b'"supercategory"')
_MASKLESS = "has no mask, though others have"
_OTHERS = ("captions", "panoptic", "stuff", "image_info")  # annotations of COCO that are none of things
_HEAD_BYTES = 2**16
_KINDS: tuple[Kind, ...] = ("keypoints", "instances", "boxes")  # the richest first


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """The categories of all files, and what is wanted of their things.

    Attributes:
        labels: Their names, or those of them that were chosen.
        places: The position of each category in the labels; None where it was not chosen.
        keypoints: Their names.
        skeleton: Which of them are joined.
        mirrored: Which of them takes the place of each in a mirrored picture.
        kind: Of the data set.
    """

    labels: tuple[str, ...]
    places: dict[Id, int | None]
    keypoints: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]
    mirrored: tuple[int, ...]
    kind: Kind

    def thing(self, raw: bytes) -> Thing | None:
        """One annotation; None where it is of a category that was not chosen.

        Raises:
            DataError: It cannot be used; the message says why.
        """
        found = decoded(ANNOTATION, raw)
        place = self.places.get(found.category_id, -1)
        if place is None:
            return None
        if place < 0:
            raise DataError(f"has the category {found.category_id!r}, which is not among the categories")
        mask = None
        if self.kind == "instances":
            if not found.segmentation:
                raise DataError(_MASKLESS)
            mask = mask_of(found.segmentation)
        box = None
        if found.bbox is not None and not (found.bbox[2:] == (0, 0) and mask):
            left, top, width, height = found.bbox
            box = (left, top, left + width, top + height)
        if box is None and mask is None:
            raise DataError("has neither a box nor a mask")
        points = points_of(found.keypoints or (), len(self.keypoints)) if self.kind == "keypoints" else ()
        crowd, ignore = bool(found.iscrowd), bool(found.ignore)
        thing = Thing(place, box, mask, points, crowd, ignore, found.area)
        if fault := shape_fault(thing):
            raise DataError(fault)
        return thing


@dataclass(frozen=True, slots=True, eq=False)
class CocoTruth:
    """The truth of one picture, decoded from its annotations when asked for: they are smaller as text.

    Attributes:
        picture: Whose truth it is.
        where: File and picture, for messages.
        raw: The annotations that can be used, as the file has them.
        class_ids: Of each of them.
        lost: What is wrong with the others.
        stated_hw: Rows and columns of the picture as the file states them.
        categories: What they mean.
    """

    picture: FilePicture
    where: str
    raw: tuple[bytes, ...]
    class_ids: tuple[int, ...]
    lost: tuple[Fault, ...]
    stated_hw: tuple[int, int] | None
    categories: Categories

    @property
    def path(self) -> None:
        """They have no file of their own."""

    def digest(self) -> str:
        """SHA-256 of the annotations as they are in the file, in hexadecimal."""
        return hashlib.sha256(b"\n".join(self.raw)).hexdigest()

    def __call__(self) -> Annotations:
        """The annotations that can be used."""
        return self.things()()

    def things(self) -> Things:
        """As the file states them."""
        return self.made_of(thing for raw in self.raw if (thing := self.categories.thing(raw)) is not None)

    def made_of(self, things: Iterable[Thing]) -> Things:
        """The truth of this picture if these are in it."""
        kind = self.categories.kind
        points = len(self.categories.keypoints) if kind == "keypoints" else 0
        return Things(
            self.picture,
            self.where,
            tuple(things),
            stated_hw=self.stated_hw,
            masks=kind == "instances",
            keypoints=points,
        )

    def faults(self, size_hw: tuple[int, int] | None = None) -> list[Fault]:
        """What is wrong with the annotations."""
        return [*self.lost, *self.things().faults(size_hw)]


@dataclass(slots=True)
class _Listed:
    """A picture that a file lists, and which one that is; None where it is not there."""

    file: str
    picture: Picture
    lookup: Lookup
    found: str | None


def recognize(tree: Tree, hints: Hints) -> str | None:
    """Whether a JSON file begins as COCO's do."""
    names = _files(tree)
    return f"annotations in COCO's JSON, {names[0]}" if names else None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture of every file.

    Raises:
        DataError: A file is no COCO, or the categories of several do not fit.
    """
    names = _files(tree) or ([tree.chosen] if tree.chosen else [])
    keyed = [name for name in names if "keypoints" in name.rpartition("/")[2]]
    if keyed and len(keyed) < len(names):  # COCO has the same pictures once more with keypoints
        names = keyed if hints.kinds == {"keypoints"} else [name for name in names if name not in keyed]
    if not names:
        raise DataError(f"{tree.root}: no COCO file. Expected JSON with images, annotations and categories.")
    files = {name: read_file(tree.places[name], name) for name in names}
    categories = _categories(files, hints)
    faults: list[Fault] = []
    samples: dict[str, Sample] = {}
    listed = [one for name, file in files.items() for one in _listed(tree, name, file, faults)]
    remarks = _settle(listed, faults)
    for name, file in files.items():
        for sample in _samples(tree, name, file, [one for one in listed if one.file == name], categories, faults):
            if samples.setdefault(sample.id, sample) is not sample:
                faults.append(Fault(name, f"a second time the picture {sample.id}; it is left out", lost=1))
        _check(name, file, faults)
    remarks = (
        f"COCO files {', '.join(names)}",
        f"{len(categories.labels)} categories, in the order of their ids",
        *_remark_on_masks(files, categories, hints),
        *remarks,
    )
    ordered = tuple(sample for _, sample in sorted(samples.items()))
    return Dataset(
        tree.root,
        "coco",
        categories.kind,
        categories.labels,
        ordered,
        keypoints=categories.keypoints if categories.kind == "keypoints" else (),
        skeleton=categories.skeleton if categories.kind == "keypoints" else (),
        mirrored=categories.mirrored if categories.kind == "keypoints" else (),
        faults=tuple(faults),
        remarks=remarks,
    )


def _files(tree: Tree) -> list[str]:
    found = []
    for name in tree.with_suffix(".json"):
        if name.rpartition("/")[2].startswith(_OTHERS):
            continue
        try:
            head = tree.places[name].head(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
        except PixelwrightError:
            continue
        if _STARTS.match(head) and any(word in head for word in _INSIDE) and b'"segments_info"' not in head:
            found.append(name)
    return found


def _categories(files: dict[str, File], hints: Hints) -> Categories:
    """The categories of all files, which must agree.

    Raises:
        DataError: They do not, or there are none.
    """
    found: dict[Id, Category] = {}
    for name, file in files.items():
        for category in file.categories:
            if found.setdefault(category.id, category).name != category.name:
                other = found[category.id].name
                raise DataError(f"{name}: category {category.id} is {category.name!r}, in another file {other!r}.")
    if not found:
        raise DataError(f"{next(iter(files))}: has no categories.")
    ordered = [found[one] for one in sorted(found, key=lambda one: (isinstance(one, str), one))]
    labels = tuple(category.name for category in ordered)
    named = next((category for category in ordered if category.keypoints), None)
    keypoints = tuple(named.keypoints) if named else ()
    bones = [bone for bone in (named.skeleton if named else ()) if len(bone) == 2 and 1 <= min(bone) <= max(bone)]
    skeleton = tuple((keypoints[a - 1], keypoints[b - 1]) for a, b in bones if max(a, b) <= len(keypoints))
    if unknown := set(hints.labels) - set(labels):
        raise DataError(f"{next(iter(files))}: has no category {min(unknown)!r}; it has {', '.join(labels[:10])} ...")
    labels = hints.labels or labels
    places = {one.id: labels.index(one.name) if one.name in labels else None for one in ordered}
    mirrored = mirrored_of(named.flip_idx, len(keypoints)) if named else None
    return Categories(labels, places, keypoints, skeleton, mirrored or (), _kind(files, hints, keypoints))


def _kind(files: dict[str, File], hints: Hints, keypoints: Sequence[str]) -> Kind:
    """The richest kind that is there and wanted."""
    some = [bytes(raw) for file in files.values() for raw in file.annotations[:1000]]
    masked = [is_masked(raw) for file in files.values() for raw in file.annotations]
    has: dict[Kind, bool] = {
        "keypoints": bool(keypoints) and any(b'"keypoints"' in raw for raw in some),
        "instances": sum(masked) * 2 >= len(masked) > 0 or (hints.kinds == {"instances"} and any(masked)),
        "boxes": True,
    }
    for kind in _KINDS:
        if has[kind] and hints.allow(kind):
            return kind
    return "boxes"


def _remark_on_masks(files: dict[str, File], categories: Categories, hints: Hints) -> tuple[str, ...]:
    """What is to be said where masks are there, nobody has said that they are not wanted, and boxes are read."""
    if categories.kind != "boxes" or not hints.allow("instances"):
        return ()
    masked = [is_masked(raw) for file in files.values() for raw in file.annotations]
    return (f"{sum(masked):,} of {len(masked):,} annotations have masks; read as boxes",) if any(masked) else ()


def _listed(tree: Tree, name: str, file: File, faults: list[Fault]) -> Iterable[_Listed]:
    """The pictures that one file lists, each id once."""
    split: SplitName = split_within(stem(name.rpartition("/")[2])) or split_of_path(name.rpartition("/")[0])
    lookup = _lookup(tree, name, split)
    seen: set[Id] = set()
    for number, raw in enumerate(file.images):
        try:
            picture = decoded(PICTURE, raw)
        except DataError as err:
            faults.append(Fault(f"{name} image {number}", str(err), lost=1))
            continue
        if picture.id in seen:
            faults.append(Fault(f"{name} image {picture.id}", "its id is there twice", lost=1))
            continue
        seen.add(picture.id)
        yield _Listed(name, picture, lookup, lookup.find(picture.file_name))


def _settle(listed: Iterable[_Listed], faults: list[Fault]) -> tuple[str, ...]:
    """Find those that lie in folders called after another split, and say so."""
    claimed: dict[str, SplitName] = {one.found: one.lookup.split for one in listed if one.found}
    strays: dict[str, SplitName] = {}
    for one in listed:
        split, why = one.lookup.split, ""
        if one.found is None:
            one.found, why = one.lookup.elsewhere(one.picture.file_name, claimed)
            if one.found is not None:
                strays[one.found] = split
        elif not split and one.found in (several := one.lookup.may_be(one.picture.file_name)):
            one.found, why = None, f"may be any of {', '.join(several)}; state the folder in its file_name"
        if why:
            faults.append(Fault(f"{one.file} image {one.picture.id}", why, lost=1))
    return remarks_on_strays(strays.items())


def _samples(
    tree: Tree, name: str, file: File, listed: list[_Listed], categories: Categories, faults: list[Fault]
) -> Iterable[Sample]:
    """The pictures of one file."""
    owned = owned_of(name, file, faults)
    for one in listed:
        own, picture = owned.pop(one.picture.id, ()), one.picture
        if one.found is None:
            continue
        size_hw = (picture.height, picture.width) if picture.height and picture.width else None
        empty = CocoTruth(
            FilePicture(tree.places[one.found]), f"{name} image {picture.id}", (), (), (), size_hw, categories
        )
        yield Sample(one.found, empty.picture, _with(empty, own, faults), one.lookup.split)
    if left := sum(map(len, owned.values())):
        faults.append(Fault(name, "annotations belong to pictures that are not in the list", left))


def _with(truth: CocoTruth, own: Iterable[tuple[str, bytes]], faults: list[Fault]) -> CocoTruth:
    """A truth with those of its annotations that can be used. This is where all of them are decoded, once."""
    kept: list[bytes] = []
    things: list[Thing] = []
    lost: list[Fault] = []
    for where, raw in own:
        try:
            thing = truth.categories.thing(raw)
            if thing is not None and (fault := mask_fault(thing, truth.stated_hw)):
                raise DataError(fault)
        except DataError as err:
            lost.append(Fault(where, f"{err}; it is left out", 1, "thing"))
            continue
        if thing is not None:
            kept.append(raw)
            things.append(thing)
    faults += [*lost, *truth.made_of(things).faults()]
    return replace(truth, raw=tuple(kept), class_ids=tuple(one.class_id for one in things), lost=tuple(lost))


def _check(name: str, file: File, faults: list[Fault]) -> None:
    """Whether at least half of the annotations of a file are understood: else something else is wrong with it.

    Raises:
        DataError: They are not.
    """
    own = [fault for fault in faults if fault.where.startswith(f"{name} annotation ")]
    lost = [fault for fault in own if not fault.what.startswith(_MASKLESS)]
    if len(lost) * 2 > len(file.annotations):
        count = f"{len(lost):,} of {len(file.annotations):,} annotations cannot be used"
        raise DataError(f"{name}: {count}, such as {lost[0].where}: {lost[0].what}.")


def _lookup(tree: Tree, name: str, split: SplitName) -> Lookup:
    """Where the pictures of a file may be."""
    folder, _, last = name.rpartition("/")
    above = folder.rpartition("/")[0]
    prefixes = [f"{one}/" if one else "" for one in dict.fromkeys((above, folder))]
    part = stem(last).rpartition("_")[2]  # instances_train2017
    named = [one for one, found in SPLITS.items() if found == split] or ["train", "val"]
    inner = ["images", *named, part, *(f"images/{one}" for one in named), f"images/{part}"]
    return Lookup.of(tree, split, [*tree.tops, *(prefix + one for prefix in prefixes for one in inner)], folder)


LAYOUT = Layout(
    "coco",
    "COCO: a JSON file of boxes, masks or keypoints",
    frozenset(_KINDS),
    "description",
    recognize,
    read,
)
