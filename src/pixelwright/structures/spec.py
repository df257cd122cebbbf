"""What a bundle says of its model: the contract as typed data.

These types are the one definition of `bundle.json`. Reading is strict (`msgspec`: unknown fields, wrong types and
numbers out of range are refused with the path of the fault), and `schemas/bundle.schema.json` is generated from
them. Nothing here opens a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

SCHEMA_ID = "pixelwright-bundle/1"

# Far above every real model, far below what would exhaust memory: a contract that asks for more is refused.
MAX_SIDE_PX = 65_536
MAX_LABELS = 1_000_000

# `$` alone would let a trailing line break pass in Python, and `\d` the digits of other scripts.
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$(?!\n)")]
Version = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$(?!\n)")]
Metric = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]  # as the field writes it: AP50, mIoU
Text = Annotated[str, Meta(max_length=4_000)]
RelativePath = Annotated[str, Meta(min_length=1, max_length=1_000)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE_PX)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
Finite = Annotated[float, Meta(ge=-1e12, le=1e12)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Precision = Literal["f32", "f16", "bf16", "int8"]


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parts of a contract share: immutable, nothing unknown, and defaults are written out in full."""


class FileSpec(Spec, frozen=True):
    """One file of an artifact, relative to the bundle's folder."""

    path: RelativePath
    bytes: Count
    sha256: Sha256


class Artifact(Spec, frozen=True):
    """The files that play one role: `model`, `probe` (inputs with the reference's outputs), ..."""

    role: Name
    format: Literal["onnx", "npz", "safetensors", "hf"]
    files: Annotated[list[FileSpec], Meta(min_length=1, max_length=10_000)]


class TensorSpec(Spec, frozen=True):
    """A graph's input or output: dimensions are sizes, or names where they vary."""

    name: Annotated[str, Meta(min_length=1, max_length=500)]
    dtype: Literal["uint8", "int8", "int32", "int64", "float16", "float32"]
    dims: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)] | Side], Meta(max_length=8)]
    layout: Annotated[str, Meta(max_length=8)] = ""


class GraphSpec(Spec, frozen=True):
    """One network: inputs, outputs, and states (output fed back to input, by name)."""

    inputs: Annotated[list[TensorSpec], Meta(min_length=1)]
    outputs: Annotated[list[TensorSpec], Meta(min_length=1)]
    states: dict[str, str] = {}


class Resize(Spec, frozen=True):
    """To which size, by which rule, with which kernel.

    `stretch` makes the size exactly; `shorter` keeps the aspect ratio and makes the shorter side equal to the
    smaller of the two; `letterbox` keeps the aspect ratio, fits the image into the size and fills the rest with
    `fill` (0..255 on the scale of 8 bit), the image in the middle or in the top-left corner (`align`). Without
    antialiasing a kernel samples at its own width, as deep-learning frameworks do.
    """

    rule: Literal["stretch", "shorter", "letterbox"]
    size_hw: tuple[Side, Side]
    kernel: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = "bilinear"
    antialias: bool = True
    fill: Annotated[float, Meta(ge=0, le=255)] = 0.0
    align: Literal["center", "corner"] = "center"


class InputSpec(Spec, frozen=True):
    """From a decoded image to the tensor a graph takes, in this order:

    color conversion, bit depth, channels, resize, center crop, `(value / white_in * white - mean) / std`, layout.
    `white` is the value that full white has in the tensor before normalization: 1.0 or 255.

    `color`: `srgb` converts through the file's profile; `as-is` keeps the file's own gamut and curve (restoration).
    `depth`: `keep` the file's, or squeeze to `8-bit` with rounding (what a network trained on 8 bit has seen).
    `gray`: a gray file for a color network is `expand`ed; `refuse` stops. The reverse, a color file for a gray
    network, is always reduced by the BT.601 luma weights.
    `alpha`: `flatten` over white, `keep` as it is beside the result, or `refuse`.
    `extra_channels`: an image that is neither gray nor RGB: `refuse`, or run `each` channel on its own as gray.
    `reduced_decode`: 0 decodes every pixel; r > 0 lets a JPEG be decoded at n/8 scale as long as no side gets smaller
    than r times what the resize makes. Whoever sets it has measured with it.
    `multiple_of`: sides are padded at the bottom and right, by repeating the edge, up to a multiple.
    `layout` NTF is for sequences: an "image" of T rows, F columns and one float32 channel becomes T steps of F numbers,
    as they are but for `mean` and `std`. Only sequences of one length share a batch, so a graph needs no lengths.
    """

    color: Literal["as-is", "srgb"] = "srgb"
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    white: Positive = 1.0
    orientation: Literal["upright"] = "upright"
    depth: Literal["keep", "8-bit"] = "8-bit"
    gray: Literal["expand", "refuse"] = "expand"
    alpha: Literal["flatten", "keep", "refuse"] = "flatten"
    extra_channels: Literal["refuse", "each"] = "refuse"
    reduced_decode: Annotated[float, Meta(ge=0, le=16)] = 0.0
    resize: Resize | None = None
    crop_hw: tuple[Side, Side] | None = None
    multiple_of: Side = 1
    mean: Annotated[list[Finite], Meta(max_length=3)] = []
    std: Annotated[list[Positive], Meta(max_length=3)] = []
    layout: Literal["NCHW", "NHWC", "NTF"] = "NCHW"
    dtype: Literal["uint8", "int8", "float32"] = "float32"

    @property
    def is_sequence(self) -> bool:
        """Whether it takes sequences rather than pictures."""
        return self.layout == "NTF"


class Tiling(Spec, frozen=True):
    """How an image may be cut: each tile needs `halo_px` of context, and starts at a multiple of `multiple`."""

    halo_px: Annotated[int, Meta(ge=0, le=4_096)]
    multiple: Annotated[int, Meta(ge=1, le=4_096)] = 1


class Suppression(Spec, frozen=True):
    """Of overlapping boxes the best is kept: those that overlap it by more than `iou_threshold` go.

    `per_class` lets boxes of different classes stand together.
    """

    iou_threshold: Probability
    per_class: bool = True


class OutputSpec(Spec, frozen=True):
    """A decoder from the registry with its parameters, and names for what it makes.

    `skeleton` joins keypoints by name, for drawing. `void_id` is the class of a label map that means "not known".
    """

    decoder: Name
    parameters: dict[str, Any] = {}
    labels: Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=MAX_LABELS)] = []
    suppression: Suppression | None = None
    keypoints: Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=10_000)] = []
    skeleton: Annotated[list[tuple[str, str]], Meta(max_length=10_000)] = []
    void_id: Annotated[int, Meta(ge=0, le=65_535)] | None = None


class Data(Spec, frozen=True):
    """Which pictures a number was measured on: the fingerprint is the SHA-256 of their sorted digests."""

    name: Text
    fingerprint: Sha256
    split: Text = ""


class Decision(Spec, frozen=True):
    """From scores to an answer; fitted on a calibration split of its own.

    `threshold` holds for every class that `thresholds` (by label) does not name. `goal` is what they were fitted to,
    as in `f1` or `precision>=0.95`, and `data` the pictures of that split.
    """

    temperature: Positive = 1.0
    threshold: Probability | None = None
    thresholds: dict[str, Probability] = {}
    conformal_quantile: Probability | None = None
    goal: Text = ""
    data: Data | None = None


class Measured(Spec, frozen=True):
    """One score, with its 95 % interval; `definition` names exactly how it is computed."""

    metric: Metric
    definition: Text
    value: Finite
    n: Annotated[int, Meta(ge=1)]
    data: Data
    runtime: Name
    date: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)")]
    ci95: tuple[Finite, Finite] | None = None
    condition: Text = ""


class Parity(Spec, frozen=True):
    """How a runtime and precision compares with the reference on `n` real inputs.

    `largest_difference` is over all outputs, relative to the largest absolute value of the reference's output.
    `relative_time` is what a run takes on one thread as a multiple of the reference's at f32, measured where the
    bundle was made; None where it was not measured.
    """

    runtime: Name
    precision: Precision
    n: Annotated[int, Meta(ge=1)]
    largest_difference: Annotated[float, Meta(ge=0, le=1e12)]
    tolerance: Positive
    metric: Text = ""
    metric_delta: Finite = 0.0
    relative_time: Positive | None = None

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.largest_difference <= self.tolerance


class Terms(Spec, frozen=True):
    """The terms of one thing: an SPDX expression or a name, where it stands, and whether commerce is allowed."""

    license: Text
    commercial: Literal["yes", "no", "unknown"]
    url: Text = ""
    note: Text = ""
    name: Text = ""


class License(Spec, frozen=True):
    """The terms of the code, of the weights, and of each data set that trained them."""

    code: Terms
    weights: Terms
    data: list[Terms] = []

    @property
    def commercial(self) -> Literal["yes", "no", "unknown"]:
        """The strictest of all the terms."""
        said = {terms.commercial for terms in (self.code, self.weights, *self.data)}
        return "no" if "no" in said else "unknown" if "unknown" in said else "yes"


class Splitting(Spec, frozen=True):
    """How parts that the data does not state were made (`data.splits.SplitOptions`): what makes the same ones again."""

    seed: int
    validation: Probability
    calibration: Probability
    test: Probability
    by_content: bool
    group: Text = ""


class Provenance(Spec, frozen=True):
    """Where the weights come from: a source with its checksum, or the recipe and the data that trained them."""

    toolkit: Text
    recipe: Text = ""
    seed: int | None = None
    parent: Text = ""
    source_url: Text = ""
    source_sha256: Sha256 | None = None
    data: list[Data] = []
    splitting: Splitting | None = None


class BundleSpec(Spec, frozen=True):
    """The contract: `bundle.json`, whole."""

    schema: Literal["pixelwright-bundle/1"]
    name: Name
    version: Version
    task: Name
    architecture: Text
    summary: Text
    artifacts: Annotated[list[Artifact], Meta(min_length=1, max_length=100)]
    graphs: Annotated[dict[str, GraphSpec], Meta(min_length=1, max_length=100)]
    input: InputSpec
    output: OutputSpec
    license: License
    provenance: Provenance
    tiling: Tiling | None = None
    decision: Decision = Decision()
    measured: list[Measured] = []
    parity: list[Parity] = []

    def allows(self, runtime: str, precision: str) -> bool:
        """Whether the parity record vouches for a runtime at a precision."""
        return any(row.runtime == runtime and row.precision == precision and row.holds for row in self.parity)
