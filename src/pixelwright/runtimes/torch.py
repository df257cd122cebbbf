"""A PyTorch network as a graph: what validation runs while a network learns, and what its export is compared with.

It opens no file, so it is no runtime that a bundle could name; bundles need no PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.protocol import Array, check_feeds, one_line
from pixelwright.structures.spec import TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class TorchGraph:
    """A network, called as a runtime would call what it is exported to.

    Each run puts the network into evaluation mode and leaves it there; whoever trains it on calls `net.train()` again.
    It runs where the network's parameters are, in float32 also within `torch.autocast`. On a GPU convolutions round as
    PyTorch is set to (TF32 unless told otherwise): compare exports on the CPU.

    Attributes:
        net: Takes the inputs in order and gives a tensor, or a tuple of tensors.
        inputs: What it takes.
        outputs: Names and dtypes of what it gives, in order.
    """

    net: nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name (see `protocol.Graph.run`)."""
        checked = check_feeds(self.inputs, feeds)
        device = next((parameter.device for parameter in self.net.parameters()), torch.device("cpu"))
        self.net.eval()
        try:
            # Not `inference_mode`: what a network keeps for later, a grid of positions say, could not be trained with.
            with torch.no_grad(), torch.autocast(device.type, enabled=False):
                # Copies: stored inputs are read-only, which `from_numpy` warns of.
                made = self.net(*(torch.tensor(checked[tensor.name], device=device) for tensor in self.inputs))
        except (RuntimeError, ValueError, IndexError, TypeError) as err:
            shapes = {name: feed.shape for name, feed in checked.items()}
            raise RuntimeFailure(f"{type(self.net).__name__}: PyTorch failed on {shapes}: {one_line(err)}") from err
        return self._named((made,) if isinstance(made, Tensor) else tuple(made))

    def _named(self, made: tuple[Tensor, ...]) -> dict[str, Array]:
        if len(made) != len(self.outputs):
            names = [tensor.name for tensor in self.outputs]
            raise RuntimeFailure(f"{type(self.net).__name__} gave {len(made)} outputs, expected {names}.")
        return {
            # A copy: a network may give what it keeps itself.
            tensor.name: np.array(value.detach().to("cpu", getattr(torch, tensor.dtype)).numpy())
            for tensor, value in zip(self.outputs, made, strict=True)
        }
