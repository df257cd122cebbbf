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
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from pixelwright.data.dataset import Dataset, Fault, Kind, Sample, SplitName
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.pictures import FilePicture
from pixelwright.data.stated import SPLITS, folders_for, parted, split_of_path, split_within
from pixelwright.data.things import Coded, Thing, Things, shape_fault
from pixelwright.data.tree import Tree, stem
from pixelwright.errors import DataError, PixelwrightError
from pixelwright.structures.targets import Annotations

_STARTS = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"')
_INSIDE = (b'"file_name"', b'"bbox"', b'"category_id"', b'"supercategory"')
_OTHERS = ("captions", "panoptic", "stuff", "image_info")  # annotations of COCO that are none of things
_HEAD_BYTES = 2**16
_KINDS: tuple[Kind, ...] = ("keypoints", "instances", "boxes")  # the richest first

Id = int | str


class _Picture(msgspec.Struct):
    id: Id
    file_name: str
    width: int | None = None
    height: int | None = None


class _Category(msgspec.Struct):
    id: Id
    name: str
    keypoints: list[str] = []  # msgspec copies such defaults
    skeleton: list[list[int]] = []


class _File(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[_Category]


class _Owner(msgspec.Struct):
    image_id: Id


class _Runs(msgspec.Struct):
    counts: str | list[int]
    size: tuple[int, int]


class _Annotation(msgspec.Struct):
    category_id: Id
    bbox: tuple[float, float, float, float] | None = None
    segmentation: list[list[float]] | _Runs | None = None
    keypoints: list[float] = []
    area: float | None = None
    iscrowd: int = 0
    ignore: int = 0


_FILE, _PICTURE = msgspec.json.Decoder(_File), msgspec.json.Decoder(_Picture)
_OWNER, _ANNOTATION = msgspec.json.Decoder(_Owner), msgspec.json.Decoder(_Annotation)


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """The categories of all files, and what is wanted of their things."""

    labels: tuple[str, ...]
    places: dict[Id, int]
    keypoints: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]
    kind: Kind

    def thing(self, raw: bytes) -> Thing:
        """One annotation.

        Raises:
            DataError: It cannot be used; the message says why.
        """
        try:
            found = _ANNOTATION.decode(raw)
        except msgspec.MsgspecError as err:
            raise DataError(f"is no annotation: {err}") from err
        if found.category_id not in self.places:
            raise DataError(f"has the category {found.category_id!r}, which is not among the categories")
        mask = None
        if self.kind == "instances":
            if not found.segmentation:
                raise DataError("has no mask, though others have")
            mask = _mask(found.segmentation)
        box = None
        if found.bbox is not None and not (found.bbox[2:] == (0, 0) and mask):
            left, top, width, height = found.bbox
            box = (left, top, left + width, top + height)
        if box is None and mask is None:
            raise DataError("has neither a box nor a mask")
        points = _points(found.keypoints, len(self.keypoints)) if self.kind == "keypoints" else ()
        crowd, ignore = bool(found.iscrowd), bool(found.ignore)
        thing = Thing(self.places[found.category_id], box, mask, points, crowd, ignore, found.area)
        if fault := shape_fault(thing):
            raise DataError(fault)
        return thing


@dataclass(frozen=True, slots=True, eq=False)
class CocoTruth:
    """The truth of one picture, decoded from its annotations when asked for: they are smaller as text."""

    picture: FilePicture
    where: str
    raw: tuple[bytes, ...]
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
        kind = self.categories.kind
        return Things(
            self.picture,
            self.where,
            tuple(thing for thing in map(self._thing, self.raw) if thing is not None),
            stated_hw=self.stated_hw,
            masks=kind == "instances",
            keypoints=len(self.categories.keypoints) if kind == "keypoints" else 0,
        )

    @property
    def class_ids(self) -> Sequence[int]:
        """The class of each annotation that can be used."""
        return self.things().class_ids

    def faults(self, size_hw: tuple[int, int] | None = None) -> list[Fault]:
        """What is wrong with the annotations."""
        found = []
        for raw in self.raw:
            try:
                self.categories.thing(raw)
            except DataError as err:
                found.append(Fault(self.where, f"an annotation {err}; it is left out", lost=1))
        return found + self.things().faults(size_hw)

    def _thing(self, raw: bytes) -> Thing | None:
        try:
            return self.categories.thing(raw)
        except DataError:
            return None


def recognize(tree: Tree) -> str | None:
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
    files = {name: _decode(tree, name) for name in names}
    categories = _categories(files, hints)
    faults: list[Fault] = []
    samples: dict[str, Sample] = {}
    for name, file in files.items():
        for sample in _samples(tree, name, file, categories, faults):
            if samples.setdefault(sample.id, sample) is not sample:
                faults.append(Fault(name, f"a second time the picture {sample.id}; it is left out", lost=1))
    for sample in samples.values():
        faults += sample.truth.faults()  # type: ignore[attr-defined]
    remarks = (f"COCO files {', '.join(names)}", f"{len(categories.labels)} categories, in the order of their ids")
    ordered = tuple(sample for _, sample in sorted(samples.items()))
    return Dataset(
        tree.root,
        "coco",
        categories.kind,
        categories.labels,
        ordered,
        keypoints=categories.keypoints if categories.kind == "keypoints" else (),
        skeleton=categories.skeleton if categories.kind == "keypoints" else (),
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


def _decode(tree: Tree, name: str) -> _File:
    data = tree.places[name].read().removeprefix(b"\xef\xbb\xbf")
    try:
        if b"NaN" in data or b"Infinity" in data:  # Python writes them, JSON has no such numbers
            data = json.dumps(json.loads(data, parse_constant=lambda _: None)).encode()
        return _FILE.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as err:
        raise DataError(f"{name}: is no COCO file: {err}.") from err


def _categories(files: dict[str, _File], hints: Hints) -> Categories:
    """The categories of all files, which must agree.

    Raises:
        DataError: They do not, or there are none.
    """
    found: dict[Id, _Category] = {}
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
    places = {category.id: labels.index(category.name) for category in ordered if category.name in labels}
    return Categories(labels, places, keypoints, skeleton, _kind(files, hints, keypoints))


def _kind(files: dict[str, _File], hints: Hints, keypoints: Sequence[str]) -> Kind:
    """The richest kind that is there and wanted."""
    some = [bytes(raw) for file in files.values() for raw in file.annotations[:1000]]
    has: dict[Kind, bool] = {
        "keypoints": bool(keypoints) and any(b'"keypoints"' in raw for raw in some),
        "instances": any(re.search(rb'"segmentation"\s*:\s*(\[\s*\[|\{)', raw) for raw in some),
        "boxes": True,
    }
    for kind in _KINDS:
        if has[kind] and hints.allow(kind):
            return kind
    return "boxes"


def _samples(tree: Tree, name: str, file: _File, categories: Categories, faults: list[Fault]) -> Iterable[Sample]:
    """The pictures of one file."""
    owned: dict[Id, list[bytes]] = {}
    for number, raw in enumerate(file.annotations):
        try:
            owned.setdefault(_OWNER.decode(raw).image_id, []).append(bytes(raw))
        except msgspec.MsgspecError as err:
            faults.append(Fault(f"{name} annotation {number}", f"is none: {err}", lost=1))
    split: SplitName = split_within(stem(name.rpartition("/")[2])) or split_of_path(name.rpartition("/")[0])
    folders = _folders(tree, name, split)
    seen: set[Id] = set()
    known: set[Id] = set()
    for number, raw in enumerate(file.images):
        try:
            picture = _PICTURE.decode(raw)
        except msgspec.MsgspecError as err:
            faults.append(Fault(f"{name} image {number}", f"is none: {err}", lost=1))
            continue
        found = tree.find(picture.file_name, *folders)
        several = () if split else parted(tree, picture.file_name, folders)
        if found is None or picture.id in seen or found in several:
            what = "its id is there twice" if picture.id in seen else f"there is no picture {picture.file_name!r}"
            if found in several:
                what = f"may be any of {', '.join(several)}; state the folder in its file_name"
            faults.append(Fault(f"{name} image {picture.id}", what, lost=1))
            known.add(picture.id)
            continue
        seen.add(picture.id)
        size_hw = (picture.height, picture.width) if picture.height and picture.width else None
        where, own = f"{name} image {picture.id}", tuple(owned.pop(picture.id, ()))
        file_picture = FilePicture(tree.places[found])
        yield Sample(found, file_picture, CocoTruth(file_picture, where, own, size_hw, categories), split)
    left = sum(map(len, (rows for owner, rows in owned.items() if owner not in known)))
    if left:
        faults.append(Fault(name, "annotations belong to pictures that are not in the list", left))


def _folders(tree: Tree, name: str, split: SplitName) -> list[str]:
    """Where the pictures of a file may be, the likeliest last; none that is called after another split."""
    folder, _, last = name.rpartition("/")
    above = folder.rpartition("/")[0]
    prefixes = [f"{one}/" if one else "" for one in dict.fromkeys((above, folder))]
    part = stem(last).rpartition("_")[2]  # instances_train2017
    named = [one for one, found in SPLITS.items() if found == split] or ["train", "val"]
    inner = ["images", *named, part, *(f"images/{one}" for one in named), f"images/{part}"]
    return [*folders_for(split, [*tree.tops, *(prefix + one for prefix in prefixes for one in inner)]), folder]


def _mask(found: list[list[float]] | _Runs) -> tuple[tuple[float, ...], ...] | Coded:
    if isinstance(found, list):
        return tuple(map(tuple, found))
    counts = found.counts if isinstance(found.counts, str) else tuple(found.counts)
    return Coded(counts, found.size)


def _points(values: Sequence[float], count: int) -> tuple[float, ...]:
    """Keypoints with the places of centers; those that are not labeled stay 0, 0, 0."""
    if not values:
        return ()
    if len(values) != 3 * count:
        raise DataError(f"has {len(values)} numbers of keypoints, expected {3 * count}")
    rows = (values[start : start + 3] for start in range(0, 3 * count, 3))
    return tuple(one for x, y, seen in rows for one in ((x + 0.5, y + 0.5, seen) if seen else (0.0, 0.0, 0.0)))


LAYOUT = Layout(
    "coco",
    "COCO: a JSON file of boxes, masks or keypoints",
    frozenset(_KINDS),
    "description",
    recognize,
    read,
)
