"""The page: the experiments, what each step took, what the models say of themselves, and commands to copy.

Style and script stand inside, so that the folder needs nothing from outside.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from pixelwright import __version__
from pixelwright.model import Model, usable_cores
from pixelwright.structures.spec import Measured
from pixelwright.verbs.demo.bench import Bench
from pixelwright.verbs.demo.markup import Part
from pixelwright.verbs.report.markup import facts, grid, section, table, text
from pixelwright.verbs.report.page import Page

PACKAGES = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "pillow", "tifffile", "simplejpeg")

COMMANDS = """\
<span class="say"># a folder of photos, denoised; the same command continues where it was stopped</span>
pixelwright enhance photos/ --model {denoise} -o better/

<span class="say"># one picture at twice the size</span>
pixelwright enhance photo.jpg --model {enlarge} -o large.png

<span class="say"># digits to a table</span>
pixelwright classify scans/ --model {digits} --export csv -o answers/

<span class="say"># what the reader understood of a file: depth, color, orientation, profile</span>
pixelwright inspect photo.jpg

<span class="say"># this page, from your own photos</span>
pixelwright demo --photos photos/ -o my-demo/"""


LEAD = (
    "Photos spoiled on purpose and restored, halved and enlarged again, stored in 16 bit and sideways, and drawn "
    "digits read."
)
FOOTER = (
    "Made by <code>pixelwright demo</code>, on this machine, without a network. Every picture on this page was written "
    "by Pixelwright’s own image writer, except the sideways JPEG, which Pillow wrote, and lies in <code>images/</code> "
    "beside it."
)


def render(bench: Bench, parts: Sequence[Part], seconds: float) -> str:
    """The whole page."""
    appendix = (_steps(bench, seconds), _models(bench), _commands(bench))
    return Page(
        kind="demo",
        title="Pixelwright demo",
        heading="What the models installed here do to real pictures",
        lead=f"{LEAD} Measured on this machine, offline, in {seconds:.0f} seconds.",
        sections=(*(part.section for part in parts), *appendix),
        readouts=[part.headline() for part in parts],
        footer=FOOTER,
        style=_asset("page.css"),
        script=_asset("page.js"),
    ).html()


def _asset(name: str) -> str:
    return files("pixelwright.verbs.demo").joinpath(name).read_text(encoding="utf-8")


def _steps(bench: Bench, seconds: float) -> str:
    """The time table, and the machine it was measured on."""
    rows = [
        [
            text(step.name),
            f"{step.seconds:.2f}",
            "" if step.megapixels is None else f"{step.megapixels:.2f}",
            "" if step.megapixels is None else f"{step.megapixels / step.seconds:.2f}",
        ]
        for step in bench.summed()
    ]
    rows.append(["<b>All, with spoiling, scoring and writing</b>", f"<b>{seconds:.2f}</b>", "", ""])
    times = table("Wall time", ["Step", "Seconds", "Megapixels", "Megapixels/s"], rows, numbers=(1, 2, 3))
    runtime, precision = _runtime(bench.denoise)
    machine = [
        ("Cores used", str(usable_cores())),
        ("Machine", text(f"{platform.system()} {platform.machine()}")),
        ("Runtime", f"<b>{text(runtime)}</b>, {text(precision)}"),
        ("Python", platform.python_version()),
        ("pixelwright", text(__version__)),
        *((name, text(found)) for name in PACKAGES if (found := _version(name))),
    ]
    lead = "Megapixels are those of the finished pictures. Loading includes one warm-up run of each model."
    return section("time", "What each step took", lead, grid("pair", times, facts(machine)))


def _models(bench: Bench) -> str:
    """What each bundle says about itself."""
    rows = [_model(model) for model in (bench.denoise, bench.enlarge, bench.digits)]
    headings = ["Model", "Task", "Weights", "Commercial use", "Measured", "Size"]
    lead = (
        "A model is a folder with a contract: what goes in, what comes out, what it scored on which data, and the "
        "terms of code, weights and training data. The scores are the bundles’ own records, not of the pictures above."
    )
    caption = "Headline scores, in brackets their 95 % intervals"
    return section("models", "What the models say of themselves", lead, table(caption, headings, rows, numbers=(5,)))


def _commands(bench: Bench) -> str:
    """Commands to copy."""
    names = {
        role: text(model.bundle.spec.name)
        for role, model in (("denoise", bench.denoise), ("enlarge", bench.enlarge), ("digits", bench.digits))
    }
    lead = "Files, folders and globs go in; depth, profile, alpha and camera data come out as they went in."
    python = (
        "<pre><code>import pixelwright as pw\n\n"
        f"model = pw.load(&quot;{names['denoise']}&quot;)\n"
        "image = model(&quot;photo.jpg&quot;)  "
        '<span class="say"># image.pixels: (H, W, 3), the file’s own depth</span></code></pre>'
    )
    shell = f"<pre><code>{COMMANDS.format(**names)}</code></pre>"
    return section("use", "On your own pictures", lead, shell, python)


def _model(model: Model) -> list[str]:
    spec = model.bundle.spec
    bytes_total = sum(file.bytes for artifact in spec.artifacts for file in artifact.files)
    return [
        f"{text(spec.name)} {text(spec.version)}",
        text(spec.task),
        text(spec.license.weights.license),
        spec.license.commercial,
        _score(spec.measured[0]) if spec.measured else "nothing stated",
        f"{bytes_total / 1e6:.2f} MB",
    ]


def _score(measured: Measured) -> str:
    digits = 4 if abs(measured.value) <= 1 else 2
    interval = "" if measured.ci95 is None else " [" + ", ".join(f"{end:.{digits}f}" for end in measured.ci95) + "]"
    condition = f", {text(measured.condition)}" if measured.condition else ""
    data = " ".join(part for part in (measured.data.name, measured.data.split) if part)
    return (
        f"{text(measured.metric)} <b>{measured.value:.{digits}f}</b>{interval}{condition}<br>"
        f'<span class="note">{text(data)}, n = {measured.n:,}, {text(measured.runtime)}</span>'
    )


def _runtime(model: Model) -> tuple[str, str]:
    return f"{model.runtime.name} {model.runtime.version()}", model.precision


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
