"""COCO's JSON: what is in it, checked as far as it must be, and what is wrong with it in words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from pixelwright.data.dataset import Fault
from pixelwright.data.place import Place
from pixelwright.data.things import Coded, Ring
from pixelwright.errors import DataError

_WRONG = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.?(.*)`)?$")
_MASKED = re.compile(rb'"segmentation"\s*:\s*(\[\s*\[|\{)')
_TYPES = {"float": "a number", "int": "a whole number", "str": "text", "null": "nothing", "array": "a list"}

Id = int | str
Row = TypeVar("Row")


class Picture(msgspec.Struct):
    """One of `images`."""

    id: Id
    file_name: str
    width: int | None = None
    height: int | None = None


class Category(msgspec.Struct):
    """One of `categories`."""

    id: Id
    name: str
    keypoints: list[str] = []  # msgspec copies such defaults
    skeleton: list[list[int]] = []
    flip_idx: Any = None  # ours, as YOLO's


class File(msgspec.Struct):
    """A whole file, of which only the categories are decoded."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Category]


class Owner(msgspec.Struct):
    """Whose an annotation is."""

    image_id: Id
    id: Id | None = None


class Runs(msgspec.Struct):
    """A mask as run lengths."""

    counts: str | list[int]
    size: tuple[int, int]


class Annotation(msgspec.Struct):
    """One of `annotations`, as others write it too, who have `false` for 0 and nothing for an empty list."""

    category_id: Id
    bbox: tuple[float, float, float, float] | None = None
    segmentation: list[list[float]] | Runs | None = None
    keypoints: list[float] | None = None
    area: float | None = None
    iscrowd: int | bool | None = 0
    ignore: int | bool | None = 0


_FILE, PICTURE = msgspec.json.Decoder(File), msgspec.json.Decoder(Picture)
OWNER, ANNOTATION = msgspec.json.Decoder(Owner), msgspec.json.Decoder(Annotation)


def read_file(place: Place, name: str) -> File:
    """A file.

    Raises:
        DataError: It is no COCO.
        ImageError: It cannot be read.
    """
    data = place.read().removeprefix(b"\xef\xbb\xbf")
    try:
        if b"NaN" in data or b"Infinity" in data:  # Python writes them, JSON has no such numbers
            data = json.dumps(json.loads(data, parse_constant=lambda _: None)).encode()
        return _FILE.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as err:
        raise DataError(f"{name}: is no COCO file: {err}.") from err


def decoded(decoder: msgspec.json.Decoder[Row], raw: bytes | msgspec.Raw) -> Row:
    """A part of a file.

    Raises:
        DataError: It has another form; the message says where in it: `bbox[0]: expected a number, got text`.
    """
    try:
        return decoder.decode(raw)
    except msgspec.MsgspecError as err:
        found = _WRONG.match(str(err))
        if found is None:
            what = str(err).replace("Object missing required field", "has no").replace("`", "'")
            raise DataError(what) from err
        types = (" or ".join(_TYPES.get(one, one) for one in part.split(" | ")) for part in found.group(1, 2))
        raise DataError(f"{found[3] or 'it'}: expected {', got '.join(types)}") from err


def owned_of(name: str, file: File, faults: list[Fault]) -> dict[Id, list[tuple[str, bytes]]]:
    """The annotations of each picture by its id, with where they stand."""
    found: dict[Id, list[tuple[str, bytes]]] = {}
    for number, raw in enumerate(file.annotations):
        try:
            owner = decoded(OWNER, raw)
        except DataError as err:
            faults.append(Fault(f"{name} annotation number {number}", str(err), lost=1))
            continue
        where = f"{name} annotation {owner.id}" if owner.id is not None else f"{name} annotation number {number}"
        found.setdefault(owner.image_id, []).append((where, bytes(raw)))
    return found


def is_masked(raw: msgspec.Raw) -> bool:
    """Whether an annotation has a `segmentation` that is not empty, without decoding it."""
    return _MASKED.search(bytes(raw)) is not None


def mask_of(found: list[list[float]] | Runs) -> tuple[Ring, ...] | Coded:
    """A `segmentation` as the mask of a thing."""
    if isinstance(found, list):
        return tuple(map(tuple, found))
    counts = found.counts if isinstance(found.counts, str) else tuple(found.counts)
    return Coded(counts, found.size)


def points_of(values: Sequence[float], count: int) -> tuple[float, ...]:
    """Keypoints with the places of centers; those that are not labeled stay 0, 0, 0.

    Raises:
        DataError: They are not as many as there should be.
    """
    if not values:
        return ()
    if len(values) != 3 * count:
        raise DataError(f"has {len(values)} numbers of keypoints, expected {3 * count}")
    rows = (values[start : start + 3] for start in range(0, 3 * count, 3))
    return tuple(one for x, y, seen in rows for one in ((x + 0.5, y + 0.5, seen) if seen else (0.0, 0.0, 0.0)))
