"""The commands `evaluate` and `compare`: how good a model is, and which of two is better."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelwright import registry
from pixelwright.cli_options import EXIT_CODES, add_command, add_execution, add_labels, execution_of, positive
from pixelwright.cli_output import DONE, FAILURES, print_json, say
from pixelwright.cli_progress import show_progress
from pixelwright.errors import UsageError

if TYPE_CHECKING:  # loaded only to run a model
    from pixelwright.data.dataset import Dataset
    from pixelwright.model import Model
    from pixelwright.verbs.evaluate import Compared, Evaluated, EvaluateOptions

NAMED_FAILURES = 10


def add_evaluate(commands: Any) -> None:
    """Both commands with their options."""
    parser = add_command(
        commands,
        "evaluate",
        "Say how good a model is on labeled pictures: every score with its 95 % interval and its definition.",
        "pixelwright evaluate digits --data scans/ --report digits.html",
        _evaluate,
        more=EXIT_CODES,
    )
    parser.add_argument("model", metavar="BUNDLE", help="zoo name or bundle folder")
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="the scores as JSON on stdout")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with curves and mistakes")
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also score with noise, blur, JPEG and brightness at five severities",
    )
    add_execution(parser)
    parser = add_command(
        commands,
        "compare",
        "Say which of two models is better on the same labeled pictures, and whether that could be chance.",
        "pixelwright compare digits runs/classify/mine --data scans/",
        _compare,
        more=EXIT_CODES,
    )
    parser.add_argument("models", metavar="BUNDLE", nargs=2, help="zoo name or bundle folder")
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="the comparison as JSON on stdout")
    add_execution(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="labeled pictures, in any layout")
    parser.add_argument(
        "--split",
        default="",
        metavar="NAME",
        help="train, calibration, validation, test or all (default: test, else validation, else all)",
    )
    parser.add_argument("--layout", metavar="L", help="of the data (default: found out): " + _names("layout"))
    add_labels(parser)
    parser.add_argument("--group", default="", metavar="COLUMN|REGEX", help="pictures that belong together")
    parser.add_argument("--void", type=int, metavar="N", help="the value in label maps that does not count")
    parser.add_argument(
        "--classes", action="append", default=[], metavar="A,B", help="score only these labels; again for more"
    )
    parser.add_argument(
        "--noise", type=float, metavar="SIGMA", help="spoil clean pictures with Gaussian noise (0..255) first"
    )
    parser.add_argument("--rounds", type=positive, metavar="N", help="of the bootstrap (default: 1000, fewer for many)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: 0)")


def _names(kind: str) -> str:
    return ", ".join(registry.names(kind))


def _evaluate(options: argparse.Namespace) -> int:
    from pixelwright.verbs.evaluate import evaluate
    from pixelwright.verbs.evaluate.report import write_report
    from pixelwright.verbs.report.page import check_report

    if options.report:
        check_report(options.report)
    model = _load(options.model, options)
    whole, dataset, split = _data(options, model)
    asked = replace(_asked(options), look=options.report is not None)
    with show_progress(sys.stderr, quiet_below=2) as progress:
        evaluated = evaluate(model, dataset, asked, split=split, whole=whole, on_progress=progress)
    robustness = None
    if options.robustness:
        from pixelwright.verbs.evaluate.robustness import robustness_of

        with show_progress(sys.stderr, quiet_below=2) as progress:
            robustness = robustness_of(evaluated, asked, on_progress=progress)
    if options.report:
        write_report(evaluated, options.report, robustness)
    if options.json:
        print_json(evaluated.to_dict() | ({"robustness": robustness.to_dict()} if robustness else {}))
    else:
        _print(evaluated)
        if robustness:
            print("\n".join(robustness.lines()))
    _say_failures(evaluated.failures)
    for remark in evaluated.remarks:
        say(remark)
    if options.report:
        say(f"report: {options.report}")
    return FAILURES if evaluated.failures else DONE


def _compare(options: argparse.Namespace) -> int:
    from pixelwright.verbs.evaluate import compare

    first, second = (_load(name, options) for name in options.models)
    whole, dataset, split = _data(options, first)
    with show_progress(sys.stderr, quiet_below=2) as progress:
        compared = compare((first, second), dataset, _asked(options), split=split, whole=whole, on_progress=progress)
    if options.json:
        print_json(compared.to_dict())
    else:
        _print_comparison(compared)
    _say_failures(compared.failures)
    for remark in compared.remarks:
        say(remark)
    return FAILURES if compared.failures else DONE


def _load(name: str, options: argparse.Namespace) -> Model:
    from pixelwright.model import load

    return load(name, execution=execution_of(options))


def _asked(options: argparse.Namespace) -> EvaluateOptions:
    from pixelwright.verbs.evaluate import EvaluateOptions

    if options.noise is not None and not 0 <= options.noise <= 255:
        raise UsageError(f"--noise: expected 0..255, got {options.noise:g}.")
    classes = tuple(part.strip() for text in options.classes for part in text.split(","))
    return EvaluateOptions(classes=classes, seed=options.seed, rounds=options.rounds, noise_sigma=options.noise)


def _data(options: argparse.Namespace, model: Model) -> tuple[Dataset, Dataset, str]:
    """All of the data, the part that is scored, and its name; says what was understood."""
    from pixelwright.data.layout import Hints
    from pixelwright.data.opening import open_dataset
    from pixelwright.verbs.evaluate import group_for, part_of

    spec = model.bundle.spec
    task = model.task.name
    kinds = registry.get("evaluation", task).kinds if task in registry.names("evaluation") else frozenset()
    hints = Hints(kinds=kinds, labels=options.labels, void_id=options.void, group=options.group)
    whole = open_dataset(options.data, layout=options.layout, hints=hints)
    if not options.group and (group := group_for(whole, options.split, spec)):
        whole = open_dataset(options.data, layout=options.layout, hints=replace(hints, group=group))
    part, name, said = part_of(whole, options.split, spec)
    for remark in whole.remarks:
        say(f"{options.data}: {remark}")
    say(f"{options.data} ({whole.layout}): {said}, {len(part)} of {len(whole)} pictures")
    return whole, part, name


def _print(evaluated: Evaluated) -> None:
    shown = [score for score in evaluated.scores if "/" not in score.metric]
    width = max(len(score.metric) for score in shown)
    spec = evaluated.model.bundle.spec
    print(f"{spec.name} {spec.version} ({spec.task}) on {len(evaluated.seen)} pictures, {evaluated.split}")
    for score in shown:
        reach = f"{score.ci95[0]:.4f} to {score.ci95[1]:.4f}" if score.ci95 else ""
        value = f"{score.value:.4f}" if np.isfinite(score.value) else "no value"
        print(f"  {score.metric:<{width}}  {value:>9}  {reach:<18}  {score.definition}")


def _print_comparison(compared: Compared) -> None:
    print(compared.verdict)
    shown = [one for one in compared.differences if "/" not in one.metric and np.isfinite(one.difference)]
    width = max((len(one.metric) for one in shown), default=0)
    for one in shown:
        reach = f"{one.ci95[0]:+.4f} to {one.ci95[1]:+.4f}" if one.ci95 else ""
        print(
            f"  {one.metric:<{width}}  {one.first:9.4f}  {one.second:9.4f}  {one.difference:+9.4f}  {reach:<20}  "
            f"p {one.p_value:.3f} ({one.test})"
        )


def _say_failures(failures: tuple[tuple[str, str], ...]) -> None:
    for name, reason in failures[:NAMED_FAILURES]:
        say(reason if reason.startswith(name) else f"{name}: {reason}")
    if len(failures) > NAMED_FAILURES:
        say(f"... and {len(failures) - NAMED_FAILURES} more; --json names all of them")
