"""What package.py needs to know of a model to make its bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwright.structures import spec as s

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """The contract's parts, and the pictures to check parity on.

    `metric` makes of the outputs for all `real` inputs one number, the task's own.
    """

    task: str
    architecture: str
    summary: str
    recipe: str
    input: s.InputSpec
    output: s.OutputSpec
    tiling: s.Tiling | None
    decision: s.Decision
    license: s.License
    measured: list[s.Measured]
    metric_name: str
    metric: Callable[[Sequence[Floats]], float]
    real: Sequence[Floats]
    probe: Sequence[Floats]

    @staticmethod
    def layout(tensor: s.TensorSpec) -> str:
        """The axes of a tensor by its rank."""
        return {4: "NCHW", 2: "NK"}[len(tensor.dims)]
