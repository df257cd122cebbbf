"""What each operator becomes: `CONVERTERS[kind](values, operator)` puts its results into `values`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops import (
    activation,
    convolution,
    elementwise,
    indexing,
    pooling,
    quantize,
    reduction,
    resize,
    shape,
)
from pixelwright.interop.tflite.values import Values

CONVERTERS: Mapping[str, Callable[[Values, Operator], None]] = MappingProxyType(
    {
        **activation.CONVERTERS,
        **convolution.CONVERTERS,
        **elementwise.CONVERTERS,
        **indexing.CONVERTERS,
        **pooling.CONVERTERS,
        **quantize.CONVERTERS,
        **reduction.CONVERTERS,
        **resize.CONVERTERS,
        **shape.CONVERTERS,
    }
)
