"""Where models come from: the bundles shipped in the package, and folders."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from pixelwright.bundle.files import SPEC_FILE
from pixelwright.errors import BundleError, UnknownName


def names() -> tuple[str, ...]:
    """The models shipped in the package, sorted."""
    return tuple(sorted(path.parent.name for path in _zoo().glob(f"*/{SPEC_FILE}")))


def locate(model: str | PathLike[str]) -> Path:
    """The folder of a model, named as in `names()` or given as a folder.

    A name of ours goes before a folder of the same name in the working directory; write `./name` for that one.

    Raises:
        BundleError: The folder is there but holds no bundle.
        UnknownName: It is neither a name of ours nor a folder; the nearest names are in the message.
    """
    if isinstance(model, str) and model in names():
        return _zoo() / model
    folder = Path(model)
    if (folder / SPEC_FILE).is_file():
        return folder
    if folder.exists():
        raise BundleError(folder, f"there is no {SPEC_FILE} in it. Give the folder of a bundle, or a model's name.")
    raise UnknownName("model", str(model), names())


def _zoo() -> Path:
    return Path(__file__).parent / "zoo"
