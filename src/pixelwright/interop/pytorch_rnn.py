"""Elman networks on their way to ONNX: torch exports a loop over time with as many steps as its example had.

In their place a network for export gets an operator that stands for all steps, and that becomes ONNX's `RNN`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pixelwright.errors import UnsupportedModel


@torch.library.custom_op("pixelwright::elman", mutates_args=())
def elman(steps: Tensor, weights: Tensor, recurrent: Tensor, bias: Tensor, nonlinearity: str) -> Tensor:
    """The states of one layer: h_t = f(W x_t + b_i + R h_{t-1} + b_h), beginning with zero.

    Args:
        steps: (T, N, F).
        weights: (H, F).
        recurrent: (H, H).
        bias: (2 H,): b_i, then b_h.
        nonlinearity: `tanh` or `relu`.

    Returns:
        (T, N, H).

    Source: Elman, "Finding Structure in Time", Cognitive Science 14, 1990.
    """
    function = torch.tanh if nonlinearity == "tanh" else torch.relu
    of_input, of_state = bias.chunk(2)
    state, states = steps.new_zeros(steps.shape[1], len(recurrent)), []
    for step in steps:
        state = function(step @ weights.T + of_input + state @ recurrent.T + of_state)
        states.append(state)
    return torch.stack(states)


@elman.register_fake
def _(steps: Tensor, weights: Tensor, recurrent: Tensor, bias: Tensor, nonlinearity: str) -> Tensor:
    del weights, bias, nonlinearity
    return steps.new_empty(steps.shape[0], steps.shape[1], recurrent.shape[0])


class Elman(nn.Module):
    """An `nn.RNN` by the operator above; the last states are not among its outputs.

    Raises:
        UnsupportedModel: It runs in both directions.
    """

    def __init__(self, cells: nn.RNN) -> None:
        super().__init__()
        if cells.bidirectional:
            raise UnsupportedModel("RNN: one that runs in both directions is not exported.")
        self.cells = cells

    def forward(self, steps: Tensor) -> tuple[Tensor, None]:
        """All states of the last layer, in the order of axes that `steps` have."""
        states = steps.transpose(0, 1) if self.cells.batch_first else steps
        for layer in range(self.cells.num_layers):
            named = [f"{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            weights, recurrent = (getattr(self.cells, name) for name in named[:2])
            biases = [getattr(self.cells, name) for name in named[2:]] if self.cells.bias else []
            bias = torch.cat(biases) if biases else weights.new_zeros(2 * len(recurrent))
            states = elman(states, weights, recurrent, bias, self.cells.nonlinearity)
        return (states.transpose(0, 1) if self.cells.batch_first else states), None


def prepared(net: nn.Module) -> nn.Module:
    """The network with all of its `nn.RNN` replaced, in place; they must be called without a first state."""
    for name, part in list(net.named_children()):
        if isinstance(part, nn.RNN):
            setattr(net, name, Elman(part))
        else:
            prepared(part)
    return net


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For `torch.onnx.export`: what the operator becomes."""
    from onnxscript import opset20

    op: Any = opset20  # its types know tensors alone, and traced functions may give lists

    def rnn(steps: Any, weights: Any, recurrent: Any, bias: Any, nonlinearity: str) -> Any:
        states, _ = op.RNN(
            steps,
            op.Unsqueeze(weights, [0]),
            op.Unsqueeze(recurrent, [0]),
            op.Unsqueeze(bias, [0]),
            activations=["Tanh" if nonlinearity == "tanh" else "Relu"],
            hidden_size=recurrent.shape[0],
        )
        return op.Squeeze(states, [1])

    return {torch.ops.pixelwright.elman.default: rnn}
