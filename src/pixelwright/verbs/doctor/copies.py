"""Pictures that are there more than once: equal by their digests, or nearly so by a perceptual hash.

The hash is that of 64 signs of a cosine transform. Two pictures are looked at side by side where five bits or fewer
differ: then at least one of six parts of the hash is the same, so that only pictures that share a part are compared.
What is called nearly equal correlates to at least 0.985 besides, pixel by pixel of 32x32 in gray and of 8x8 in color.

Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010 (the DCT hash,
https://www.phash.org/docs/pubs/thesis_zauner.pdf).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.ops.appearance import THUMB_PX
from pixelwright.verbs.doctor.finding import Case

Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]  # (P, 2)

MOST_BITS = 5  # that differ
PARTS = ((0, 11), (11, 11), (22, 11), (33, 11), (44, 10), (54, 10))  # of the hash: first bit and how many
LEAST_CORRELATION = 0.985
AT_ONCE = 4096  # pairs whose pixels are compared
BLOCK = 2048  # hashes of one part compared with as many


@dataclass(frozen=True, slots=True)
class Seen:
    """What duplicates are found by, a row a sample.

    Attributes:
        digests: Of the stored bytes; empty where there are none.
        thumbs: (N, 32, 32) uint8, gray.
        tints: (N, 8, 8, 3) uint8, in color.
        telling: (N,) whether the picture shows something.
        answers: Of the truth, where it can be compared.
    """

    digests: Sequence[bytes]
    thumbs: npt.NDArray[np.uint8]
    tints: npt.NDArray[np.uint8]
    telling: npt.NDArray[np.bool_]
    answers: Sequence[tuple[float, ...] | None]


def perceptual_hashes(thumbs: npt.NDArray[np.uint8]) -> Hashes:
    """(N,) of small gray pictures (N, 32, 32): which of the 8x8 slowest waves, but the mean, are above their median."""
    frequency, place = np.arange(1, 9)[:, None], np.arange(THUMB_PX) + 0.5
    waves = np.cos(np.pi / THUMB_PX * frequency * place).astype(np.float32)
    hashes = np.zeros(len(thumbs), np.uint64)
    for start in range(0, len(thumbs), AT_ONCE):
        block = thumbs[start : start + AT_ONCE].astype(np.float32)
        strengths = (waves @ block @ waves.T).reshape(len(block), 64)
        bits = strengths > np.median(strengths, axis=1, keepdims=True)
        hashes[start : start + AT_ONCE] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return hashes


def near_pairs(thumbs: npt.NDArray[np.uint8], tints: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> Pairs:
    """Pairs (P, 2) among some rows of small pictures, gray and in color, that are nearly equal, the lower row first."""
    pairs = _close(perceptual_hashes(thumbs[rows]))
    pairs = np.sort(rows[pairs], axis=1)
    kept = [pairs[start : start + AT_ONCE] for start in range(0, len(pairs), AT_ONCE)]
    for copies in (thumbs, tints):
        kept = [block[correlations(copies, block) >= LEAST_CORRELATION] for block in kept]
    return np.concatenate(kept) if kept else pairs


def _close(hashes: Hashes) -> Pairs:
    """Pairs of hashes of which at most `MOST_BITS` bits differ."""
    found = [np.zeros((0, 2), np.int64)]
    for first, count in PARTS:
        parts = (hashes >> np.uint64(first)) & np.uint64((1 << count) - 1)
        order = np.lexsort((hashes, parts))
        for bucket in np.split(order, np.flatnonzero(np.diff(parts[order])) + 1):
            found.extend(_close_in(hashes, bucket))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _close_in(hashes: Hashes, bucket: npt.NDArray[np.int64]) -> Iterator[Pairs]:
    """Pairs within one bucket; in a very large one only with the next in order of the hash, so that time is bounded."""
    for start in range(0, len(bucket) if len(bucket) > 1 else 0, BLOCK):
        block, others = bucket[start : start + BLOCK], bucket[start : start + 2 * BLOCK]
        bits = np.bitwise_count(hashes[block][:, None] ^ hashes[others][None])
        one, other = np.nonzero(bits <= MOST_BITS)
        later = other > one
        yield np.stack((block[one[later]], others[other[later]]), axis=1)


def correlations(copies: npt.NDArray[np.uint8], pairs: Pairs) -> npt.NDArray[np.float32]:
    """Of the pixels of each pair; brightness and contrast do not count."""
    flat = copies.reshape(len(copies), math.prod(copies.shape[1:]))
    one, other = (flat[pairs[:, side]].astype(np.float32) for side in (0, 1))
    one -= one.mean(axis=1, keepdims=True)
    other -= other.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / np.maximum(lengths, 1e-9)


def find_copies(dataset: Dataset, seen: Seen) -> tuple[dict[str, list[Case]], npt.NDArray[np.int64]]:
    """Groups of equal and of nearly equal pictures, and for each sample the number of its family of these."""
    families = np.arange(len(dataset.samples))
    cases: dict[str, list[Case]] = defaultdict(list)
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(seen.digests):
        if digest:
            rows_of[digest].append(row)
    equal = [rows for rows in rows_of.values() if len(rows) > 1]
    for rows in equal:
        families[rows] = rows[0]
        _sort_in(cases, dataset, seen, rows, near=False)
    # Of equal pictures one stands for all, so that a group is told once.
    firsts = np.array([rows[0] for rows in rows_of.values() if seen.telling[rows[0]]], np.int64)
    pairs = near_pairs(seen.thumbs, seen.tints, firsts)
    for group in _joined(pairs):
        rows = [row for one in group for row in rows_of[seen.digests[one]]]
        families[rows] = group[0]
        if not _is_one_group([dataset.samples[row] for row in group]):
            _sort_in(cases, dataset, seen, rows, near=True, told=group)
    return cases, families


def _joined(pairs: Pairs) -> Iterable[list[int]]:
    """The rows of each family that pairs make, in order."""
    of: dict[int, list[int]] = {}
    for one, other in pairs.tolist():
        first, second = of.setdefault(one, [one]), of.setdefault(other, [other])
        if first is second:
            continue
        small, large = sorted((first, second), key=len)
        large.extend(small)
        of.update(dict.fromkeys(small, large))
    return [sorted(members) for members in {id(members): members for members in of.values()}.values()]


def _is_one_group(samples: Sequence[Sample]) -> bool:
    """Whether the data itself says that these belong together and are never parted: frames of a track."""
    first = samples[0]
    return bool(first.group) and all((one.group, one.split) == (first.group, first.split) for one in samples)


def _sort_in(
    cases: dict[str, list[Case]],
    dataset: Dataset,
    seen: Seen,
    rows: Sequence[int],
    *,
    near: bool,
    told: Sequence[int] = (),
) -> None:
    """A group of pictures under what is wrong with it."""
    shown = told or rows
    splits = sorted({dataset.samples[row].split for row in shown} - {""})
    answers = {answer for row in shown if (answer := seen.answers[row]) is not None}
    said = f"{len(shown)} pictures"
    if len(splits) > 1:
        said += f" in {', '.join(splits)}"
    if len(answers) > 1:
        said += f", labeled {', '.join(sorted(_named(answer, dataset) for answer in answers))}"
    case = Case(tuple(dataset.samples[row].id for row in shown), said)
    kind = "near" if near else "copies"
    if len(answers) > 1:
        cases[f"{kind}-labeled-differently"].append(case)
    if len(splits) > 1:
        cases[f"{kind}-across-splits"].append(case)
    if len(answers) <= 1 and len(splits) <= 1:
        cases[kind].append(case)


def _named(answer: tuple[float, ...], dataset: Dataset) -> str:
    if dataset.kind != "classes":
        return " ".join(f"{value:g}" for value in answer)
    return "+".join(dataset.labels[int(one)] for one in answer) or "nothing"
