"""Run a model over pictures: a few or ten million, with bounded memory, nothing lost and nothing done twice."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

from pixelwright.errors import JobError, OutputError, PixelwrightError, UsageError, describe
from pixelwright.io.icc import to_srgb
from pixelwright.io.images import formats
from pixelwright.io.sources import Item, image_suffixes, list_images
from pixelwright.model import Model, Opened
from pixelwright.pipeline import Done
from pixelwright.structures.raster import Raster
from pixelwright.verbs.job import is_complete, open_job
from pixelwright.verbs.outputs import check_exports, output_name, write_export, write_into_job, write_picture

log = logging.getLogger(__name__)

RECORD_VERSION = 1
KEPT_FAILURES = 10  # for the closing lines; all of them stand in failed.jsonl

# A shard is closed when it is this large or this old: what a kill can cost is bounded by both.
SHARD_RECORDS = 1000
SHARD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run on and where to put it.

    Attributes:
        sources: Files, folders, globs, or `-`.
        output: A job folder; a picture file for one source; None for records only, or for a folder under `runs/`
            where the task makes pictures.
        draw: Also write each picture with its result painted on.
        suffix: File format of written pictures, such as `.png`; None keeps the source's.
        quality: 1..100 for lossy formats; None for the format's own.
        exports: Layouts to write the records in as well, by registry name: `csv`, `coco`, ...
    """

    sources: tuple[str, ...]
    output: Path | None = None
    draw: bool = False
    suffix: str | None = None
    quality: int | None = None
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: counts of items, `total` None where it is not known."""

    done: int
    failed: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended.

    Attributes:
        done: Items with a record, failures included.
        failed: How many could not be done.
        earlier: How many were done by an earlier run of the same job.
        output: Where results are, if anywhere.
        seconds: Wall time of this run.
        failures: The first few, as (path, reason).
    """

    done: int
    failed: int
    earlier: int
    output: Path | None
    seconds: float
    failures: tuple[tuple[str, str], ...]

    @property
    def exit_code(self) -> int:
        """0 all done, 1 done with failures, 3 nothing could be read."""
        return 0 if not self.failed else 3 if self.failed == self.done else 1


OnRecord = Callable[[dict[str, Any]], None]
OnProgress = Callable[[Progress], None]


def run(model: Model, request: RunRequest, *, on_record: OnRecord, on_progress: OnProgress) -> Summary:
    """Run a model over sources.

    Args:
        model: What to run.
        request: On what, and where to.
        on_record: Called with each result record, in order.
        on_progress: Called after each item.

    Raises:
        JobError: The output cannot be used; the sentence says what to do.
        OutputError: The disk is full or not writable.
        UsageError: The sources or options make no sense.
    """
    _check_request(model, request)
    tally = _Tally(on_record, on_progress)
    if request.output is None and not model.task.makes_images:
        return _run_without_job(model, request, tally)
    if request.output is not None and is_picture(request.output):
        return _run_to_file(model, request, request.output, tally)
    return _run_job(model, request, request.output or default_folder(model, request), tally)


def plan(model: Model, request: RunRequest) -> dict[str, Any]:
    """What `run` would do, without reading a picture."""
    _check_request(model, request)
    output = request.output or (default_folder(model, request) if model.task.makes_images else None)
    items = list(list_images(request.sources, leave_out=output))
    return {
        "task": model.task.name,
        "model": f"{model.bundle.spec.name} {model.bundle.spec.version}",
        "pictures": len(items),
        "first": [item.path for item in items[:5]],
        "output": str(output) if output else None,
        "options": asdict(model.options),
        "execution": asdict(model.execution),
    }


def default_folder(model: Model, request: RunRequest) -> Path:
    """`runs/<task>/<name of the first source>`, numbered: the unfinished folder of this very job, or a new one."""
    wanted = json.loads(json.dumps(_job_request(model, request)))
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


def _run_job(model: Model, request: RunRequest, folder: Path, tally: _Tally) -> Summary:
    def listed() -> Iterator[Item]:
        return list_images(request.sources, leave_out=folder)

    with open_job(folder, _job_request(model, request), listed) as job:
        tally.start(job.total, done=job.done, failed=job.failed)
        write = _into_job(model, request, folder)
        outcomes = model.apply(job.items(), write, open_source=_path, count=job.total)
        last_commit = time.monotonic()
        try:
            for done in outcomes:
                tally.take(done, job.add)
                if job.pending >= SHARD_RECORDS or time.monotonic() - last_commit > SHARD_SECONDS:
                    job.commit()
                    last_commit = time.monotonic()
        finally:
            # Closed first: its threads may still be writing pictures of records that are not taken any more.
            outcomes.close()
            job.commit()
        job.check_complete()
        for name in request.exports:
            write_export(name, job, model.task, model.bundle.spec)
        job.finish()
    return tally.summary(folder)


def _run_without_job(model: Model, request: RunRequest, tally: _Tally) -> Summary:
    """Records only: to whoever listens, with nothing kept on disk."""
    items = list(enumerate(list_images(request.sources)))
    tally.start(len(items))
    for done in model.apply(items, _record_of, open_source=_path, count=len(items)):
        tally.take(done)
    return tally.summary(None)


def _run_to_file(model: Model, request: RunRequest, path: Path, tally: _Tally) -> Summary:
    """One source to one picture file."""
    items = list(enumerate(list_images(request.sources)))
    if len(items) != 1:
        raise UsageError(f"-o {path} is a picture file, but there are {len(items)} pictures. Name a folder instead.")
    if path.exists() and Path(items[0][1].path).exists() and path.samefile(items[0][1].path):
        raise UsageError(f"-o {path} would overwrite the picture it is made from. Name another file.")

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        write_picture(_picture(model, opened, result), path, request.quality)
        return {**_record_of(opened, result), "output": str(path)}

    tally.start(1)
    for done in model.apply(items, write, open_source=_path, count=1):
        tally.take(done)
    return tally.summary(path)


class _Tally:
    """Counts outcomes, tells whoever listens, and keeps the first failures for the closing lines."""

    def __init__(self, on_record: OnRecord, on_progress: OnProgress) -> None:
        self._on_record, self._on_progress = on_record, on_progress
        self._began = time.monotonic()
        self._total = self._done = self._failed = self._earlier = 0
        self._failures: list[tuple[str, str]] = []

    def start(self, total: int, *, done: int = 0, failed: int = 0) -> None:
        self._total, self._done, self._earlier, self._failed = total, done, done, failed
        self._on_progress(Progress(done, failed, total))

    def take(self, done: Done[tuple[int, Item], dict[str, Any]], keep: OnRecord | None = None) -> None:
        """Make the record of an outcome, keep it, then tell; raises what concerns not only this item."""
        index, item = done.item
        record = {"record": RECORD_VERSION, "index": index, "path": item.path, "name": item.name}
        if isinstance(done.error, OutputError):
            raise done.error
        if done.error is None:
            record |= done.result or {}
        else:
            record["error"] = describe(done.error)
            self._fail(item.path, done.error)
        if keep is not None:
            keep(record)
        self._done += 1
        self._on_record(record)
        self._on_progress(Progress(self._done, self._failed, self._total))

    def _fail(self, path: str, error: Exception) -> None:
        self._failed += 1
        if len(self._failures) < KEPT_FAILURES:
            self._failures.append((path, str(error)))
        if not isinstance(error, PixelwrightError):
            log.error("%s: unexpected %s", path, type(error).__name__, exc_info=error)

    def summary(self, output: Path | None) -> Summary:
        seconds = time.monotonic() - self._began
        return Summary(self._done, self._failed, self._earlier, output, seconds, tuple(self._failures))


def _check_request(model: Model, request: RunRequest) -> None:
    """Refuse what makes no sense, before a folder is made or a picture is read."""
    if not request.sources:
        raise UsageError("nothing to run on. Name files, folders, globs, or - for a list on standard input.")
    output, makes_pictures = request.output, model.task.makes_images or request.draw
    to_file = output is not None and is_picture(output)
    writable = sorted(suffix for form in formats() if form.write is not None for suffix in form.suffixes)
    ending = output.suffix.lower() if output is not None and to_file else request.suffix
    if ending is not None and ending not in writable:
        raise UsageError(f"no format is written under the ending {ending!r}. Known: {' '.join(writable)}")
    if request.quality is not None and not 1 <= request.quality <= 100:
        raise UsageError(f"quality: expected 1..100, got {request.quality}.")
    if output is None and (request.draw or request.exports) and not model.task.makes_images:
        raise UsageError("pictures and exports need a folder to go to. Name one with -o.")
    if to_file and (request.exports or request.suffix):
        raise UsageError(f"-o {output} is one picture file: it has no exports, and its ending is its format.")
    check_exports(request.exports, model.task)
    if not (makes_pictures or to_file) and (request.suffix or request.quality):
        raise UsageError("a suffix or quality is of written pictures, and none are written. Add --draw, or leave it.")
    if "-" not in request.sources and next(list_images(request.sources, leave_out=output), None) is None:
        known = " ".join(sorted(image_suffixes()))
        raise UsageError(f"no pictures in {', '.join(request.sources)}. Known endings: {known}")


def is_picture(path: Path) -> bool:
    """Whether an output is meant as one picture file rather than as a job folder."""
    return path.suffix.lower() in image_suffixes() and not path.is_dir()


def _job_request(model: Model, request: RunRequest) -> dict[str, Any]:
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
    }


def _into_job(model: Model, request: RunRequest, folder: Path) -> Callable[[Opened, Any], dict[str, Any]]:
    """The last step of each item of a job: its picture, if there is one, to disk, and its record."""

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        index, item = opened.source
        record = _record_of(opened, result)
        if request.draw or isinstance(result, Raster):
            picture = _picture(model, opened, result)
            name = output_name(item.name, picture, request.suffix)
            write_into_job(picture, folder, name, index, request.quality)
            record["output"] = f"images/{name}"
        return record

    return write


def _record_of(opened: Opened, result: Any) -> dict[str, Any]:
    """What is known of the file, and the answer."""
    source = opened.raster.source
    record: dict[str, Any] = {"size_hw": list(source.upright_size_hw), "format": source.format}
    if source.orientation != 1:
        record |= {"orientation": source.orientation, "stored_size_hw": list(source.stored_size_hw)}
    warnings = list(opened.raster.warnings)
    if source.pages > 1:
        warnings.append(f"only page {source.page + 1} of {source.pages} was read")
    if warnings:
        record["warnings"] = warnings
    return record | ({"output_size_hw": list(result.size_hw)} if isinstance(result, Raster) else result.to_dict())


def _picture(model: Model, opened: Opened, result: Any) -> Raster:
    if isinstance(result, Raster):
        return result
    return Raster.of(model.task.draw(to_srgb(opened.raster.read()), result, model.bundle))


def _path(numbered: tuple[int, Item]) -> str:
    return numbered[1].path
