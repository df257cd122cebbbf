"""The gallery of third-party models in docs/hub.md, made from hub.toml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pixelwright import hub
from pixelwright.card import plain, score_text
from pixelwright.structures.draft import Entry
from pixelwright.structures.spec import InputSpec
from pixelwright.verbs.models import published_text

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"  # made by recipes/docs_pictures.py
TITLES = {
    "classify": "Naming what is in a picture",
    "detect": "Finding things, faces and joints",
    "segment": "Naming every pixel",
    "embed": "Vectors, to compare pictures and faces",
}
HEAD = (
    "| model | MB | input | license of the weights | commerce | published | measured here |\n"
    "|---|---|---|---|---|---|---|\n"
)


def gallery() -> str:
    """For each task pictures of its models, a table, what each model is and how to get it."""
    return "\n".join(_section(task) for task in dict.fromkeys(one.draft.task for one in hub.entries().values()))


def _section(task: str) -> str:
    named = [(name, one) for name, one in hub.entries().items() if one.draft.task == task]
    title = f"### {TITLES.get(task, task)}: `pixelwright {task}`\n\n"
    rows = "".join(_row(name, one) for name, one in named)
    shown = [name for name, _ in named if (PICTURES / f"{name}.jpg").exists()]
    pictures = "".join(f"![What {name} answers](pictures/{name}.jpg)\n" for name in shown)
    notes = "".join(f"- `{name}`: {_cell(one.draft.summary)} [Source]({one.source}).\n" for name, one in named)
    commands = "".join(f"pixelwright models pull {name}\n" for name, _ in named)
    return f"{title}{pictures}\n{HEAD}{rows}\n{notes}\n```text\n{commands}```\n"


def _row(name: str, entry: Entry) -> str:
    draft = entry.draft
    closed = [terms.name for terms in draft.license.data if terms.commercial != "yes"]
    why = f"{draft.license.commercial} ({', '.join(closed)})" if closed else draft.license.commercial
    cells = (
        f"`{name}`",
        f"{sum(file.bytes for file in entry.files) / 1e6:.1f}",
        _input(draft.input),
        _cell(draft.license.weights.license),
        _cell(why),
        "; ".join(_published(entry)) or "no score",
        "; ".join(f"{score_text(row)}, {_cell(f'{row.data.name}, {row.condition}')}" for row in draft.measured)
        or "not yet",
    )
    return f"| {' | '.join(cells)} |\n"


def _published(entry: Entry) -> Iterator[str]:
    for row in entry.published:
        yield f"[{_cell(published_text(row))}]({row.url})"


def _input(spec: InputSpec) -> str:
    """Size, order of channels, numbers, and how a picture gets there: `224x224 rgb uint8, shorter side to 256, cut`."""
    resize = spec.resize
    if resize is None:
        return f"any size, {spec.channels} {spec.dtype}"
    height, width = spec.crop_hw or resize.size_hw
    how = {"stretch": "stretched", "letterbox": "letterboxed"}.get(resize.rule, f"shorter side {min(resize.size_hw)}")
    return f"{width}x{height} {spec.channels} {spec.dtype}, {how}"


def _cell(text: str) -> str:
    return plain(text).replace("|", "\\|")
