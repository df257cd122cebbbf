"""Read a bundle: the contract checked whole, the files checked against it, nothing opened outside the folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from pixelwright.bundle.faults import spec_faults
from pixelwright.bundle.files import (
    SPEC_FILE,
    is_inside,
    path_fault,
    renewed_sha256,
    stamped_sha256,
)
from pixelwright.errors import BundleError, DamagedModel
from pixelwright.io.onnx_wire import external_locations
from pixelwright.structures.spec import SCHEMA_ID, Artifact, BundleSpec, FileSpec

Verify = Literal["stamp", "full"]

MAX_SPEC_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A checked bundle: where it is and what it says.

    Attributes:
        path: The folder.
        spec: The contract.
    """

    path: Path
    spec: BundleSpec

    @property
    def digest(self) -> str:
        """SHA-256 of the contract in canonical form (sorted keys, no spaces); it covers every file's checksum."""
        return hashlib.sha256(msgspec.json.encode(self.spec, order="sorted")).hexdigest()

    @property
    def identity(self) -> str:
        """Name, version, and the begin of a digest of all that decides answers: networks, preparation, decoding.

        Vectors compare only where it is the same. Unlike `digest` it does not cover what was measured, which differs
        from machine to machine where each converts the model for itself.
        """
        spec = self.spec
        networks = [artifact for artifact in spec.artifacts if artifact.role in spec.graphs]
        decisive = msgspec.json.encode([networks, spec.input, spec.output], order="sorted")
        return f"{spec.name} {spec.version} {hashlib.sha256(decisive).hexdigest()[:12]}"

    def file(self, role: str) -> Path:
        """The file that plays a role; of several, the first.

        Raises:
            BundleError: The bundle has no such role.
        """
        for artifact in self.spec.artifacts:
            if artifact.role == role:
                return self.path / PurePosixPath(artifact.files[0].path)
        known = ", ".join(artifact.role for artifact in self.spec.artifacts)
        raise BundleError(self.path, f"no artifact has the role {role!r}; there are: {known}.")


def read_bundle(path: str | PathLike[str], *, verify: Verify = "stamp") -> ModelBundle:
    """A bundle whose contract and files are sound.

    Args:
        path: The folder.
        verify: `full` reads every byte and compares checksums. `stamp` does so for files up to 16 MiB, and trusts a
            bigger one whose size and time are those of the last full check.

    Raises:
        BundleError: Anything is missing, altered, unsafe or not understood; the message names all faults found.
    """
    folder = Path(path)
    spec = parse_spec(_read_spec_bytes(folder), folder)
    for artifact in spec.artifacts:
        for file in artifact.files:
            _check_file(folder, file, verify)
        if artifact.format == "onnx":
            _check_external_data(folder, artifact)
    return ModelBundle(folder, spec)


def parse_spec(raw: bytes, folder: Path) -> BundleSpec:
    """The contract in the bytes of a `bundle.json`, complete and free of faults; opens no file.

    Raises:
        BundleError: It is not JSON, of an unknown schema, or has faults.
    """
    try:
        peek = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise BundleError(folder, f"{SPEC_FILE} is not JSON: {err}. Fetch the bundle again.") from err
    schema = peek.get("schema") if isinstance(peek, dict) else None
    if schema != SCHEMA_ID:
        raise BundleError(
            folder,
            f"{SPEC_FILE} has the schema {schema!r:.100}; this version knows {SCHEMA_ID!r}. "
            "Update pixelwright, or fetch a bundle made for this version.",
        )
    try:
        spec = msgspec.convert(peek, BundleSpec)
    except msgspec.ValidationError as err:
        raise BundleError(folder, f"{SPEC_FILE} breaks its schema: {err}. Correct it there.") from err
    if faults := spec_faults(spec):
        raise BundleError(folder, f"{SPEC_FILE}: {'; '.join(faults)}.")
    return spec


def _read_spec_bytes(folder: Path) -> bytes:
    path = folder / SPEC_FILE
    if not path.is_file():
        raise BundleError(folder, f"there is no {SPEC_FILE} in it. Give the folder of a bundle.")
    if not is_inside(folder, SPEC_FILE):
        raise BundleError(folder, f"{SPEC_FILE} is a link that leads outside the folder. Copy the file into it.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SPEC_BYTES + 1)
    except OSError as err:
        raise BundleError(folder, f"{SPEC_FILE} cannot be read: {err.strerror}. Check its permissions.") from err
    if len(raw) > MAX_SPEC_BYTES:
        raise BundleError(folder, f"{SPEC_FILE} is over {MAX_SPEC_BYTES / 1e6:.0f} MB; no real contract is.")
    return raw


def _check_file(folder: Path, file: FileSpec, verify: Verify) -> None:
    path = folder / PurePosixPath(file.path)
    if not is_inside(folder, file.path):
        raise BundleError(folder, f"{file.path} is a link that leads outside the folder. Copy the file into it.")
    if not path.is_file():
        raise BundleError(folder, f"the file {file.path} is missing. Fetch the bundle again.")
    try:
        size = path.stat().st_size
        if size != file.bytes:
            raise BundleError(
                folder, f"{file.path} has {size} bytes, {SPEC_FILE} says {file.bytes}. Fetch the bundle again."
            )
        digest = renewed_sha256(path) if verify == "full" else stamped_sha256(path)
    except OSError as err:
        raise BundleError(folder, f"{file.path} cannot be read: {err.strerror}. Check its permissions.") from err
    if digest != file.sha256:
        raise BundleError(
            folder,
            f"{file.path} was altered: its SHA-256 is {digest}, {SPEC_FILE} says {file.sha256}. "
            "Fetch the bundle again.",
        )


def _check_external_data(folder: Path, artifact: Artifact) -> None:
    listed = {file.path for file in artifact.files[1:]}
    model = PurePosixPath(artifact.files[0].path)
    try:
        locations = external_locations(folder / model)
    except (DamagedModel, OSError) as err:
        raise BundleError(folder, f"{model}: {err}") from err
    for location in locations:
        if fault := path_fault(location) if location else "is empty":
            raise BundleError(folder, f"{model} keeps weights in {location!r}, which {fault}. Do not use this model.")
        if (model.parent / location).as_posix() not in listed:
            raise BundleError(
                folder,
                f"{model} keeps weights in {location!r}, which {SPEC_FILE} does not list among the files of "
                f"{artifact.role!r}. Convert the model again.",
            )
