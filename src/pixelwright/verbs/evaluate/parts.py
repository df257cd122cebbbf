"""Which part of a data set is scored: one that it states itself, or one as training would make it."""

from __future__ import annotations

from pixelwright.data.dataset import Dataset
from pixelwright.data.splits import PARTS, split
from pixelwright.errors import DataError, UsageError

EVERYTHING = "all"
PREFERRED = ("test", "validation")  # what was learned from tells nothing


def part_of(dataset: Dataset, name: str = "") -> tuple[Dataset, str, str]:
    """The part to score on, its name, and a sentence on the choice.

    Args:
        dataset: The whole.
        name: `train`, `calibration`, `validation`, `test` or `all`. Where the data does not state that part it is made
            as training makes it, so that `validation` means the same pictures in both. Nothing chooses: test where the
            data has one, else validation, else everything.

    Raises:
        UsageError: There is no such part.
        DataError: It is empty.
    """
    stated = {sample.split for sample in dataset.samples} - {""}
    if not name:
        name = next((one for one in PREFERRED if one in stated), EVERYTHING)
        said = f"its own {name} part" if name != EVERYTHING else "all of it, as it states no test or validation part"
    elif name == EVERYTHING:
        said = "all of it"
    elif name not in PARTS:
        raise UsageError(f"--split {name}: expected {', '.join(PARTS)} or {EVERYTHING}.")
    else:
        said = f"its own {name} part" if name in stated else f"the {name} part that training would make"
    if name == EVERYTHING:
        return dataset, name, said
    if name in stated:
        return dataset.only(sample for sample in dataset.samples if sample.split == name), name, said
    part = getattr(split(dataset), name)
    if not len(part):
        raise DataError(f"{dataset.root}: its {name} part is empty. Name another (--split).")
    return part, name, said
