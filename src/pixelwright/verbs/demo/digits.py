"""Experiment: digits drawn by this program with a shaky pen and with a typeface, then read by the model.

They are no handwriting: a handful of strokes, bent, slanted and scaled at random from a fixed seed. The bundle's
measured score on MNIST's test set is the number to judge the model by; this shows that it runs and what it returns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwright.errors import RuntimeFailure
from pixelwright.structures.image import GRAY, Image
from pixelwright.verbs.demo.bench import Bench
from pixelwright.verbs.demo.markup import Part
from pixelwright.verbs.report.markup import picture, section, text

Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

SEED = 7
SIDES_PX = (28, 40, 64, 96)  # of the pictures, in turn
PEN_ROWS = 3  # times each digit by pen, and once more in the typeface
OVERSAMPLING = 8

# Strokes in a box of 1 by 1, x right and y down: straight from point to point, or a curve through the points.
STROKES: tuple[tuple[tuple[bool, tuple[tuple[float, float], ...]], ...], ...] = (
    ((True, ((0.5, 0), (0.14, 0.25), (0.1, 0.7), (0.5, 1), (0.88, 0.7), (0.86, 0.25), (0.5, 0))),),
    ((False, ((0.28, 0.22), (0.56, 0), (0.54, 1))),),
    (
        (True, ((0.12, 0.25), (0.34, 0.02), (0.72, 0.04), (0.82, 0.32), (0.46, 0.7), (0.08, 1))),
        (False, ((0.08, 1), (0.9, 0.98))),
    ),
    (
        (True, ((0.14, 0.1), (0.5, 0), (0.82, 0.2), (0.64, 0.42), (0.4, 0.47))),
        (True, ((0.4, 0.47), (0.78, 0.55), (0.86, 0.8), (0.5, 1), (0.1, 0.9))),
    ),
    ((False, ((0.6, 0), (0.08, 0.66), (0.95, 0.66))), (False, ((0.7, 0.3), (0.66, 1)))),
    (
        (False, ((0.85, 0.02), (0.24, 0), (0.18, 0.45))),
        (True, ((0.18, 0.45), (0.55, 0.38), (0.86, 0.64), (0.6, 0.97), (0.12, 0.94))),
    ),
    ((True, ((0.7, 0), (0.32, 0.28), (0.14, 0.7), (0.42, 1), (0.8, 0.84), (0.7, 0.58), (0.4, 0.56), (0.16, 0.76))),),
    ((False, ((0.08, 0.02), (0.9, 0), (0.42, 1))),),
    (
        (True, ((0.5, 0.47), (0.2, 0.26), (0.48, 0), (0.8, 0.22), (0.5, 0.47))),
        (True, ((0.5, 0.47), (0.14, 0.75), (0.48, 1), (0.86, 0.76), (0.5, 0.47))),
    ),
    ((True, ((0.82, 0.18), (0.48, 0), (0.18, 0.26), (0.44, 0.5), (0.8, 0.26), (0.82, 0.18), (0.78, 0.6), (0.62, 1))),),
)


def read_digits(bench: Bench) -> Part:
    """Draw each digit four times, write the pictures, and classify the files as one stream."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for row in range(PEN_ROWS + 1):
        for digit in range(10):
            side_px = SIDES_PX[(row + digit) % len(SIDES_PX)]
            hand = "pen" if row < PEN_ROWS else "typeface"
            ink = draw_digit(digit, side_px, rng, hand=hand, dark_ink=(row + digit) % 2 == 0)
            drawn.append((bench.write(ink, f"digit-{row}-{digit}.png"), digit, side_px))
    with bench.timing(f"Classify {len(drawn)} digits"):
        answers = list(bench.digits.stream([bench.output / link for link, *_ in drawn]))
    right, items = 0, ""
    for (link, digit, side_px), answer in zip(drawn, answers, strict=True):
        if answer.error is not None or answer.result is None:
            raise answer.error or RuntimeFailure(f"{link}: the model gave no answer.")
        best = answer.result.top  # none where no class passed the bundle's threshold
        label, score = (best.label, best.score) if best else ("–", 0.0)
        is_right = label == str(digit)
        right += is_right
        css, truth = ("", "") if is_right else (' class="wrong"', f"<em>is {digit}</em>")
        shown = picture(link, f"A drawn {digit}", (side_px, side_px))
        items += f"<li{css}>{shown}<p><span><b>{text(label)}</b> {score:.0%}</span>{truth}</p></li>"
    lead = (
        f"{right} of {len(drawn)} are right. The digits were drawn by this program, three rows by a shaky pen and one "
        "in a typeface, 28 to 96 pixels large, slanted, dark on light and light on dark; they are not handwriting. "
        "What the model does on MNIST’s handwriting stands among its measured scores below."
    )
    return Part(
        *("digits", "Digits read", f"{right} <small>of {len(drawn)}</small>", "drawn, not handwritten"),
        section("digits", "Digits read", lead, f'<ul class="digits">{items}</ul>'),
    )


def draw_digit(digit: int, side_px: int, rng: np.random.Generator, *, hand: str, dark_ink: bool) -> Image:
    """A gray picture (side_px, side_px) of a digit, dark on light or light on dark, slanted, moved and grainy."""
    import cv2

    large = side_px * OVERSAMPLING
    ink = _by_pen(digit, large, rng) if hand == "pen" else _in_type(digit, large)
    slant, tilt = rng.uniform(-0.05, 0.3), rng.uniform(-0.12, 0.12)
    move = rng.uniform(-0.04, 0.04, 2) * large
    matrix = np.array([[np.cos(tilt), -np.sin(tilt) - slant], [np.sin(tilt), np.cos(tilt)]])
    center = np.array([large / 2, large / 2])
    offset = center - matrix @ center + move
    ink = cv2.warpAffine(ink, np.column_stack([matrix, offset]), (large, large), flags=cv2.INTER_LINEAR)
    coverage = cv2.resize(ink, (side_px, side_px), interpolation=cv2.INTER_AREA) / 255.0
    paper, pen = rng.uniform(215, 250), rng.uniform(15, 60)
    if not dark_ink:
        paper, pen = 255 - paper, 255 - pen
    values = paper + (pen - paper) * coverage + rng.normal(0, 3, coverage.shape)
    return Image(np.rint(np.clip(values, 0, 255)).astype(np.uint8)[:, :, None], color=GRAY)


def _by_pen(digit: int, side: int, rng: np.random.Generator) -> Pixels:
    """The digit's strokes, each point shaken a little, white on black."""
    import cv2

    canvas = np.zeros((side, side), np.uint8)
    width, height = rng.uniform(0.36, 0.5), rng.uniform(0.6, 0.7)  # of the picture, as MNIST fills it
    corner = (1 - np.array([width, height])) / 2
    thickness = max(1, round(side * rng.uniform(0.06, 0.1)))
    shake: dict[tuple[float, float], Points] = {}  # strokes that meet keep meeting
    for curved, points in STROKES[digit]:
        shaken = [np.array(point) + shake.setdefault(point, rng.normal(0, 0.03, 2)) for point in points]
        line = _curve(np.array(shaken)) if curved else np.array(shaken)
        placed = (corner + line * (width, height)) * side
        cv2.polylines(canvas, [np.rint(placed).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return canvas


def _curve(points: Points, *, steps: int = 16) -> Points:
    """A Catmull-Rom spline through points (N, 2), its ends doubled."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.concatenate(pieces)


def _in_type(digit: int, side: int) -> Pixels:
    """The digit in the typeface that Pillow carries, white on black."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    canvas = PillowImage.new("L", (side, side))
    font = ImageFont.load_default(size=side * 0.85)
    ImageDraw.Draw(canvas).text((side / 2, side / 2), str(digit), fill=255, font=font, anchor="mm")
    return np.array(canvas)
