"""Recurrent networks: the plain one of Elman, and the long short-term memory.

Source: Elman, "Finding Structure in Time", Cognitive Science 14, 1990, https://doi.org/10.1207/s15516709cog1402_1;
Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997,
https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al., 2000. Written from the papers; no code
was copied. docs/formulas.md has the equations as computed here.

The answer is read from the last valid step of each sequence. A picture is read row by row, as a sequence of H steps of
W·C numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture


@dataclass(frozen=True)
class Config:
    """Kind of cell, numbers per step, width and number of the layers, number of classes."""

    cell: Literal["rnn", "lstm"] = "lstm"
    inputs: int = 10
    hidden: int = 8
    layers: int = 2
    classes: int = 2


class Recurrent(nn.Module):
    """Maps sequences (N, T, F) with lengths (N,), or images (N, C, H, W), to logits (N, K).

    Without lengths every sequence is T steps long.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        kind = nn.LSTM if config.cell == "lstm" else nn.RNN
        self.cells = kind(config.inputs, config.hidden, config.layers, batch_first=True)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        if steps.ndim == 4:
            steps = steps.permute(0, 2, 3, 1).flatten(2)
        if torch.onnx.is_in_onnx_export():
            states = _exported(self.cells, steps)
        else:
            states, _ = self.cells(steps)
        if lengths is None:
            return self.classify(states[:, -1])
        # What follows the last valid step cannot change it: time runs in one direction.
        rows = torch.arange(len(states), device=states.device)
        return self.classify(states[rows, lengths.to(states.device) - 1])


def _exported(cells: nn.RNNBase, steps: Tensor) -> Tensor:
    """The layers as ONNX's own operators: PyTorch would export them step by step, for one length of sequences."""
    operator, gates = ("LSTM", 4) if isinstance(cells, nn.LSTM) else ("RNN", 1)
    states = steps.transpose(0, 1)
    for layer in range(cells.num_layers):
        wide, looped, bias, bias_looped = (_onnx_order(weight, gates) for weight in cells.all_weights[layer])
        states = torch.onnx.ops.symbolic(
            operator,
            (states, wide, looped, torch.cat([bias, bias_looped], dim=1)),
            {"hidden_size": cells.hidden_size},
            dtype=steps.dtype,
            shape=(states.shape[0], 1, states.shape[1], cells.hidden_size),
            version=20,
        ).squeeze(1)
    return states.transpose(0, 1)


def _onnx_order(weight: Tensor, gates: int) -> Tensor:
    """Rows by gate: PyTorch has i, f, g, o, ONNX i, o, f, g; with an axis for directions, of which there is one."""
    if gates == 4:
        order = torch.tensor([0, 3, 1, 2], device=weight.device)
        weight = weight.unflatten(0, (4, -1)).index_select(0, order).flatten(0, 1)
    return weight.unsqueeze(0)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem: one output for each label, as many inputs as a step has numbers."""
    _, width = problem.size_hw
    if not problem.sequence and not problem.fixed:
        raise UsageError(
            f"{config.cell}: reads pictures row by row and needs them in one size. Set a size, or choose another "
            "architecture."
        )
    inputs = width if problem.sequence else width * problem.channels
    return replace(config, inputs=inputs, classes=len(problem.labels))


def _variants(cell: Literal["rnn", "lstm"]) -> Mapping[str, Config]:
    """The textbook's eight units first; pictures need more."""
    return MappingProxyType(
        {name: Config(cell, hidden=hidden) for name, hidden in (("classic", 8), ("m", 64), ("l", 128))}
    )


_architecture = partial(
    Architecture,
    tasks=frozenset({"classify", "regress"}),
    fit=fit,
    build=Recurrent,
    outputs=("logits",),
    reading=whole_picture,
    sequences=True,
    mean_std=(0.0, 1.0),
)

RNN = _architecture(
    name="rnn",
    summary="A plain (Elman) recurrent network, for sequences and for pictures row by row",
    source='Elman, "Finding Structure in Time", 1990, https://doi.org/10.1207/s15516709cog1402_1',
    variants=_variants("rnn"),
)
LSTM = _architecture(
    name="lstm",
    summary="Long short-term memory, for sequences and for pictures row by row",
    source='Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997, https://doi.org/10.1162/neco.1997.9.8.1735',
    variants=_variants("lstm"),
)
