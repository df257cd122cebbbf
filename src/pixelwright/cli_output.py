"""What the command line says: sentences on stderr, data on stdout, and the exit code."""

from __future__ import annotations

import sys
from typing import Any

DONE, FAILURES, WRONG_USE, UNREADABLE, UNWRITABLE = 0, 1, 2, 3, 4
INTERRUPTED = 130  # what a shell reports of a program ended by Ctrl-C


def say(sentence: str) -> None:
    """A sentence for people."""
    print(f"pixelwright: {sentence}", file=sys.stderr)


def print_json(record: dict[str, Any]) -> None:
    """A record as a line of JSON, which is UTF-8 whatever encoding the terminal has."""
    from pixelwright.verbs.job import to_line

    line = to_line(record)
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(line)
    else:  # text is all that a replaced stream takes
        sys.stdout.write(line.decode())
    sys.stdout.flush()
