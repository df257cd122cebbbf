"""The border to the native decoders: their exceptions become ours, and they do not write on the user's terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ImageError, PixelwrightError, UnreadableImage

_quiet_lock = threading.Lock()
_quiet: dict[str, int] = {"depth": 0, "level": 0}  # guarded by the lock; how many threads want OpenCV silent


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Whatever goes wrong inside leaves as an `ImageError` that names the file.

    Raises:
        UnreadableImage: A decoder gave up, for whatever reason it had.
        ImageError: The operating system failed to deliver the bytes.
    """
    try:
        with np.errstate(all="ignore"):  # nonsense in a file must not become a warning on the terminal
            yield
    except PixelwrightError:
        raise
    except MemoryError as err:
        raise UnreadableImage(name, "needs more memory to decode than there is.") from err
    except OSError as err:
        if err.errno is not None:
            raise ImageError(name, f"cannot be read: {err.strerror or err}.") from err
        raise UnreadableImage(name, f"is damaged: {_said(err)}") from err
    except Exception as err:  # decoders raise what they like (cv2.error, struct.error, SyntaxError, RecursionError ...)
        raise UnreadableImage(name, f"is damaged: {_said(err)}") from err
    except BaseException as err:  # a panic of a Rust decoder derives from BaseException
        if type(err).__name__ != "PanicException":
            raise
        raise UnreadableImage(name, f"is damaged: {_said(err)}") from err


def _said(err: BaseException) -> str:
    words = " ".join(str(err).split())[:200] or type(err).__name__
    return words if words.endswith(".") else f"{words}."


@contextmanager
def quiet_opencv() -> Iterator[ModuleType]:
    """The module cv2 with its log silent; the user's own log level is back when the last thread has left."""
    import cv2

    log = cv2.utils.logging
    with _quiet_lock:
        if not _quiet["depth"]:
            _quiet["level"] = log.getLogLevel()
            log.setLogLevel(log.LOG_LEVEL_SILENT)
        _quiet["depth"] += 1
    try:
        yield cv2
    finally:
        with _quiet_lock:
            _quiet["depth"] -= 1
            if not _quiet["depth"]:
                log.setLogLevel(_quiet["level"])


def decode_opencv(data: bytes) -> npt.NDArray[Any]:
    """Samples (H, W) or (H, W, C) at the file's own depth, not turned, in RGB order.

    Raises:
        ValueError: OpenCV gave up.
    """
    with quiet_opencv() as cv2:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ValueError("its pixels cannot be decoded")
    return swapped(samples)


def swapped(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """RGB for BGR or the other way round, alpha left in its place; other numbers of channels as they are."""
    import cv2

    code = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(samples.shape[2] if samples.ndim == 3 else 1)
    samples = np.ascontiguousarray(samples)
    return samples if code is None else cv2.cvtColor(samples, code)
