"""The command `similar`, and the index that `embed` fills for it."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwright.cli_options import EXIT_CODES, add_command, add_execution, execution_of, positive
from pixelwright.cli_output import DONE, FAILURES, UNREADABLE, print_json, say
from pixelwright.cli_progress import clear_of_bar, show_progress
from pixelwright.contract import Task
from pixelwright.errors import UsageError
from pixelwright.structures.results import Embedding

if TYPE_CHECKING:  # what only some commands need is imported by them, so that --help stays quick
    from pixelwright.model import Model
    from pixelwright.verbs.similar import Answer, Group, Index
    from pixelwright.verbs.tally import Summary

# Options of a run that mean nothing for an index: it holds vectors, and pictures as they are.
NOT_WITH_INDEX = ("output", "export", "draw", "suffix", "quality", "dry_run", "realtime", "frames")


def add_index_option(parser: argparse.ArgumentParser, task: Task) -> None:
    """Where to put vectors so that pictures can be found by them, for a task that makes vectors."""
    if task.result is Embedding:
        parser.add_argument(
            "--index", type=Path, metavar="IDX", help="a folder to keep the vectors in, for `pixelwright similar`"
        )


def index_sources(model: Model, options: argparse.Namespace) -> Summary:
    """Bring an index up to date with the sources of a command line.

    Raises:
        UsageError: An option makes no sense together with an index.
    """
    from pixelwright.verbs.similar import IndexRequest, index_pictures

    given = [name for name in NOT_WITH_INDEX if getattr(options, name, None)]
    if given:
        said = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{said} cannot stand with --index, which keeps vectors. Run the command twice, or leave it.")

    def on_record(record: dict[str, Any]) -> None:
        if options.json:
            with clear_of_bar(sys.stdout):
                print_json(record)

    request = IndexRequest(tuple(options.sources), options.index)
    with show_progress(sys.stderr, quiet_below=2) as progress:
        return index_pictures(model, request, on_record=on_record, on_progress=progress)


def add_similar(commands: Any) -> None:
    """The command with its options."""
    parser = add_command(
        commands,
        "similar",
        "Find pictures like a given one, or near-duplicates, in an index that `pixelwright embed --index` made.",
        "pixelwright similar photo.jpg --index photos.index --top 5 --sheet like.png",
        _similar,
        more=EXIT_CODES,
    )
    parser.add_argument("sources", nargs="*", metavar="IMAGE", help="files, folders, globs, or - for a list on stdin")
    parser.add_argument("--index", type=Path, required=True, metavar="IDX", help="the index to look in")
    parser.add_argument("--top", type=positive, metavar="N", help="so many for each picture (default: 10)")
    parser.add_argument("--duplicates", action="store_true", help="instead: groups of near-duplicates in the index")
    parser.add_argument(
        "--threshold",
        type=_cosine,
        metavar="-1..1",
        help="least similarity of these (default: the model's own, else 0.97)",
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also a contact sheet: .png, .jpg ... or .html")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    parser.add_argument("--model", metavar="DIR", help="where the index's own model is now (default: where it was)")
    add_execution(parser)


def _similar(options: argparse.Namespace) -> int:
    from pixelwright.verbs.similar import check_sheet, open_index

    if options.duplicates and (options.sources or options.top):
        raise UsageError("--duplicates compares the pictures of the index with each other: leave out IMAGE and --top.")
    if not options.duplicates and not options.sources:
        raise UsageError("nothing to look for. Name pictures, or ask for --duplicates.")
    if options.threshold is not None and not options.duplicates:
        raise UsageError("--threshold is of near-duplicates. Add --duplicates, or leave it.")
    if options.sheet is not None:
        check_sheet(options.sheet)
    index = open_index(options.index)
    return _duplicates(index, options) if options.duplicates else _nearest(index, options)


def _nearest(index: Index, options: argparse.Namespace) -> int:
    from pixelwright.verbs.similar import load_model, rows_of_answers, similar, write_sheet

    model = load_model(index, options.model, execution=execution_of(options))
    answers: list[Answer] = []
    done = failed = 0
    for answer in similar(model, index, options.sources, top=options.top or 10):
        done, failed = done + 1, failed + (answer.error is not None)
        if options.json:
            print_json(answer.to_dict())
        elif answer.error is None:
            _print_answer(answer)
        if answer.error is not None:
            said = str(answer.error)
            say(said if said.startswith(answer.path) else f"{answer.path}: {said}")
        if options.sheet is not None:
            answers.append(answer)
    if options.sheet is not None and failed < done:
        write_sheet(rows_of_answers(answers), options.sheet)
    return DONE if not failed else UNREADABLE if failed == done else FAILURES


def _duplicates(index: Index, options: argparse.Namespace) -> int:
    from pixelwright.verbs.similar import find_duplicates, rows_of_groups, write_sheet
    from pixelwright.verbs.similar.groups import threshold_of

    threshold = threshold_of(index) if options.threshold is None else options.threshold
    groups = find_duplicates(index, threshold=threshold)
    for group in groups:
        if options.json:
            print_json(group.to_dict())
        else:
            _print_group(group)
    extra = sum(len(group.entries) - 1 for group in groups)
    found = f"{len(groups)} group{'' if len(groups) == 1 else 's'} among {index.live} pictures"
    say(f"{found} at a similarity of {threshold:g}: {extra} could go.")
    if options.sheet is not None:
        write_sheet(rows_of_groups(groups), options.sheet)
    return DONE


def _print_answer(answer: Answer) -> None:
    print(answer.path)
    for entry, similarity in answer.matches:
        print(f"  {similarity:.3f}  {_near(entry.path)}")


def _print_group(group: Group) -> None:
    for place, (entry, similarity, copy) in enumerate(
        zip(group.entries, group.similarities, group.copies, strict=True)
    ):
        height, width = entry.size_hw
        said = "" if not place else "copy" if copy else f"{similarity:.3f}"
        print(f"{'' if not place else '  '}{_near(entry.path)}  {width}x{height}{'  ' + said if said else ''}")


def _near(path: str) -> str:
    """A path as seen from here, if it is below."""
    with suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _cosine(text: str) -> float:
    value = float(text)
    if not -1 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected -1..1, got {text}")
    return value
