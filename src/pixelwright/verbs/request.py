"""What a run is asked for: refused where it makes no sense, and written down so that a job can be continued."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

from pixelwright.errors import JobError, UsageError
from pixelwright.io import video_write
from pixelwright.io.images import formats
from pixelwright.io.sources import image_suffixes, list_images
from pixelwright.io.video import VIDEO_SUFFIXES
from pixelwright.model import Model
from pixelwright.verbs.job import is_complete
from pixelwright.verbs.outputs import check_exports


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run on and where to put it.

    Attributes:
        sources: Files, folders, globs, tars, addresses, cameras, or `-`.
        output: A job folder; a picture or video file for one source; None for records only, or for a folder under
            `runs/` where the task makes pictures.
        draw: Also write each picture with its result painted on.
        suffix: File format of written pictures, such as `.png`; None keeps the source's.
        quality: 1..100 for lossy formats; None for the format's own.
        exports: Layouts to write the records in as well, by registry name: `csv`, `coco`, ...
        realtime: Play videos at their own speed, and drop frames rather than lag; cameras always do.
        frames: So many frames of each video or camera at the most; None for all.
    """

    sources: tuple[str, ...]
    output: Path | None = None
    draw: bool = False
    suffix: str | None = None
    quality: int | None = None
    exports: tuple[str, ...] = ()
    realtime: bool = False
    frames: int | None = None


def check_request(model: Model, request: RunRequest) -> None:
    """Refuse what makes no sense, before a folder is made or a picture is read."""
    if not request.sources:
        raise UsageError("nothing to run on. Name files, folders, globs, or - for a list on standard input.")
    output, makes_pictures = request.output, model.task.makes_images or request.draw
    to_file = output is not None and (is_picture(output) or is_video_file(output))
    if output is not None and is_video_file(output):
        _check_video_output(output, request)
    writable = sorted(suffix for form in formats() if form.write is not None for suffix in form.suffixes)
    to_picture = output is not None and is_picture(output)
    ending = output.suffix.lower() if output is not None and to_picture else request.suffix
    if ending is not None and ending not in writable:
        raise UsageError(f"no format is written under the ending {ending!r}. Known: {' '.join(writable)}")
    if request.quality is not None and not 1 <= request.quality <= 100:
        raise UsageError(f"quality: expected 1..100, got {request.quality}.")
    if output is None and (request.draw or request.exports) and not model.task.makes_images:
        raise UsageError("pictures and exports need a folder to go to. Name one with -o.")
    if to_file and (request.exports or request.suffix):
        kind = "picture" if to_picture else "video"
        raise UsageError(f"-o {output} is one {kind} file: it has no exports, and its ending is its format.")
    check_exports(request.exports, model.task)
    if not (makes_pictures or to_file) and (request.suffix or request.quality):
        raise UsageError("a suffix or quality is of written pictures, and none are written. Add --draw, or leave it.")
    if "-" not in request.sources and next(list_images(request.sources, leave_out=output), None) is None:
        known = " ".join(sorted(image_suffixes() | VIDEO_SUFFIXES))
        raise UsageError(f"no pictures or videos in {', '.join(request.sources)}. Known endings: {known}")


def _check_video_output(output: Path, request: RunRequest) -> None:
    if not video_write.is_writable(output):
        known = " ".join(video_write.CONTAINERS)
        raise UsageError(f"no video is written under the ending {output.suffix!r}. Known: {known}")
    if len(request.sources) > 1:
        raise UsageError(f"-o {output} is one video file, but there are {len(request.sources)} sources. Name a folder.")


def is_picture(path: Path) -> bool:
    """Whether an output is meant as one picture file rather than as a job folder."""
    return path.suffix.lower() in image_suffixes() and not path.is_dir()


def is_video_file(path: Path) -> bool:
    """Whether an output is meant as one video file rather than as a job folder."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def job_request(model: Model, request: RunRequest) -> dict[str, Any]:
    """What decides the results of a job, as plain data."""
    spec = model.bundle.spec
    return {
        "task": model.task.name,
        "model": f"{spec.name} {spec.version}",
        "bundle_sha256": model.bundle.digest,
        "sources": list(request.sources),
        "working_directory": str(Path.cwd()),  # what relative sources are relative to
        "options": asdict(model.options),
        "runtime": model.runtime.name,
        "precision": model.precision,
        "max_pixels": model.execution.max_pixels,
        "draw": request.draw,
        "suffix": request.suffix,
        "quality": request.quality,
        "exports": list(request.exports),
        "realtime": request.realtime,
        "frames": request.frames,
    }


def default_folder(model: Model, request: RunRequest) -> Path:
    """`runs/<task>/<name of the first source>`, numbered: the unfinished folder of this very job, or a new one."""
    wanted = json.loads(json.dumps(job_request(model, request)))
    stem = _stem(request.sources[0])
    for count in range(1, 100_000):
        folder = Path("runs") / model.task.name / (stem + (f"-{count}" if count > 1 else ""))
        if not (folder / "job.json").exists():
            return folder
        with suppress(ValueError, KeyError, TypeError, OSError):
            same = json.loads((folder / "job.json").read_bytes())["request"] == wanted
            if same and not is_complete(folder):
                return folder
    raise JobError(f"runs/{model.task.name} is full of jobs named {stem}. Name a folder with -o.")


def _stem(source: str) -> str:
    """A folder name for what was named: without wildcards, dots and what some file systems forbid."""
    parts = [] if source == "-" else Path(os.path.abspath(source)).parts  # noqa: PTH100 (resolves "..", keeps links)
    plain = [part for part in parts if not has_magic(part)]
    stem = Path(plain[-1]).stem if plain else "list"
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "", stem).strip(" .") or "run"
