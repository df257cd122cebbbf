"""Where models come from: the bundles shipped in the package, folders, and third-party models that are pulled.

`hub.toml` says of each third-party model where its files are, their checksums, its terms and its whole contract. Their
files are not shipped. `pull` fetches them, converts them here and keeps the bundle in the cache:

    <cache>/hub/files/<SHA-256>/<file>     as published
    <cache>/hub/models/<name>/<key>/       the bundle; the key stands for the entry and for how it is converted
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec

from pixelwright import __version__, registry
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.bundle.files import SPEC_FILE, cache_folder
from pixelwright.errors import BundleError, DamagedModel, MissingExtra, NotPulled, UnknownName, UnsupportedModel
from pixelwright.interop.imported import Importer
from pixelwright.io.lock import locked
from pixelwright.structures.draft import Entry
from pixelwright.structures.spec import Provenance

if TYPE_CHECKING:  # what speaks with the network is loaded only by who pulls
    from pixelwright.io.fetch import OnTransfer
    from pixelwright.io.mirror import AnyMirror

CATALOG = Path(__file__).with_name("hub.toml")

# Raise it whenever importers or assembly make a better bundle of the same file: pulled models are then converted anew.
CONVERSION = 2

EXTRA = "convert"


def names() -> tuple[str, ...]:
    """The models shipped in the package, sorted."""
    return tuple(sorted(path.parent.name for path in _zoo().glob(f"*/{SPEC_FILE}")))


def entries() -> Mapping[str, Entry]:
    """The third-party models that can be pulled, by name, in the order of `hub.toml`."""
    return _read_catalog(CATALOG)


def entry(name: str) -> Entry:
    """What the hub knows of a third-party model.

    Raises:
        UnknownName: It knows none of that name; the nearest names are in the message.
    """
    known = entries()
    if name not in known:
        raise UnknownName("model", name, known)
    return known[name]


def pulled(name: str) -> Path | None:
    """The folder of a third-party model that is in the cache as this version converts it, or None."""
    folder = _home(name) / _key(entry(name))
    return folder if (folder / SPEC_FILE).is_file() else None


def at_hand() -> tuple[str, ...]:
    """The models that run without the network: those in the package, and those pulled."""
    return (*names(), *(name for name in entries() if pulled(name)))


def locate(model: str | PathLike[str]) -> Path:
    """The folder of a model: named as in `names()`, given as a folder, or named as in `entries()`.

    A name in the package goes before a folder of that name in the working directory; write `./name` for that one. A
    folder with a bundle goes before a third-party model of its name.

    Raises:
        BundleError: The folder is there but holds no bundle.
        NotPulled: It is a third-party model that is not in the cache; the message has the command that gets it.
        UnknownName: It is neither a name of ours nor a folder; the nearest names are in the message.
    """
    if isinstance(model, str) and model in names():
        return _zoo() / model
    folder = Path(model)
    if (folder / SPEC_FILE).is_file():
        return folder
    name = os.fspath(model)
    if name in entries():
        return pulled(name) or _not_pulled(name)
    if folder.exists():
        raise BundleError(folder, f"there is no {SPEC_FILE} in it. Give the folder of a bundle, or a model's name.")
    known = () if len(folder.parts) > 1 else (*names(), *entries())  # no model's name is a path
    raise UnknownName("model or folder", name, known)


def pull(
    name: str,
    *,
    mirror: AnyMirror | None = None,
    on_transfer: OnTransfer | None = None,
    accept: Callable[[ModelBundle], None] | None = None,
) -> ModelBundle:
    """A third-party model in the cache: fetched, converted and verified if it was not there yet.

    It may be stopped at any moment and called again, also by several processes at once.

    Args:
        name: As in `entries()`. A model of the package is there already.
        mirror: A folder in which its files are looked for, or an https address to ask for them; None takes
            PIXELWRIGHT_MIRROR, else the addresses in `hub.toml`.
        on_transfer: Called as bytes come over the network.
        accept: The last word on a bundle before it gets its place: it raises where something is wrong.

    Raises:
        UnknownName: There is no such model.
        MissingExtra: What converts models is not installed.
        FetchError: A file cannot be fetched, or the network is off (PIXELWRIGHT_OFFLINE).
        ChecksumError: A file is not the one that was published.
        OutputError: The cache cannot be written.
        ParityError: The converted network does not answer as the original did.
    """
    if name in names():
        return read_bundle(_zoo() / name)
    wanted = entry(name)
    folder = _home(name) / _key(wanted)
    with locked(_root() / "locks" / f"{name}.lock", f"pulling {name}"):
        if (bundle := _sound(folder)) is None:
            _require_converter(name)
            from pixelwright.io.mirror import acquire

            files = [
                acquire(file, _root() / "files", model=name, mirror=mirror, on_transfer=on_transfer)
                for file in wanted.files
            ]
            bundle = _convert(name, wanted, files, folder, accept)
        _sweep(folder)
    return bundle


def remove(name: str) -> int:
    """Take a third-party model out of the cache, with what was fetched for it and for no other; says how many bytes.

    Raises:
        UnknownName: There is no such model.
    """
    wanted = entry(name)
    with locked(_root() / "locks" / f"{name}.lock", f"pulling {name}"):
        home = _home(name)
        kept = {file.sha256 for other in entries() if other != name and pulled(other) for file in entry(other).files}
        doomed = [home, *(_root() / "files" / file.sha256 for file in wanted.files if file.sha256 not in kept)]
        freed = sum(path.stat().st_size for folder in doomed for path in folder.rglob("*") if path.is_file())
        for folder in doomed:
            shutil.rmtree(folder, ignore_errors=True)
    return freed


def _zoo() -> Path:
    return Path(__file__).parent / "zoo"


def _root() -> Path:
    return cache_folder() / "hub"


def _home(name: str) -> Path:
    return _root() / "models" / name


@cache
def _read_catalog(path: Path) -> Mapping[str, Entry]:
    return MappingProxyType(msgspec.toml.decode(path.read_bytes(), type=dict[str, Entry]))


def _key(wanted: Entry) -> str:
    """Stands for all that a bundle is made of: files, contract, reference, and the way of converting."""
    parts = (wanted.files, wanted.draft, wanted.reference, wanted.skip_labels, wanted.count_labels, CONVERSION)
    return hashlib.sha256(msgspec.json.encode([_stated(part) for part in parts], order="sorted")).hexdigest()[:16]


def _stated(value: Any) -> Any:
    """Plain data without what is at its default: a contract that learns to say more makes no other bundle of this."""
    if isinstance(value, msgspec.Struct):
        known = {field.name: (getattr(value, field.name), field) for field in msgspec.structs.fields(value)}
        return {name: _stated(one) for name, (one, field) in known.items() if one != _default(field)}
    if isinstance(value, Mapping):
        return {key: _stated(one) for key, one in cast("Mapping[str, Any]", value).items()}
    return [_stated(one) for one in cast("Sequence[Any]", value)] if isinstance(value, list | tuple) else value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _not_pulled(name: str) -> Path:
    wanted = entry(name)
    if any(_home(name).glob(f"*/{SPEC_FILE}")):
        raise NotPulled(name, "was pulled by another version of pixelwright, and has to be converted anew.")
    size = sum(file.bytes for file in wanted.files)
    raise NotPulled(name, f"is known but not on this machine yet ({wanted.draft.task}, {size / 1e6:.1f} MB).")


def _require_converter(name: str) -> None:
    if find_spec("onnx") is None:
        raise MissingExtra(f"Converting {name}", EXTRA)


def _sound(folder: Path) -> ModelBundle | None:
    """The bundle in a folder if it is whole; what is damaged is cleared away."""
    if not folder.exists():
        return None
    try:
        return read_bundle(folder, verify="full")
    except BundleError:
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _sweep(folder: Path) -> None:
    """Clear away what earlier versions converted, and what was left behind by one that was killed."""
    for path in folder.parent.iterdir():
        if path != folder:
            shutil.rmtree(path, ignore_errors=True)


def _convert(
    name: str, wanted: Entry, files: Sequence[Path], folder: Path, accept: Callable[[ModelBundle], None] | None
) -> ModelBundle:
    from pixelwright.interop.assemble import Plan, build
    from pixelwright.interop.reading import read

    (number,) = (number for number, file in enumerate(wanted.files) if file.role == "model")
    source = wanted.files[number]
    imported = read(
        _importer(files[number]),
        files[number],
        outputs=tuple(wanted.draft.outputs),
        dequantize=wanted.draft.dequantize,
    )
    provenance = Provenance(f"pixelwright {__version__}", source_url=source.url, source_sha256=source.sha256)
    plan = Plan(imported, wanted.draft, name, provenance, _labels(wanted, files), wanted.reference)
    return build(plan, folder, accept=accept, replace=True).bundle


def _importer(path: Path) -> Importer:
    """The importer for a file, by its ending.

    Raises:
        UnsupportedModel: None reads it.
    """
    for name in registry.names("importer"):
        found: Importer = registry.get("importer", name)
        if path.suffix.lower() in found.suffixes:
            return found
    raise UnsupportedModel(f"{path}: no importer reads {path.suffix!r}. Convert the model to ONNX first.")


def _labels(wanted: Entry, files: Sequence[Path]) -> tuple[str, ...]:
    """The lines of the label file that are labels; empty where the entry has none."""
    from pixelwright.interop.labels import label_lines

    for file, path in zip(wanted.files, files, strict=True):
        if file.role == "labels":
            lines = label_lines(path.read_text(encoding="utf-8"))[wanted.skip_labels :]
            count = len(lines) if wanted.count_labels is None else wanted.count_labels
            if len(lines) < count:
                raise DamagedModel(f"{path}: {len(lines)} labels, expected {count}. Report it: hub.toml is wrong.")
            return tuple(lines[:count])
    return ()
