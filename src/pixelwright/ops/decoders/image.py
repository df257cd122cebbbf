"""Pictures that a network makes, pixel for pixel."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from pixelwright.ops.decoders.decoder import Decoder, Outputs, output_of
from pixelwright.structures.spec import Positive

Scale = Annotated[int, Meta(ge=1, le=16)]


def image(outputs: Outputs, *, output: str, scale: Scale = 1, white: Positive = 1.0) -> npt.NDArray[np.float32]:
    """Images (N, H, W, C) with full white at 1.0, from a graph that makes (N, C, H, W) with white at `white`.

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        scale: How much larger than the input the image is, 1 to 16; the caller maps windows by it.
        white: The value of full white in the graph's output.

    Raises:
        ShapeError: The output is not (N, C, H, W).
    """
    del scale
    planes = output_of(outputs, output, 4, "(N, C, H, W)")
    return planes.transpose(0, 2, 3, 1).astype(np.float32) / np.float32(white)


DECODER = Decoder("image", "images", image, MappingProxyType({"output": 4}))
