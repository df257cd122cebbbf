"""Architecture: the record that puts a network into the registry. One module an architecture.

A module holds a docstring (paper, license, where ours differs), a frozen `Config`, the network, its variants and the
record. What several share is in `layers.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pixelwright.structures.degradation import Degradation
from pixelwright.structures.spec import Suppression, Tiling

if TYPE_CHECKING:  # torch is an extra, and it takes seconds to import
    from torch import Tensor, nn

    from pixelwright.models.batch import Batch

Outputs = Mapping[str, "Tensor"]
Level = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a network has to learn: all that its shape depends on.

    Attributes:
        task: Registry name of the task.
        labels: Classes or names of values, in order; empty for restoration.
        channels: Of the input: 1 gray, 3 RGB.
        size_hw: Rows and columns of the training pictures (of crops, where it is trained on crops). A network without
            dense layers over space takes others too. For sequences: the longest, and the features of a step.
        fixed: Whether every picture comes in `size_hw`, also later.
        exclusive: Whether a picture has exactly one class.
        masks: Whether things have masks.
        keypoints: How many keypoints a thing has.
        void_id: The class of label maps that does not count.
        sequence: Whether the input is (N, T, F) with lengths in place of pictures.
        scale: How many times larger the answer is than the input (super-resolution).
        degradation: How the worse pictures are made, where the data has only the better ones.
        mean_std: Of each value over the training pictures, where values are to be learned: a network learns them
            standardized, and `Reading` puts them back.
    """

    task: str
    labels: tuple[str, ...]
    channels: int
    size_hw: tuple[int, int]
    fixed: bool = True
    exclusive: bool = True
    masks: bool = False
    keypoints: int = 0
    void_id: int | None = None
    sequence: bool = False
    scale: int = 1
    degradation: Degradation | None = None
    mean_std: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network's outputs are to be read: part of the contract of the bundle that it becomes.

    Attributes:
        decoder: Registry name.
        parameters: Of the decoder.
        suppression: Of overlapping boxes.
        tiling: How large pictures may be cut; None where they may not.
        multiple_of: Sides of the input are padded to it.
    """

    decoder: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    suppression: Suppression | None = None
    tiling: Tiling | None = None
    multiple_of: int = 1


def whole_picture(config: Any, problem: Problem) -> Reading:
    """How one output `logits` (N, K) for whole pictures is read: classes, exclusive or not, or values."""
    del config
    if problem.task != "regress":
        return Reading("softmax" if problem.exclusive else "sigmoid", MappingProxyType({"output": "logits"}))
    units = {"mean": [mean for mean, _ in problem.mean_std], "std": [std for _, std in problem.mean_std]}
    return Reading("values", MappingProxyType({"output": "logits", **units}))


@dataclass(frozen=True, slots=True)
class Architecture:
    """The registry's row.

    Attributes:
        name: Registry name, as in `--model residual`; a variant is named after a slash, `--model residual/s`.
        summary: One line for the documentation.
        tasks: What it can be trained for.
        source: Paper, with its address.
        variants: Configurations by name, the smallest first.
        fit: `(config, problem)` to the configuration for a problem; raises `UsageError` where it cannot be done.
        build: A configuration to a network with fresh weights, from torch's global generator. Its `forward` takes
            images (N, C, H, W) float32 as the input contract normalizes them (or (N, T, F) and lengths (N,) int64)
            and gives the tensor, or the tuple of tensors, named in `outputs`: raw logits, the same in training.
        outputs: Names of what `forward` gives, in order.
        reading: `(config, problem)` to how the outputs are to be read.
        loss: `(outputs by name, batch, problem)` to named parts, already weighted, whose sum is to become smaller;
            None for the task's own losses.
        mean_std: What the input is normalized by where the recipe does not say, where full white is 1: a number, or
            one for each channel.
        sequences: Whether it takes sequences too.
        layout: In which order pictures come; `build` speaks of the first.
    """

    name: str
    summary: str
    tasks: frozenset[str]
    source: str
    variants: Mapping[str, Any]
    fit: Callable[[Any, Problem], Any]
    build: Callable[[Any], nn.Module]
    outputs: tuple[str, ...]
    reading: Callable[[Any, Problem], Reading]
    loss: Callable[[Outputs, Batch, Problem], Mapping[str, Tensor]] | None = None
    mean_std: tuple[Level, Level] = (0.5, 0.25)
    sequences: bool = False
    layout: Literal["NCHW", "NHWC"] = "NCHW"
