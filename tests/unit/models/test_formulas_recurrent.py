"""Recurrent networks against their equations, written out in NumPy one step after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tolerance import FLOAT32

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from pixelwright.interop.pytorch import export_onnx  # noqa: E402
from pixelwright.models.architecture import Problem  # noqa: E402
from pixelwright.models.recurrent import LSTM, RNN, Config, Recurrent, fit  # noqa: E402
from pixelwright.structures.spec import TensorSpec  # noqa: E402

Weights = dict[str, np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def weights_of(cells: nn.Module, layer: int) -> Weights:
    state = {key: value.double().numpy() for key, value in cells.state_dict().items()}
    return {
        "w_xh": state[f"weight_ih_l{layer}"],
        "w_hh": state[f"weight_hh_l{layer}"],
        "b_xh": state[f"bias_ih_l{layer}"],
        "b_hh": state[f"bias_hh_l{layer}"],
    }


def elman(steps: np.ndarray, w: Weights) -> np.ndarray:
    """h_t = tanh(W_hh h_{t−1} + W_xh x_t + b_h) with h_0 = 0; PyTorch keeps b_h as a sum of two."""
    bias = w["b_xh"] + w["b_hh"]
    states, state = [], np.zeros(len(bias))
    for step in steps:
        state = np.tanh(w["w_hh"] @ state + w["w_xh"] @ step + bias)
        states.append(state)
    return np.stack(states)


def long_short_term(steps: np.ndarray, w: Weights) -> np.ndarray:
    """The four gates, in PyTorch's order i, f, g, o; c_t = f c_{t−1} + i g and h_t = o tanh(c_t)."""
    width = len(w["b_xh"]) // 4
    states, state, cell = [], np.zeros(width), np.zeros(width)
    for step in steps:
        gates = w["w_xh"] @ step + w["b_xh"] + w["w_hh"] @ state + w["b_hh"]
        enter, forget, content, leave = gates.reshape(4, width)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(content)
        state = sigmoid(leave) * np.tanh(cell)
        states.append(state)
    return np.stack(states)


EQUATIONS: dict[Any, Any] = {"rnn": elman, "lstm": long_short_term}


def network(cell: Any, **changes: Any) -> Recurrent:
    torch.manual_seed(3)
    return Recurrent(Config(cell, **changes)).eval()


def sequences(count: int, length: int, features: int) -> np.ndarray:
    return np.random.default_rng(8).standard_normal((count, length, features)).astype(np.float32)


def answered(net: nn.Module, *given: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(*map(torch.from_numpy, given)).numpy()


@pytest.mark.parametrize("cell", EQUATIONS)
def test_two_layers_follow_the_equations(cell: str) -> None:
    net, given = network(cell), sequences(3, 7, 10)
    logits = []
    for steps in given:
        states = EQUATIONS[cell](EQUATIONS[cell](steps, weights_of(net.cells, 0)), weights_of(net.cells, 1))
        classify = net.classify.weight.detach().double().numpy(), net.classify.bias.detach().double().numpy()
        logits.append(classify[0] @ states[-1] + classify[1])
    np.testing.assert_allclose(answered(net, given), logits, *FLOAT32)


def test_only_the_sum_of_the_two_biases_counts() -> None:
    net, given = network("rnn"), sequences(2, 5, 10)
    before = answered(net, given)
    with torch.no_grad():
        net.cells.bias_ih_l0 += 0.75
        net.cells.bias_hh_l0 -= 0.75
    np.testing.assert_allclose(answered(net, given), before, *FLOAT32)


@pytest.mark.parametrize("cell", EQUATIONS)
def test_the_answer_is_of_the_last_valid_step_whatever_follows(cell: str) -> None:
    net, given = network(cell), sequences(3, 9, 10)
    lengths = np.array([9, 4, 1])
    expected = np.concatenate([answered(net, given[row : row + 1, :length]) for row, length in enumerate(lengths)])
    padded = given.copy()
    for row, length in enumerate(lengths):
        padded[row, length:] = 1e3
    np.testing.assert_allclose(answered(net, padded, lengths), expected, *FLOAT32)


@pytest.mark.parametrize("cell", EQUATIONS)
def test_a_picture_is_read_row_by_row_with_all_channels_of_a_pixel_together(cell: str) -> None:
    net = network(cell, inputs=5 * 3)
    pictures = np.random.default_rng(2).random((2, 3, 4, 5), np.float32)  # (N, C, H, W)
    rows = np.stack(
        [[[picture[c, h, w] for w in range(5) for c in range(3)] for h in range(4)] for picture in pictures]
    )
    np.testing.assert_allclose(answered(net, pictures), answered(net, rows), *FLOAT32)


def test_the_textbooks_network_has_the_shapes_it_is_said_to_have() -> None:
    problem = Problem("classify", ("no", "yes"), 1, (20, 10), fixed=False, sequence=True)
    config = fit(LSTM.variants["classic"], problem)
    assert config == Config("lstm", inputs=10, hidden=8, layers=2, classes=2)
    shapes = {key: tuple(value.shape) for key, value in Recurrent(config).state_dict().items()}
    assert shapes["cells.weight_ih_l0"] == (4 * 8, 10)
    assert shapes["cells.weight_ih_l1"] == shapes["cells.weight_hh_l1"] == (4 * 8, 8)
    assert shapes["classify.weight"] == (2, 8)


@pytest.mark.parametrize("architecture", [RNN, LSTM], ids=["rnn", "lstm"])
def test_a_picture_gives_as_many_inputs_as_a_row_has_numbers(architecture: Any) -> None:
    problem = Problem("classify", tuple("abcdefg"), 3, (28, 24))
    config = architecture.fit(architecture.variants["m"], problem)
    assert (config.inputs, config.classes) == (24 * 3, 7)


@pytest.mark.slow
def test_exports_answer_for_any_length_however_many_are_made_in_one_process(tmp_path: Path) -> None:
    for cell, hidden in (("lstm", 8), ("rnn", 8), ("lstm", 20)):
        net, given = network(cell, hidden=hidden, inputs=3), sequences(2, 9, 3)
        examples = [{"steps": given[:1, :length]} for length in (9, 5)]
        entry = TensorSpec("steps", "float32", ["batch", "time", 3], "NTF")
        export_onnx(net, tmp_path / "net.onnx", [entry], ["logits"], examples)
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
        for length in (9, 4, 1):
            made = session.run(None, {"steps": given[:, :length]})[0]
            np.testing.assert_allclose(made, answered(net, given[:, :length]), *FLOAT32)
