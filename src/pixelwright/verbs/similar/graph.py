"""A graph of neighbors over a large index, which proposes near rows without looking at all of them.

It is built on the first query that needs it, kept beside the vectors, and extended when many rows have come since. It
can always be built anew from the vectors: where it is damaged, it is.

Source: Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs, IEEE TPAMI 2020; the library is Faiss (MIT), https://github.com/facebookresearch/faiss.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import OutputError
from pixelwright.verbs.similar.index import LIVE, Index
from pixelwright.verbs.similar.writer import GRAPH_FACTS, GRAPH_FILE, write_whole

log = logging.getLogger(__name__)

FORMAT = 1
LINKS = 16  # of each row to others
CARE_IN_BUILDING, CARE_IN_SEARCHING = 128, 128  # rows that are kept in sight; more is slower and misses less
TAIL_NUMBERS = 8_000_000  # in rows after the graph's last one: so many are looked at one by one


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A graph over the first rows of an index.

    Attributes:
        rows: So many.
        library: The library's own object.
    """

    rows: int
    library: Any


def available() -> str | None:
    """None where the library is installed, else what to do."""
    return None if importlib.util.find_spec("faiss") else "install it with: pip install 'pixelwright[search]'"


def neighbors(index: Index, vector: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """So many live rows of an index near to a vector, in no order, and all rows that the graph does not have yet."""
    import faiss

    graph = _graph(index)
    bits = np.packbits(index.marks[: graph.rows] == LIVE, bitorder="little")
    chosen = faiss.IDSelectorBitmap(graph.rows, faiss.swig_ptr(bits))
    care = faiss.SearchParametersHNSW(sel=chosen, efSearch=max(CARE_IN_SEARCHING, 2 * count))
    _, rows = graph.library.search(vector[None], count, params=care)
    return np.concatenate((rows[0][rows[0] >= 0], np.arange(graph.rows, len(index))))


def _graph(index: Index) -> Graph:
    """The graph of an index: read, extended or built, whatever is needed, once."""
    graph = index.kept.get("graph") or _read(index)
    missing = len(index) - (graph.rows if graph else 0)
    if graph is None or missing * index.manifest.dimension > TAIL_NUMBERS:
        graph = _extended(index, graph)
        _write(index, graph)
    index.kept["graph"] = graph
    return graph


def _extended(index: Index, graph: Graph | None) -> Graph:
    import faiss

    if graph is None:
        log.warning("%s: linking %d vectors once, so that searching them is quick", index.folder, len(index))
        scalars, inner = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        library = faiss.IndexHNSWSQ(index.manifest.dimension, scalars, LINKS, inner)
        library.hnsw.efConstruction = CARE_IN_BUILDING
        library.train(index.vectors([0]))  # half-precision numbers need no training, but the library asks for it
        graph = Graph(0, library)
    for first, block in index.blocks():
        new = block[max(0, graph.rows - first) :]
        if len(new):
            graph.library.add(np.ascontiguousarray(new))
    return Graph(len(index), graph.library)


def _read(index: Index) -> Graph | None:
    """The graph beside the vectors; None where there is none that is sound and of this index."""
    import faiss

    try:
        said = json.loads((index.folder / GRAPH_FACTS).read_bytes())
        rows = int(said["rows"])
        facts = _facts(index, rows, said["sha256"])
        with (index.folder / GRAPH_FILE).open("rb") as file:
            # Checked first: the library trusts what it reads.
            if said != facts or rows > len(index) or hashlib.file_digest(file, "sha256").hexdigest() != said["sha256"]:
                return None
            file.seek(0)
            library = faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    return Graph(rows, library) if library.ntotal == rows and library.d == index.manifest.dimension else None


def _write(index: Index, graph: Graph) -> None:
    import faiss

    def save(out: BinaryIO) -> None:
        faiss.write_index(graph.library, faiss.PyCallbackIOWriter(out.write))

    try:
        write_whole(index.folder / GRAPH_FILE, save)
        facts = _facts(index, graph.rows, _digest(index.folder / GRAPH_FILE))
        write_whole(index.folder / GRAPH_FACTS, lambda out: out.write(json.dumps(facts).encode() + b"\n"))
    except OutputError as err:  # it serves this process all the same
        log.warning("the links of %s cannot be kept for the next time: %s", index.folder, err)


def _facts(index: Index, rows: int, sha256: str) -> dict[str, Any]:
    first = index.vectors([0]).tobytes()
    return {
        "format": FORMAT,
        "rows": rows,
        "sha256": sha256,
        "space": index.manifest.space,
        "first": hashlib.sha256(first).hexdigest()[:16],
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
