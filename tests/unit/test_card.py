"""The card: sound YAML in front, Markdown that shows strangers' text as it is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import bundles
from pixelwright.card import plain, render_card
from pixelwright.structures import spec as s

NASTY = 'x"\n---\nlicense: mit # | `rm -rf` <script>alert(1)</script> [a](javascript:b) \x1b[31m \u2028\u202e\U0001f600'


def front_matter(card: str) -> dict:
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found
    return yaml.safe_load(found.group(1))


def spec_with(text: str) -> s.BundleSpec:
    terms = s.Terms(text, "unknown", url=text, note=text, name=text)
    data = s.Data(text, "0" * 64, text)
    score = s.Measured("psnr", text, 1e-7, 3, data, "onnxruntime", "2026-11-22", (0.0, 1.0), text)
    tensor = s.TensorSpec("x", "float32", ["n", 3, "h", "w"])
    return bundles.spec(
        summary=text,
        architecture=text,
        graphs={"model": s.GraphSpec([tensor], [tensor])},
        output=s.OutputSpec("image", {"output": text}, [text]),
        license=s.License(terms, terms, [terms]),
        provenance=s.Provenance(text, text, 5, text, text),
        measured=[score],
        parity=[s.Parity("openvino", "bf16", 20, 0.005, 0.02, text, -0.01)],
    )


def test_the_front_matter_says_license_task_and_scores(tmp_path: Path) -> None:
    card = render_card(spec_with("plain"))
    found = front_matter(card)
    assert found["license"] == "other" and found["license_name"] == "plain"
    assert found["pipeline_tag"] == "image-to-image"
    metric = found["model-index"][0]["results"][0]["metrics"][0]
    assert metric == {"type": "psnr", "name": "psnr plain", "value": 1e-7}


def test_a_license_the_hub_knows_is_named() -> None:
    apache = s.Terms("Apache-2.0", "yes")
    spec = msgspec.structs.replace(spec_with("x"), license=s.License(apache, apache))
    assert front_matter(render_card(spec))["license"] == "apache-2.0"


def test_nasty_text_stays_text() -> None:
    card = render_card(spec_with(NASTY))
    assert front_matter(card)["license_name"] == NASTY
    body = card.split("\n---\n", 1)[1]
    assert "<script" not in body and "\x1b" not in body and "\u202e" not in body
    assert not re.search(r"(?<!\\)\[a", body) and "\nlicense:" not in body


def test_every_table_row_has_as_many_cells_as_its_head() -> None:
    body = render_card(spec_with(NASTY))
    for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_the_card(text: str) -> None:
    card = render_card(spec_with(text))
    said = front_matter(card)
    # A text that happens to be a license the hub knows needs no name of its own.
    assert said.get("license_name", said["license"]) in (text or "unknown", text.lower())
    assert card.count("\n## ") == 6


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    assert plain(text).isprintable()


def test_thresholds_are_shown_with_what_they_were_fitted_to() -> None:
    data = s.Data("cells", "0" * 64, "calibration")
    decision = s.Decision(thresholds={"RBC": 0.25, "WBC": 0.5}, goal="recall 0.9", data=data)
    text = render_card(bundles.spec(decision=decision))
    assert "| thresholds | RBC 0.25, WBC 0.5 |" in text
    assert "| goal of the thresholds | recall 0.9; fitted on cells calibration |" in text
