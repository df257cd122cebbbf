"""Clean pictures: a folder of good ones, from which a restoration makes its own worse ones.

```
anything/a.png
train/b.png   val/c.png      where all lie in folders called so
```

Any folder with pictures is one; it is what remains where nothing says more.
"""

from __future__ import annotations

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.pictures import FilePicture, Known
from pixelwright.data.stated import split_of_path
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError

_NOTHING = Known(None)


def recognize(tree: Tree, hints: Hints) -> str | None:
    """Whether there are pictures at all."""
    return f"{len(tree.pictures):,} pictures" if tree.pictures and not tree.chosen else None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture.

    Raises:
        DataError: There is none.
    """
    if not tree.pictures:
        raise DataError(f"{tree.root}: there are no pictures in it.")
    samples = tuple(
        Sample(name, FilePicture(tree.places[name]), _NOTHING, split_of_path(name.rpartition("/")[0]))
        for name in tree.pictures
    )
    remarks = ("every picture is a good one, nothing is known of them",)
    return Dataset(tree.root, "clean", "clean", (), samples, remarks=remarks)


LAYOUT = Layout("clean", "good pictures, nothing else", frozenset({"clean"}), "pictures", recognize, read)
