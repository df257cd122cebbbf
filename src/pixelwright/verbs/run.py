"""Run a model over pictures and videos: a few or ten million, with bounded memory, nothing lost or done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pixelwright.errors import ImageError, OutputError, UsageError
from pixelwright.io.atomic import replacing
from pixelwright.io.sources import Item, list_images
from pixelwright.model import Model, Opened
from pixelwright.pipeline import Done
from pixelwright.structures.raster import Raster
from pixelwright.verbs.answers import picture_of, record_of
from pixelwright.verbs.job import Job, open_job
from pixelwright.verbs.outputs import output_name, video_into_job, write_export, write_into_job, write_picture
from pixelwright.verbs.request import (
    RunRequest,
    check_request,
    default_folder,
    is_picture,
    is_video_file,
    job_request,
)
from pixelwright.verbs.tally import OnProgress, OnRecord, Progress, Summary, Tally
from pixelwright.verbs.video import Sink, VideoRun, sink_names

__all__ = ["Progress", "RunRequest", "Summary", "default_folder", "is_file", "plan", "run"]

_Numbered = tuple[int, Item]


def is_file(output: Path) -> bool:
    """Whether an output is meant as one picture or video rather than as a job folder."""
    return is_picture(output) or is_video_file(output)


def run(model: Model, request: RunRequest, *, on_record: OnRecord, on_progress: OnProgress) -> Summary:
    """Run a model over sources.

    Args:
        model: What to run.
        request: On what, and where to.
        on_record: Called with each result record, in order: of each picture, and where no folder keeps them of each
            frame, else of each video.
        on_progress: Called after each item and each frame.

    Raises:
        JobError: The output cannot be used; the sentence says what to do.
        OutputError: The disk is full or not writable.
        UsageError: The sources or options make no sense.
    """
    check_request(model, request)
    tally = Tally(on_record, on_progress)
    if request.output is None and not model.task.makes_images:
        return _run_without_job(model, request, tally)
    if request.output is not None and is_picture(request.output):
        return _run_to_picture(model, request, request.output, tally)
    if request.output is not None and is_video_file(request.output):
        return _run_to_video(model, request, request.output, tally)
    return _run_job(model, request, request.output or default_folder(model, request), tally)


def plan(model: Model, request: RunRequest) -> dict[str, Any]:
    """What `run` would do, without reading a picture or video."""
    check_request(model, request)
    output = request.output or (default_folder(model, request) if model.task.makes_images else None)
    items = list(list_images(request.sources, leave_out=output))
    return {
        "task": model.task.name,
        "model": f"{model.bundle.spec.name} {model.bundle.spec.version}",
        "pictures": sum(not item.is_video for item in items),
        "videos": sum(item.is_video for item in items),
        "first": [item.path for item in items[:5]],
        "output": str(output) if output else None,
        "options": asdict(model.options),
        "execution": asdict(model.execution),
    }


def _run_job(model: Model, request: RunRequest, folder: Path, tally: Tally) -> Summary:
    def listed() -> Iterator[Item]:
        return list_images(request.sources, leave_out=folder)

    with open_job(folder, job_request(model, request), listed) as job:
        tally.start(job.total, done=job.done, failed=job.failed, faulty=job.faulty, read=job.read)
        try:
            for is_video, group in groupby(job.items(), lambda numbered: numbered[1].is_video):
                if is_video:
                    _videos_into_job(model, request, job, group, tally)
                else:
                    _pictures_into_job(model, request, job, group, tally)
                if tally.stopped:
                    break
        finally:
            job.commit()
        if tally.stopped and job.done < job.total:
            return tally.summary(folder)
        job.check_complete()
        for name in request.exports:
            write_export(name, job, model.task, model.bundle.spec)
        job.finish()
    return tally.summary(folder)


def _pictures_into_job(model: Model, request: RunRequest, job: Job, items: Iterable[_Numbered], tally: Tally) -> None:
    write = _into_job(model, request, job.folder)
    # Closed before records are committed: its threads may still be writing pictures of records not taken any more.
    with closing(model.apply(items, write, open_source=_path, count=job.total)) as outcomes:
        for done in outcomes:
            tally.take(done, job.add)
            job.commit_if_due()


def _videos_into_job(model: Model, request: RunRequest, job: Job, items: Iterable[_Numbered], tally: Tally) -> None:
    """Each video whole: a kill costs the one that is under way, and none that was done."""
    for numbered in items:
        index, item = numbered
        frames_name, video_name = sink_names(item)
        try:
            with video_into_job(job.folder, index, frames_name, video_name) as (records, video):
                shows = request.draw or model.task.makes_images
                sink = Sink(records, video if shows else None, place=job.folder / frames_name)
                run = VideoRun(model, request, index, item, sink, tally)
                result = run.run() | {"frame_records": frames_name}
                if run.shown:
                    result["output"] = video_name
                error = run.lost
        except Exception as err:  # whatever it was, it ends this item and no other
            if err is tally.unheard:
                raise
            result, error = None, err
        tally.take(Done(numbered, result, error), job.add)
        job.commit()
        if tally.stopped:
            return


def _run_without_job(model: Model, request: RunRequest, tally: Tally) -> Summary:
    """Records only: to whoever listens, with nothing kept on disk."""
    items = list(enumerate(list_images(request.sources)))
    tally.start(len(items))
    for is_video, group in groupby(items, lambda numbered: numbered[1].is_video):
        if not is_video:
            for done in model.apply(group, record_of, open_source=_path, count=len(items)):
                tally.take(done)
            continue
        for numbered in group:
            _tell_frames(VideoRun(model, request, *numbered, Sink(), tally))
            if tally.stopped:
                return tally.summary(None)
    return tally.summary(None)


def _tell_frames(run: VideoRun) -> bool:
    """Run over a video whose records are told frame by frame; one of the whole is told only where it failed.

    Returns whether it came to its end, or to that of a live source.
    """
    try:
        result, error = run.run(), run.lost
    except Exception as err:  # whatever it was, it ends this item and no other
        if err is run.tally.unheard:
            raise
        result, error = None, err
    run.tally.take(Done((run.index, run.item), result, error), tell=error is not None)
    return result is not None


def _run_to_picture(model: Model, request: RunRequest, path: Path, tally: Tally) -> Summary:
    """One source to one picture file."""
    index, item = _only_item(request, path, "picture")
    if item.is_video:
        raise UsageError(f"-o {path} is a picture file, but {item.path} is a video. Name a folder, or a .mp4.")

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        write_picture(picture_of(model, opened, result), path, request.quality)
        return {**record_of(opened, result), "output": str(path)}

    tally.start(1)
    for done in model.apply([(index, item)], write, open_source=_path, count=1):
        tally.take(done)
    return tally.summary(path)


def _run_to_video(model: Model, request: RunRequest, path: Path, tally: Tally) -> Summary:
    """One video to one video file: annotated, or enhanced."""
    index, item = _only_item(request, path, "video")
    if not item.is_video:
        raise UsageError(f"-o {path} is a video file, but {item.path} is a picture. Name a folder, or a picture file.")
    tally.start(1)
    try:
        with suppress(_NothingShown), replacing(path) as file:
            sink = Sink(video=file, suffix=path.suffix.lower(), place=path)
            run = VideoRun(model, replace(request, draw=True), index, item, sink, tally)
            if not (_tell_frames(run) and run.shown):
                raise _NothingShown
    except ImageError as err:  # those of the source are told of already
        raise OutputError(str(err)) from err
    return tally.summary(path)


class _NothingShown(Exception):
    """No video came out, so that what was there before stays."""


def _only_item(request: RunRequest, path: Path, kind: str) -> _Numbered:
    items = list(list_images(request.sources))
    if len(items) != 1:
        raise UsageError(f"-o {path} is a {kind} file, but there are {len(items)} {kind}s. Name a folder instead.")
    if path.exists() and Path(items[0].path).exists() and path.samefile(items[0].path):
        raise UsageError(f"-o {path} would overwrite the {kind} it is made from. Name another file.")
    return 0, items[0]


def _into_job(model: Model, request: RunRequest, folder: Path) -> Callable[[Opened, Any], dict[str, Any]]:
    """The last step of each picture of a job: what is made of it, if anything, to disk, and its record."""

    def write(opened: Opened, result: Any) -> dict[str, Any]:
        index, item = opened.source
        if not (request.draw or isinstance(result, Raster)):
            return record_of(opened, result)
        picture = picture_of(model, opened, result)
        name = output_name(item.name, picture, request.suffix)
        write_into_job(picture, folder, name, index, request.quality)
        # After the picture: what is computed as it is written decodes its source only then, with what there is to say.
        return {**record_of(opened, result), "output": f"images/{name}"}

    return write


def _path(numbered: _Numbered) -> str:
    return numbered[1].path
