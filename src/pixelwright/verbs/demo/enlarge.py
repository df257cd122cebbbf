"""Experiment: a photo halved, then doubled again by bicubic interpolation and by the model."""

from __future__ import annotations

from pixelwright.metrics.fidelity import psnr_y
from pixelwright.ops import resample
from pixelwright.structures.image import Image
from pixelwright.structures.raster import crop
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.markup import Layer, Part, compare, credited, details, gain, size
from pixelwright.verbs.demo.measure import busiest
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.report.markup import facts, grid, section

SCALE = 2


def enlarge(bench: Bench) -> Part:
    """Half a photo with an antialiased bicubic filter, double it twice over, and compare with the photo."""
    photo = bench.album.pick(3)
    original = photo.image
    small_hw = (original.size_hw[0] // SCALE, original.size_hw[1] // SCALE)
    small = Image(resample.resize(original.pixels, small_hw, kernel="bicubic"))
    bicubic = Image(resample.resize(small.pixels, original.size_hw, kernel="bicubic"))
    with bench.timing("Enlarge ×2", megapixels(original.pixels)):
        ours = bench.enlarge(small)
    seconds = bench.seconds()
    bicubic_db, ours_db = (psnr_y(original.pixels, seen.pixels, border_px=SCALE) for seen in (bicubic, ours))
    named = {"Bicubic": bicubic, "Model": ours, "Original": original}
    links = {name: bench.write(image, f"enlarge-{name.lower()}.png") for name, image in named.items()}
    part = busiest(original.pixels)
    cut = {name: bench.write(crop(image, part), f"enlarge-{name.lower()}-detail.png") for name, image in named.items()}
    lead = (
        f"The photo was halved to {size(small_hw)} with an antialiased bicubic filter and doubled again, by "
        "bicubic interpolation and by the model. PSNR-Y is taken on BT.601 luma, two pixels of border left out."
    )
    rows = [
        ("Bicubic", f"{bicubic_db:.2f} dB"),
        ("Model", f"{ours_db:.2f} dB"),
        ("Gain", f"<b>{gain(ours_db - bicubic_db)} dB</b>"),
        ("Time", f"{seconds:.2f} s"),
        ("Magnified below", "where the original has the strongest edges"),
    ]
    trio = details(
        ("Bicubic", f", {bicubic_db:.2f} dB over the whole", cut["Bicubic"]),
        ("Model", f", {ours_db:.2f} dB", cut["Model"]),
        ("Original", "", cut["Original"]),
    )
    slider = _slider(photo, links, bicubic_db, ours_db)
    return Part(
        *("enlarge", "Enlarging ×2", f"{gain(ours_db - bicubic_db)} <small>dB</small>", "over bicubic"),
        section("enlarge", "Enlarged twofold", lead, grid("split", slider, facts(rows)), trio),
    )


def _slider(photo: Photo, links: dict[str, str], bicubic_db: float, ours_db: float) -> str:
    before = [
        Layer(links["Bicubic"], f"Bicubic {bicubic_db:.2f} dB", "bicubic"),
        Layer(links["Original"], "Original", "original"),
    ]
    after = Layer(links["Model"], f"Model {ours_db:.2f} dB")
    return compare(before, after, photo.image.size_hw, credited(photo), key="enlarge-slider")
