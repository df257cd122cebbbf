"""Decide: from what the user said and what the data are to a whole plan. What is chosen is written down with why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch

from pixelwright import registry
from pixelwright.contract import Evaluation, Scoring, Training
from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.splits import SplitOptions, Splits, split
from pixelwright.errors import PixelwrightError, UnknownName, UnreadableImage, UsageError
from pixelwright.interop.keras import is_keras
from pixelwright.metrics.definitions import TABLE
from pixelwright.models.architecture import Problem
from pixelwright.models.optimizers import ADAPTIVE, DECAYS, RATES
from pixelwright.structures.spec import BundleSpec, InputSpec
from pixelwright.structures.targets import Values
from pixelwright.verbs.train.machine import device_of
from pixelwright.verbs.train.planning import keras
from pixelwright.verbs.train.planning.checks import check_end, check_input, check_labels, check_learning
from pixelwright.verbs.train.planning.choice import Bench, Limits, candidates, choose, survey
from pixelwright.verbs.train.planning.choices import Choices
from pixelwright.verbs.train.planning.networks import starts_from_weights
from pixelwright.verbs.train.planning.plan import Plan, network_of, spec_of
from pixelwright.verbs.train.planning.variation import degradation_of, policy_of, scale_of
from pixelwright.verbs.train.settings.config import DataConfig, TrainConfig
from pixelwright.verbs.train.settings.recipe import changed

# On 240 faces of 30 people, scored on 30 others, three times the usual rate came from 0.40 to 0.53 (residual/s, 15
# epochs), from 0.30 to 0.57 (efficient/s) and from 0.93 to 0.97 (cnn); recipes of the zoo have two to eight times it.
FROM_NOTHING = 3.0
LOOKED_AT = 64  # pictures whose headers are read to learn their sizes
CROP_PX = 256
DEFAULT_MINUTES = 10.0
MANY = 50_000  # pictures, of which few are seen often

# Pictures in a step by the pixels of one: smaller pictures give less of a gradient each.
BATCHES = ((64 * 64, 64), (256 * 256, 32), (512 * 512, 16))
SMALLEST_BATCH = 8
STEPS_AN_EPOCH = 8  # of few pictures: so many steps at least, or nothing is learned in an epoch


def open_splits(task: str, config: DataConfig, seed: int) -> Splits:
    """The data as they are understood, in parts.

    Raises:
        DataError: They cannot be used.
    """
    training: Training = registry.get("training", task)
    kinds = training.kinds if not config.kind else training.kinds & {config.kind}
    if not kinds:
        raise UsageError(f"--kind {config.kind}: {task} learns from {', '.join(sorted(training.kinds))}.")
    hints = Hints(kinds=frozenset(kinds), labels=config.labels, void_id=config.void_id, group=config.group)
    dataset = open_dataset(config.path, layout=config.layout or None, hints=hints)
    options = SplitOptions(
        validation=config.validation,
        calibration=config.calibration,
        test=config.test,
        seed=seed,
        by_content=config.by_content,
    )
    return split(dataset, options)


def plan_of(config: TrainConfig, splits: Splits, name: str = "") -> Plan:
    """Everything that was left open is chosen.

    Args:
        config: As asked for.
        splits: The data.
        name: For the bundle, as its run is called; without one it is called after the task.

    Raises:
        UsageError: Some of what was asked does not go together.
    """
    training: Training = registry.get("training", config.task)
    choices = Choices(config)
    if name:
        choices.fill("bundle.name", name, "as the run")
    if is_keras(choices.config.model):
        keras.fill(choices)
    sizes_hw, channels = _look(splits.train)
    choices.fill("input.channels", channels, "all pictures are gray" if channels == 1 else "there are colors")
    proposed, problem = _problem(choices, training, splits.train, sizes_hw)
    check_labels(splits.train)
    check_learning(choices.config, training, problem)
    _fill_machine(choices)
    if choices.config.budget.epochs is None:
        choices.fill("budget.minutes", DEFAULT_MINUTES, "neither --minutes nor --epochs were given")
    _fill_batch(choices, problem, len(splits.train))
    _fill_augment(choices, splits.train)
    check_end(choices.config, splits.validation)
    _fill_model(choices, problem, proposed, splits)
    architecture, network = network_of(choices.config, problem)
    spec = spec_of(choices.config, problem, network, proposed, splits.train)
    check_input(spec)
    _fill_optimizer(choices, architecture)
    _fill_validations(choices)
    goal = _fill_goal(choices, problem, spec, splits.validation)
    if is_keras(architecture):
        keras.check(choices.config, network, goal)
    return Plan(choices.config, splits, problem, architecture, network, spec, choices.reasons)


def _fill_model(choices: Choices, problem: Problem, proposed: InputSpec, splits: Splits) -> None:
    """The network: the one that suits the time, or where time is no matter the first that takes the problem."""
    training: Training = registry.get("training", choices.config.task)
    budget = choices.config.budget
    if choices.config.model:
        return
    if not (able := candidates(training.architectures, problem)):
        names = ", ".join(training.architectures)
        raise UsageError(f"none of the networks for {training.task} ({names}) takes such data. Name one: --model.")
    if budget.minutes is None and budget.latency_ms is None:
        choices.fill("model", able[0][0], f"the first for {training.task} that takes such data")
        return
    # Measuring them takes time. What is wrong with the goal is said before, for which any of them will do.
    first = changed(choices.config, {"model": able[0][0]})
    _fill_goal(choices, problem, spec_of(first, problem, able[0][2], proposed, splits.train), splits.validation)
    machine = choices.config.machine
    bench = Bench(precision=machine.precision)
    if device_of(machine) == "cuda":
        batch = choices.config.batch
        at_once = -(-(batch.size or 1) // (machine.devices * batch.accumulate))
        bench = Bench("cuda", machine.precision, at_once, machine.devices)
    limits = Limits(budget.minutes, budget.latency_ms, len(splits.train))
    chosen, why = choose(survey(training.architectures, problem, limits, bench), limits)
    choices.fill("model", chosen.model, why)


def _look(dataset: Dataset) -> tuple[list[tuple[int, int]], int]:
    """Sizes of some pictures, and 1 where all of these are gray, else 3."""
    step = max(len(dataset) // LOOKED_AT, 1)
    sizes_hw, gray, lost = [], True, list[str]()
    looked = dataset.samples[::step][:LOOKED_AT]
    for sample in looked:
        try:
            with sample.picture.open() as raster:
                sizes_hw.append(raster.size_hw)
                gray &= len(raster.color.channels) == 1
        except PixelwrightError as err:  # it is counted as lost when it is decoded
            lost.append(str(err))
    if not sizes_hw:
        raise UnreadableImage(dataset.root, f"none of {len(looked)} pictures can be read, such as {lost[0]}")
    return sizes_hw, 1 if gray else 3


def _problem(
    choices: Choices, training: Training, dataset: Dataset, sizes_hw: Sequence[tuple[int, int]]
) -> tuple[InputSpec, Problem]:
    proposed = training.input(dataset, sizes_hw, choices.config.input.channels or 3)
    asked = choices.config.input.size_hw
    if proposed.resize is not None:
        resize = msgspec.structs.replace(proposed.resize, size_hw=asked or proposed.resize.size_hw)
        proposed = msgspec.structs.replace(proposed, resize=resize)
        size_hw, why = resize.size_hw, f"pictures are {_range(sizes_hw)}"
    elif dataset.sequence:
        size_hw = (max(height for height, _ in sizes_hw), sizes_hw[0][1])
        why = "the longest sequence looked at, and its features"
    else:
        sides = [min(CROP_PX, max(min(size[axis] for size in sizes_hw) // 32 * 32, 32)) for axis in (0, 1)]
        size_hw, why = (sides[0], sides[1]), f"crops of pictures that are {_range(sizes_hw)}"
    choices.fill("input.size_hw", size_hw, why)
    whole = proposed.resize is not None and proposed.resize.rule != "shorter"
    if dataset.kind == "clean":
        choices.fill("degrade.preset", "denoise", "the pictures are clean, and nothing else was asked for")
    degradation = degradation_of(choices.config, dataset)
    problem = Problem(
        task=training.task,
        labels=dataset.labels,
        channels=choices.config.input.channels or 3,
        size_hw=choices.config.input.size_hw or size_hw,
        fixed=whole or proposed.crop_hw is not None,
        exclusive=dataset.exclusive,
        masks=dataset.kind == "instances",
        keypoints=len(dataset.keypoints),
        void_id=dataset.void_id,
        sequence=dataset.sequence,
        scale=degradation.downscale if degradation else scale_of(dataset),
        degradation=degradation,
        mean_std=_units(dataset) if dataset.kind == "values" else (),
    )
    return proposed, problem


def _units(dataset: Dataset) -> tuple[tuple[float, float], ...]:
    """Mean and standard deviation of each value; 1 for one that never changes."""
    truths = (sample.truth() for sample in dataset.samples)
    table = np.array([truth.values for truth in truths if isinstance(truth, Values)], np.float64)
    deviations = [float(std) or 1.0 for std in table.std(axis=0)]
    return tuple(zip(table.mean(axis=0).tolist(), deviations, strict=True))


def _range(sizes_hw: Sequence[tuple[int, int]]) -> str:
    low, high = min(sizes_hw), max(sizes_hw)
    return (
        f"all {low[0]}x{low[1]}" if low == high else f"from {low[0]}x{low[1]} to {high[0]}x{high[1]} (rows x columns)"
    )


def _fill_goal(choices: Choices, problem: Problem, spec: BundleSpec, dataset: Dataset) -> str:
    """Gives the default, which one that is said may differ from."""
    task = choices.config.task
    evaluation: Evaluation = registry.get("evaluation", task)
    # Without a single observation a metric has no value, but its name.
    names = list(evaluation.statistic((), Scoring.of(dataset, spec))(np.arange(0)))
    default = evaluation.goals_for(names)[0]
    kind = " by masks" if default.startswith("mask_") else "" if problem.exclusive else " of several labels a picture"
    choices.fill("goal", default, f"the default for {task}{kind}")
    goal = choices.config.goal
    if goal in names:
        return default
    if goal.partition("/")[0] in {metric for definition in TABLE for metric in definition.metrics}:
        there = ", ".join(name for name in names if "/" not in name)
        raise UsageError(f"--goal {goal}: is not measured on these data; there are: {there}, and those of a class.")
    raise UnknownName("metric", goal, names)


def _fill_machine(choices: Choices) -> None:
    machine = choices.config.machine
    on_gpu = device_of(machine) == "cuda"
    if machine.accelerator == "cuda" and not on_gpu:
        raise UsageError("--device cuda: there is no GPU that PyTorch can use here. Leave the option out.")
    if on_gpu and machine.devices > torch.cuda.device_count():
        raise UsageError(f"--devices {machine.devices}: there are {torch.cuda.device_count()} GPUs.")
    if on_gpu:
        quick, why = torch.cuda.is_bf16_supported(), "the GPU computes in bfloat16"
    else:
        # What oneDNN computes by instructions of its own; emulated, bfloat16 is slower than float32.
        quick, why = torch.cpu._is_avx512_bf16_supported(), "the processor computes in bfloat16 (avx512_bf16)"
    choices.fill("machine.precision", "bf16" if quick else "f32", why if quick else "no bfloat16 in hardware")


def _fill_batch(choices: Choices, problem: Problem, count: int) -> None:
    pixels = problem.size_hw[0] * (1 if problem.sequence else problem.size_hw[1])
    size = next((batch for most, batch in BATCHES if pixels <= most), SMALLEST_BATCH)
    few = max(2 ** max((count // STEPS_AN_EPOCH).bit_length() - 1, 0), 2)
    why = f"for {problem.size_hw[0]}x{problem.size_hw[1]}"
    size, why = (few, f"for {count} pictures") if few < size else (size, why)
    devices = choices.config.machine.devices
    choices.fill("batch.size", size * devices, why)
    config = choices.config
    if (config.batch.size or 1) % devices:
        raise UsageError(
            f"--batch {config.batch.size}: {devices} devices cannot share it evenly. Take a multiple of {devices}."
        )


def _fill_optimizer(choices: Choices, architecture: str) -> None:
    config, name = choices.config, choices.config.optimizer.name
    if is_keras(architecture):
        return  # a model that comes without an optimizer gets Keras' own
    choices.fill("optimizer.weight_decay", DECAYS[name], f"the default of {name}")
    rate, why = RATES[name], name
    if name in ADAPTIVE and not starts_from_weights(architecture):
        rate, why = rate * FROM_NOTHING, f"{name}, for a network that has learned nothing yet:"
    factor = min((config.batch.size or 64) / 64, 1.0) ** 0.5
    choices.fill(
        "optimizer.learning_rate",
        float(f"{rate * factor:.3g}"),
        f"{why} {rate:g}, by the root of batch / 64 if below 1",
    )


def _fill_augment(choices: Choices, dataset: Dataset) -> None:
    if dataset.kind == "values":
        choices.fill("augment.preset", "none", "what is varied in a picture may be what its values measure")
    choices.fill("augment.preset", "light" if len(dataset) > MANY else "standard", f"{len(dataset):,} pictures")
    policy_of(choices.config, dataset)  # refuses what cannot be before anything is decoded


def _fill_validations(choices: Choices) -> None:
    epochs = choices.config.budget.epochs
    if epochs is None:
        choices.fill("budget.validations", 25, "spread over the minutes")
    else:
        choices.fill("budget.validations", min(max(round(epochs), 1), 50), "after each epoch, 50 at the most")
