"""What can be wrong with a file, said before the file's name is known; `read` adds it."""

from __future__ import annotations

from collections.abc import Iterable


class DamageError(Exception):
    """The bytes are not what they should be."""


class LackError(Exception):
    """Sound, but of a kind the importer does not convert: one entry per kind, all of them at once."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.kinds = tuple(kinds)
        super().__init__("; ".join(self.kinds))
