"""Small catalogs of third-party models: an entry whose file is made here and can be put below a mirror's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import bundles
from pixelwright import hub
from pixelwright.interop import measure
from pixelwright.interop.probe_picture import prepared
from pixelwright.structures.spec import InputSpec, Resize

ENTRY = """
[{name}]
title = "Light or dark"
source = "https://models.invalid/"
skip_labels = 1
count_labels = 2
published = [{{ metric = "accuracy", value = 0.75, data = "made up", url = "https://models.invalid/paper" }}]

[[{name}.files]]
role = "model"
url = "https://models.invalid/fixed/{name}.onnx"
bytes = {size}
sha256 = "{digest}"

[[{name}.files]]
role = "labels"
url = "https://models.invalid/fixed/labels.txt"
bytes = {labels_size}
sha256 = "{labels_digest}"

[{name}.draft]
task = "classify"
summary = "{summary}"
input = {{ channels = "gray", resize = {{ rule = "stretch", size_hw = [8, 8] }} }}
output = {{ decoder = "softmax", parameters = {{ output = "logits" }} }}

[{name}.draft.license]
code = {{ license = "MIT", commercial = "yes" }}
weights = {{ license = "CC-BY-NC-4.0", commercial = "no" }}

[{name}.reference]
executor = "arithmetic"
tolerance = 0.001
values.logits = [{zero}, {logit}]
"""
LABELS = b"nothing\ndark\nbright\nand a remark\n"


def entry(
    folder: Path, name: str = "lightness", *, summary: str = "Made for a test.", logit: float | None = None
) -> str:
    """The entry of a tiny classifier as TOML; its files are put into a folder."""
    made = folder / "made"
    made.mkdir(exist_ok=True)
    bundles.brightness(made / name, name=name)
    data = (made / f"{name}.onnx").read_bytes()
    (folder / "mirror" / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "mirror" / "deep" / f"{name}.onnx").write_bytes(data)
    (folder / "mirror" / "labels.txt").write_bytes(LABELS)
    picture = prepared(InputSpec(channels="gray", resize=Resize(rule="stretch", size_hw=(8, 8))))
    return ENTRY.format(
        name=name,
        size=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        labels_size=len(LABELS),
        labels_digest=hashlib.sha256(LABELS).hexdigest(),
        summary=summary,
        zero=0.0,
        logit=8 * (float(np.mean(picture)) - 0.5) if logit is None else logit,
    )


def use(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    """The hub knows what stands in a text, and nothing else; its cache is empty.

    Models are converted for the reference alone: that it is compared with other runtimes is tested elsewhere.
    """
    monkeypatch.setattr(measure, "TOLERANCES", {(measure.REFERENCE, "f32"): 1e-3})
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(hub, "CATALOG", path)
    monkeypatch.setenv("PIXELWRIGHT_CACHE", str(path.with_suffix(".cache")))
    hub._read_catalog.cache_clear()
