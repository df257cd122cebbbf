"""What a training is told. Recipes (TOML) have these sections and names, and a run keeps them in `config.toml`.

None, and a text that is empty, stand for "choose": what was chosen is shown, and saved with its reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pixelwright.structures.spec import Finite, Positive, Side, Spec, Text, Version

Many = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Arithmetic = Literal["", "f32", "bf16", "f16"]
OpenName = Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9._-]{0,99})?$(?!\n)")]  # as `spec.Name`, or still open


class DataConfig(Spec, frozen=True):
    """Which data, and how it is to be understood (see `data.layout.Hints` and `data.splits.SplitOptions`)."""

    path: str = ""
    layout: str = ""
    kind: str = ""
    labels: tuple[str, ...] = ()
    void_id: int | None = None
    group: str = ""
    validation: Share = 0.15
    calibration: Share = 0.1
    test: Share = 0.0
    by_content: bool = True


class InputConfig(Spec, frozen=True):
    """What the network sees: rows and columns (of the picture, or of the crops it is trained on), 1 or 3 channels.

    `mean` is subtracted from each channel, and what is left divided by `std`: on the scale of the input contract's
    `white`, which is 1.0 for every network trained here.
    """

    size_hw: tuple[Side, Side] | None = None
    channels: Literal[1, 3] | None = None
    mean: tuple[Finite, ...] = ()
    std: tuple[Positive, ...] = ()


class LossConfig(Spec, frozen=True):
    """Which loss; `class_weights` are `balanced` (by how rare a class is), or one number for each class."""

    name: str = ""
    label_smoothing: Share = 0.0
    class_weights: Literal["", "balanced"] | tuple[Positive, ...] = ""


class OptimizerConfig(Spec, frozen=True):
    """How weights are changed. Gradients longer than `clip_norm` are shortened to it; 0 leaves them as they are.

    `ema_decay` averages the weights over the last 1 / (1 - decay) steps or so, and the average is what is validated
    and kept; 0 switches it off. `learning_rate` is the highest of the schedule; `find_rate` has it found by trying.
    """

    name: str = "adamw"
    learning_rate: Positive | None = None
    find_rate: bool = False
    weight_decay: Amount | None = None
    momentum: Share = 0.9
    nesterov: bool = True
    betas: tuple[Share, Share] = (0.9, 0.99)
    schedule: str = "cosine"
    clip_norm: Amount = 1.0
    ema_decay: Share = 0.999


class BatchConfig(Spec, frozen=True):
    """Pictures in one step, over all devices; `accumulate` has the network take them in so many parts.

    `sampler`: `shuffle` sees each picture once an epoch, `balanced` draws each class equally often.
    """

    size: Many | None = None
    accumulate: Many = 1
    sampler: Literal["shuffle", "balanced"] = "shuffle"


class AugmentConfig(Spec, frozen=True):
    """How pictures are varied: a preset of `data.augment`, and what of it is changed."""

    preset: str = ""
    changes: dict[str, Any] = msgspec.field(default_factory=dict)


class DegradeConfig(Spec, frozen=True):
    """How clean pictures are made worse, to learn the way back: a preset, and what is changed of it."""

    preset: str = ""
    changes: dict[str, Any] = msgspec.field(default_factory=dict)


class BudgetConfig(Spec, frozen=True):
    """How long: minutes by the clock (what a run that is continued has used counts), or epochs.

    Where no model is named one is chosen that can be trained in these minutes, and that answers in `latency_ms`.
    `validations` are spread evenly. After `patience` of them without a better score training ends; 0 never does.
    `baseline`: whether frozen features with a linear classifier are tried first, which takes seconds.
    """

    minutes: Positive | None = None
    latency_ms: Positive | None = None
    epochs: Positive | None = None
    validations: Many | None = None
    patience: Annotated[int, Meta(ge=0)] = 0
    baseline: bool = True


class MachineConfig(Spec, frozen=True):
    """On what: `auto`, `cpu` or `cuda`, how many devices (or processes), threads of a CPU, and in which arithmetic.

    `memory_gb` is what decoded pictures to learn from may take; None for two fifths of what is free. Those to validate
    with may take a quarter of that on top.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Many = 1
    threads: Annotated[int, Meta(ge=0)] = 0
    precision: Arithmetic = ""
    memory_gb: Amount | None = None


class BundleConfig(Spec, frozen=True):
    """What the bundle at the end says of itself.

    `threshold` is what the decision is fitted to on the calibration split: `f1`, `precision>=0.9`, `recall>=0.95`.
    Licenses are `SPDX` or `SPDX=URL`; `commercial` is said where their names do not tell. `weights` are stored as they
    are, or rounded to 16 or 8 bits, which is measured; `trainable` keeps them in a second file, to be trained further.
    """

    name: OpenName = ""
    version: Version = "1.0.0"
    summary: Text = ""
    license: Text = ""
    data_license: Text = ""
    commercial: Literal["yes", "no", "unknown"] = "unknown"
    threshold: Text = "f1"
    weights: Literal["f32", "f16", "int8"] = "f32"
    trainable: bool = True


class TrainConfig(Spec, frozen=True):
    """A training, whole.

    `model` is an architecture, `NAME/VARIANT`, or a bundle to start from. `network` overrides fields of the
    architecture's own configuration. `goal` is the metric by which the best weights are chosen, on validation data.
    """

    task: str
    model: str = ""
    network: dict[str, Any] = msgspec.field(default_factory=dict)
    goal: str = ""
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    data: DataConfig = DataConfig()
    input: InputConfig = InputConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    batch: BatchConfig = BatchConfig()
    augment: AugmentConfig = AugmentConfig()
    degrade: DegradeConfig = DegradeConfig()
    budget: BudgetConfig = BudgetConfig()
    machine: MachineConfig = MachineConfig()
    bundle: BundleConfig = BundleConfig()
