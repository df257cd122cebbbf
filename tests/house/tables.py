"""The README's table of models, made from the bundles: `python tests/house/zoo_table.py` puts it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pixelwright import hub
from pixelwright.bundle import ModelBundle, read_bundle

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- models: begin -->\n", "<!-- models: end -->\n"
HEAD = "| model | size | measured on its test set, with 95 % interval | condition |\n|---|---|---|---|\n"


def render() -> str:
    """The table, whole."""
    return HEAD + "".join(row for name in hub.names() for row in _rows(read_bundle(hub.locate(name))))


def current(readme: str) -> str:
    """The table that stands in the README."""
    return readme.partition(BEGIN)[2].partition(END)[0]


def _rows(bundle: ModelBundle) -> Iterator[str]:
    spec = bundle.spec
    size = sum(file.bytes for artifact in spec.artifacts for file in artifact.files)
    first = (f"`{spec.name}`", f"{size / 1e6:.1f} MB")
    for row in spec.measured:
        if not row.data.split.startswith("test"):
            continue
        interval = f" ({row.ci95[0]:.4g} to {row.ci95[1]:.4g})" if row.ci95 else ""
        score = f"{row.metric} **{row.value:.4g}**{interval}, {row.data.name.partition(',')[0]}, n = {row.n:,}"
        yield f"| {first[0]} | {first[1]} | {score} | {row.condition} |\n"
        first = ("", "")


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text.replace(BEGIN + current(text) + END, BEGIN + render() + END), encoding="utf-8")
