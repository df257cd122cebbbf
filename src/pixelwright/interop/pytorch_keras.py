"""A Keras model as a PyTorch network, so that it is validated, exported and compared as every other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelwright.errors import ParityError, UsageError
from pixelwright.interop.keras import KerasSource, on_torch, source_of
from pixelwright.io.digest import sha256_of
from pixelwright.models.architecture import Architecture, Problem, whole_picture

# Relative to the largest output. TensorFlow and PyTorch were seen to agree to 1e-6.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Config:
    """Where the model is from, what it takes, (H, W, C), and whether it comes with an optimizer and a loss."""

    file: str
    function: str
    sha256: str = ""
    input_shape: tuple[int, ...] = ()
    classes: int = 0
    compiled: bool = False


class KerasNet(nn.Module):
    """Maps images (N, H, W, C) to logits (N, K), by a Keras model on PyTorch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        on_torch()
        import keras

        keras.utils.clear_session(free_memory=False)  # names of weights count up in a session; checkpoints go by them
        self.model = KerasSource(config.file, config.function).build(config.input_shape, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        # Keras does not follow `train()` and `eval()`: dropout and normalization have to be told.
        return self.model(images, training=self.training)


def architecture(name: str) -> Architecture:
    """The architecture that `keras:FILE.py:build` names.

    Raises:
        UsageError: The name, or what it leads to, cannot be used.
        MissingExtra: Keras is not installed.
    """
    source = source_of(name)
    config = Config(source.file, source.function, sha256_of(Path(source.file)))
    return Architecture(
        name=name,
        summary=f"The Keras model that {source.function} of {Path(source.file).name} builds",
        tasks=frozenset({"classify", "regress"}),
        source=source.file,
        variants=MappingProxyType({"": config}),
        fit=_fit,
        build=KerasNet,
        outputs=("logits",),
        reading=whole_picture,
        mean_std=(0.0, 1.0),  # a model for pixels / 255; what else it needs is a layer of its own
        layout="NHWC",
    )


def trained(config: Config, weights: Path, answers: Path) -> tuple[KerasNet, float]:
    """The network with the weights that Keras has trained, and by how much its answers differ from Keras' own.

    Args:
        config: Of the architecture.
        weights: In Keras' format.
        answers: `x` and `answers` of the model that was trained, in a `.npz`.

    Raises:
        ParityError: It answers differently: a layer of the model is not the same on both back ends.
    """
    net = KerasNet(config).eval()
    net.model.load_weights(str(weights))
    with np.load(answers) as kept, torch.no_grad():
        expected = kept["answers"]
        made = net(torch.from_numpy(kept["x"])).numpy()
    difference = float(np.abs(made - expected).max() / max(np.abs(expected).max(), 1e-12))
    if not difference <= TOLERANCE:
        raise ParityError(
            f"{config.file}: on PyTorch, from which it is exported, the model differs from what Keras trained by "
            f"{difference:.2g} of the largest output, allowed is {TOLERANCE:.2g}. Train it on PyTorch "
            "(KERAS_BACKEND=torch), or replace the layer that differs."
        )
    return net, difference


def _fit(config: Config, problem: Problem) -> Any:
    if problem.sequence:  # on PyTorch Keras unrolls them, so that an export would have one length
        raise UsageError("Keras models of sequences cannot be exported for any length. Choose --model lstm or rnn.")
    shape = (*problem.size_hw, problem.channels)
    fitted = replace(config, input_shape=shape, classes=len(problem.labels))
    net = KerasNet(fitted)  # what does not fit is said before anything is decoded
    return replace(fitted, compiled=net.model.compiled)
