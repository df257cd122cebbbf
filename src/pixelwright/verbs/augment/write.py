"""Writing an augmented data set: every variant by its own seed, in an order that does not matter, and to be continued.

What was done is kept as a job in `.augment/` within the folder, which readers of data sets pass over.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwright.data.aside import readable
from pixelwright.data.augment.policy import Policy, suited
from pixelwright.data.dataset import Dataset, Sample, SplitName, fingerprint
from pixelwright.data.digests import digests_of
from pixelwright.data.pictures import FilePicture
from pixelwright.errors import JobError, MissingExtra, OutputError, PixelwrightError, UsageError, describe
from pixelwright.io.images import fitting_suffix
from pixelwright.io.sources import Item
from pixelwright.pipeline import flow
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.verbs.augment.forms import Form, finish_groups, form_of, void_remarks
from pixelwright.verbs.job import Job, open_job, stopped
from pixelwright.verbs.outputs import DISK_TROUBLE, write_picture
from pixelwright.verbs.tally import KEPT_FAILURES, Progress

JOB = ".augment"
FORMAT = 1
JPEG_QUALITY = 95  # of variants of JPEGs: what their own noise and blocks hide
_VARIANT = re.compile(r"(.*)-v\d+", re.DOTALL)
EXPECTED = (PixelwrightError, OSError, MemoryError)  # of a picture, which others do not suffer by
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class AugmentRequest:
    """What is written, and where.

    Attributes:
        output: A folder that is new, or holds the same request, cut short.
        policy: What is allowed, before labels forbid some of it.
        copies: Variants of each picture.
        seed: Of everything.
        originals: Whether the pictures themselves are written too, unchanged.
        splits: Of which splits there are variants; the pictures of others are written as they are.
    """

    output: Path
    policy: Policy
    copies: int = 1
    seed: int = 0
    originals: bool = True
    splits: tuple[SplitName, ...] = ("train", "")


@dataclass(frozen=True, slots=True)
class Written:
    """How it ended.

    Attributes:
        pictures: In the folder.
        variants: How many of them are variants.
        failed: Pictures of the data set that could not be read, or not be written as they are or varied.
        failures: The first few, as (id, reason).
        layout: Registry name of the layout that reads the folder.
        remarks: What the user should know, a sentence each.
        seconds: Wall time of this run.
    """

    pictures: int
    variants: int
    failed: int
    failures: tuple[tuple[str, str], ...]
    layout: str
    remarks: tuple[str, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 all done, 1 done with failures, 3 nothing could be read."""
        return 3 if self.failed and not self.pictures else int(bool(self.failed))


def augment_dataset(
    dataset: Dataset, request: AugmentRequest, *, workers: int = 0, on_progress: OnProgress | None = None
) -> Written:
    """A data set written out with variants.

    Each file is there whole or not at all; killed at any moment, the same call continues, and the result is the same.

    Raises:
        MissingExtra: PyTorch is not installed.
        UsageError: The request makes no sense, or the data are sequences.
        JobError: The folder holds something else.
        OutputError: The disk is full or not writable; what was finished is kept.
    """
    began = time.monotonic()
    policy, remarks = _checked(dataset, request)
    form = form_of(dataset)
    plan = _plan(dataset, request)
    wanted = asdict(replace(request, policy=policy)) | {"output": "", "data": fingerprint(dataset), "form": form.layout}
    with open_job(request.output / JOB, wanted, lambda: [Item(sample.id, f"{copy}") for sample, copy in plan]) as job:
        names, groups = _names(dataset), _groups(dataset)
        maker = _Maker(form, policy, request, names)
        outcomes = flow(
            plan[job.done :], maker, lambda done: done, key=lambda _: 0, workers=workers or os.cpu_count() or 1
        )
        failures: dict[str, str] = {}
        failed = job.failed  # by an earlier run
        if on_progress is not None:
            on_progress(Progress(job.done, failed, job.total))
        try:
            for done in outcomes:
                failed += done.error is not None
                job.add(_record(job, done.item, done.result, done.error, failures, groups))
                job.commit_if_due()
                if on_progress is not None:
                    on_progress(Progress(job.done + job.pending, failed, job.total))
        finally:
            outcomes.close()
            job.commit()

        def records() -> Iterator[dict[str, Any]]:
            return (one for one in job.records() if "error" not in one)

        form.finish(request.output, dataset, records)
        finish_groups(request.output, records)
        remarks += void_remarks(request.output, records)
        job.finish()
        variants = sum(record["copy"] > 0 for record in records())
        pictures, failed = job.total - job.failed, len({one["path"] for one in job.records() if "error" in one})
    kept = tuple(failures.items())[:KEPT_FAILURES]
    return Written(pictures, variants, failed, kept, form.layout, remarks, time.monotonic() - began)


def write_preview(dataset: Dataset, policy: Policy, path: Path, *, seed: int = 0) -> tuple[str, ...]:
    """A contact sheet of what the policy does to some pictures; returns what the labels forbade.

    Raises:
        MissingExtra: PyTorch is not installed.
        ImageError: A picture cannot be read, or the sheet not be written.
    """
    _need_torch()
    from pixelwright.data.augment.sheet import preview

    allowed, remarks = suited(policy, dataset)
    write_picture(Raster.of(preview(dataset, allowed, seed=seed)), path, None)
    return remarks


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise MissingExtra("augmenting a data set", "train")


def _checked(dataset: Dataset, request: AugmentRequest) -> tuple[Policy, tuple[str, ...]]:
    """The policy that is used, once it is certain that the request can be done."""
    _need_torch()
    if dataset.sequence:
        raise UsageError("sequences are varied while a training reads them; there is no folder of them to write.")
    if request.copies < 1:
        raise UsageError(f"copies: expected 1 or more, got {request.copies}.")
    here, there = Path(os.path.realpath(dataset.root)), Path(os.path.realpath(request.output))
    if there == here or there.is_relative_to(here):
        raise UsageError(f"{request.output} lies in the data set itself. Name a folder beside it.")
    _check_output(request.output)
    policy, remarks = suited(request.policy, dataset)
    if policy.mixes:  # a picture of two classes has no folder to lie in
        remarks = (*remarks, "pictures are not mixed: that is done while training")
        policy = replace(policy, mixup_alpha=0.0, cutmix_alpha=0.0)
    return policy, remarks


def _check_output(folder: Path) -> None:
    """Refuse what is no folder, or one with something else in it; sweep up what a kill has left in ours."""
    if (folder / JOB).is_dir():
        for aside in folder.rglob(".pixelwright-*.part"):
            aside.unlink(missing_ok=True)
    elif folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file. Name a new folder.")
    elif folder.exists() and any(folder.iterdir()):
        raise JobError(f"{folder} has something in it already. Name a new folder.")


def _plan(dataset: Dataset, request: AugmentRequest) -> list[tuple[Sample, int]]:
    """What is written: samples and the numbers of variants, 0 for the picture itself."""
    plan = []
    for sample in dataset.samples:
        varied = sample.split in request.splits
        plan += [(sample, 0)] if request.originals or not varied else []
        plan += [(sample, copy) for copy in range(1, request.copies + 1)] if varied else []
    if not any(copy for _, copy in plan):
        there = ", ".join(sorted({sample.split or "none" for sample in dataset.samples}))
        raise UsageError(f"no picture is of the splits {', '.join(filter(None, request.splits))}; there are: {there}.")
    return plan


def _names(dataset: Dataset) -> dict[str, str]:
    """For each sample a name without an ending: that of its file, where no other and no variant has it too."""
    short = {sample.id: _stem(sample.id.rpartition("/")[2]) for sample in dataset.samples}
    counts = Counter(name.casefold() for name in short.values())
    names = {one: name if counts[name.casefold()] == 1 else _stem(one) for one, name in short.items()}
    taken = Counter(name.casefold() for name in names.values())

    def alone(name: str) -> bool:
        varied = _VARIANT.fullmatch(name.casefold())  # as in a folder that was augmented before
        return taken[name.casefold()] == 1 and not (varied and taken[varied[1]])

    return {
        one: name if alone(name) else f"{name}-{hashlib.sha256(os.fsencode(one)).hexdigest()[:8]}"
        for one, name in names.items()
    }


def _groups(dataset: Dataset) -> dict[str, str]:
    """What each sample belongs to with its variants: its group, or the first of equal pictures without one."""
    first: dict[str, str] = {}
    groups = {}
    for sample, digest in zip(dataset.samples, digests_of(one.picture for one in dataset.samples), strict=True):
        groups[sample.id] = sample.group or first.setdefault(digest or sample.id, sample.id)
    return groups


def _stem(sample_id: str) -> str:
    """A name that label files can state: valid Unicode, without a character that some take for a slash."""
    path, row, number = sample_id.partition("#")
    known = path if row else str(PurePosixPath(path).with_suffix(""))
    return re.sub(r"[/#\\]", "-", readable(f"{known}{row}{number}"))


@dataclass(frozen=True, slots=True)
class _Maker:
    """The work of one picture; runs on several threads."""

    form: Form
    policy: Policy
    request: AugmentRequest
    names: dict[str, str]

    def __call__(self, wanted: tuple[Sample, int]) -> dict[str, Any]:
        """Writes the picture and what lies beside it; what its record says."""
        from pixelwright.data.augment.single import vary

        sample, copy = wanted
        target = sample.truth()
        image = sample.read()
        name = self.names[sample.id] + (f"-v{copy}" if copy else "")
        if copy:
            image, target = vary(image, target, self.policy, _seed_of(sample.id, copy, self.request.seed))
        place = self.form.place(sample, target, name)
        said = self.form.keep(self.request.output, place, target, image.size_hw)
        return {"file": self._write(sample, image, place, as_is=not copy), **said}

    def _write(self, sample: Sample, image: Image, place: str, *, as_is: bool) -> str:
        """The picture: its own bytes where it has not changed, else in a format that holds it whole."""
        picture = sample.picture
        raster = Raster.of(image)
        if as_is and isinstance(picture, FilePicture):
            member = picture.place.member or picture.place.file
            path = self.request.output / f"{place}{PurePosixPath(member).suffix.lower()}"
            _copy(picture, path)
        else:
            suffix = fitting_suffix(raster, "jpeg" if image.source.format == "jpeg" else "png")
            path = self.request.output / f"{place}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(raster, path, JPEG_QUALITY if suffix == ".jpg" else None, in_job=True)
        return path.relative_to(self.request.output).as_posix()


def _copy(picture: FilePicture, path: Path) -> None:
    from pixelwright.io.atomic import whole_file

    stored = picture.place.read()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as out:
            out.write(stored)
    except OSError as err:
        raise stopped(path, err) from err


def _seed_of(sample_id: str, copy: int, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\n{copy}\n{sample_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch takes 63 bits


def _record(
    job: Job,
    wanted: tuple[Sample, int],
    said: dict[str, Any] | None,
    error: Exception | None,
    failures: dict[str, str],
    groups: dict[str, str],
) -> dict[str, Any]:
    """The record of an outcome; raises what concerns not only this picture."""
    sample, copy = wanted
    if isinstance(error, OutputError) or not (error is None or isinstance(error, EXPECTED)):
        raise error
    if isinstance(error, OSError) and not isinstance(error, PixelwrightError) and error.errno in DISK_TROUBLE:
        raise stopped(Path(sample.id), error)
    record = {"index": job.done + job.pending, "path": sample.id, "copy": copy}
    if error is not None:
        failures.setdefault(sample.id, str(error))  # once, not for each variant
        return record | {"error": describe(error)}
    return record | {"split": sample.split, "group": groups[sample.id]} | (said or {})
