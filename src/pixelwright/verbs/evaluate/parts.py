"""Which part of a data set is scored: one that it states itself, or one as training would make it."""

from __future__ import annotations

from pixelwright.data.dataset import Dataset
from pixelwright.data.splits import PARTS, SplitOptions, split
from pixelwright.errors import DataError, UsageError
from pixelwright.structures.spec import BundleSpec

EVERYTHING = "all"
PREFERRED = ("test", "validation")  # what was learned from tells nothing


def part_of(dataset: Dataset, name: str = "", spec: BundleSpec | None = None) -> tuple[Dataset, str, str]:
    """The part to score on, its name, and a sentence on the choice.

    Args:
        dataset: The whole.
        name: `train`, `calibration`, `validation`, `test` or `all`. Where the data does not state that part it is made
            as the bundle's training made it, so that `validation` means the same pictures in both. Nothing chooses:
            test where the data has one, else validation, else everything.
        spec: The bundle's contract; None for what training does where nothing is said.

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
        said = f"its own {name} part"
    if name == EVERYTHING:
        return dataset, name, said
    if name in stated:
        return dataset.only(sample for sample in dataset.samples if sample.split == name), name, said
    options = split_options(spec)
    part = getattr(split(dataset, options), name)
    if not len(part):
        raise DataError(f"{dataset.root}: its {name} part is empty. Name another (--split).")
    whose = f"the training of {spec.name}" if spec and spec.provenance.splitting else "training by default"
    return part, name, f"the {name} part as {whose} makes it, seed {options.seed}"


def split_options(spec: BundleSpec | None) -> SplitOptions:
    """By which a bundle's training made parts; the default ones where it does not say."""
    made = spec and spec.provenance.splitting
    if not made:
        return SplitOptions()
    return SplitOptions(
        validation=made.validation,
        calibration=made.calibration,
        test=made.test,
        seed=made.seed,
        by_content=made.by_content,
    )


def group_for(dataset: Dataset, name: str, spec: BundleSpec) -> str:
    """The groups by which the data must be opened to make a part as the bundle's training did; nothing where any do."""
    made = spec.provenance.splitting
    stated = {sample.split for sample in dataset.samples}
    return made.group if made and name in PARTS and name not in stated else ""
