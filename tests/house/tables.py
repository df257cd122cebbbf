"""Tables in the documents, made from what they speak of: `python tests/house/tables.py` puts them there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path

from pixelwright import hub, registry
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.data.export import Export
from pixelwright.data.layout import Layout
from pixelwright.io.format import Format
from pixelwright.ops.decoders.decoder import Decoder

ROOT = Path(__file__).resolve().parents[2]
BITS = {"uint8": "8", "uint16": "16", "float32": "32 float"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table between two marks of a page, and the function that makes it."""

    name: str
    page: Path
    render: Callable[[], str]

    @property
    def marks(self) -> tuple[str, str]:
        """What stands before and after it."""
        return f"<!-- {self.name}: begin -->\n", f"<!-- {self.name}: end -->\n"

    def current(self) -> str:
        """What stands between the marks now."""
        begin, end = self.marks
        return self.page.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]

    def update(self) -> None:
        """Put the table where it belongs."""
        begin, end = self.marks
        text = self.page.read_text(encoding="utf-8")
        self.page.write_text(text.replace(begin + self.current() + end, begin + self.render() + end), encoding="utf-8")


def models() -> str:
    """The shipped models with their first score: on a test set, or else on the part that chose the weights."""
    head = "| model | task | MB | measured (95 % interval) | on | commerce |\n|---|---|---|---|---|---|\n"
    return head + "".join(row for name in hub.names() for row in _scores(read_bundle(hub.locate(name))))


def _scores(bundle: ModelBundle) -> Iterator[str]:
    spec = bundle.spec
    size = sum(file.bytes for artifact in spec.artifacts for file in artifact.files)
    told = (f"`{spec.name}`", spec.task, f"{size / 1e6:.1f}")
    first = spec.measured[0]
    for row in spec.measured:
        if (row.metric, row.data) != (first.metric, first.data):
            continue
        interval = f" ({row.ci95[0]:.4g} to {row.ci95[1]:.4g})" if row.ci95 else ""
        score = f"{row.metric} **{row.value:.4g}**{interval}, n = {row.n:,}"
        said = (row.data.name.partition(",")[0], re.split(r"[:,]", row.data.split)[0])
        where = "; ".join(filter(None, (" ".join(said), row.condition)))
        yield f"| {' | '.join((*told, score, where, spec.license.commercial))} |\n"
        told = ("", "", "")


def formats() -> str:
    """Every built-in file format and what can be written into it."""
    head = "| format | endings | bits written | alpha | ICC profile | more channels |\n|---|---|---|---|---|---|\n"
    return head + "".join(_format(registry.get("format", name)) for name in registry.BUILTIN["format"])


def _format(form: Format) -> str:
    endings, holds = " ".join(f"`{suffix}`" for suffix in form.suffixes), form.holds
    if form.write is None:
        return f"| {form.title} | {endings} | read only | | | |\n"
    bits = [BITS[dtype] for dtype in holds.dtypes]
    if holds.whites is not None:
        bits[bits.index("16") :] = [str(int(white).bit_length()) for white in holds.whites]
    marks = ("yes" if held else "no" for held in (holds.alpha, holds.profile, holds.any_channels))
    return f"| {form.title} | {endings} | {', '.join(bits)} | {' | '.join(marks)} |\n"


def exports() -> str:
    """Every built-in export and the results it holds."""
    head = "| export | what it is | results |\n|---|---|---|\n"
    return head + "".join(_export(registry.get("export", name)) for name in registry.BUILTIN["export"])


def _export(export: Export) -> str:
    held = ", ".join(f"`{result.__name__}`" for result in export.results) or "all"
    return f"| `{export.name}` | {export.summary} | {held} |\n"


def layouts() -> str:
    """Every built-in layout of data sets and what is true of its samples."""
    head = "| layout | what it is | what is true of a picture |\n|---|---|---|\n"
    return head + "".join(_layout(registry.get("layout", name)) for name in registry.BUILTIN["layout"])


def _layout(layout: Layout) -> str:
    return f"| `{layout.name}` | {layout.summary} | {', '.join(sorted(layout.kinds))} |\n"


def third_party_models() -> str:
    """The gallery of the hub."""
    from house.gallery import gallery  # found by pytest; run as a script, the lines at the end find it

    return gallery()


def decoders() -> str:
    """Every built-in decoder that a detector can name, with its parameters and their defaults."""
    head = "| decoder | what it reads | parameters |\n|---|---|---|\n"
    found = (registry.get("decoder", name) for name in registry.BUILTIN["decoder"])
    return head + "".join(_decoder(one) for one in found if one.makes == "candidates")


def _decoder(decoder: Decoder) -> str:
    module = sys.modules[decoder.decode.__module__]
    reads = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    return f"| `{decoder.name}` | {reads} | {', '.join(_parameters(decoder))} |\n"


def _parameters(decoder: Decoder) -> Iterator[str]:
    for name, parameter in list(signature(decoder.decode).parameters.items())[1:]:
        if name in decoder.asks_for:
            continue
        plain = parameter.default is Parameter.empty
        yield f"`{name}`" if plain else f"`{name}` = {json.dumps(parameter.default)}"


TABLES = (
    Table("models", ROOT / "README.md", models),
    Table("formats", ROOT / "docs" / "images.md", formats),
    Table("exports", ROOT / "docs" / "results.md", exports),
    Table("layouts", ROOT / "docs" / "data.md", layouts),
    Table("hub", ROOT / "docs" / "hub.md", third_party_models),
    Table("decoders", ROOT / "docs" / "detect.md", decoders),
)

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    for table in TABLES:
        table.update()
        sys.stdout.write(f"{table.page.relative_to(ROOT)}: {table.name}\n")
