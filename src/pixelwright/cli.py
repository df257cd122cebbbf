"""The command line: one thin command per verb and one per task. Only it and its `cli_` modules print."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwright import __version__, registry
from pixelwright.cli_convert import add_convert
from pixelwright.cli_data import add_augment, add_doctor
from pixelwright.cli_evaluate import add_evaluate
from pixelwright.cli_models import add_models
from pixelwright.cli_options import (
    EXIT_CODES,
    add_command,
    add_execution,
    add_max_pixels,
    add_predict_options,
    add_video_options,
    execution_of,
)
from pixelwright.cli_output import DONE, FAILURES, INTERRUPTED, UNREADABLE, UNWRITABLE, WRONG_USE, print_json, say
from pixelwright.cli_progress import clear_of_bar, show_progress
from pixelwright.cli_similar import add_index_option, add_similar, index_sources
from pixelwright.cli_train import add_train
from pixelwright.contract import PredictOptions, Task
from pixelwright.errors import FetchError, ImageError, OutputError, PixelwrightError, UsageError

if TYPE_CHECKING:  # what only some commands need is imported by them, so that --help stays quick
    from pixelwright.model import Model
    from pixelwright.verbs.run import Summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code.

    0 done, 1 done with failures, 2 wrong use, 3 nothing could be read, 4 the output cannot be written.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name may be no text, or none that the terminal's encoding has
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    logging.basicConfig(format="pixelwright: %(message)s", stream=sys.stderr)
    try:
        options = _parser().parse_args(arguments)
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        _give_up_stdout()
        return FAILURES
    except KeyboardInterrupt:
        say("stopped.")
        return INTERRUPTED
    except PixelwrightError as err:
        say(str(err))
        nothing_came = isinstance(err, ImageError | FetchError)
        return UNWRITABLE if isinstance(err, OutputError) else UNREADABLE if nothing_came else WRONG_USE
    except MemoryError as err:
        say(f"out of memory{f': {err}' if str(err) else ''}. Take smaller pictures, or fewer at once.")
        return WRONG_USE
    except OSError as err:
        if err.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        _give_up_stdout()
        say(f"cannot write the output: {err.strerror}. Make room, and run the same command again.")
        return UNWRITABLE


def _give_up_stdout() -> None:
    """Throw away what is left to print; without this Python would complain of it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pixelwright", description="From pixels to decisions: models that carry their contract, offline."
    )
    parser.add_argument("--version", action="version", version=f"pixelwright {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_inspect(commands)
    for task in _tasks():
        _add_task(commands, task)
    add_models(commands)
    add_convert(commands)
    add_evaluate(commands)
    add_similar(commands)
    add_train(commands)
    add_doctor(commands)
    add_augment(commands)
    _add_plugins(commands)
    _add_demo(commands)
    return parser


def _tasks() -> Iterator[Task]:
    for name in registry.names("task"):
        with suppress(PixelwrightError):  # a plugin's fault, which `pixelwright plugins` shows, stops no other command
            yield registry.get("task", name)


def _add_inspect(commands: Any) -> None:
    parser = add_command(
        commands,
        "inspect",
        "Show what the reader understood of each file: size, depth, color, orientation, profile, pages, metadata.",
        "pixelwright inspect photo.jpg --upright upright.png",
        _inspect,
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--upright", type=Path, metavar="OUT.png", help="write the 8-bit sRGB picture a model sees")
    add_max_pixels(parser)


def _add_task(commands: Any, task: Task) -> None:
    def command(options: argparse.Namespace) -> int:
        return _run(task, options)

    parser = add_command(commands, task.name, task.summary, task.example, command, more=EXIT_CODES)
    sources = "files, folders, globs, tars, https://..., camera:0, or - for a list on stdin"
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=sources)
    named = "zoo name or bundle folder"
    if task.default_model:
        parser.add_argument("--model", default=task.default_model, help=f"{named} (default: %(default)s)")
    else:
        parser.add_argument("--model", required=True, help=named)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR|FILE", help="a job folder, or one picture or video file"
    )
    parser.add_argument("--json", action="store_true", help="result records as JSON lines on stdout")
    parser.add_argument(
        "--export",
        action="append",
        default=[],
        metavar="A,B",
        help="also write the results as: " + ", ".join(registry.names("export")),
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, read no picture")
    if not task.makes_images:
        parser.add_argument("--draw", action="store_true", help="also write each picture with its result painted on")
    parser.add_argument("--suffix", metavar=".EXT", help="format of written pictures (default: the source's own)")
    parser.add_argument("--quality", type=int, metavar="1..100", help="of lossy formats (default: the format's own)")
    add_index_option(parser, task)
    add_predict_options(parser, task)
    add_video_options(parser)
    add_execution(parser)


def _add_plugins(commands: Any) -> None:
    parser = add_command(
        commands,
        "plugins",
        "List what other packages have added, and what of it does not work.",
        "pixelwright plugins",
        _plugins,
    )
    parser.add_argument("--json", action="store_true")


def _add_demo(commands: Any) -> None:
    parser = add_command(
        commands,
        "demo",
        "Do the main job on real pictures, offline, and write an HTML page about it.",
        "pixelwright demo --photos holiday/ -o demo",
        _demo,
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="your own photos instead of the sample ones")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR")


def _run(task: Task, options: argparse.Namespace) -> int:
    from pixelwright.verbs.run import RunRequest, plan, run

    model = _load(task, options)
    if getattr(options, "index", None) is not None:
        return _index(model, options)
    request = RunRequest(
        sources=tuple(options.sources),
        output=options.output,
        draw=getattr(options, "draw", False),
        suffix=options.suffix,
        quality=options.quality,
        exports=tuple(name for given in options.export for name in given.split(",")),
        realtime=options.realtime,
        frames=options.frames,
    )
    if options.dry_run:
        print(json.dumps(plan(model, request), indent=2))
        return DONE

    def print_record(record: dict[str, Any]) -> None:
        with clear_of_bar(sys.stdout):
            if options.json:
                print_json(record)
            elif options.output is None and not task.makes_images and "error" not in record:
                when = f"\t{record['time_s'] or 0:.3f} s" if "frame" in record else ""
                print(f"{record['path']}{when}\t{task.text(record)}", flush=True)

    try:
        with show_progress(sys.stderr, quiet_below=2) as progress:
            summary = run(model, request, on_record=print_record, on_progress=progress)
    except KeyboardInterrupt:
        kept = " What was finished is kept; the same command continues where it stopped."
        say(f"stopped.{kept if _is_job(task, options.output) else ''}")
        return INTERRUPTED
    _say_summary(model, summary)
    return summary.exit_code


def _index(model: Model, options: argparse.Namespace) -> int:
    try:
        summary = index_sources(model, options)
    except KeyboardInterrupt:
        say("stopped. What was finished is kept; the same command continues where it stopped.")
        return INTERRUPTED
    _say_summary(model, summary)
    return summary.exit_code


def _is_job(task: Task, output: Path | None) -> bool:
    from pixelwright.verbs.run import is_file

    return task.makes_images if output is None else not is_file(output)


def _load(task: Task, options: argparse.Namespace) -> Model:
    from pixelwright.model import load

    chosen = {name: value for name in task.options if (value := getattr(options, name)) is not None}
    wanted = chosen.pop("classes", None)
    model = load(options.model, task=task.name, options=PredictOptions(**chosen), execution=execution_of(options))
    return _restricted(model, wanted) if wanted is not None else model


def _restricted(model: Model, wanted: Sequence[str]) -> Model:
    """The model, answering with these labels only: a text that is one itself, else its parts between commas."""
    known = set(model.bundle.spec.output.labels)
    parts = [[text] if text in known else [part.strip() for part in text.split(",")] for text in wanted]
    options = replace(model.options, classes=tuple(label for labels in parts for label in labels))
    model.task.check(model.bundle, options)
    return replace(model, options=options)


def _say_summary(model: Model, summary: Summary) -> None:
    for path, reason in (*summary.failures, *summary.faults):
        say(reason if reason.startswith(path) else f"{path}: {reason}")
    rest = summary.failed - len(summary.failures)
    rest = summary.failed - len(summary.failures)
    if rest > 0:
        others = f"... and {rest} more" if summary.failures else f"{rest} failed earlier"
        say(others + ("; all are in failed.jsonl" if summary.output else ""))
    earlier = f" ({summary.earlier} of them earlier)" if summary.earlier else ""
    faulty = f" ({summary.faulty} with faults)" if summary.faulty else ""
    frames = f", {summary.frames} frames" if summary.frames else ""
    where = f" -> {summary.output}" if summary.output else ""
    say(
        f"{model.task.name} with {model.bundle.spec.name} {model.bundle.spec.version} "
        f"({model.runtime.name} {model.precision}): {summary.done - summary.failed} done{faulty}, "
        f"{summary.failed} failed{earlier}{frames} in {summary.seconds:.1f} s{where}"
    )
    if pace := summary.pace:
        say(
            f"in real time: {pace.frames} frames done, {pace.dropped} dropped, {pace.fps:.1f} a second, "
            f"latency {pace.median_ms:.0f} ms (median), {pace.p95_ms:.0f} ms (95 of 100)"
        )


def _inspect(options: argparse.Namespace) -> int:
    from pixelwright.io.images import MAX_PIXELS
    from pixelwright.verbs.inspect import inspect, report_dict, report_text

    max_pixels = options.max_pixels or MAX_PIXELS
    if options.upright:
        _check_upright(options.upright, options.files)
    failed = 0
    for path in options.files:
        try:
            report = inspect(path, max_pixels=max_pixels)
            if options.json:
                print_json(report_dict(report))
            else:
                print(report_text(report))
            if options.upright:
                _write_upright(path, options.upright, max_pixels)
        except ImageError as err:
            failed += 1
            if options.json:
                print_json({"path": path, "error": str(err)})
            say(str(err))
    return DONE if not failed else UNREADABLE if failed == len(options.files) else FAILURES


def _check_upright(target: Path, files: Sequence[str]) -> None:
    if len(files) > 1:
        raise UsageError(f"--upright writes one picture, but there are {len(files)} files. Name one.")
    source = Path(files[0])
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"--upright {target} would overwrite the picture it is made from. Name another file.")


def _write_upright(path: str, target: Path, max_pixels: int) -> None:
    from pixelwright.structures.raster import Raster
    from pixelwright.verbs.inspect import upright
    from pixelwright.verbs.outputs import write_picture

    picture = Raster.of(upright(path, max_pixels=max_pixels))
    try:
        write_picture(picture, target, None)
    except ImageError as err:  # no folder, no such format: the file that was read is not at fault
        raise UsageError(str(err)) from err


def _plugins(options: argparse.Namespace) -> int:
    found = registry.plugins()
    if options.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            print(f"{one.kind}\t{one.name}\t{one.target}\t{one.package}\t{one.fault or 'works'}")
        if not found:
            print("no plugins are installed")
    return FAILURES if any(one.fault for one in found) else DONE


def _demo(options: argparse.Namespace) -> int:
    from pixelwright.verbs.demo import demo

    with show_progress(sys.stderr) as progress:
        page = demo(options.output, photos=options.photos, on_progress=progress)
    print(f"Open {page}")
    return DONE
