"""The commands on data sets: `doctor` and `augment`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwright.cli_options import EXIT_CODES, add_command, add_labels, positive
from pixelwright.cli_output import DONE, INTERRUPTED, UNREADABLE, print_json, say
from pixelwright.cli_progress import show_progress
from pixelwright.data.augment.policy import LIMITS, OUTSIDE, PRESETS, Policy
from pixelwright.data.stated import split_of
from pixelwright.errors import UsageError

if TYPE_CHECKING:  # what only some commands need is imported by them, so that --help stays quick
    from pixelwright.data.dataset import SplitName
    from pixelwright.data.layout import Hints
    from pixelwright.verbs.doctor import Diagnosis
    from pixelwright.verbs.doctor.finding import Check

SHOWN_CASES = 5  # of a finding, on the terminal
NOT_WRITTEN = frozenset({"mixup_alpha", "cutmix_alpha", "gain", "jitter", "mask"})  # of mixed pictures and of sequences
DOCTOR_CODES = """
exit codes:
  0 nothing but notes, 1 findings, 2 wrong use, 3 the data set or all of its pictures cannot be read,
  4 the report cannot be written, 130 stopped by Ctrl-C"""


def add_doctor(commands: Any) -> None:
    """The command with its options."""
    parser = add_command(
        commands,
        "doctor",
        "Look for what is wrong with a data set: files, labels, balance, duplicates, surprises, likely wrong labels.",
        "pixelwright doctor flowers/ --report flowers.html",
        _doctor,
        more=DOCTOR_CODES,
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="a folder, an archive, or the file that describes it")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also a page with the pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--check",
        action="append",
        default=[],
        metavar="A,B",
        help="only these: files, labels, balance, duplicates, surprises, mislabeled",
    )
    _add_data_options(parser)
    parser.add_argument(
        "--workers", type=positive, default=0, metavar="N", help="pictures at once (default: one a core)"
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the data are read")
    group.add_argument("--layout", metavar="NAME", help="how they lie (default: found by looking)")
    add_labels(group)
    group.add_argument("--void", type=int, metavar="N", help="the value of label maps that means: not known")
    group.add_argument("--group", metavar="COLUMN|PATTERN", help="what belongs together: a column, or '(track\\d+)_'")


def _hints(options: argparse.Namespace) -> Hints:
    from pixelwright.data.layout import Hints

    return Hints(labels=options.labels, void_id=options.void, group=options.group or "")


def _doctor(options: argparse.Namespace) -> int:
    from pixelwright.errors import DataError
    from pixelwright.verbs.doctor import CHECKS, examine, open_patient, write_report
    from pixelwright.verbs.report.page import check_report

    checks = [one.strip() for given in options.check for one in given.split(",")]
    unknown = sorted(set(checks) - set(CHECKS))
    if unknown:
        raise UsageError(f"--check: there is no {', '.join(unknown)}; there are {', '.join(CHECKS)}.")
    if options.report is not None:
        check_report(options.report)
    try:
        dataset = open_patient(options.data, layout=options.layout, hints=_hints(options))
    except DataError as err:
        say(str(err))
        return UNREADABLE
    chosen: list[Check] = [one for one in CHECKS if not checks or checks.count(one)]
    with show_progress(sys.stderr, quiet_below=2) as progress:
        diagnosis = examine(dataset, checks=chosen, workers=options.workers, on_progress=progress)
    if options.json:
        print_json(diagnosis.to_dict())
    else:
        _print_diagnosis(diagnosis)
    if options.report is not None:
        write_report(diagnosis, dataset, options.report)
        say(f"report -> {options.report}")
    return diagnosis.exit_code


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    for line in (*diagnosis.description, *diagnosis.remarks):
        print(line)
    for finding in diagnosis.findings:
        print(f"\n{finding.rule.severity}: {finding.headline}")
        for case in finding.cases[:SHOWN_CASES]:
            print("  " + "  ".join(part for part in (", ".join(case.ids[:4]), case.detail) if part))
        rest = len(finding.cases) - SHOWN_CASES
        if rest > 0:
            print(f"  and {rest:,} more")
        print(f"  {finding.rule.advice}")
    counted = [(diagnosis.count(one), one) for one in ("error", "warning", "note")]
    counts = ", ".join(f"{count:,} {one}{'s' * (count != 1)}" for count, one in counted)
    print(f"\n{counts}; {diagnosis.read:,} of {diagnosis.samples:,} read in {diagnosis.seconds:.1f} s")


def add_augment(commands: Any) -> None:
    """The command, with an option for each limit of a policy."""
    parser = add_command(
        commands,
        "augment",
        "Write a data set with variants of its pictures, labels and all.",
        "pixelwright augment flowers/ -o more-flowers/ --copies 3 --policy standard",
        _augment,
        more=EXIT_CODES,
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="a folder, an archive, or the file that describes it")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="a new folder; continued if it was cut short")
    parser.add_argument("--preview", type=Path, metavar="FILE.png", help="instead or first: a sheet of some variants")
    parser.add_argument("--copies", type=positive, default=1, metavar="N", help="variants of each picture (default: 1)")
    parser.add_argument(
        "--policy", choices=list(PRESETS), help="how far (default: standard, or none with limits below)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the variants (default: 0)")
    parser.add_argument("--no-originals", action="store_true", help="leave out the pictures themselves")
    parser.add_argument(
        "--splits", default="train", metavar="A,B", help="which have variants; others stay as they are (default: train)"
    )
    _add_data_options(parser)
    parser.add_argument(
        "--workers", type=positive, default=0, metavar="N", help="pictures at once (default: one a core)"
    )
    limits = parser.add_argument_group("limits, each of which wins over the policy's")
    for name, most in LIMITS.items():
        if name not in NOT_WRITTEN:
            flag = "--" + name.replace("_", "-")
            limits.add_argument(flag, type=float, metavar="X", help=f"0..{most:g}")
    limits.add_argument("--outside", choices=OUTSIDE, help="what is seen beyond the edge")


def _policy(options: argparse.Namespace) -> Policy:
    names = [name for name in (*LIMITS, "outside") if name not in NOT_WRITTEN]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    start = Policy.named(options.policy or ("none" if given else "standard"))
    return replace(start, **given)


def _augment(options: argparse.Namespace) -> int:
    from pixelwright.data.opening import describe, open_dataset
    from pixelwright.verbs.augment import AugmentRequest, augment_dataset, write_preview

    if options.output is None and options.preview is None:
        raise UsageError("nothing to write. Name a folder with -o, or a sheet with --preview.")
    policy = _policy(options)
    dataset = open_dataset(options.data, layout=options.layout, hints=_hints(options))
    for line in describe(dataset):
        say(line)
    if options.preview is not None:
        _say_all(write_preview(dataset, policy, options.preview, seed=options.seed))
        say(f"sheet -> {options.preview}")
    if options.output is None:
        return DONE
    request = AugmentRequest(
        options.output, policy, options.copies, options.seed, not options.no_originals, _splits(options.splits)
    )
    try:
        with show_progress(sys.stderr, quiet_below=2) as progress:
            written = augment_dataset(dataset, request, workers=options.workers, on_progress=progress)
    except KeyboardInterrupt:
        say("stopped. What was finished is kept; the same command continues where it stopped.")
        return INTERRUPTED
    _say_all(f"{name}: {reason}" for name, reason in written.failures)
    _say_all(written.remarks)
    say(
        f"{written.pictures:,} pictures, {written.variants:,} of them variants, {written.failed:,} failed, layout "
        f"{written.layout}, in {written.seconds:.1f} s -> {options.output}"
    )
    return written.exit_code


def _splits(text: str) -> tuple[SplitName, ...]:
    found: list[SplitName] = [""]  # what belongs to no split is for training
    for part in text.split(","):
        split = split_of(part.strip())
        if split is None:
            raise UsageError(
                f"--splits {text}: there is no split {part!r}; there are train, validation, calibration, test."
            )
        found.append(split)
    return tuple(found)


def _say_all(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        say(sentence)
