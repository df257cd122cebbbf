"""Draft: what a person writes of a foreign model, so that a bundle can be made of its files.

One draft is one TOML file (`pixelwright convert --contract`), and each entry of `hub.toml` holds one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pixelwright.structures.spec import (
    Count,
    Decision,
    Finite,
    InputSpec,
    License,
    Measured,
    OutputSpec,
    Sha256,
    Spec,
    Text,
    Tiling,
)


class Draft(Spec, frozen=True):
    """A contract before there is a bundle.

    `outputs` names tensors inside the network to expose instead of its own outputs; `dequantize` asks for a float
    network of a quantized one. Labels are in `output.labels`, or in a file of their own given beside the model.
    """

    task: Annotated[str, Meta(min_length=1)]
    input: InputSpec
    output: OutputSpec
    license: License
    version: str = "1.0.0"
    architecture: Text = ""
    summary: Text = ""
    tiling: Tiling | None = None
    decision: Decision = Decision()
    measured: list[Measured] = []
    outputs: list[str] = []
    dequantize: bool = False


class RemoteFile(Spec, frozen=True):
    """A file somewhere else, known by its checksum."""

    role: Literal["model", "labels"]
    url: Annotated[str, Meta(pattern=r"^https://")]
    bytes: Count
    sha256: Sha256


class Published(Spec, frozen=True):
    """A score as its authors state it: not measured by us, and so never among `measured`."""

    metric: Text
    value: Finite
    data: Text
    url: Text = ""


class Reference(Spec, frozen=True):
    """What the model's own executor made of the probe picture: some values of each output, evenly spaced.

    Whoever converts the model compares with them, without having that executor.
    """

    executor: Text
    values: dict[str, list[Finite]]
    tolerance: Annotated[float, Meta(gt=0, le=1)]


class Entry(Spec, frozen=True):
    """A third-party model that the hub knows.

    Of a file with labels, one a line, the first `skip_labels` lines are none; then there are `count_labels` of them
    (all that follow, where it does not say).
    """

    title: Text
    source: Text
    files: Annotated[list[RemoteFile], Meta(min_length=1, max_length=10)]
    draft: Draft
    reference: Reference
    published: list[Published] = []
    skip_labels: Count = 0
    count_labels: Count | None = None
