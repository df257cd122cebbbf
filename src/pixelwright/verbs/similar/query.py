"""The pictures of an index that are like a given one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwright.errors import IndexUnusable, PixelwrightError, UsageError, describe
from pixelwright.io.sources import list_images
from pixelwright.model import Execution, Model, Opened, load
from pixelwright.structures.results import Embedding
from pixelwright.verbs.similar.index import Entry, Index
from pixelwright.verbs.similar.search import nearest


@dataclass(frozen=True, slots=True)
class Answer:
    """What is like one picture.

    Attributes:
        path: Of the picture.
        matches: Pictures of the index with their similarity, nearest first; the picture itself is not among them.
        error: Why there is no answer, or None.
    """

    path: str
    matches: tuple[tuple[Entry, float], ...] = ()
    error: Exception | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        if self.error is not None:
            return {"path": self.path, "error": describe(self.error)}
        similar = [
            {"path": entry.path, "similarity": round(similarity, 6), "size_hw": list(entry.size_hw)}
            for entry, similarity in self.matches
        ]
        return {"path": self.path, "similar": similar}


def load_model(index: Index, name: str | None = None, *, execution: Execution = Execution()) -> Model:
    """The model that made the vectors of an index.

    Args:
        index: The index.
        name: Where the model is now; None for where it was.
        execution: Runtime, precision, device, threads.

    Raises:
        IndexUnusable: The model is not there any more, or it is another one.
    """
    manifest = index.manifest
    known = manifest.bundle if Path(manifest.bundle).exists() else manifest.model
    try:
        model = load(name or known, execution=execution)
    except PixelwrightError as err:
        if name is not None:
            raise
        raise IndexUnusable(
            f"{index.folder} holds vectors of {manifest.space}, and that model cannot be loaded ({err}) "
            "Name its folder with --model."
        ) from err
    if model.bundle.identity != manifest.space or model.task.result is not Embedding:
        raise IndexUnusable(
            f"{index.folder} holds vectors of {manifest.space}, the model at hand is {model.bundle.identity}, and they "
            "cannot be compared. Name the model that made the index with --model, or build the index anew."
        )
    return model


def similar(model: Model, index: Index, sources: Sequence[str], *, top: int = 10) -> Iterator[Answer]:
    """For each picture those of an index that are nearest to it, in order; a bad picture stops nobody.

    Args:
        model: The one that made the index.
        index: Where to look.
        sources: Files, folders, globs, or `-`.
        top: So many for each at the most.

    Raises:
        IndexUnusable: The index is empty.
        UsageError: The sources make no sense.
    """
    if not index.live:
        raise IndexUnusable(f"{index.folder} holds no pictures. Add some with: pixelwright embed PICTURES --index ...")
    items = list(list_images(sources))
    if not items:
        raise UsageError(f"no pictures in {', '.join(sources)}. Check the folder, or its files' endings.")
    for done in model.apply(items, _vector, open_source=lambda item: item.path, count=len(items)):
        path = done.item.path
        if done.result is None:
            yield Answer(path, error=done.error)
            continue
        # One more than asked for: the picture itself may be in the index.
        found = nearest(index, done.result[None], top=top + 1)[0]
        entries = ((index.entry(match.row), match.similarity) for match in found)
        others = [one for one in entries if not _is_same_file(one[0].path, path)]
        yield Answer(path, tuple(others[:top]))


def _vector(_opened: Opened, result: Embedding) -> np.ndarray[Any, Any]:
    return result.vector


def _is_same_file(indexed: str, path: str) -> bool:
    return indexed == path or indexed == os.path.abspath(path)  # noqa: PTH100 (keeps links, as the index does)
