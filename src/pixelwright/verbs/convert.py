"""Convert: a foreign model file to a bundle, by a written contract or by one that is inferred and shown."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from pixelwright import __version__, registry
from pixelwright.bundle import ModelBundle
from pixelwright.errors import MissingExtra, PixelwrightError, UsageError
from pixelwright.interop.assemble import Plan, build
from pixelwright.interop.guess import guess
from pixelwright.interop.imported import Imported, Importer
from pixelwright.interop.labels import read_labels
from pixelwright.interop.probe_picture import probe_picture
from pixelwright.interop.reading import read
from pixelwright.interop.template import template
from pixelwright.io.digest import sha256_of
from pixelwright.io.sources import list_images
from pixelwright.model import load
from pixelwright.structures.draft import Draft
from pixelwright.structures.spec import Provenance

MAX_CONTRACT_BYTES = 16_000_000
TRIED_HW = (120, 160)
SAMPLES = 8
TEXTS = (".txt", ".names")  # endings of label files


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What to convert, and what is said of it.

    Attributes:
        files: A model file, and perhaps a label file.
        target: Folder of the bundle; None where only a template is wanted.
        task: A registry name; may be empty where the contract names it.
        contract: A TOML file with a `Draft`; without one the contract is inferred.
        labels: A label file, however it is called.
        name: Of the bundle; the target's by default.
        outputs: Tensors to expose instead of the network's own outputs.
        dequantize: Whether to make a float network of a quantized one.
        sample: A folder with pictures to try the bundle on.
        replace: Whether a bundle that stands there may be replaced.
    """

    files: tuple[str, ...]
    target: Path | None = None
    task: str = ""
    contract: Path | None = None
    labels: Path | None = None
    name: str = ""
    outputs: tuple[str, ...] = ()
    dequantize: bool = False
    sample: Path | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A bundle and how it came about.

    Attributes:
        bundle: As written.
        opset: Of its network.
        shown: What the file says of itself, where there was no contract.
        assumed: What was assumed for want of one.
        notes: What is to be known of the conversion.
        answers: Pictures of the sample, and what the bundle says of each.
    """

    bundle: ModelBundle
    opset: int
    shown: tuple[str, ...]
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """The request with its files read, as far as they are text."""

    model: Path
    importer: Importer
    labels: tuple[str, ...]
    draft: Draft | None
    task: str


def convert(request: ConvertRequest) -> Report:
    """The bundle, written and tried.

    Raises:
        UsageError: What was given makes no sense, or does not suffice; all of it is named.
        PixelwrightError: The model cannot be read, does not fit the contract, or does not run.
    """
    given = _given(request)
    if request.target is None:
        raise UsageError("there is no place for the bundle. Name a folder with -o.")
    imported = _read(given, request)
    found = None if given.draft else guess(imported, given.task, given.labels)
    draft = given.draft or found.draft()  # type: ignore[union-attr]
    plan = Plan(imported, draft, request.name or _name_of(request.target), _provenance(given.model), given.labels)
    built = build(plan, request.target, accept=try_out, replace=request.replace)
    return Report(
        built.bundle,
        next(one.version for one in imported.model.opset_import if not one.domain),
        tuple(found.shown) if found else (),
        tuple(found.assumed) if found else (),
        (*imported.notes, *built.notes),
        tuple(_answers(built.bundle, request.sample)) if request.sample else (),
    )


def draft_template(request: ConvertRequest) -> str:
    """A contract to be filled in, as TOML."""
    given = _given(request)
    return template(guess(_read(given, request), given.task, given.labels))


def try_out(bundle: ModelBundle) -> None:
    """Nothing, if a bundle works as a model of its task: it answers to one picture.

    Raises:
        PixelwrightError: It does not.
    """
    load(bundle.path, task=bundle.spec.task)(probe_picture(TRIED_HW))


def _read(given: _Given, request: ConvertRequest) -> Imported:
    draft = given.draft
    outputs = request.outputs or tuple(draft.outputs if draft else ())
    dequantize = request.dequantize or bool(draft and draft.dequantize)
    return read(given.importer, given.model, outputs=outputs, dequantize=dequantize)


def _given(request: ConvertRequest) -> _Given:
    """The files sorted and read, or all that is wrong with them at once."""
    if find_spec("onnx") is None:
        raise MissingExtra("converting models", "convert")
    faults: list[str] = []
    models, texts = _sorted_files(request, faults)
    labels, draft = (), None
    try:
        labels = read_labels(texts[0]) if texts else ()
    except UsageError as err:
        faults.append(str(err).rstrip("."))
    try:
        draft = _read_contract(request.contract) if request.contract else None
    except UsageError as err:
        faults.append(str(err).rstrip("."))
    if request.sample and not request.sample.is_dir():
        faults.append(f"--sample {request.sample}: is no folder of pictures")
    faults.extend(_target_faults(request))
    task = request.task or (draft.task if draft else "")
    faults.extend(_task_faults(task, request, draft))
    if faults:
        raise UsageError(f"{'; '.join(faults)}.")
    return _Given(*models[0], labels, draft, task)


def _sorted_files(request: ConvertRequest, faults: list[str]) -> tuple[list[tuple[Path, Importer]], list[Path]]:
    importers: list[Importer] = [registry.get("importer", name) for name in registry.names("importer")]
    endings = {suffix: importer for importer in importers for suffix in importer.suffixes}
    models: list[tuple[Path, Importer]] = []
    texts = [request.labels] if request.labels else []
    for path in map(Path, request.files):
        if not path.is_file():
            faults.append(f"there is no file {path}")
        elif importer := endings.get(path.suffix.lower()):
            models.append((path, importer))
        elif path.suffix.lower() in TEXTS:
            texts.append(path)
        else:
            known = ", ".join([*endings, *TEXTS])
            faults.append(f"{path}: {path.suffix or 'a file without ending'} is not read; known are {known}")
    if len(models) != 1 and not faults:
        faults.append(f"expected one model file ({', '.join(endings)}), got {len(models)}")
    if len(texts) > 1:
        faults.append(f"expected one label file, got {', '.join(map(str, texts))}")
    return models, texts


def _target_faults(request: ConvertRequest) -> list[str]:
    """What stands in the way of the bundle, before minutes are spent on it."""
    target = request.target
    if target is None or request.replace or not target.is_dir() or not any(target.iterdir()):
        return []
    return [f"{target}: something stands there; name another folder with -o, or replace a bundle with --replace"]


def _read_contract(path: Path) -> Draft:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONTRACT_BYTES + 1)
        if len(raw) > MAX_CONTRACT_BYTES:
            raise UsageError(f"{path}: is over {MAX_CONTRACT_BYTES / 1e6:.0f} MB; no contract is.")
        return msgspec.toml.decode(raw, type=Draft)
    except OSError as err:
        raise UsageError(f"{path}: cannot be read: {err.strerror}.") from err
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise UsageError(f"{path}: {err}. Correct the contract.") from err


def _task_faults(task: str, request: ConvertRequest, draft: Draft | None) -> list[str]:
    if not task:
        return [] if request.contract else [f"name the task with --task: {', '.join(registry.names('task'))}"]
    if draft and request.task and request.task != draft.task:
        return [
            f"{request.contract}: is for the task {draft.task!r}, and --task says {request.task!r}; make them equal"
        ]
    try:
        registry.get("task", task)
    except PixelwrightError as err:
        return [str(err).rstrip(".")]
    return []


def _name_of(target: Path) -> str:
    """The folder's name with what a bundle's name may hold."""
    name = re.sub(r"[^a-z0-9._-]+", "-", target.absolute().name.lower()).lstrip("._-")[:100]
    if not name:
        raise UsageError(f"{target}: gives no name for the bundle. Name it with --name.")
    return name


def _provenance(model: Path) -> Provenance:
    name = os.fsencode(model.name).decode("utf-8", "replace")  # not every file name is text
    return Provenance(f"pixelwright {__version__}", recipe=f"converted from {name}", source_sha256=sha256_of(model))


def _answers(bundle: ModelBundle, sample: Path) -> list[tuple[str, str]]:
    """What the bundle says of some pictures of a folder, evenly picked."""
    model = load(bundle.path)
    paths = [item.path for item in list_images([str(sample)])]
    picked = [paths[number * len(paths) // SAMPLES] for number in range(SAMPLES)] if len(paths) > SAMPLES else paths
    if not picked:
        raise UsageError(f"--sample {sample}: holds no pictures.")
    said = []
    for done in model.stream(picked):
        answer: Any = done.result
        shown = done.error is None and not model.task.makes_images
        said.append((str(done.item), model.task.text(answer.to_dict()) if shown else str(done.error or "works")))
    return said


def report_text(report: Report) -> str:
    """The report, to be read."""
    spec = report.bundle.spec
    lines = [f"{spec.name} {spec.version} -> {report.bundle.path}"]
    for side, tensors in (("input", spec.graphs["model"].inputs), ("output", spec.graphs["model"].outputs)):
        lines += [f"{side:8}{one.name} {one.dtype} ({', '.join(map(str, one.dims))})" for one in tensors]
    lines.append(f"network opset {report.opset}, {_size(report.bundle) / 1e6:.2f} MB")
    lines.append(f"decoder {spec.output.decoder}, {len(spec.output.labels)} labels")
    lines += [
        f"parity  {row.runtime} {row.precision} differs by {row.largest_difference:.2g}, allowed {row.tolerance:.2g}"
        + (f"; {row.metric} {row.metric_delta:.2g}" if row.metric else "")
        for row in spec.parity
    ]
    for heading, sentences in (("found", report.shown), ("assumed", report.assumed), ("note", report.notes)):
        lines += [f"{heading:8}{sentence}" for sentence in sentences]
    lines += [f"sample  {path}: {text}" for path, text in report.answers]
    lines.append(f"Try it: pixelwright {spec.task} PICTURE --model {_as_model(report.bundle)}")
    return "\n".join(lines)


def _as_model(bundle: ModelBundle) -> str:
    text = str(bundle.path)
    return shlex.quote(text if "/" in text or "\\" in text else f"./{text}")


def _size(bundle: ModelBundle) -> int:
    return bundle.file("model").stat().st_size


def report_dict(report: Report) -> dict[str, Any]:
    """The report for `--json`."""
    return {
        "path": str(report.bundle.path),
        "digest": report.bundle.digest,
        "opset": report.opset,
        "model_bytes": _size(report.bundle),
        "found": list(report.shown),
        "assumed": list(report.assumed),
        "notes": list(report.notes),
        "sample": [{"path": path, "answer": text} for path, text in report.answers],
        "bundle": msgspec.to_builtins(report.bundle.spec),
    }
