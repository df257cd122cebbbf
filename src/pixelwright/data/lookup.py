"""Lookup: the pictures that a label file means, each split's in its own folders.

Pictures of different splits may have equal names, so one in a folder called after another split is taken only where
the split has no folder of its own and that other split does not name it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pixelwright.data.dataset import SplitName
from pixelwright.data.stated import split_within
from pixelwright.data.tree import Tree


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where the pictures of one split, or of none, may be.

    Attributes:
        tree: All files.
        split: Whose pictures these are; empty where that is not known.
        folders: Where they may be, the likeliest last.
        called: Those of them that are called after a split; of a known split those after another, not in `folders`.
        housed: Whether the split has a folder of its own.
    """

    tree: Tree
    split: SplitName
    folders: tuple[str, ...]
    called: tuple[str, ...]
    housed: bool

    @classmethod
    def of(cls, tree: Tree, split: SplitName, folders: Iterable[str], beside: str) -> Lookup:
        """The likeliest of `folders` last, but for the folder of the label file, where everything of it may be."""
        there = {folder: _called(folder) for folder in folders if folder in tree.picture_folders}
        if not split:
            return cls(tree, split, (*there, beside), tuple(filter(there.get, there)), housed=False)
        neutral = [folder for folder, found in there.items() if found is None]
        own = [folder for folder, found in there.items() if found == split]
        others = tuple(folder for folder, found in there.items() if found not in (None, split))
        return cls(tree, split, (*neutral, *own, beside), others, housed=bool(own))

    def find(self, stated: str) -> str | None:
        """The picture of this name, whose ending may be missing; None where it is in none of the folders."""
        return self._within(stated, self.folders)

    def may_be(self, stated: str) -> tuple[str, ...]:
        """The pictures in folders called after splits that a name means, where it may mean several of them."""
        found = {self._within(stated, (folder,)) for folder in self.called} - {None}
        return tuple(sorted(filter(None, found))) if len(found) > 1 else ()

    def elsewhere(self, stated: str, claimed: Mapping[str, SplitName]) -> tuple[str | None, str]:
        """The picture of this name in a folder called after another split; or None, and why.

        Args:
            stated: A name that was found nowhere else.
            claimed: Pictures that label files mean for certain, with the split.
        """
        found = self._within(stated, self.called)
        if found is None:
            return None, self.tree.missing(stated)
        if several := self.may_be(stated):
            return None, f"{stated!r} may be any of {', '.join(several)}; state its folder"
        if self.housed or claimed.get(found, self.split) != self.split:
            other = next(_called(one) for one in self.called if found.startswith(f"{one}/"))
            what = f"{found} lies in a folder called after {other}, and is not taken for {self.split}"
            return None, f"{self.tree.missing(stated)}: {what}"
        return found, ""

    def _within(self, stated: str, folders: tuple[str, ...]) -> str | None:
        found = self.tree.find(stated, *folders)
        if found is not None or "." in stated.rpartition("/")[2][-6:]:
            return found
        by_stem = self.tree.pictures_by_stem
        return next(filter(None, (by_stem.get(f"{one}/{stated}" if one else stated) for one in folders[::-1])), None)


def remarks_on_strays(found: Iterable[tuple[str, SplitName]]) -> tuple[str, ...]:
    """A sentence for each folder on pictures that were found elsewhere, given with their splits."""
    counts = Counter((picture.rpartition("/")[0], split) for picture, split in found)
    return tuple(
        f"{count:,} of {split} lie in {folder}/: there is no folder called after {split}"
        for (folder, split), count in sorted(counts.items())
    )


def _called(folder: str) -> SplitName | None:
    """The split that the last of a folder's names speaks of: `images/val`, `train_pictures`; None where it does not."""
    return split_within(folder.rpartition("/")[2])
