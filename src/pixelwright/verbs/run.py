"""Run a model over pictures: a few or ten million, with bounded memory, nothing lost and nothing done twice."""

from __future__ import annotations

import csv
import errno
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pixelwright.contract import Task
from pixelwright.errors import ImageError, JobError, PixelwrightError, UsageError, describe
from pixelwright.io.icc import to_srgb
from pixelwright.io.images import fitting_suffix, formats, write_image
from pixelwright.io.sources import Item, image_suffixes, list_images
from pixelwright.model import Model, Opened
from pixelwright.structures.raster import Raster
from pixelwright.verbs.job import PARTIAL, Job, open_job

log = logging.getLogger(__name__)

RECORD_VERSION = 1
KEPT_FAILURES = 10  # for the closing lines; all of them stand in failed.jsonl

# A shard is closed when it is this large or this old: what a kill can cost is bounded by both.
SHARD_RECORDS = 1000
SHARD_SECONDS = 2.0

# Larger results go to tiled TIFF, the one format here that is written window by window.
LARGEST_WHOLE_BYTES = 1 << 30

DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


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
        table: Also write `results.csv`.
    """

    sources: tuple[str, ...]
    output: Path | None = None
    draw: bool = False
    suffix: str | None = None
    quality: int | None = None
    table: bool = False


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


class OutputError(JobError):
    """A result cannot be written; the run stops, and the same command continues it."""


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
    if request.output is None and not model.task.makes_images:
        return _run_without_job(model, request, on_record, on_progress)
    if request.output is not None and _is_picture(request.output):
        return _run_to_file(model, request, request.output, on_record, on_progress)
    folder = request.output or default_folder(model, request)
    return _run_job(model, request, folder, on_record, on_progress)


def plan(model: Model, request: RunRequest) -> dict[str, Any]:
    """What `run` would do, without reading a picture."""
    _check_request(model, request)
    items = list(list_images(request.sources, leave_out=request.output))
    makes_output = request.output or (default_folder(model, request) if model.task.makes_images else None)
    return {
        "task": model.task.name,
        "model": f"{model.bundle.spec.name} {model.bundle.spec.version}",
        "pictures": len(items),
        "first": [item.path for item in items[:5]],
        "output": str(makes_output) if makes_output else None,
        "options": asdict(model.options),
        "execution": asdict(model.execution),
    }


def default_folder(model: Model, request: RunRequest) -> Path:
    """`runs/<task>/<name of the first source>`, or the next free number beside it where another job lies there."""
    stem = Path(request.sources[0].rstrip("/*")).stem if request.sources[0] != "-" else "stdin"
    wanted = json.loads(json.dumps(_job_request(model, request)))
    for count in range(1, 10_000):
        folder = Path("runs") / model.task.name / ((stem or "run") + (f"-{count}" if count > 1 else ""))
        try:
            same = json.loads((folder / "job.json").read_bytes())["request"] == wanted
        except FileNotFoundError:
            return folder
        except (ValueError, KeyError, TypeError, OSError):
            continue
        if same:
            return folder
    raise JobError(f"runs/{model.task.name} is full of jobs named {stem}. Name a folder with -o.")


def _run_job(model: Model, request: RunRequest, folder: Path, on_record: OnRecord, on_progress: OnProgress) -> Summary:
    start = time.monotonic()

    def listed() -> Iterator[Item]:
        return list_images(request.sources, leave_out=folder)

    with open_job(folder, _job_request(model, request), listed) as job:
        earlier, failures = job.done, []
        on_progress(Progress(job.done, job.failed, job.total))
        outcomes = model.apply(
            job.items(), _writer(model, request, folder), open_source=lambda one: one[1].path, many=job.total > 1
        )
        last_commit = time.monotonic()
        try:
            for done in outcomes:
                record = _record(done.item, done.result, done.error)
                job.add(record)
                on_record(record)
                if done.error:
                    failures.append((done.item[1].path, str(done.error)))
                on_progress(Progress(job.done + job.pending, job.failed + len(failures), job.total))
                if job.pending >= SHARD_RECORDS or time.monotonic() - last_commit > SHARD_SECONDS:
                    job.commit()
                    last_commit = time.monotonic()
        finally:
            # Closed first: its threads may still be writing pictures of records that are not taken any more.
            outcomes.close()
            job.commit()
        if request.table:
            _write_table(job, model.task)
        job.finish()
        return Summary(job.done, job.failed, earlier, folder, time.monotonic() - start, tuple(failures[:10]))


def _run_without_job(model: Model, request: RunRequest, on_record: OnRecord, on_progress: OnProgress) -> Summary:
    """Records only: to whoever listens, with nothing kept on disk."""
    start, count, failures, failed = time.monotonic(), 0, [], 0
    items = list(enumerate(list_images(request.sources)))
    total = len(items)
    outcomes = model.apply(items, _writer(model, request, None), open_source=lambda one: one[1].path, many=total > 1)
    for count, done in enumerate(outcomes, 1):
        on_record(_record(done.item, done.result, done.error))
        if done.error:
            failed += 1
            if len(failures) < KEPT_FAILURES:
                failures.append((done.item[1].path, str(done.error)))
        on_progress(Progress(count, failed, total))
    return Summary(count, failed, 0, None, time.monotonic() - start, tuple(failures))


def _run_to_file(
    model: Model, request: RunRequest, path: Path, on_record: OnRecord, on_progress: OnProgress
) -> Summary:
    """One source to one picture file."""
    start = time.monotonic()
    items = list(enumerate(list_images(request.sources)))
    if len(items) != 1:
        raise UsageError(f"-o {path} is a picture file, but there are {len(items)} pictures. Name a folder instead.")

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        picture = result if isinstance(result, Raster) else _drawn(model, opened, result)
        _write(picture, path, request.quality)
        return {**_facts(opened), **_answer(result), "output": str(path)}

    outcomes = model.apply(items, write, open_source=lambda one: one[1].path, many=False)
    done = next(outcomes)
    outcomes.close()
    on_record(_record(done.item, done.result, done.error))
    failures = ((done.item[1].path, str(done.error)),) if done.error else ()
    on_progress(Progress(1, len(failures), 1))
    return Summary(1, len(failures), 0, path, time.monotonic() - start, failures)


def _check_request(model: Model, request: RunRequest) -> None:
    if not request.sources:
        raise UsageError("nothing to run on. Name files, folders, globs, or - for a list on standard input.")
    if request.suffix is not None and request.suffix not in image_suffixes():
        raise UsageError(f"no format has the ending {request.suffix!r}. Known: {' '.join(sorted(image_suffixes()))}")
    if request.output is None and (request.draw or request.table) and not model.task.makes_images:
        raise UsageError("pictures and tables need a folder to go to. Name one with -o.")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in image_suffixes() and not path.is_dir()


def _job_request(model: Model, request: RunRequest) -> dict[str, Any]:
    spec = model.bundle.spec
    return {
        "task": model.task.name,
        "model": f"{spec.name} {spec.version}",
        "bundle_sha256": model.bundle.digest,
        "sources": list(request.sources),
        "options": asdict(model.options),
        "runtime": model.execution.runtime,
        "precision": model.execution.precision,
        "max_pixels": model.execution.max_pixels,
        "draw": request.draw,
        "suffix": request.suffix,
        "quality": request.quality,
        "table": request.table,
    }


def _writer(model: Model, request: RunRequest, folder: Path | None) -> Callable[[Opened, Any], dict[str, Any]]:
    """The last step of each item: pictures to disk, facts and answer to a record."""

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        index, item = opened.source
        record = {**_facts(opened), **_answer(result)}
        if folder is not None and (request.draw or isinstance(result, Raster)):
            picture = result if isinstance(result, Raster) else _drawn(model, opened, result)
            name = _output_name(item.name, picture, request.suffix)
            _write_aside(picture, folder, name, index, request.quality)
            record["output"] = f"images/{name}"
        return record

    return write


def _facts(opened: Opened) -> dict[str, Any]:
    source = opened.raster.source
    facts: dict[str, Any] = {"size_hw": list(source.upright_size_hw), "format": source.format}
    if source.orientation != 1:
        facts |= {"orientation": source.orientation, "stored_size_hw": list(source.stored_size_hw)}
    warnings = list(opened.raster.warnings)
    if source.pages > 1:
        warnings.append(f"only page {source.page + 1} of {source.pages} was read")
    return {**facts, "warnings": warnings} if warnings else facts


def _answer(result: Any) -> dict[str, Any]:
    return {"output_size_hw": list(result.size_hw)} if isinstance(result, Raster) else result.to_dict()


def _record(numbered: tuple[int, Item], answer: dict[str, Any] | None, error: Exception | None) -> dict[str, Any]:
    index, item = numbered
    record = {"record": RECORD_VERSION, "index": index, "path": item.path}
    if error is None:
        return {**record, **(answer or {})}
    if isinstance(error, OutputError):
        raise error
    if not isinstance(error, PixelwrightError):
        log.error("%s: unexpected %s", item.path, type(error).__name__, exc_info=error)
    return {**record, "error": describe(error)}


def _drawn(model: Model, opened: Opened, result: Any) -> Raster:
    return Raster.of(model.task.draw(to_srgb(opened.raster.read()), result))


def _output_name(name: str, picture: Raster, suffix: str | None) -> str:
    """The item's name, with another ending added where its own does not fit what is written."""
    wanted = suffix or fitting_suffix(
        picture, "tiff" if picture.nbytes > LARGEST_WHOLE_BYTES else picture.source.format
    )
    own = Path(name).suffix.lower()
    kin = next((form.suffixes for form in formats() if wanted in form.suffixes), (wanted,))
    return name if own in kin else name + wanted


def _write_aside(picture: Raster, folder: Path, name: str, index: int, quality: int | None) -> None:
    # Written in a folder of its own first, so that what a kill leaves behind is easily told from results.
    target = folder / "images" / name
    aside = folder / PARTIAL / f"{index}{Path(name).suffix}"
    _write(picture, aside, quality)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
    except OSError as err:
        raise _stopped(target, err) from err


def _write(picture: Raster, path: Path, quality: int | None) -> None:
    try:
        write_image(picture, path, quality=quality)
    except ImageError as err:
        cause = err.__cause__
        if isinstance(cause, OSError) and cause.errno in DISK_TROUBLE:
            raise _stopped(path, cause) from err
        raise


def _stopped(path: Path, err: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {err.strerror}. What was finished is kept; mend that and run the same command again."
    )


def _write_table(job: Job, task: Task) -> None:
    """`results.csv`: one row an item, failures with their reason."""
    aside = job.folder / "results.csv.tmp"
    try:
        with aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out:
            rows = csv.DictWriter(out, ["path", *task.columns, "error"], extrasaction="ignore")
            rows.writeheader()
            for record in job.records():
                answer = {} if "error" in record else task.row(record)
                rows.writerow({"path": record["path"], "error": record.get("error", {}).get("message", ""), **answer})
        aside.replace(job.folder / "results.csv")
    except OSError as err:
        raise _stopped(job.folder / "results.csv", err) from err
