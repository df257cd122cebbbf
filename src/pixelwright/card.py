"""The model card of a bundle: what `bundle.json` says, for people and for the Hugging Face hub.

Whatever a bundle says is text from strangers. In the front matter every string is quoted and escaped; in the Markdown
every character with a meaning is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pixelwright.structures.draft import Draft
from pixelwright.structures.spec import BundleSpec, Decision, License, Measured, Parity, Resize, TensorSpec, Terms

HUB_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "classify": "image-classification",
        "detect": "object-detection",
        "embed": "image-feature-extraction",
        "enhance": "image-to-image",
        "generate": "unconditional-image-generation",
        "segment": "image-segmentation",
    }
)
# The hub's identifiers are SPDX's in lower case, but it knows only some.
# Source: https://huggingface.co/docs/hub/repositories-licenses
HUB_LICENSES = frozenset(
    {"apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit"}
)

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$#])")
_LINE_START = re.compile(r"^(\d*)([-+=>](?!\d)|[.)](?=\s|$))")
_MAX_LABELS_SHOWN = 20


def render_card(spec: BundleSpec) -> str:
    """The card, whole: front matter and Markdown, the same text for the same contract."""
    sections = (
        [f"# {_escape(spec.name)} {_escape(spec.version)}", "", _escape(spec.summary)],
        _contract(spec),
        _measured(spec.measured),
        _parity(spec.parity),
        _licenses(spec),
        _provenance(spec),
        _usage(spec),
    )
    body = "\n\n".join("\n".join(section) for section in sections)
    return f"---\n{_front_matter(spec)}\n---\n\n{body}\n"


def plain(text: object) -> str:
    """One line of printable characters: control, direction and line-breaking ones become spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def dimensions(tensor: TensorSpec) -> str:
    """A tensor as in `image float32 (N, 3, H, W)`."""
    return plain(f"{tensor.name} {tensor.dtype} ({', '.join(map(str, tensor.dims))})")


def size_text(size_hw: Sequence[int]) -> str:
    """A size as in `28x28 (height x width)`."""
    return f"{size_hw[0]}x{size_hw[1]} (height x width)"


def score_text(row: Measured) -> str:
    """A score as in `psnr-rgb 31.24 [30.9, 31.6]`."""
    interval = f" [{row.ci95[0]:.4g}, {row.ci95[1]:.4g}]" if row.ci95 else ""
    return f"{row.metric} {row.value:.4g}{interval}"


def contract_rows(spec: BundleSpec | Draft) -> list[tuple[str, str]]:
    """The contract as pairs of a name and what holds, in words."""
    taken = spec.input
    graphs = spec.graphs if isinstance(spec, BundleSpec) else {}
    rows = [
        ("task", spec.task),
        ("architecture", spec.architecture),
        *(
            (f"graph {role}", f"{'; '.join(map(dimensions, g.inputs))} -> {'; '.join(map(dimensions, g.outputs))}")
            for role, g in graphs.items()
        ),
        ("color", f"{taken.color}, {taken.channels}, white {taken.white:g}, {taken.orientation}, depth {taken.depth}"),
        ("gray, alpha, other channels", f"{taken.gray}, {taken.alpha}, {taken.extra_channels}"),
        ("resize", _resize(taken.resize) if taken.resize else "none"),
        ("crop", size_text(taken.crop_hw) if taken.crop_hw else "none"),
        ("sides a multiple of", str(taken.multiple_of)),
        ("mean, std", f"{taken.mean}, {taken.std}" if taken.mean or taken.std else "inside the graph, or none"),
        ("tiling", f"halo {spec.tiling.halo_px} px, multiple {spec.tiling.multiple}" if spec.tiling else "none"),
        ("decoder", f"{spec.output.decoder} {spec.output.parameters}"),
        ("labels", _labels(spec.output.labels)),
        ("temperature", f"{spec.decision.temperature:.4g}"),
        ("threshold", "none" if spec.decision.threshold is None else f"{spec.decision.threshold:.4g}"),
        *_fitted(spec.decision),
    ]
    return [(name, plain(value)) for name, value in rows]


def _fitted(decision: Decision) -> Iterator[tuple[str, str]]:
    if decision.thresholds:
        yield "thresholds", ", ".join(f"{label} {least:.4g}" for label, least in decision.thresholds.items())
    if decision.goal:
        where = f"; fitted on {decision.data.name} {decision.data.split}" if decision.data else ""
        yield "goal of the thresholds", f"{decision.goal}{where}"


def _resize(rule: Resize) -> str:
    return f"{rule.rule} {size_text(rule.size_hw)}, {rule.kernel}{', antialiased' if rule.antialias else ''}"


def _labels(labels: Sequence[str]) -> str:
    if not labels:
        return "none"
    more = f", ... ({len(labels)} in all)" if len(labels) > _MAX_LABELS_SHOWN else ""
    return ", ".join(labels[:_MAX_LABELS_SHOWN]) + more


def terms_rows(terms: License) -> list[tuple[str, Terms]]:
    """The ledger: what, and its terms."""
    data = ((f"data: {one.name or 'unnamed'}", one) for one in terms.data)
    return [("code", terms.code), ("weights", terms.weights), *data]


def _contract(spec: BundleSpec) -> list[str]:
    return ["## Contract", "", *_table(("", ""), contract_rows(spec))]


def _measured(rows: Sequence[Measured]) -> list[str]:
    if not rows:
        return ["## Measured", "", "Nothing was measured."]
    cells = (
        (
            row.metric,
            f"{row.value:.4g}",
            f"{row.ci95[0]:.4g} to {row.ci95[1]:.4g}" if row.ci95 else "",
            row.n,
            " ".join((row.data.name, row.data.split)),
            row.condition,
            row.runtime,
            row.date,
        )
        for row in rows
    )
    head = ("metric", "value", "95 % interval", "n", "data", "condition", "runtime", "date")
    definitions = dict.fromkeys(f"- {_escape(row.metric)}: {_escape(row.definition)}" for row in rows)
    return ["## Measured", "", *_table(head, cells), "", *definitions]


def _parity(rows: Sequence[Parity]) -> list[str]:
    if not rows:
        return ["## Parity", "", "No runtime was compared with the reference."]
    cells = (
        (
            row.runtime,
            row.precision,
            f"{row.largest_difference:.2g}",
            f"{row.tolerance:.2g}",
            "yes" if row.holds else "no",
            f"{row.metric} {row.metric_delta:+.2g}" if row.metric else "",
            "" if row.relative_time is None else f"{row.relative_time:.2f}",
            row.n,
        )
        for row in rows
    )
    head = ("runtime", "precision", "largest difference", "allowed", "holds", "metric change", "time", "n")
    said = "Differences are relative to the largest value of the reference's output; times, on one thread, to its time."
    return ["## Parity", "", said, "", *_table(head, cells)]


def _licenses(spec: BundleSpec) -> list[str]:
    cells = ((what, t.license, t.commercial, t.url, t.note) for what, t in terms_rows(spec.license))
    head = ("", "license", "commercial use", "where it stands", "note")
    said = f"Commercial use, by the strictest of these terms: {spec.license.commercial}."
    return ["## Licenses", "", *_table(head, cells), "", said]


def _provenance(spec: BundleSpec) -> list[str]:
    source = spec.provenance
    rows = (
        ("made with", source.toolkit),
        ("recipe", source.recipe),
        ("seed", "" if source.seed is None else source.seed),
        ("parent", source.parent),
        ("source", source.source_url),
        ("SHA-256 of the source", source.source_sha256 or ""),
        *(
            (f"learned from {data.name} {data.split}".strip(), f"fingerprint {data.fingerprint}")
            for data in source.data
        ),
    )
    files = ((f.path, f"{f.bytes} bytes, SHA-256 {f.sha256}") for a in spec.artifacts for f in a.files)
    return ["## Provenance", "", *_table(("", ""), [*(row for row in rows if row[1] != ""), *files])]


def _usage(spec: BundleSpec) -> list[str]:
    return [
        "## Run it",
        "",
        "```",
        f"pixelwright {spec.task} photo.jpg --model {spec.name}",
        "```",
        "",
        "```python",
        "import pixelwright as pw",
        "",
        f'model = pw.load("{spec.name}")  # or the folder of this bundle',
        'result = model("photo.jpg")',
        "```",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_escape, row))} |"


def _escape(text: object) -> str:
    """Text as Markdown that shows it as it is, on one line."""
    escaped = _MARKDOWN.sub(r"\\\1", plain(text).replace("&", "&amp;").replace("<", "&lt;"))
    # At the start of a line: `- x` and `1. x` would be lists, `=` underlines a heading; numbers stay as they are.
    return _LINE_START.sub(r"\1\\\2", escaped)


def _front_matter(spec: BundleSpec) -> str:
    weights = spec.license.weights
    known = weights.license.lower()
    fields: dict[str, Any] = {"license": known if known in HUB_LICENSES else "other"}
    if known not in HUB_LICENSES:
        fields |= {"license_name": weights.license or "unknown", "license_link": weights.url or "unknown"}
    fields |= {"library_name": "pixelwright", "tags": ["pixelwright", "onnx", spec.task]}
    if spec.task in HUB_TASKS:
        fields["pipeline_tag"] = HUB_TASKS[spec.task]
    if spec.measured:
        results = [_hub_result(spec, row) for row in spec.measured]
        fields["model-index"] = [{"name": spec.name, "results": results}]
    return "\n".join(_yaml(fields))


def _hub_result(spec: BundleSpec, row: Measured) -> dict[str, Any]:
    dataset = {"name": row.data.name, "type": "image-folder", "split": row.data.split}
    metric = {"type": row.metric, "name": " ".join((row.metric, row.condition)).strip(), "value": row.value}
    return {"task": {"type": HUB_TASKS.get(spec.task, "other")}, "dataset": dataset, "metrics": [metric]}


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Mappings and lists in block style, strings always quoted."""
    pairs = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for key, item in pairs:
        start = f"{indent}{key}" if key == "-" else f"{indent}{key}:"
        if isinstance(item, dict | list):
            yield start
            yield from _yaml(item, f"{indent}  ")
        else:
            yield f"{start} {_quote(item) if isinstance(item, str) else _number(item)}"


def _number(value: float) -> str:
    """As YAML 1.1 wants it: 1e-07 without a point would be a string there."""
    said = repr(value)
    return said.replace("e", ".0e") if "e" in said and "." not in said else said


def _quote(text: str) -> str:
    """A double-quoted YAML string; everything but printable ASCII is escaped, so no parser can stumble."""
    return f'"{"".join(map(_quote_character, text))}"'


def _quote_character(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 0x20 <= code < 0x7F:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
