"""How far training pictures are varied: a record of limits, without torch, for configurations and command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Literal

from pixelwright.data.dataset import Dataset, Kind
from pixelwright.errors import UnknownName, UsageError

Outside = Literal["edge", "black", "reflect"]
OUTSIDE: tuple[Outside, ...] = ("edge", "black", "reflect")


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits, each 0 where nothing of the kind is done; every picture draws its own values within them.

    A chance is that of a picture. What has two directions is drawn evenly between both limits, factors evenly in
    their logarithm; what has one (`blur_px`, `noise`, `cutout`, `blocks`, `relight`) leaves every other picture alone.

    Attributes:
        share: Chance that a picture is varied by anything but `mirror`, `vertical`, `quarter_turns` and the mixing.
        mirror: Chance of left and right exchanged.
        vertical: Chance of top and bottom exchanged.
        quarter_turns: Chance of one to three turns by 90 degrees; pictures that are not square turn by 180 only.
        rotate_rad: Largest turn to either side, 0..pi.
        scale: Largest change of size: a factor of 1 / (1 + scale) to 1 + scale; 0..3.
        aspect: Largest change of the sides' ratio, as a factor in the same way; 0..1.
        shift: Largest shift along each axis, as a share of the side; 0..1.
        shear_rad: Largest angle by which upright lines lean, 0..1.
        perspective: Largest change of size from one edge to the other, 0..0.5.
        elastic: Largest displacement of a smooth random distortion, as a share of the shorter side; 0..0.05.
        outside: What is seen beyond the picture's edge: its own edge drawn out, black, or its reflection. Maps are
            void there, things with masks go on as their pixels do, boxes do not.
        least_left: Of a thing's area, the share that must be left in view for it to be learned; 0..1.
        keypoint_swaps: Positions of keypoints that change their places in a mirror, such as left and right eye.
        brightness: Largest value added, of white; 0..1.
        contrast: Largest change of contrast around middle gray, as a factor like `scale`; 0..3.
        saturation: Largest change of saturation, as a factor; 0..3. RGB only.
        hue_rad: Largest turn of the hue, 0..pi. RGB only.
        white_balance: Largest change of each channel, as a factor; 0..1. RGB only.
        gamma: Largest exponent, as a factor; 0..3.
        invert: Chance of a negative.
        relight: Largest difference of light between the middle and an edge, of the light in the middle; 0..1.
        stroke_px: By how much bright strokes may grow, and dark ones, at each side; 0..1.
        blur_px: Largest standard deviation of a Gaussian blur; 0..10.
        blocks: Largest loss by JPEG's blocks: 0 none, 1 quality 10.
        noise: Largest standard deviation of noise, of white; 0..1.
        cutout: Largest side of a rectangle painted over with the mean, as a share of the picture's; 0..1.
        mixup_alpha: Of the beta distribution by which two pictures and their classes are mixed; 0..10. Classes only.
        cutmix_alpha: Of that by which a rectangle comes from another picture; 0..10. With both, half of the pictures
            are mixed in each way.
        gain: Of sequences: largest factor of all values, like `scale`; 0..3.
        jitter: Of sequences: largest standard deviation of noise, in standard deviations of each feature; 0..1.
        mask: Of sequences: longest stretch of time set to zero, as a share of the valid steps; 0..1.

    Raises:
        UsageError: A value is outside of its range; all such are named.

    Example:
        >>> Policy.named("light").mirror
        0.5
        >>> Policy(rotate_rad=0.2).warps
        True
    """

    share: float = 1.0
    mirror: float = 0.0
    vertical: float = 0.0
    quarter_turns: float = 0.0
    rotate_rad: float = 0.0
    scale: float = 0.0
    aspect: float = 0.0
    shift: float = 0.0
    shear_rad: float = 0.0
    perspective: float = 0.0
    elastic: float = 0.0
    outside: Outside = "edge"
    least_left: float = 0.25
    keypoint_swaps: tuple[tuple[int, int], ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue_rad: float = 0.0
    white_balance: float = 0.0
    gamma: float = 0.0
    invert: float = 0.0
    relight: float = 0.0
    stroke_px: float = 0.0
    blur_px: float = 0.0
    blocks: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    gain: float = 0.0
    jitter: float = 0.0
    mask: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            f"{name}: expected 0..{most:g}, got {value!r}"
            for name, most in LIMITS.items()
            if not 0 <= (value := getattr(self, name)) <= most
        ]
        if self.outside not in OUTSIDE:
            wrong.append(f"outside: expected one of {', '.join(OUTSIDE)}, got {self.outside!r}")
        if wrong:
            raise UsageError("augmentation: " + "; ".join(wrong) + ".")

    @classmethod
    def named(cls, name: str) -> Policy:
        """A preset: `none`, `light`, `standard` or `strong`.

        Raises:
            UnknownName: There is none of that name.
        """
        if name not in PRESETS:
            raise UnknownName("augmentation policy", name, PRESETS)
        return PRESETS[name]

    @property
    def turns(self) -> bool:
        """Whether pictures are mirrored or turned, pixel for pixel."""
        return max(self.mirror, self.vertical, self.quarter_turns) > 0

    @property
    def warps(self) -> bool:
        """Whether pictures are resampled."""
        return self._any(WARPS)

    @property
    def recolors(self) -> bool:
        """Whether values change by a matrix of colors."""
        return self._any(RECOLORS)

    @property
    def mixes(self) -> bool:
        """Whether pictures of different classes are mixed."""
        return max(self.mixup_alpha, self.cutmix_alpha) > 0

    def _any(self, names: Sequence[str]) -> bool:
        return any(getattr(self, name) > 0 for name in names)

    def only(self, names: Sequence[str]) -> Policy:
        """The policy with nothing left of it but some of its limits."""
        plain = Policy()
        kept = {"share", "outside", "least_left", "keypoint_swaps", *names}
        return replace(self, **{one.name: getattr(plain, one.name) for one in fields(self) if one.name not in kept})


TURNS = ("mirror", "vertical", "quarter_turns")
WARPS = ("rotate_rad", "scale", "aspect", "shift", "shear_rad", "perspective", "elastic")
RECOLORS = ("brightness", "contrast", "saturation", "hue_rad", "white_balance", "invert")
MIXES = ("mixup_alpha", "cutmix_alpha")
SEQUENCE = ("gain", "jitter", "mask")

LIMITS: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(("share", "least_left", *TURNS, "invert", "relight", "stroke_px", "blocks", "noise", "cutout"), 1.0)
    | dict.fromkeys(("brightness", "aspect", "shift", "shear_rad", "white_balance", "jitter", "mask"), 1.0)
    | dict.fromkeys(("scale", "contrast", "saturation", "gamma", "gain"), 3.0)
    | {"rotate_rad": 3.1416, "hue_rad": 3.1416, "perspective": 0.5, "elastic": 0.05}
    | {"blur_px": 10.0, "mixup_alpha": 10.0, "cutmix_alpha": 10.0}
)

_LIGHT = Policy(
    mirror=0.5, rotate_rad=0.09, scale=0.1, shift=0.05, brightness=0.1, contrast=0.1, gain=0.1, jitter=0.02
)  # fmt: skip
_STANDARD = Policy(
    share=0.9, mirror=0.5, rotate_rad=0.17, scale=0.25, aspect=0.1, shift=0.1, shear_rad=0.05,
    brightness=0.15, contrast=0.25, saturation=0.25, hue_rad=0.05, white_balance=0.05, gamma=0.2,
    noise=0.02, cutout=0.25, gain=0.2, jitter=0.05, mask=0.1,
)  # fmt: skip
_STRONG = Policy(
    share=0.95, mirror=0.5, rotate_rad=0.35, scale=0.5, aspect=0.2, shift=0.15, shear_rad=0.15, perspective=0.15,
    elastic=0.01, brightness=0.2, contrast=0.4, saturation=0.5, hue_rad=0.15, white_balance=0.15, gamma=0.3,
    relight=0.3, blur_px=1.0, blocks=0.3, noise=0.05, cutout=0.4, mixup_alpha=0.2, cutmix_alpha=1.0,
    gain=0.4, jitter=0.1, mask=0.25,
)  # fmt: skip
PRESETS: Mapping[str, Policy] = MappingProxyType(
    {"none": Policy(), "light": _LIGHT, "standard": _STANDARD, "strong": _STRONG}
)

# Words of labels that mean something else in a mirror.
SIDED = re.compile(r"(?:^|[\W_])(left|right|clockwise|links|rechts|gauche|droite|izquierda|derecha)(?:$|[\W_])", re.I)
# What is written keeps being the same character only within some turn (6 and 9 are one shape): 20 degrees.
WRITTEN_TURN_RAD = 0.35
# Sides in the names of keypoints: as words, as letters of their own, or as the first or last letter of LEye and eyeL.
_SIDE = re.compile(r"(?i:left|right)|(?<![^\W_])[lrLR](?![^\W_])|^[lrLR](?=[A-Z])|(?<=[a-z])[LR]$")
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def suited(policy: Policy, dataset: Dataset) -> tuple[Policy, tuple[str, ...]]:
    """The policy for a data set, with what its keypoints do in a mirror, and a sentence for each thing taken out.

    Keypoints of which nobody can tell the sides are not mirrored: a left hand in a mirror is a right one.
    """
    policy, remarks = without_forbidden(policy, dataset.kind, dataset.labels)
    stated = tuple((place, other) for place, other in enumerate(dataset.mirrored) if place < other)
    swaps = stated if dataset.mirrored else keypoint_swaps(dataset.keypoints)
    unknown = len(dataset.keypoints) > 1 and not swaps and not dataset.mirrored
    if unknown and max(policy.mirror, policy.vertical) > 0:
        policy = replace(policy, mirror=0.0, vertical=0.0)
        remarks = (*remarks, "nothing is mirrored: no names, nor flip_idx, say which keypoints are left and right")
    return replace(policy, keypoint_swaps=swaps), remarks


def without_forbidden(policy: Policy, kind: Kind, labels: Sequence[str]) -> tuple[Policy, tuple[str, ...]]:
    """The policy without what would make the truth untrue, and a sentence for each thing that was taken out.

    Signs and characters are not mirrored, nor turned far; things with a left and a right in their names are not
    mirrored; noise and restored pictures go together pixel for pixel, so pairs are mirrored and turned by 90 degrees
    and nothing else; only classes are mixed.

    Args:
        policy: As wanted.
        kind: Of the data.
        labels: Of the data, in order.
    """
    remarks: list[str] = []
    if kind in ("pair", "clean"):
        if policy != (policy := policy.only(TURNS)):
            remarks.append("pairs are mirrored and turned by 90 degrees only: resampling would change their noise")
        return policy, tuple(remarks)
    if kind != "classes" and policy.mixes:
        policy = replace(policy, mixup_alpha=0.0, cutmix_alpha=0.0)
        remarks.append(f"nothing is mixed: only classes can be, not {kind}")
    # Classes of pixels are often but numbered, and characters are hardly ever told apart pixel by pixel.
    written = None if kind in ("map", "instances") else next((label for label in labels if _is_written(label)), None)
    sided = next((label for label in labels if SIDED.search(label)), None)
    if written is not None and (policy.turns or policy.rotate_rad > WRITTEN_TURN_RAD):
        turn_rad = min(policy.rotate_rad, WRITTEN_TURN_RAD)
        policy = replace(policy, mirror=0.0, vertical=0.0, quarter_turns=0.0, rotate_rad=turn_rad)
        remarks.append(f"nothing is mirrored or turned far: {written!r} may be a character or a sign")
    elif sided is not None and policy.turns:
        policy = replace(policy, mirror=0.0, vertical=0.0, quarter_turns=0.0)
        remarks.append(f"nothing is mirrored or turned by 90 degrees: the label {sided!r} has a side")
    return policy, tuple(remarks)


def _is_written(label: str) -> bool:
    """Whether a label looks like a character, or like the number of one: `7`, `A`, `00012`."""
    return label.isdigit() or (len(label) == 1 and label.isalpha())


def keypoint_swaps(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Which keypoints change their places in a mirror, by their names: `left eye`, `l_eye`, `LEye`, `eye_L`."""
    places = {name.casefold(): place for place, name in enumerate(names)}
    pairs = ((place, places.get(_other_side(name))) for place, name in enumerate(names))
    return tuple((place, other) for place, other in pairs if other is not None and place < other)


def _other_side(name: str) -> str:
    return _SIDE.sub(lambda found: _OTHER[found[0].casefold()], name).casefold()
