"""Labels: who needs them, and files with one a line and nothing else."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from pixelwright import registry
from pixelwright.bundle.faults import NEEDS_LABELS
from pixelwright.errors import UnknownName, UsageError
from pixelwright.structures.spec import MAX_LABELS

MAX_BYTES = 64 << 20


def needs_labels(decoder: str) -> bool:
    """Whether what a decoder makes has labels; not for one that is not known, which is told elsewhere."""
    try:
        return registry.get("decoder", decoder).makes in NEEDS_LABELS
    except UnknownName:
        return False


def read_labels(path: str | PathLike[str]) -> tuple[str, ...]:
    """The labels of a text file: every line is one, blank lines at the end aside.

    Nothing is taken for a remark: a file that ends in one has a label too many, which shows where labels are counted.

    Raises:
        UsageError: It is no UTF-8 text, or too big, or a line between labels is blank; all such lines are named.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as err:
        raise UsageError(f"{file}: cannot be read: {err.strerror}. Name a text file with a label a line.") from err
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{file}: is over {MAX_BYTES >> 20} MB; expected a text file with a label a line.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise UsageError(f"{file}: byte {err.start} is not UTF-8. Save the labels as UTF-8 text.") from err
    lines = label_lines(text)
    if blank := [number for number, line in enumerate(lines, 1) if not line]:
        raise UsageError(f"{file}: lines {blank[:20]} are blank, and every line is a label. Remove or fill them.")
    if not lines or len(lines) > MAX_LABELS:
        raise UsageError(f"{file}: {len(lines)} labels; expected 1 to {MAX_LABELS}, one a line.")
    return tuple(lines)


def label_lines(text: str) -> list[str]:
    """The lines of a text without the spaces around them, blank ones at the end aside."""
    # Not splitlines(): a label may hold a form feed or a line separator of Unicode.
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
