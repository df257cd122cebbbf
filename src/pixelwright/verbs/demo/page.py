"""The page: evidence to HTML, with style and script inside, so that the folder needs nothing from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from string import Template

from pixelwright import __version__
from pixelwright.verbs.demo import appendix, sections
from pixelwright.verbs.demo.bench import Bench
from pixelwright.verbs.demo.depth import Kept
from pixelwright.verbs.demo.digits import Read
from pixelwright.verbs.demo.enlarge import Enlarged
from pixelwright.verbs.demo.markup import gain, text
from pixelwright.verbs.demo.photos import Album
from pixelwright.verbs.demo.restore import Restored
from pixelwright.verbs.demo.turned import Turned


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the demo found out."""

    bench: Bench
    album: Album
    restored: list[Restored]
    enlarged: Enlarged
    kept: Kept
    turned: Turned
    read: list[Read]
    seconds: float


def render(evidence: Evidence) -> str:
    """The whole page."""
    parts = [
        sections.restored(evidence.restored, evidence.album),
        sections.enlarged(evidence.enlarged),
        sections.kept(evidence.kept),
        sections.turned(evidence.turned),
        sections.read(evidence.read),
        appendix.steps(evidence.bench, evidence.seconds),
        appendix.models(evidence.bench),
        appendix.commands(evidence.bench),
    ]
    return Template(_asset("page.html")).substitute(
        style=_asset("page.css"),
        script=_asset("page.js"),
        version=text(__version__),
        date=date.today().isoformat(),
        claim=_claim(evidence),
        readouts="\n".join(_readouts(evidence)),
        sections="\n".join(parts),
    )


def _asset(name: str) -> str:
    return files("pixelwright.verbs.demo").joinpath(name).read_text(encoding="utf-8")


def _claim(evidence: Evidence) -> str:
    return (
        "Photos spoiled on purpose and restored, halved and enlarged again, stored in 16 bit and sideways, and "
        f"{len(evidence.read)} drawn digits read. Measured on this machine, offline, in {evidence.seconds:.0f} seconds."
    )


def _readouts(evidence: Evidence) -> list[str]:
    """The headline numbers, each a link to its evidence."""
    ours = sum(one.gain_db for one in evidence.restored) / len(evidence.restored)
    opencv = sum(one.opencv_gain_db for one in evidence.restored) / len(evidence.restored)
    kept, turned, right = evidence.kept, evidence.turned, sum(one.is_right for one in evidence.read)
    return [
        _readout("denoise", "Denoising", f"{gain(ours)} <small>dB</small>", f"OpenCV {gain(opencv)} dB"),
        _readout("enlarge", "Enlarging ×2", f"{gain(evidence.enlarged.gain_db)} <small>dB</small>", "over bicubic"),
        _readout("depth", "16-bit values kept", f"{kept.levels[1]:,}", f"by way of 8 bit: {kept.squeezed_levels:,}"),
        _readout("turned", "Orientation tag", f"{turned.tags[0]} → {turned.tags[1]}", "turned upright once"),
        _readout("digits", "Digits read", f"{right} <small>of {len(evidence.read)}</small>", "drawn, not handwritten"),
    ]


def _readout(key: str, name: str, value: str, beside: str) -> str:
    return (
        f'<a href="#{key}"><span class="name">{name}</span><span class="value">{value}</span>'
        f'<span class="beside">{beside}</span></a>'
    )
