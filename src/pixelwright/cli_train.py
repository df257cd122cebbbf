"""The command `train`."""

from __future__ import annotations

import argparse
import logging
import sys
import tomllib
from pathlib import Path
from typing import Any

from pixelwright import registry
from pixelwright.cli_options import EXIT_CODES, add_command, add_labels
from pixelwright.cli_output import DONE, FAILURES, INTERRUPTED, say
from pixelwright.cli_progress import show_training
from pixelwright.errors import UsageError

# Options that put a value into the configuration: flag, name there, type, what it is.
VALUES: tuple[tuple[str, str, Any, str], ...] = (
    ("--layout", "data.layout", str, "how the data lie (default: found by looking)"),
    ("--kind", "data.kind", str, "what of the data to learn, where they hold several kinds of truth"),
    ("--void", "data.void_id", int, "the number in label maps that stands for nothing known"),
    ("--group", "data.group", str, "a column, or a pattern on names: what is of one group is never split"),
    ("--validation", "data.validation", float, "share that chooses the best weights, if the data state none"),
    ("--model", "model", str, "architecture, NAME/VARIANT, or a bundle to start from"),
    ("--channels", "input.channels", int, "1 for gray, 3 for colors (default: as the pictures are)"),
    ("--minutes", "budget.minutes", float, "how long, by the clock"),
    ("--latency-ms", "budget.latency_ms", float, "choose a network that answers within this, on this machine"),
    ("--epochs", "budget.epochs", float, "how long, by how often each picture is seen"),
    ("--patience", "budget.patience", int, "stop after so many validations without a better score"),
    ("--goal", "goal", str, "the metric by which the best weights are chosen, on validation data"),
    ("--batch", "batch.size", int, "pictures in a step"),
    ("--accumulate", "batch.accumulate", int, "parts in which the network takes them"),
    ("--sampler", "batch.sampler", str, "shuffle, or balanced: all classes equally often"),
    ("--lr", "optimizer.learning_rate", float, "the highest learning rate"),
    ("--optimizer", "optimizer.name", str, "sgd, adam, adamw, nadam, radam, rmsprop, adagrad"),
    ("--schedule", "optimizer.schedule", str, "of the learning rate: cosine, one-cycle, linear, step, constant"),
    ("--loss", "loss.name", str, "cross-entropy, bce, focal, dice, mse, mae, huber, charbonnier"),
    ("--label-smoothing", "loss.label_smoothing", float, "share of the truth that goes to all classes"),
    ("--augment", "augment.preset", str, "none, light, standard or strong"),
    ("--degrade", "degrade.preset", str, "how clean pictures are made worse: denoise, jpeg, super-resolve-x2 or -x4"),
    ("--precision", "machine.precision", str, "f32, bf16 or f16"),
    ("--device", "machine.accelerator", str, "auto, cpu or cuda"),
    ("--devices", "machine.devices", int, "how many of them"),
    ("--threads", "machine.threads", int, "cores to use (default: all)"),
    ("--seed", "seed", int, "of everything that is random"),
    ("--name", "bundle.name", str, "of the bundle"),
    ("--license", "bundle.license", str, "of the weights, as the bundle will state it"),
    ("--data-license", "bundle.data_license", str, "of the data"),
    ("--threshold", "bundle.threshold", str, "what the decision is fitted to: f1, precision>=0.9, recall>=0.9"),
)

CALLED = {name: flag for flag, name, _, _ in VALUES} | {
    "input.size_hw": "--size",
    "loss.class_weights": "--class-weights",
}


def add_train(commands: Any) -> None:
    """The command, with an option for each value that is often changed."""
    parser = add_command(
        commands,
        "train",
        "Train a model on a folder of labeled pictures.",
        "pixelwright train classify --data flowers/ --minutes 10",
        _train,
        more=EXIT_CODES,
    )
    parser.add_argument("task", metavar="TASK", help=", ".join(registry.names("training")))
    parser.add_argument("--data", metavar="DIR", help="a folder, an archive, or the file that describes the data")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="the run's folder (default: runs/TASK/NAME)")
    parser.add_argument("--recipe", type=Path, metavar="FILE.toml", help="what to start from; options win over it")
    for flag, name, kind, said in VALUES:
        shown = "NAME" if kind is str else "X" if kind is float else "N"
        parser.add_argument(flag, dest=name, type=kind, metavar=shown, help=said.replace("%", "%%"))
    parser.add_argument("--find-lr", action="store_true", help="find the learning rate by trying, in 100 steps")
    parser.add_argument("--size", type=_size, metavar="N|HxW", help="rows and columns that the network sees")
    add_labels(parser)
    parser.add_argument("--class-weights", metavar="balanced|A,B", help="by rarity, or a number for each class")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="anything that a recipe can say: optimizer.momentum=0.8, augment.changes.mirror=0.5",
    )
    parser.add_argument("--changed-data", action="store_true", help="continue a run although its data have changed")
    parser.add_argument("--preview", type=Path, metavar="FILE.png", help="draw varied pictures; do not train")
    parser.add_argument("--dry-run", action="store_true", help="print the configuration; do not train")


def _train(options: argparse.Namespace) -> int:
    from pixelwright.verbs.train import preview, read_config, resolve, to_toml, train

    logging.getLogger("pixelwright").setLevel(logging.INFO)
    config = read_config(options.task, options.recipe, _changes(options), called=CALLED)
    if not config.data.path:
        raise UsageError("there is nothing to learn from. Name the data: --data DIR.")
    if options.dry_run:
        found = resolve(config)
        print(to_toml(found.config, found.automatic), end="")
        return DONE
    if options.preview is not None:
        preview(config, options.preview)
        say(f"{options.preview}: pictures as they are, and varied.")
        return DONE
    try:
        with show_training(sys.stderr) as show:
            done = train(
                config,
                output=options.output,
                other_data=options.changed_data,
                origin=_origin(options),
                on_progress=show,
            )
    except KeyboardInterrupt:
        say("stopped. The same command continues.")
        return INTERRUPTED
    say(
        f"{done.goal} {done.score:.4f} on the validation part, by which the weights were chosen (of step {done.step} "
        f"of {done.steps}), after {done.seconds / 60:.1f} minutes -> {done.bundle}"
    )
    if done.lost:
        say(f"{done.lost} samples were left out because they cannot be used; {done.run / 'log.txt'} names them.")
    return FAILURES if done.lost else DONE


def _origin(options: argparse.Namespace) -> str:
    """What made the configuration, for the bundle's provenance."""
    changes = " ".join(f"{name}={value}" for name, value in _changes(options).items() if name != "data.path")
    recipe = f" --recipe {options.recipe.name}" if options.recipe else ""
    return f"pixelwright train {options.task}{recipe} {changes}".strip()


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    given = vars(options)
    changes = {name: given[name] for _, name, _, _ in VALUES if given[name] is not None}
    changes |= {} if options.data is None else {"data.path": options.data}
    changes |= {"optimizer.find_rate": True} if options.find_lr else {}
    changes |= {} if options.size is None else {"input.size_hw": options.size}
    changes |= {"data.labels": list(options.labels)} if options.labels else {}
    if options.class_weights is not None:
        changes["loss.class_weights"] = _weights(options.class_weights)
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: expected NAME=VALUE, as optimizer.momentum=0.8.")
        changes[name.strip()] = _value(value.strip())
    return changes


def _value(text: str) -> Any:
    """A value as TOML has it; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _weights(text: str) -> Any:
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        return text


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    try:
        return int(height), int(width or height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected pixels, as 96 or 96x128, got {text}") from None
