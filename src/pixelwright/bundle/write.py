"""Write a bundle: never half of one, and never one that would not be read back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

import msgspec

from pixelwright.bundle.files import CARD_FILE, SPEC_FILE, path_fault
from pixelwright.bundle.read import ModelBundle, parse_spec, read_bundle
from pixelwright.card import render_card
from pixelwright.errors import BundleError
from pixelwright.io.digest import sha256_of
from pixelwright.structures.spec import Artifact, BundleSpec, FileSpec

AnyPath = str | PathLike[str]
Format = Literal["onnx", "npz", "safetensors", "hf"]

FORMATS: Mapping[str, Format] = MappingProxyType(
    {".onnx": "onnx", ".npz": "npz", ".safetensors": "safetensors", ".json": "hf"}
)


def write_bundle(
    folder: AnyPath,
    spec: BundleSpec,
    files: Mapping[str, AnyPath | Sequence[AnyPath]],
    *,
    replace: bool = False,
) -> ModelBundle:
    """The bundle written and read back: artifacts copied, `bundle.json` and the card made beside them.

    Everything is written into a folder aside, checked in full there, and renamed.

    Args:
        folder: Where; it must not exist, or be empty, or be a bundle that may be replaced.
        spec: The contract. Its `artifacts` are filled in from `files`, whatever they were.
        files: For each role its file, or several: the model file first, then its external data, all in one folder.
        replace: Whether an existing bundle may be replaced.

    Raises:
        BundleError: The contract has faults, a file is missing, or the folder holds something else.
    """
    target = Path(folder)
    _check_target(target, replace=replace)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            spec = _fill(aside, target, spec, files)
            aside.chmod(0o755)  # mkdtemp makes it readable by the owner alone
            _move_into_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as err:
        raise BundleError(target, f"cannot be written: {err.strerror or err}. Choose another place.") from err
    return ModelBundle(target, spec)


def _fill(aside: Path, target: Path, spec: BundleSpec, files: Mapping[str, AnyPath | Sequence[AnyPath]]) -> BundleSpec:
    """Write all of it into the folder aside, read it back, and give the contract as it is read."""
    artifacts = [_copy(target, aside, role, _listed(given)) for role, given in files.items()]
    complete = msgspec.structs.replace(spec, artifacts=artifacts)
    raw = msgspec.json.format(msgspec.json.encode(complete, order="deterministic"), indent=2) + b"\n"
    checked = parse_spec(raw, target)
    (aside / SPEC_FILE).write_bytes(raw)
    (aside / CARD_FILE).write_bytes(render_card(checked).encode())
    _read_back(aside, target)
    return checked


def _listed(given: AnyPath | Sequence[AnyPath]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | PathLike) else [Path(path) for path in given]


def _check_target(target: Path, *, replace: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BundleError(target, "something that is no folder stands there. Choose another name.")
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / SPEC_FILE).is_file():
        raise BundleError(target, f"the folder is not empty and no bundle (no {SPEC_FILE}). Choose another name.")
    if not replace:
        raise BundleError(target, "a bundle already stands there. Choose another name, or ask to replace it.")
    known = {SPEC_FILE, CARD_FILE, *_artifact_paths(target)}
    for path in sorted(target.rglob("*")):
        if not path.is_dir() and path.relative_to(target).as_posix() not in known:
            raise BundleError(target, f"replacing it would lose {path.relative_to(target)}, which is not the bundle's.")


def _artifact_paths(target: Path) -> set[str]:
    spec = parse_spec((target / SPEC_FILE).read_bytes(), target)
    return {file.path for artifact in spec.artifacts for file in artifact.files}


def _copy(target: Path, aside: Path, role: str, sources: list[Path]) -> Artifact:
    """Copy the files of a role: one as `role.suffix`, several under `role/` with their relative places kept."""
    suffix = sources[0].suffix.lower() if sources else ""
    if suffix not in FORMATS:
        given = sources[0].name if sources else "nothing"
        raise BundleError(target, f"artifact {role!r}: expected a file {', '.join(FORMATS)}, got {given}.")
    described = []
    for source in sources:
        if not source.is_file():
            raise BundleError(target, f"artifact {role!r}: there is no file {source}. Make it first.")
        path = f"{role}{suffix}" if len(sources) == 1 else f"{role}/{_beside(target, sources[0], source)}"
        if fault := path_fault(path):
            raise BundleError(target, f"artifact {role!r}: the path {path!r} {fault}. Rename the file.")
        copy = aside / PurePosixPath(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        described.append(FileSpec(path, copy.stat().st_size, sha256_of(copy)))
    return Artifact(role, FORMATS[suffix], described)


def _beside(target: Path, first: Path, source: Path) -> str:
    try:
        return source.resolve().relative_to(first.resolve().parent).as_posix()
    except ValueError as err:
        raise BundleError(target, f"{source} is not in the folder of {first}. Put the files together.") from err


def _read_back(aside: Path, target: Path) -> None:
    try:
        read_bundle(aside, verify="full")
    except BundleError as err:
        what = str(err).removeprefix(f"bundle {aside}: ")
        raise BundleError(target, f"not written: {what}") from err


def _move_into_place(aside: Path, target: Path) -> None:
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(old / "bundle")
    try:
        aside.rename(target)
    except OSError:
        (old / "bundle").rename(target)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)
