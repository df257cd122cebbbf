"""Training: what a task adds so that networks can learn it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from pixelwright.contract.task import prepare_image
from pixelwright.data.dataset import Dataset, Kind
from pixelwright.models.architecture import Problem
from pixelwright.ops import batch
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec
from pixelwright.structures.targets import Target

if TYPE_CHECKING:  # torch is an extra, and it takes seconds to import
    from torch import Tensor

    from pixelwright.models.batch import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A sample as it is kept for training: decoded, in the input's channels and size, not yet varied.

    Attributes:
        pixels: (H, W, C) uint8, uint16 or float32; white is the dtype's.
        target: What is true of it, in pixels of `pixels`: the task's own arrays, which its `collate` knows.
        id: Of the sample.
    """

    pixels: npt.NDArray[Any]
    target: Mapping[str, npt.NDArray[Any]]
    id: str


@dataclass(frozen=True, slots=True)
class Training:
    """One row of the registry; its name is the task's.

    Attributes:
        task: Registry name of the task.
        kinds: Of data that it can learn from.
        architectures: Names worth trying; the first that can be fitted to the problem is the default.
        input: `(dataset, sizes_hw of some pictures, channels)` to the input contract proposed for this data; the
            architecture's padding and normalization are put in afterwards.
        crops: Whether it learns from random crops of `Problem.size_hw` rather than whole pictures.
        encode: `(image, target, problem, input contract)` to an example; raises `ShapeError` where they do not fit.
        collate: `(examples, generator, problem)` to a batch on the CPU, cut at random where the task learns from
            crops: images as stored, divided by white; what is true of them in pixels of the batch's images.
        loss: The same as `Architecture.loss` with the named loss and its options, for architectures without their
            own: `(outputs, batch, problem, LossOptions)`.
        losses: Names of the losses that may be asked for; none where each architecture brings its own.
        flips: Whether mirror images are as likely as the pictures themselves, by the labels' nature (never digits).
        amounts: How much of each class an example holds (K,): what class weights and balanced samplers rest on. None
            where the task has no classes.
        trial: `(picture, truth, problem, number)` to what is validated on, where that is not the sample itself: a worse
            picture, and the clean one as its truth. It is always the same for one number.
    """

    task: str
    kinds: frozenset[Kind]
    architectures: tuple[str, ...]
    input: Callable[[Dataset, Sequence[tuple[int, int]], int], InputSpec]
    crops: bool
    encode: Callable[[Image, Target | None, Problem, InputSpec], Example]
    collate: Callable[[Sequence[Example], np.random.Generator, Problem], Batch]
    loss: Callable[[Mapping[str, Tensor], Batch, Problem, LossOptions], Mapping[str, Tensor]]
    flips: bool
    losses: tuple[str, ...] = ()
    amounts: Callable[[Example, Problem], npt.NDArray[np.float64]] | None = None
    trial: Callable[[Image, Target | None, Problem, int], tuple[Image, Target | None]] | None = None


def kept(image: Image, spec: InputSpec) -> batch.Prepared:
    """A picture as it is kept for training: (H, W, C) uint8, RGB or gray, resized and cropped as its contract says.

    The same steps that prepare it for a graph, without padding and normalization. The placement tells where it lies in
    the original, so that what is true of it can follow.

    Raises:
        ShapeError: The contract refuses this kind of image.
    """
    channels = "rgb" if spec.channels == "bgr" else spec.channels
    stored = msgspec.structs.replace(
        spec,
        channels=channels,
        white=255.0,
        depth="8-bit",
        multiple_of=1,
        mean=[],
        std=[],
        layout="NHWC",
        dtype="uint8",
    )
    return prepare_image(image, stored)


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Which loss, and how it weighs.

    Attributes:
        name: Registry name of the loss; empty for the task's own.
        label_smoothing: Share of the truth that is spread evenly over all classes.
        class_weights: One for each class, or none.
    """

    name: str = ""
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
