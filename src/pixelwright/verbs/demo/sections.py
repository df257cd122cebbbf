"""The page's experiments, each as a section: what was done, the pictures, the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwright.verbs.demo.depth import STOPS, Kept
from pixelwright.verbs.demo.digits import Read
from pixelwright.verbs.demo.enlarge import Enlarged
from pixelwright.verbs.demo.markup import Layer, compare, facts, figure, gain, grid, picture, section, size, table, text
from pixelwright.verbs.demo.photos import Album, Photo
from pixelwright.verbs.demo.restore import OPENCV_STRENGTHS, Restored
from pixelwright.verbs.demo.turned import GRAIN, Turned
from pixelwright.verbs.demo.windows import DETAIL_PX


def restored(found: Sequence[Restored], album: Album) -> str:
    """Noise and its removal: sliders, then the table."""
    lead = (
        "Each clean photo was spoiled in two ways and stored; the model got the stored file and no hint how much noise "
        "it holds. Drag across a picture, or focus it and use the arrow keys. PSNR is measured against the clean photo."
    )
    is_own = not all(one.photo.credit for one in found)
    own = '<p class="note">Your photos count as clean: their own grain is part of what is compared with.</p>'
    own = own if is_own else ""
    sliders = [_slider(one, f"denoise-{number}") for number, one in enumerate(found)]
    return section("denoise", "Noise removed", lead, _refused(album), grid("pair", *sliders), *_scores(found), own)


def _slider(one: Restored, key: str) -> str:
    before = [
        Layer(one.noisy_link, f"Noisy {one.noisy_db:.1f} dB", "noisy"),
        Layer(one.opencv.link, f"OpenCV {one.opencv.psnr_db:.1f} dB", "OpenCV"),
        Layer(one.clean_link, "Clean", "clean"),
    ]
    after = Layer(one.ours.link, f"Denoised {one.ours.psnr_db:.1f} dB")
    caption = f"<b>{text(one.noise)}.</b> {_credited(one.photo)}"
    return compare(before, after, one.photo.image.size_hw, caption, key=key)


def _scores(found: Sequence[Restored]) -> list[str]:
    values = [score for one in found for score in (one.noisy_db, one.opencv.psnr_db, one.ours.psnr_db)]
    low, high = min(values) - 0.5, max(values) + 0.5
    rows = [
        [
            f"{text(one.photo.title)}<br><span class=note>{text(one.noise)}</span>",
            _track(one, low, high),
            f"{one.noisy_db:.2f}",
            f"{one.opencv.psnr_db:.2f}",
            f"<b>{one.ours.psnr_db:.2f}</b>",
            gain(one.opencv_gain_db),
            f"<b>{gain(one.gain_db)}</b>",
            f"{one.opencv.seconds:.2f}",
            f"{one.ours.seconds:.2f}",
        ]
        for one in found
    ]
    axis = f'<span class="key"><span>{low:.0f} dB</span><span>{high:.0f} dB</span></span>'
    headings = ["Picture", axis, "Noisy<br>dB", "OpenCV<br>dB", "Model<br>dB"]
    headings += ["OpenCV<br>gain", "Model<br>gain", "OpenCV<br>s", "Model<br>s"]
    note = (
        '<p class="note">OpenCV is <code>fastNlMeansDenoisingColored</code>, windows 7 and 21. For each picture it got '
        f"the best of {len(OPENCV_STRENGTHS)} strengths, chosen with the clean photo at hand; its seconds are of that "
        "one run. The model chooses nothing. Both used all cores, in the same run.</p>"
    )
    scores = table("PSNR over all channels, higher is better", headings, rows, numbers=range(2, 9))
    key = "".join(
        f'<span><span class="track"><i class="{css}"></i></span>{name}</span>'
        for css, name in (("", "noisy"), ("opencv", "OpenCV"), ("ours", "model"))
    )
    return [scores, f'<p class="key">{key}</p>', note]


def _track(one: Restored, low: float, high: float) -> str:
    """Three marks on a common axis, the model's gain as a line."""

    def at(score: float) -> str:
        return f"{100 * (score - low) / (high - low):.1f}%"

    start, width = at(min(one.noisy_db, one.ours.psnr_db)), abs(one.gain_db) * 100 / (high - low)
    return (
        f'<span class="track" aria-hidden="true"><i class="gain" style="left:{start};width:{width:.1f}%"></i>'
        f'<i style="left:{at(one.noisy_db)}"></i><i class="opencv" style="left:{at(one.opencv.psnr_db)}"></i>'
        f'<i class="ours" style="left:{at(one.ours.psnr_db)}"></i></span>'
    )


def _refused(album: Album) -> str:
    if not album.refused:
        return ""
    rows = "".join(f"<li><b>{text(name)}</b>: {text(reason)}</li>" for name, reason in album.refused)
    return f'<p class="note">These files could not be used:</p><ul class="refused">{rows}</ul>'


def _credited(photo: Photo) -> str:
    credit = f" ({text(photo.credit)})" if photo.credit else ""
    part = f"; the middle {size(photo.image.size_hw)} of {size(photo.whole_hw)}" if photo.is_crop else ""
    return f"{text(photo.title)}{credit}{part}"


def enlarged(one: Enlarged) -> str:
    """Doubling: a slider over the whole, and the busiest part magnified."""
    lead = (
        f"The photo was halved to {size(one.small_hw)} with an antialiased bicubic filter and doubled again, by "
        "bicubic interpolation and by the model. PSNR-Y is taken on BT.601 luma, two pixels of border left out."
    )
    size_hw = one.photo.image.size_hw
    before = [
        Layer(one.bicubic.link, f"Bicubic {one.bicubic_db:.2f} dB", "bicubic"),
        Layer(one.original.link, "Original", "original"),
    ]
    after = Layer(one.ours.link, f"Model {one.ours_db:.2f} dB")
    slider = compare(before, after, size_hw, _credited(one.photo), key="enlarge-slider")
    rows = [
        ("Bicubic", f"{one.bicubic_db:.2f} dB"),
        ("Model", f"{one.ours_db:.2f} dB"),
        ("Gain", f"<b>{gain(one.gain_db)} dB</b>"),
        ("Time", f"{one.seconds:.2f} s"),
        ("Magnified below", "where the original has the strongest edges"),
    ]
    views = (
        ("Bicubic", one.bicubic, f", {one.bicubic_db:.2f} dB over the whole"),
        ("Model", one.ours, f", {one.ours_db:.2f} dB"),
        ("Original", one.original, ""),
    )
    details = [
        figure(view.detail_link, f"{name}, magnified", (DETAIL_PX, DETAIL_PX), f"<b>{name}</b>{score}", "detail")
        for name, view, score in views
    ]
    return section("enlarge", "Enlarged twofold", lead, grid("split", slider, facts(rows)), grid("trio", *details))


def kept(one: Kept) -> str:
    """Depth: the file's facts before and after, and what an 8-bit path leaves, brightened."""
    lead = (
        f"The photo was halved, made {STOPS} stops too dark, and stored as a 16-bit TIFF in Display P3. The model "
        "doubled it; the result was written and read back. Beside it the same file by way of 8 bit, as readers that "
        f"return bytes would have it. Both are shown {STOPS} stops brighter, as an editor would do next."
    )
    before = Layer(one.squeezed_link, f"By way of 8 bit, {one.squeezed_db:.1f} dB")
    after = Layer(one.kept_link, f"16 bit kept, {one.kept_db:.1f} dB")
    size_hw = one.photo.image.size_hw
    caption = f"{_credited(one.photo)}. PSNR against the photo."
    slider = compare([before], after, size_hw, caption, key="depth-slider")
    rows = [
        ("File read", f"{one.before.pixels.dtype}, {size(one.before.size_hw)}"),
        ("Result read back", f"<b>{one.after.pixels.dtype}</b>, {size(one.after.size_hw)}"),
        ("Gamut of the result", text(one.after.color.primaries)),
        ("Its profile", "<b>the file’s own, byte for byte</b>" if one.same_profile else "changed"),
        ("Distinct values in the file", f"{one.levels[0]:,}"),
        ("Distinct values in the result", f"<b>{one.levels[1]:,}</b>"),
        ("The same by way of 8 bit", f"{one.squeezed_levels:,}"),
        ("Files", f'<a href="{one.source_link}">stored</a>, <a href="{one.result_link}">enlarged</a>'),
    ]
    kept_link, squeezed_link, photo_link = one.detail_links
    details = [
        figure(link, f"{name}, smooth part magnified", (DETAIL_PX, DETAIL_PX), f"<b>{name}</b>{what}", "detail")
        for name, what, link in (
            ("By way of 8 bit", ", the smoothest part magnified", squeezed_link),
            ("16 bit kept", "", kept_link),
            ("The photo", "", photo_link),
        )
    ]
    return section(
        "depth", "Sixteen bit stays sixteen bit", lead, grid("split", slider, facts(rows)), grid("trio", *details)
    )


def turned(one: Turned) -> str:
    """Orientation: stored, as meant, and the result."""
    lead = (
        f"A JPEG as a phone stores it: rows sideways, orientation {one.tags[0]} in its EXIF, some grain "
        f"(σ\u00a0{GRAIN}). It has to come out upright, turned exactly once, with the tag reset, or the "
        "next program turns it again."
    )
    right = one.quarter_turns == 0 and one.tags[1] == 1
    upright_hw = (one.stored_hw[1], one.stored_hw[0])
    pictures = [
        figure(one.stored_link, "The stored pixels", one.stored_hw, f"<b>As stored</b>, {size(one.stored_hw)}"),
        figure(one.source_link, "As the tag means it", upright_hw, f"<b>As tag {one.tags[0]} means it</b>"),
        figure(one.result_link, "Denoised, upright", one.result_hw, f"<b>Denoised</b>, {size(one.result_hw)}"),
    ]
    rows = [
        ("Orientation tag", f"{one.tags[0]} → <b>{one.tags[1]}</b>"),
        ("Fits the upright photo", "<b>as it is</b>" if right else f"after {one.quarter_turns} quarter turns"),
        ("Camera and time in EXIF", "kept" if one.camera_kept else "lost"),
        ("PSNR against the photo", f"{one.source_db:.1f} → <b>{one.result_db:.1f} dB</b>"),
    ]
    return section(
        "turned", "Sideways files come out upright", lead, grid("row", *pictures), grid("split", facts(rows))
    )


def read(found: Sequence[Read]) -> str:
    """Digits with the model's answers, wrong ones marked."""
    right = sum(one.is_right for one in found)
    lead = (
        f"{right} of {len(found)} are right. The digits were drawn by this program, three rows by a shaky pen and one "
        "in a typeface, 28 to 96 pixels large, slanted, dark on light and light on dark; they are not handwriting. "
        "What the model does on MNIST’s handwriting stands among its measured scores below."
    )
    items = "".join(_digit(one) for one in found)
    return section("digits", "Digits read", lead, f'<ul class="digits">{items}</ul>')


def _digit(one: Read) -> str:
    answer = f"<b>{text(one.label) or '–'}</b> {one.score:.0%}"
    truth = "" if one.is_right else f"<em>is {one.digit}</em>"
    alt = f"A drawn {one.digit}"
    css = "" if one.is_right else ' class="wrong"'
    image = picture(one.link, alt, (one.side_px, one.side_px))
    return f"<li{css}>{image}<p><span>{answer}</span>{truth}</p></li>"
