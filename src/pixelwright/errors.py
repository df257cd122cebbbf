"""Every exception Pixelwright raises.

Each is a `PixelwrightError` and also the nearest built-in, so that code which knows nothing of this package can
still catch `ValueError` or `OSError`. A message says what happened (expected and actual value), where, and what to do;
the values are kept as attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike
from typing import Any


class PixelwrightError(Exception):
    """The root of all errors raised on purpose."""


class ShapeError(PixelwrightError, ValueError):
    """An array has another shape or dtype than the function takes."""


class UsageError(PixelwrightError, ValueError):
    """An argument, an option or a combination of them makes no sense."""


class ImageError(PixelwrightError, OSError):
    """An image file cannot be read or written.

    Attributes:
        path: The file, or a description of the in-memory source.
    """

    def __init__(self, path: str | PathLike[str], what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = str(path)


class UnreadableImage(ImageError):
    """The bytes are not an image, or a damaged or truncated one."""


class UnsupportedImage(ImageError):
    """A sound image of a kind this installation cannot read or write."""


class ImageTooLarge(ImageError):
    """The header asks for more pixels than the limit allows; nothing was decoded.

    Attributes:
        size_hw: The size the header states.
        limit_px: The limit in force.
    """

    def __init__(self, path: str | PathLike[str], size_hw: tuple[int, int], limit_px: int) -> None:
        height, width = size_hw
        super().__init__(
            path,
            f"is {width}x{height} = {height * width / 1e6:.0f} megapixels; the limit is {limit_px / 1e6:.0f}. "
            "Raise it with max_pixels (--max-pixels) if you trust the file.",
        )
        self.size_hw = size_hw
        self.limit_px = limit_px


class BundleError(PixelwrightError, ValueError):
    """A model bundle is incomplete, altered or not understood.

    Attributes:
        path: The bundle's folder.
    """

    def __init__(self, path: str | PathLike[str], what: str) -> None:
        super().__init__(f"bundle {path}: {what}")
        self.path = str(path)


class DamagedModel(PixelwrightError, ValueError):
    """A model file is not of the format it should be, or cut off."""


class UnsupportedModel(PixelwrightError, ValueError):
    """A sound model file with parts that cannot be converted; the message names all of them."""


class FetchError(PixelwrightError, OSError):
    """A file cannot be fetched from the network or a mirror.

    Attributes:
        url: Where it was asked for, without a password.
        absent: Whether the server says that there is no such file.
    """

    def __init__(self, url: str, what: str, *, absent: bool = False) -> None:
        super().__init__(f"{url}: {what}")
        self.url = url
        self.absent = absent


class ChecksumError(FetchError):
    """What was fetched is not the file that was asked for; nothing of it was kept.

    Attributes:
        expected: The SHA-256 that was stated.
        actual: That of the bytes that came.
    """

    def __init__(self, url: str, expected: str, actual: str) -> None:
        super().__init__(
            url,
            f"the bytes that came have the SHA-256 {actual}, stated is {expected}; they were thrown away. "
            "Somebody on the way changes files, or the file was replaced: try another network or mirror.",
        )
        self.expected = expected
        self.actual = actual


class ParityError(PixelwrightError, ArithmeticError):
    """A runtime's answer differs from the reference by more than the bundle's tolerance."""


class RuntimeFailure(PixelwrightError, RuntimeError):
    """A runtime could not open or run a graph."""


class NotFinite(RuntimeFailure):
    """A network answered with infinity, or with no number."""


class DataError(PixelwrightError, ValueError):
    """A data set, or something in it, is not what it should be: a missing class, labels that cannot be read."""


class TrainingError(PixelwrightError, RuntimeError):
    """A training cannot start or go on: the loss is not finite, the memory does not suffice, the run is another's."""


class JobError(PixelwrightError, RuntimeError):
    """A job folder cannot be started or continued."""


class IndexUnusable(PixelwrightError, RuntimeError):
    """An index of embeddings is missing, damaged, or of another model."""


class OutputError(JobError):
    """A result cannot be written: the disk is full or not writable. The same command continues once that is mended."""


class UnknownName(PixelwrightError, LookupError):
    """A name stands in no registry; the nearest known ones are in the message.

    Attributes:
        name: What was asked for.
        nearest: Known names that look like it, best first.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        self.name = name
        self.nearest = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f" Did you mean {_either(self.nearest)}?" if self.nearest else f" Known: {', '.join(names)}."
        super().__init__(f"there is no {kind} named {name!r}.{hint if names else ''}")


class NotPulled(PixelwrightError, LookupError):
    """A model that the hub knows, but that is not on this machine yet.

    Attributes:
        name: Of the model.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"model {name!r} {why} Get it with: pixelwright models pull {name}")
        self.name = name


class DuplicateName(PixelwrightError, ValueError):
    """Two entries claim one registry name."""


class MissingExtra(PixelwrightError, ImportError):
    """A feature needs packages that are not installed.

    Attributes:
        extra: The extra of this package that brings them.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part. Install it with: pip install 'pixelwright[{extra}]'")
        self.extra = extra


def _either(names: list[str]) -> str:
    return " or ".join(repr(name) for name in names)


def describe(error: BaseException) -> dict[str, Any]:
    """What a result record says of a failure: the kind of error and its sentence."""
    return {"type": type(error).__name__, "message": str(error) or type(error).__name__}
