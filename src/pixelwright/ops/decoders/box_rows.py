"""Rows of box, score and class, as end-to-end exports make them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs
from pixelwright.ops.decoders.proposals import Background, Unit, check_last, in_pixels, numbers, probabilities
from pixelwright.structures.spec import MAX_LABELS

Column = Literal["left", "top", "right", "bottom", "score", "class", "unused"]
Columns = Annotated[tuple[Column, ...], Meta(min_length=6, max_length=16)]

COLUMNS: Columns = ("left", "top", "right", "bottom", "score", "class")


def box_rows(
    outputs: Outputs,
    *,
    output: str,
    input_hw: tuple[int, int],
    columns: Columns = COLUMNS,
    unit: Unit = "pixels",
    background: Background = 0,
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from rows (N, M, columns).

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        input_hw: Size of the tensor that went in.
        columns: What each column is.
        unit: Of the boxes: parts of the input's sides, or its pixels.
        background: The first class has this number; rows with a lower one are empty, or background.
        threshold: Least score.

    Raises:
        ShapeError: The output has another shape, or a column that is needed has no name.
        RuntimeFailure: It holds NaN, infinity, scores that are no probabilities, or classes that are no whole numbers.
    """
    table = numbers(outputs, output, 3, "(N, M, columns) rows")
    check_last(table, output, len(columns), f"(N, M, {len(columns)}) rows")
    if missing := sorted(set(COLUMNS) - set(columns)):
        raise ShapeError(f"columns: {', '.join(missing)} is not among {tuple(columns)}. Name each column once.")
    place = {name: columns.index(name) for name in COLUMNS}
    found = []
    for every in table:
        classes = np.rint(every[:, place["class"]])
        if not np.allclose(classes, every[:, place["class"]], rtol=0, atol=1e-3) or (classes >= MAX_LABELS).any():
            raise RuntimeFailure(
                f"output {output!r}: classes are no whole numbers below {MAX_LABELS}. Correct the decoder's columns."
            )
        filled = classes >= background  # of an empty row nothing else means anything: many exports fill it with -1
        rows, class_ids = every[filled], (classes[filled] - background).astype(np.int32)
        scores = probabilities(rows[:, place["score"]], output)
        kept = scores >= threshold
        corners = rows[kept][:, [place[name] for name in COLUMNS[:4]]]
        found.append(Candidates(in_pixels(corners, unit, input_hw), scores[kept], class_ids[kept]))
    return found


DECODER = Decoder("box-rows", "candidates", box_rows, MappingProxyType({"output": 3}))
