"""The examination as a page: what was found, the worst first, with the pictures it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.errors import PixelwrightError
from pixelwright.io.icc import to_srgb
from pixelwright.ops import color, draw
from pixelwright.structures.image import Image
from pixelwright.structures.targets import Annotations, Classes
from pixelwright.verbs.doctor.finding import SEVERITIES, Case, Diagnosis, Finding, Severity
from pixelwright.verbs.report.markup import Readout, grid, more, section, table, text
from pixelwright.verbs.report.page import Album, Page, check_report

SHOWN_CASES = 24  # of a finding with pictures
SHOWN_IDS = 4  # of a group
LISTED_CASES = 1000
THUMB_PX = 176
SHOW_FACTOR = 2  # a picture is drawn on at this many times its shown size at the most
NAMES: Mapping[Severity, str] = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
SEVERITY_STYLE = """
.severity { font-size: .8em; padding: .15em .6em; border-radius: 1em; border: 1px solid currentColor; }
figure.thumb figcaption { overflow-wrap: anywhere; }
"""


def write_report(diagnosis: Diagnosis, dataset: Dataset, path: Path) -> None:
    """An HTML file, offline, with its pictures inside.

    Raises:
        UsageError: The name does not end in .html, or its folder is not there.
        OutputError: The disk is full or not writable.
    """
    check_report(path)
    album = Album()
    samples = {sample.id: sample for sample in dataset.samples}
    sections = [_section(finding, samples, dataset, album) for finding in diagnosis.findings]
    sections.append(_understood(diagnosis))
    readouts = [
        Readout(_first(diagnosis, severity), NAMES[severity], f"{diagnosis.count(severity):,}", _beside(severity))
        for severity in SEVERITIES
    ]
    lead = f"{diagnosis.samples:,} samples, of which {diagnosis.read:,} could be read. {text(album.remark)}"
    title = f"Examination of {dataset.name}"
    Page("doctor", title, title, lead, sections, readouts, style=SEVERITY_STYLE).write(path)


def _first(diagnosis: Diagnosis, severity: Severity) -> str:
    return next((one.name for one in diagnosis.findings if one.rule.severity == severity), "understood")


def _beside(severity: Severity) -> str:
    return {
        "error": "stop a training or falsify its score",
        "warning": "are likely mistakes",
        "note": "are to be known",
    }[severity]


def _section(finding: Finding, samples: Mapping[str, Sample], dataset: Dataset, album: Album) -> str:
    figures = [_figures(case, samples, dataset, album) for case in finding.cases[:SHOWN_CASES]]
    rows = [[text(case.detail), text(", ".join(case.ids))] for case in finding.cases[:LISTED_CASES]]
    rest = len(finding.cases) - len(rows)
    listed = table(finding.headline, ["Found", "Where"], rows, numbers=())
    left_out = f"<p>And {rest:,} more.</p>" if rest > 0 else ""
    shown = "".join(figures)
    lead = f'<span class="severity">{finding.rule.severity}</span> {text(finding.rule.advice)}'
    heading = finding.headline[:1].upper() + finding.headline[1:]
    parts = [grid("thumbs", shown) if shown else "", more("All cases", listed + left_out) if shown else listed]
    return section(finding.name, heading, lead, *parts)


def _figures(case: Case, samples: Mapping[str, Sample], dataset: Dataset, album: Album) -> str:
    known = [samples[one] for one in case.ids[:SHOWN_IDS] if one in samples]
    figures = []
    for sample in known:
        pixels = _drawn(sample, dataset)
        if pixels is not None:
            caption = f"{text(sample.id)}<br>{text(_label(sample, dataset))}{text(case.detail)}"
            figures.append(album.figure(pixels, f"{sample.id}: {case.detail}", caption, side_px=THUMB_PX))
    return "".join(figures)


def _label(sample: Sample, dataset: Dataset) -> str:
    """The label before what was found, where it is one word."""
    try:
        target = sample.truth()
    except PixelwrightError:
        return ""
    if not isinstance(target, Classes) or not target.ids:
        return ""
    return f"[{', '.join(dataset.labels[one] for one in target.ids)}] "


def _drawn(sample: Sample, dataset: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    """The picture with its boxes; None where it cannot be read or shown."""
    if dataset.sequence:
        return None
    side = THUMB_PX * SHOW_FACTOR
    try:
        with sample.picture.open() as raster:
            scale = min(1.0, side / min(raster.size_hw))
            least = tuple(max(1, round(length * scale)) for length in raster.size_hw)
            image = raster.read(at_least_hw=(least[0], least[1]))
            full_hw = raster.size_hw
        if not (image.color.is_rgb or image.color.is_gray):
            return None
        shown = color.to_rgb(color.to_8_bit(color.flatten_alpha(to_srgb(_finite(image)))))
    except PixelwrightError:
        return None
    return _with_boxes(shown, sample, full_hw)


def _finite(image: Image) -> Image:
    if image.pixels.dtype.kind != "f":
        return image
    return image.replace(pixels=np.nan_to_num(image.pixels, posinf=0.0, neginf=0.0))


def _with_boxes(
    shown: Image, sample: Sample, full_hw: tuple[int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        target = sample.truth()
    except PixelwrightError:
        return shown.pixels
    if not isinstance(target, Annotations):
        return shown.pixels
    canvas = draw.canvas(shown)
    scale = np.array([shown.size_hw[1] / full_hw[1], shown.size_hw[0] / full_hw[0]] * 2)
    for box, class_id in zip(target.boxes_xyxy * scale, target.class_ids.tolist(), strict=True):
        draw.box(canvas, box.tolist(), draw.color_of(class_id))
    return canvas.pixels


def _understood(diagnosis: Diagnosis) -> str:
    lines = "".join(f"<li>{text(line)}</li>" for line in (*diagnosis.description, *diagnosis.remarks))
    lead = "Nothing was changed." if diagnosis.findings else "Nothing was found."
    return section("understood", "The data as understood", lead, f"<ul>{lines}</ul>")
