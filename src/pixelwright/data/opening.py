"""Opening a data set: whatever layout it is in, found by looking at it, and said in words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pixelwright import registry
from pixelwright.data import groups
from pixelwright.data.dataset import Dataset, Fault, Kind
from pixelwright.data.layout import Doubt, Evidence, Hints, Layout
from pixelwright.data.pairing import PICTURES
from pixelwright.data.pictures import class_ids_of
from pixelwright.data.stated import LABEL_FILES, split_of
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, PixelwrightError, UsageError
from pixelwright.io import archive, zips

_STRONGEST_FIRST: tuple[Evidence, ...] = ("description", "arrangement", "pictures")
_DEEPEST = 4  # folders or archives within which a data set is looked for while there is nothing else
_FAULTS_SHOWN = 8
_SIZES_LOOKED_AT = 64

# Who names a file of one of these says what it is; what is wrong with it can be said better by its layout.
_BY_ENDING = {".npz": "npz", ".csv": "csv", ".tsv": "csv", ".json": "coco", ".yaml": "yolo", ".yml": "yolo"}


def open_dataset(path: str | os.PathLike[str], *, layout: str | None = None, hints: Hints | None = None) -> Dataset:
    """The data set in a folder, archive or file; nothing is decoded or unpacked.

    The layout is found by looking. Where a folder holds nothing but another folder or an archive, the data set is
    looked for in that. Rows that cannot be used are faults of the data set, not errors.

    Args:
        path: A folder, a tar or zip, or the file that describes the data.
        layout: Registry name, where it is not to be found out.
        hints: What is known of the data.

    Raises:
        UnknownName: No such layout.
        DataError: There is no such path, no layout or more than one fits, or nothing in it can be used.

    Example:
        >>> data = open_dataset("flowers/")  # doctest: +SKIP
        >>> data.layout, len(data), data.labels  # doctest: +SKIP
    """
    root, hints = Path(path), hints or Hints()
    tree = Tree.of(root)
    layout = layout or _BY_ENDING.get(Path(tree.chosen).suffix.lower())
    if layout is not None:
        chosen = registry.get("layout", layout)
        inner = next((one for one in _inward(tree) if isinstance(chosen.recognize(one, hints), str)), tree)
        return replace(_read(chosen, inner, hints, tree), root=root)
    known = [registry.get("layout", name) for name in registry.names("layout")]
    fitting = [one for one in known if not hints.kinds or one.kinds & hints.kinds]
    doubts: list[tuple[Layout, Doubt]] = []
    for strength in (_STRONGEST_FIRST[:2], _STRONGEST_FIRST[2:]):
        for inner in _inward(tree):
            found, doubted = _recognize(inner, fitting, strength, hints)
            doubts = doubted or doubts
            if found:
                if found.evidence == "pictures" and not doubts:  # of what is wrapped around them
                    _, doubts = _recognize(tree, fitting, _STRONGEST_FIRST[:2], hints)
                faults = _doubted(root, found, doubts)
                dataset = _read(found, inner, hints, tree)
                return replace(dataset, root=root, faults=(*dataset.faults, *faults))
    raise DataError(_nothing(tree, known, doubts or _recognize(tree, fitting, _STRONGEST_FIRST, hints)[1], hints))


def _recognize(
    tree: Tree, layouts: Iterable[Layout], strength: tuple[Evidence, ...], hints: Hints
) -> tuple[Layout | None, list[tuple[Layout, Doubt]]]:
    """The layout that fits best, and those that nearly do and are as strong or stronger.

    Raises:
        DataError: Several fit equally well.
    """
    doubts: list[tuple[Layout, Doubt]] = []
    for evidence in strength:
        answers = [(one, one.recognize(tree, hints)) for one in layouts if one.evidence == evidence]
        doubts += ((one, answer) for one, answer in answers if isinstance(answer, Doubt))
        found = [(one, answer) for one, answer in answers if isinstance(answer, str)]
        if len(found) > 1:
            said = " and ".join(f"{one.name} ({why})" for one, why in found)
            raise DataError(f"{tree.root}: fits {said}. Choose one with --layout.")
        if found:
            return found[0][0], doubts
    return None, doubts


def _doubted(root: Path, found: Layout, doubts: Iterable[tuple[Layout, Doubt]]) -> list[Fault]:
    """What is to be said of files that are not read, where others are.

    Raises:
        DataError: They would have outranked these, and nobody would know that something else is learned.
    """
    for one, doubt in doubts:
        if doubt.grave and one.evidence == "description" != found.evidence:
            instead = f"Correct it, or pass it over with --layout {found.name} ({found.summary})"
            raise DataError(f"{root}: {doubt.where}: {doubt.what.rstrip('.')}. {instead}.")
    return [Fault(doubt.where, doubt.what, kind="doubt" if doubt.grave else "other") for _, doubt in doubts]


def _read(layout: Layout, tree: Tree, hints: Hints, wrapping: Tree) -> Dataset:
    if hints.kinds and not layout.kinds & hints.kinds:
        raise DataError(_other_kind(tree.root, layout.kinds, layout, hints))
    dataset = layout.read(tree, hints)
    if not dataset.samples:
        why = f" {dataset.faults[0].where}: {dataset.faults[0].what}" if dataset.faults else ""
        raise DataError(f"{tree.root}: nothing in it can be used.{why}")
    if not hints.allow(dataset.kind):
        raise DataError(_other_kind(tree.root, (dataset.kind,), layout, hints))
    faults = (*dataset.faults, *_empty_splits(tree, dataset), *_alike(dataset))
    dataset = replace(dataset, faults=faults)
    return groups.with_groups(_grouped(dataset, hints.group) if hints.group else dataset, tree, wrapping)


def _empty_splits(tree: Tree, dataset: Dataset) -> Iterator[Fault]:
    """Folders called after splits of which the data set has no sample."""
    there = {sample.split for sample in dataset.samples}
    try:
        folders = sorted(path.name for path in tree.root.iterdir() if path.is_dir())
    except OSError:  # an archive, or a folder in one; these have no empty folders
        return
    for name in folders:
        if (split := split_of(name)) is not None and split not in there:
            yield Fault(name, "is a split without a sample that can be used", kind="split")


def _alike(dataset: Dataset) -> Iterator[Fault]:
    """Labels that people read as the same."""
    first: dict[str, str] = {}
    for label in dataset.labels:
        other = first.setdefault(" ".join(label.casefold().split()), label)
        if other != label:
            yield Fault("labels", f"{other!r} and {label!r} are taken for two; write them alike", kind="alike")


def _grouped(dataset: Dataset, pattern: str) -> Dataset:
    """The data set with groups from what a pattern finds in the ids; where a layout took them from a column, as it is.

    Raises:
        UsageError: The pattern is no regular expression with a group.
        DataError: It is found nowhere.
    """
    if any(sample.group for sample in dataset.samples):
        return dataset
    try:
        compiled = re.compile(pattern)
    except re.error as err:
        raise UsageError(f"group {pattern!r}: is no column, and no regular expression: {err}.") from err
    if not compiled.groups:
        what = "is no column of the data; as a regular expression it needs parentheses around what names the group"
        raise UsageError(f"group {pattern!r}: {what}, such as '(patient\\d+)_'.")
    samples, left = [], 0
    for sample in dataset.samples:
        found = compiled.search(sample.id)
        left += found is None
        samples.append(replace(sample, group="/".join(part or "" for part in found.groups())) if found else sample)
    if left == len(samples):
        raise DataError(f"{dataset.root}: the group {pattern!r} is found in no id; the first is {samples[0].id!r}.")
    count = len({sample.group for sample in samples if sample.group})
    faults = (Fault(pattern, f"is not found in {left} ids; each is a group of its own"),) if left else ()
    remarks = (*dataset.remarks, f"{_count(count, 'group')} by {pattern}")
    return replace(dataset, samples=tuple(samples), faults=(*dataset.faults, *faults), remarks=remarks)


def _inward(tree: Tree) -> Iterator[Tree]:
    """What is in a tree as long as there is only one thing, a folder or an archive; first what is in its wrapping.

    Ids begin within the wrapping, so that a data set has the same ones whether it was unpacked into a folder or not.
    """
    for _ in range(_DEEPEST):
        inner = _only(tree)
        if inner is None or _says_something(tree):
            yield tree
        if inner is None:
            return
        tree = inner
    yield tree


def _only(tree: Tree) -> Tree | None:
    """The only folder or archive in a tree, beside texts for people."""
    if tree.chosen:
        return None
    packed = [name for name in tree.places if zips.is_zip(name) or archive.is_tar(name)]
    if len(tree.tops) == 1 and not any(_matters(tree, name) for name in tree.folders.get("", ())):
        return tree.below(tree.tops[0])
    if len(packed) == 1 and not tree.pictures and tree.places[packed[0]].path is not None:
        return Tree.of(Path(tree.places[packed[0]].file))
    return None


def _says_something(tree: Tree) -> bool:
    """Whether the name of the only folder means something, a split or what is in it, or a list of classes is there."""
    if any(name in LABEL_FILES for name in tree.folders.get("", ())):
        return True
    return len(tree.tops) == 1 and (split_of(tree.tops[0]) is not None or tree.tops[0].casefold() in PICTURES)


def _matters(tree: Tree, name: str) -> bool:
    """Whether a file beside a folder may belong in a data set with it; a README does not, a list of classes does."""
    if name.lower() in LABEL_FILES:
        return True
    if name == groups.FILE:  # groups are asked for from within
        return not groups.holds_groups(tree)
    return not name.lower().endswith((".md", ".txt", ".rst", ".pdf", ".html")) and "license" not in name.lower()


def _nothing(tree: Tree, known: Sequence[Layout], doubts: Sequence[tuple[Layout, Doubt]], hints: Hints) -> str:
    """Why there is no data set: what nearly is one, what is one of another kind, or what was looked for."""
    if doubts:
        return f"{tree.root}: " + "; ".join(f"{doubt.where}: {doubt.what.rstrip('.')}" for _, doubt in doubts) + "."
    for inner in _inward(tree):
        other, _ = _recognize(inner, known, _STRONGEST_FIRST[:2], Hints())
        if other:
            return _other_kind(tree.root, other.kinds, other, hints)
    if tree.chosen:
        endings = ", ".join(sorted({*_BY_ENDING, ".xml"}))
        return f"{tree.root / tree.chosen}: describes no data. Name a folder, an archive, or a file of {endings}."
    what = f"of {', '.join(sorted(hints.kinds))} " if hints.kinds else ""
    fitting = (one for one in known if not hints.kinds or one.kinds & hints.kinds)
    looked = "; ".join(f"{one.name} ({one.summary})" for one in fitting)
    pictures = f"{len(tree.pictures):,} pictures among {len(tree.places):,} files"
    folders = sorted({name.rpartition("/")[0] or "." for name in tree.pictures})
    where = f", in {_shortened(folders, 4)}" if folders else ""
    packed = [name for name in tree.places if zips.is_zip(name) or archive.is_tar(name)]
    unpack = f" Name one of the archives in it, or unpack them: {_shortened(packed, 4)}." if packed else ""
    return f"{tree.root}: no data set {what}found in it: {pictures}{where}. Looked for {looked}.{unpack}"


def _other_kind(root: Path, held: Iterable[Kind], layout: Layout, hints: Hints) -> str:
    has, wanted = (", ".join(sorted(kinds)) for kinds in (held, hints.kinds))
    return f"{root}: holds {has} (layout {layout.name}); expected {wanted}. Take it for another task."


def describe(dataset: Dataset) -> list[str]:
    """What was understood of a data set, line by line, to be shown.

    Classes are counted where label files state them; of some pictures the header is read, nothing is decoded.
    """
    kinds = {"classes": "classes" if dataset.exclusive else "several classes a picture"}
    what = "sequence" if dataset.sequence else "picture"
    kind = kinds.get(dataset.kind, dataset.kind)
    lines = [f"{dataset.root}: layout {dataset.layout}, {_count(len(dataset), what)}, {kind}"]
    splits = Counter(sample.split or "no split" for sample in dataset.samples)
    lines.append("splits: " + ", ".join(f"{name} {count:,}" for name, count in splits.items()))
    if dataset.labels:
        lines += _counted(dataset, list(splits))
    lines += filter(None, [_sizes(dataset)])
    lines += dataset.remarks
    lost = sum(fault.lost for fault in dataset.faults)
    if dataset.faults:
        lines.append(f"{_count(len(dataset.faults), 'fault')}, {_count(lost, 'thing')} left out:")
        lines += (f"  {fault.where}: {fault.what}" for fault in dataset.faults[:_FAULTS_SHOWN])
    if len(dataset.faults) > _FAULTS_SHOWN:
        lines.append(f"  and {len(dataset.faults) - _FAULTS_SHOWN} more")
    return lines


def _counted(dataset: Dataset, splits: list[str]) -> list[str]:
    """The labels with how often each is there, where that is known without reading masks; of each split too."""
    counts: dict[str, Counter[int]] = {split: Counter() for split in splits}
    for sample in dataset.samples:
        counts[sample.split or "no split"].update(class_ids_of(sample.truth) or ())
    total = sum(counts.values(), Counter[int]())
    head = f"{_count(len(dataset.labels), 'label')}: "
    if not total:
        return [head + _shortened(dataset.labels)]
    lines = [head + _with_counts(dataset.labels, total)]
    if len(splits) > 1:
        lines += (f"  {split}: {_with_counts(dataset.labels, counts[split])}" for split in splits)
    return lines


def _with_counts(labels: Sequence[str], counts: Counter[int]) -> str:
    return _shortened([f"{label} {counts[place]:,}" for place, label in enumerate(labels)])


def _sizes(dataset: Dataset) -> str:
    """The sizes of some pictures, evenly spread, from their headers."""
    step = -(-len(dataset) // _SIZES_LOOKED_AT)
    sizes: Counter[tuple[int, int]] = Counter()
    for sample in dataset.samples[::step]:
        try:
            with sample.picture.open() as raster:
                sizes[raster.size_hw] += 1
        except PixelwrightError:  # the doctor lists such pictures
            continue
    if not sizes:
        return ""
    axes = "steps x features" if dataset.sequence else "pixels"
    if len(sizes) == 1 and not dataset.sequence:
        height, width = next(iter(sizes))
        return f"{width}x{height} {axes}"
    heights, widths = zip(*sizes, strict=True)
    one, other = (heights, widths) if dataset.sequence else (widths, heights)
    return f"{_span(one)} x {_span(other)} {axes}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _shortened(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[: most - 1])} ... {names[-1]}"
