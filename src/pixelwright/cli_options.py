"""Options that commands of the command line share, and what they say of exit codes."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from pixelwright import registry
from pixelwright.contract import Task
from pixelwright.errors import PixelwrightError

if TYPE_CHECKING:  # the command line loads it only to run a model
    from pixelwright.model import Execution

EXIT_CODES = """
exit codes:
  0 done, 1 done with failures, 2 wrong use, 3 nothing could be read,
  4 the output cannot be written, 130 stopped by Ctrl-C"""


def add_command(
    commands: Any, name: str, summary: str, example: str, command: Any, *, more: str = ""
) -> argparse.ArgumentParser:
    """A command that explains itself with an example."""
    parser = commands.add_parser(
        name,
        help=summary.replace("%", "%%"),
        description=summary,
        epilog=f"example:\n  {example}\n{more}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    return parser


def add_predict_options(parser: argparse.ArgumentParser, task: Task) -> None:
    """What a user may ask of a task's answers: those options that the task reads."""
    if "threshold" in task.options:
        parser.add_argument("--threshold", type=_fraction, metavar="0..1", help="least score (default: the bundle's)")
    if "classes" in task.options:
        parser.add_argument(
            "--classes",
            action="append",
            metavar="A,B",
            help="only these labels; again for more, or for one with a comma",
        )
    if "top_k" in task.options:
        parser.add_argument("--top-k", type=positive, metavar="N", help="so many answers at the most")
    if "iou_threshold" in task.options:
        parser.add_argument(
            "--iou",
            dest="iou_threshold",
            type=_fraction,
            metavar="0..1",
            help="boxes that overlap a better one by more are dropped (default: the bundle's)",
        )
    if "tile_px" in task.options:
        parser.add_argument("--tile", dest="tile_px", type=positive, metavar="PX", help="side of tiles of large images")
    if "tile_overlap" in task.options:
        parser.add_argument(
            "--overlap",
            dest="tile_overlap",
            type=_fraction,
            metavar="0..1",
            help="part of a tile's side that its neighbors share (default: 0.2)",
        )


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """How videos and cameras are gone through."""
    group = parser.add_argument_group("videos and cameras")
    group.add_argument(
        "--realtime", action="store_true", help="play videos at their own speed, and drop frames rather than lag"
    )
    group.add_argument("--frames", type=positive, metavar="N", help="so many frames of each at the most")


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Where and how models run."""
    group = parser.add_argument_group("execution")
    group.add_argument("--runtime", default="auto", help="auto, " + ", ".join(registry.names("runtime")))
    group.add_argument("--precision", default="auto", help="auto (f32), f32, f16, bf16, int8")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    group.add_argument("--threads", type=positive, default=0, metavar="N", help="cores to use (default: all)")
    group.add_argument(
        "--workers", type=positive, default=0, metavar="N", help="pictures at once (default: one a core)"
    )
    group.add_argument("--batch", type=positive, default=0, metavar="N", help="pictures in one call of the network")
    add_max_pixels(group)


def execution_of(options: argparse.Namespace) -> Execution:
    """What a user said of how models run."""
    from pixelwright.model import Execution

    return Execution(
        runtime=options.runtime,
        precision=options.precision,
        device=options.device,
        threads=options.threads,
        workers=options.workers,
        batch_size=options.batch,
        **({"max_pixels": options.max_pixels} if options.max_pixels else {}),
    )


def add_labels(parser: Any) -> None:
    """What the numbers of a data set's classes are called; a tuple of names."""
    parser.add_argument(
        "--labels",
        type=_labels,
        default=(),
        metavar="A,B|FILE",
        help="names of the classes in order, where the data have only numbers; a file is like labels.txt beside them",
    )


def _labels(text: str) -> tuple[str, ...]:
    if os.path.isfile(text):  # noqa: PTH113 (Path raises where so many names are too long for a path)
        from pixelwright.data.place import Place
        from pixelwright.data.stated import parse_labels

        try:
            return parse_labels(Place(text).text(), text)
        except PixelwrightError as err:
            raise argparse.ArgumentTypeError(str(err)) from err
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected a name before and after each comma, got {text!r}")
    return names


def add_max_pixels(parser: Any) -> None:
    """The limit on what is decoded."""
    parser.add_argument("--max-pixels", type=positive, metavar="N", help="refuse larger pictures (default: 2**28)")


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0..1, got {text}")
    return value


def positive(text: str) -> int:
    """A count that a user gave."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return value
