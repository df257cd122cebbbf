"""A large index in cells of near vectors: a query looks into the nearest cells and not at every row.

The cells are made on the first query that needs them, kept beside the vectors, and filled up when many rows have come
since. They can always be made anew from the vectors: where their file is damaged, they are.

Source: Sivic and Zisserman, Video Google, ICCV 2003 (inverted files); the library is Faiss (MIT),
https://github.com/facebookresearch/faiss. Its inverted lists were chosen over its graphs (HNSW) and over those of
USearch (Apache-2.0), which answer as quickly and take several times as long to build (docs/similar.md).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from dataclasses import dataclass
from math import isqrt
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import OutputError
from pixelwright.io.digest import sha256_of
from pixelwright.verbs.similar.index import LIVE, Index
from pixelwright.verbs.similar.writer import CELLS_FACTS, CELLS_FILE, write_whole

log = logging.getLogger(__name__)

FORMAT = 1
LEARNED_FROM = 40  # rows for each cell, at random: where cells lie is learned from these
ROUNDS = 8  # of learning
SEARCHED_SHARE = 16  # one cell of so many is looked into, so that 32 and more are
TAIL_NUMBERS = 8_000_000  # in rows that are in no cell yet: so many are looked at one by one
GROWTH = 4  # times as many rows as the cells were learned from: then they are learned anew


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The first rows of an index in cells.

    Attributes:
        rows: How many rows are in cells.
        learned: How many there were when it was learned where cells lie.
        library: The library's own object.
    """

    rows: int
    learned: int
    library: Any


def available() -> str | None:
    """None where the library is installed, else what to do."""
    return None if importlib.util.find_spec("faiss") else "install it with: pip install 'pixelwright[search]'"


def _faiss() -> Any:
    import faiss  # its types leave out what it adds when it is loaded

    return faiss


def candidates(index: Index, vector: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """So many live rows of an index near to a vector, in no order, and all rows that are in no cell yet."""
    faiss = _faiss()
    cells = _cells(index)
    bits = np.packbits(index.marks[: cells.rows] == LIVE, bitorder="little")
    chosen = faiss.IDSelectorBitmap(cells.rows, faiss.swig_ptr(bits))
    searched = max(32, cells.library.nlist // SEARCHED_SHARE)
    _, rows = cells.library.search(vector[None], count, params=faiss.SearchParametersIVF(sel=chosen, nprobe=searched))
    return np.concatenate((rows[0][rows[0] >= 0], np.arange(cells.rows, len(index))))


def _cells(index: Index) -> Cells:
    """The cells of an index: read, filled up or made, whatever is needed, once."""
    cells = index.kept.get("cells") or _read(index)
    if cells is None or len(index) > GROWTH * cells.learned:
        log.warning("%s: sorting %d vectors once, so that searching them is quick", index.folder, len(index))
        cells = _filled(index, Cells(0, len(index), _learned(index)))
        _write(index, cells)
    elif (len(index) - cells.rows) * index.manifest.dimension > TAIL_NUMBERS:
        cells = _filled(index, cells)
        _write(index, cells)
    index.kept["cells"] = cells
    return cells


def _learned(index: Index) -> Any:
    """Empty cells that lie where the vectors are."""
    faiss = _faiss()
    dimension, count = index.manifest.dimension, max(1, 3 * isqrt(len(index)))
    inner, eight_bits = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    centers = faiss.IndexFlatIP(dimension)
    library = faiss.IndexIVFScalarQuantizer(centers, dimension, count, eight_bits, inner)
    library.cp.niter = ROUNDS
    chosen = np.random.default_rng(0).choice(len(index), min(len(index), LEARNED_FROM * count), replace=False)
    library.train(index.vectors(np.sort(chosen)))
    return library


def _filled(index: Index, cells: Cells) -> Cells:
    for first, block in index.blocks():
        new = block[max(0, cells.rows - first) :]
        if len(new):
            cells.library.add(np.ascontiguousarray(new))
    return Cells(len(index), cells.learned, cells.library)


def _read(index: Index) -> Cells | None:
    """The cells beside the vectors; None where there are none that are sound and of this index."""
    faiss = _faiss()
    try:
        said = json.loads((index.folder / CELLS_FACTS).read_bytes())
        rows, learned = int(said["rows"]), int(said["learned"])
        facts = _facts(index, Cells(rows, learned, None), said["sha256"])
        with (index.folder / CELLS_FILE).open("rb") as file:
            # Checked first: the library trusts what it reads.
            if said != facts or rows > len(index) or hashlib.file_digest(file, "sha256").hexdigest() != said["sha256"]:
                return None
            file.seek(0)
            library = faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    return Cells(rows, learned, library) if library.ntotal == rows and library.d == index.manifest.dimension else None


def _write(index: Index, cells: Cells) -> None:
    faiss = _faiss()

    def save(out: BinaryIO) -> None:
        faiss.write_index(cells.library, faiss.PyCallbackIOWriter(out.write))

    try:
        write_whole(index.folder / CELLS_FILE, save)
        facts = _facts(index, cells, sha256_of(index.folder / CELLS_FILE))
        write_whole(index.folder / CELLS_FACTS, lambda out: out.write(json.dumps(facts).encode() + b"\n"))
    except OutputError as err:  # it serves this process all the same
        log.warning("the cells of %s cannot be kept for the next time: %s", index.folder, err)


def _facts(index: Index, cells: Cells, sha256: str) -> dict[str, Any]:
    first = index.vectors([0]).tobytes()
    return {
        "format": FORMAT,
        "rows": cells.rows,
        "learned": cells.learned,
        "sha256": sha256,
        "space": index.manifest.space,
        "first": hashlib.sha256(first).hexdigest()[:16],
    }
