"""The forms each tensor takes in the ONNX graph: channels last or first, stored integers or real numbers.

TensorFlow Lite puts channels last, ONNX convolutions put them second. A tensor is kept in the layout its maker had, and
transposed once, when someone asks for the other; a chain of convolutions and what stands between them has no transpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixelwright.interop.tflite.emitter import Dims, Emitter
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Network, Quantization, Tensor

Layout = Literal["last", "first"]  # where the channels of a four-dimensional tensor stand
Domain = Literal["stored", "real"]

PERMUTATION: Mapping[Layout, tuple[int, ...]] = MappingProxyType({"first": (0, 3, 1, 2), "last": (0, 2, 3, 1)})
PICTURE_CHANNELS = 4
OTHER: Mapping[Layout, Layout] = MappingProxyType({"first": "last", "last": "first"})


class Values:
    """What has been made of each tensor so far.

    Attributes:
        emit: Takes the nodes.
        dequantize: Whether intermediate results are real numbers where the file has integers.
        free_batch: Whether shapes shall hold for any batch size.
        notes: What a user should know.
    """

    def __init__(self, network: Network, emit: Emitter, *, dequantize: bool, free_batch: bool) -> None:
        self.network = network
        self.emit = emit
        self.dequantize = dequantize
        self.free_batch = free_batch
        self.notes: dict[str, None] = {}
        self._forms: dict[int, dict[tuple[Layout, Domain], str]] = {}
        self._home: dict[int, Layout] = {}

    def tensor(self, index: int) -> Tensor:
        """What the file says of a tensor."""
        if index < 0:
            raise DamageError("a step leaves out an input it needs")
        return self.network.tensors[index]

    def shape(self, index: int) -> Dims:
        """Its shape, channels last."""
        forms = self._made(index)
        (layout, _), name = next(iter(forms.items()))
        shape = self.emit.shape(name)
        return tuple(shape[axis] for axis in PERMUTATION["last"]) if layout == "first" else shape

    def layout(self, index: int) -> Layout:
        """The layout its maker chose; channels last for all that is not four-dimensional."""
        self._made(index)
        return self._home[index]

    def stored(self, index: int, layout: Layout = "last") -> str:
        """The value as the file stores it; real numbers where everything is made real."""
        plain = not self.tensor(index).quantized
        return self._form(index, layout, "stored" if plain or not self.dequantize else "real")

    def real(self, index: int, layout: Layout = "last") -> str:
        """The value as real numbers; integers that stand for themselves stay what they are."""
        return self._form(index, layout, "real" if self.tensor(index).quantized else "stored")

    def integers(self, index: int, layout: Layout = "last") -> str:
        """The value as the file stores it, even where everything is made real."""
        return self._form(index, layout, "stored")

    def known(self, index: int) -> NDArray[Any] | None:
        """The stored values of what is constant, channels last; None for what is not."""
        tensor = self.tensor(index)
        if tensor.data is not None:
            return tensor.data
        forms = self._forms.get(index, {})
        name = forms.get(("last", "stored"))
        return self.emit.value(name) if name else None

    def numbers(self, index: int, what: str) -> list[int]:
        """The values of a constant that must be known now: axes, sizes, paddings."""
        found = self.known(index)
        if found is None:
            raise LackError([f"{what} computed at run time"])
        if not np.issubdtype(found.dtype, np.integer) or found.size > 1 << 16:
            raise DamageError(f"{what} are {found.size} numbers of {found.dtype}")
        return [int(number) for number in found.reshape(-1)]

    def put_stored(self, index: int, name: str, layout: Layout = "last") -> None:
        """Keep a result that has the form in which the file stores it."""
        real = self.dequantize and self.tensor(index).quantized
        self._put(index, name, layout, "real" if real else "stored")

    def put_real(self, index: int, name: str, layout: Layout = "last") -> None:
        """Keep a result in real numbers; it is rounded to the tensor's integers where these are kept."""
        tensor = self.tensor(index)
        if tensor.quantized and not self.dequantize:
            name = self.quantize(name, tensor)
        self.put_stored(index, name, layout)

    def put_input(self, index: int, name: str) -> None:
        """Keep what comes from outside.

        A picture is transposed before all else where there are convolutions: what is done to its three channels before
        the first of them is slow where a color is the innermost axis (0.5 of 5.1 ms in one pose network).
        """
        self._put(index, name, "last", "stored")
        shape = self.emit.shape(name)
        if len(shape) == 4 and shape[3] <= PICTURE_CHANNELS and any("CONV" in op.kind for op in self.network.operators):
            self._home[index] = "first"

    def note(self, sentence: str) -> None:
        """Tell the user, once."""
        self.notes[sentence] = None

    def reshape(self, name: str, target: Sequence[int]) -> str:
        """A value in another shape; where the first size stays, it stays whatever the batch."""
        shape, sizes = self.emit.shape(name), list(target)
        if tuple(sizes) == shape:
            return name
        if self.free_batch and shape and sizes and sizes[0] == shape[0] and 0 not in (*shape, *sizes):
            sizes[0] = 0  # as it comes
        return self.emit.node("Reshape", [name, self.emit.constant(sizes, "int64")])

    def quantize(self, name: str, tensor: Tensor) -> str:
        """Real numbers as the stored integers of a tensor."""
        scale, zero = self._parameters(tensor)
        return self.emit.node("QuantizeLinear", [name, scale, zero], **_axis(tensor, "last"))

    def dequantized(self, name: str, tensor: Tensor, layout: Layout = "last") -> str:
        """Stored integers of a tensor as real numbers."""
        scale, zero = self._parameters(tensor)
        return self.emit.node("DequantizeLinear", [name, scale, zero], **_axis(tensor, layout))

    def _parameters(self, tensor: Tensor) -> tuple[str, str]:
        found = _quantization(tensor)
        info = np.iinfo(tensor.dtype)
        if found.zero_point.min() < info.min or found.zero_point.max() > info.max:
            raise DamageError(f"the zero point of a tensor is no {tensor.dtype}")
        shape = () if found.per_tensor else found.scale.shape
        scale = self.emit.constant(found.scale.reshape(shape), "float32")
        return scale, self.emit.constant(found.zero_point.reshape(shape), tensor.dtype)

    def _put(self, index: int, name: str, layout: Layout, domain: Domain) -> None:
        if len(self.emit.shape(name)) != 4:
            layout = "last"
        self._forms[index] = {(layout, domain): name}
        self._home[index] = layout

    def _made(self, index: int) -> dict[tuple[Layout, Domain], str]:
        tensor = self.tensor(index)
        if index not in self._forms:
            if tensor.data is None:
                raise (
                    LackError(["state kept between runs"])
                    if tensor.variable
                    else DamageError(f"a step reads tensor {tensor.name[:60]!r} before any step made it")
                )
            self._put(index, self.emit.constant(tensor.data), "last", "stored")
        return self._forms[index]

    def _form(self, index: int, layout: Layout, domain: Domain) -> str:
        forms = self._made(index)
        if len(self.emit.shape(next(iter(forms.values())))) != 4:
            layout = "last"
        if (layout, domain) not in forms:
            forms[layout, domain] = self._derive(index, layout, domain)
        return forms[layout, domain]

    def _derive(self, index: int, layout: Layout, domain: Domain) -> str:
        """A form from another: the few bytes of the stored integers are transposed rather than the real numbers."""
        forms, tensor = self._forms[index], self.tensor(index)
        name = forms.get((OTHER[layout], domain))
        if name is not None and (domain == "stored" or not self._is_stored(index)):
            return self.emit.node("Transpose", [name], perm=list(PERMUTATION[layout]))
        if domain == "stored":  # asked for in a network made real, by steps that look at the integers themselves
            return self.quantize(self._form(index, layout, "real"), tensor)
        name = self._form(index, layout, "stored")
        values = self.emit.value(name)
        if values is None or not self.dequantize:
            return self.dequantized(name, tensor, layout)
        return self.emit.constant(real_values(values, _quantization(tensor), _axis(tensor, layout).get("axis", 0)))

    def _is_stored(self, index: int) -> bool:
        return any(domain == "stored" for _, domain in self._forms[index])


def real_values(stored: NDArray[Any], quantization: Quantization, axis: int) -> NDArray[np.float32]:
    """What the stored integers of a constant stand for."""
    shape = [1] * stored.ndim
    if not quantization.per_tensor:
        shape[axis] = quantization.scale.size
    centered = stored.astype(np.float32) - quantization.zero_point.astype(np.float32).reshape(shape)
    return centered * quantization.scale.reshape(shape).astype(np.float32)


def _quantization(tensor: Tensor) -> Quantization:
    if tensor.quantization is None:
        raise DamageError(f"tensor {tensor.name[:60]!r} is used as a quantized one and has no scale")
    return tensor.quantization


def _axis(tensor: Tensor, layout: Layout) -> dict[str, int]:
    found = _quantization(tensor)
    if found.per_tensor:
        return {}
    return {"axis": PERMUTATION["first"].index(found.axis) if layout == "first" else found.axis}
