"""A contract to be filled in: TOML with all that is known of a network, and remarks on the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from pixelwright import registry
from pixelwright.interop.guess import Guess
from pixelwright.interop.labels import needs_labels
from pixelwright.runtimes.protocol import shape_text
from pixelwright.structures.spec import InputSpec, Resize

# Of each task a decoder to begin with: what it takes, said on the line above.
EXAMPLES: Mapping[str, tuple[str, Mapping[str, Any], str]] = MappingProxyType(
    {
        "classify": ("softmax", {"output": "logits"}, "softmax for logits, scores for probabilities: (N, K)"),
        "detect": (
            "boxes",
            {"boxes": "boxes", "scores": "scores", "unit": "relative", "format": "xyxy", "background": 0},
            "boxes for boxes (N, M, 4) that the network has computed to the end, with scores (N, M, K)",
        ),
        "embed": ("embedding", {"output": "output"}, "embedding for a vector (N, D)"),
        "enhance": ("image", {"output": "output", "scale": 1}, "image for a picture (N, C, H, W)"),
        "segment": (
            "argmax-map",
            {"output": "output", "layout": "NCHW", "values": "logits"},
            "argmax-map for scores of classes (N, C, H, W), or layout = ids for their numbers (N, H, W)",
        ),
    }
)


def template(found: Guess) -> str:
    """The text of a contract; it is sound TOML, and what has to be looked at is said beside it."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Guess) -> Iterator[str]:
    yield "# A contract for pixelwright convert. What stands here was found in the model; lines that end in `?` are"
    yield "# assumptions: correct them. Every field: docs/bundle.md of Pixelwright."
    for said in (*found.shown, *found.imported.notes):
        yield f"# {_one_line(said)}"
    for missing in found.missing:
        yield f"# MISSING: {_one_line(missing)}"
    yield f"task = {_value(found.task)}"
    yield 'summary = ""'
    yield "# outputs = []  # tensors inside the network to expose instead of its own outputs"
    yield ""
    yield from _input_lines(found.input or InputSpec(resize=Resize("stretch", (224, 224))), found)
    yield ""
    yield from _output_lines(found)
    yield ""
    if found.task == "detect":
        yield "[output.suppression]"
        yield "iou_threshold = 0.45  # ? of boxes that overlap more, the best is kept"
        yield ""
    yield "# An SPDX name, and whether commercial use is allowed: yes, no or unknown."
    for part in ("code", "weights"):
        yield f"[license.{part}]"
        yield 'license = "unknown"  # ?'
        yield 'commercial = "unknown"  # ?'


def _input_lines(spec: InputSpec, found: Guess) -> Iterator[str]:
    yield "[input]"
    yield f"channels = {_value(spec.channels)}  # ? rgb, bgr or gray"
    yield f"layout = {_value(spec.layout)}"
    yield f"dtype = {_value(spec.dtype)}"
    stated = bool(found.imported.mean or found.imported.std) or spec.dtype != "float32"
    yield "# (value - mean) / std, where full white is `white` before: 1 or 255."
    yield f"white = {spec.white}{'' if stated else '  # ?'}"
    if spec.mean or spec.dtype == "float32":
        yield f"mean = {_value(spec.mean)}{'' if stated else '  # ? one value a channel'}"
    if spec.dtype == "float32":
        yield f"std = {_value(spec.std)}{'' if stated else '  # ?'}"
    if found.task == "enhance":
        yield from (f"{name} = {_value(getattr(spec, name))}" for name in ("color", "depth", "alpha", "extra_channels"))
        yield f"multiple_of = {spec.multiple_of}"
    if spec.resize is not None:
        yield ""
        yield "[input.resize]"
        yield 'rule = "stretch"  # ? stretch, shorter (with input.crop_hw) or letterbox'
        yield f"size_hw = {_value(list(spec.resize.size_hw))}"
        yield f"kernel = {_value(spec.resize.kernel)}  # ?"
        yield f"antialias = {_value(spec.resize.antialias)}  # ?"


def _output_lines(found: Guess) -> Iterator[str]:
    decoder, parameters, words = EXAMPLES.get(found.task, ("tensors", {}, "tensors hands the outputs on as they are"))
    if found.output is not None:
        decoder, parameters = found.output.decoder, found.output.parameters
    yield "# The network's outputs:"
    yield from (f"#   {_value(tensor.name)}: {tensor.dtype} {shape_text(tensor)}" for tensor in found.tensors.outputs)
    yield f"# Decoders: {', '.join(registry.names('decoder'))}."
    yield f"# Here: {words}."
    yield "[output]"
    yield f"decoder = {_value(decoder)}{'' if found.output else '  # ?'}"
    labels = found.output.labels if found.output else found.labels
    if labels and not labels[0].startswith("class "):
        yield f"labels = {_value(list(labels))}"
    elif needs_labels(decoder):
        yield "# labels = [...]  # or a file beside the model: --labels labels.txt"
    yield ""
    yield "[output.parameters]"
    yield from (f"{key} = {_value(value)}{'' if found.output else '  # ?'}" for key, value in parameters.items())


def _value(value: Any) -> str:
    """A value as TOML writes it: for these kinds as JSON does, but for pairs of escapes and for the character 127."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
