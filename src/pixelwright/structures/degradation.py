"""Degradation: how worse pictures are made of better ones, to learn the way back.

A record of chances and limits, without the arithmetic, which is in `data.augment.degrade`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pixelwright.errors import UnknownName, UsageError

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Degradation:
    """Chances and limits; every picture draws its own values, evenly within a range where nothing else is said.

    A picture is made smaller, gets noise of one kind at most, and is stored.

    Attributes:
        downscale: How many times smaller the worse picture is, by an antialiased bicubic filter; 1 leaves its size.
        gaussian: Chance of white Gaussian noise.
        gaussian_sigma: Its standard deviation; white is 1.
        sensor: Chance of a sensor's noise: of variance gain * light + read noise squared. With `gaussian` 1 at most.
        sensor_gain: Drawn evenly in its logarithm, and by 0.6 to 1.6 differently for each channel.
        sensor_read: Standard deviation of the read noise; white is 1.
        sensor_linear: Chance that light is linear, with a gamma of 2.2, and not the file's values.
        sensor_correlated: Chance that the noise is as a camera leaves it: demosaiced (RGGB, bilinear) or smoothed.
        rounded: Chance that values are stored in 8 bits, clipped and rounded; others keep all that was made of them.
        jpeg: Chance that the picture is stored as a JPEG file, whatever `rounded` says.
        jpeg_quality: As the Independent JPEG Group counts it, whole numbers.
        jpeg_half: Chance that its colors are stored at half resolution (4:2:0).

    Raises:
        UsageError: A value is out of range; all such are named.

    Example:
        >>> Degradation.named("denoise").gaussian_sigma[1] * 255
        60.0
        >>> Degradation.named("super-resolve-x2").downscale
        2
    """

    downscale: int = 1
    gaussian: float = 0.0
    gaussian_sigma: Range = (0.0, 60 / 255)
    sensor: float = 0.0
    sensor_gain: Range = (2e-4, 2e-2)
    sensor_read: Range = (0.0, 0.04)
    sensor_linear: float = 0.5
    sensor_correlated: float = 0.7
    rounded: float = 1.0
    jpeg: float = 0.0
    jpeg_quality: Range = (40, 95)
    jpeg_half: float = 0.6

    def __post_init__(self) -> None:
        chances = ("gaussian", "sensor", "sensor_linear", "sensor_correlated", "rounded", "jpeg", "jpeg_half")
        limits = {"gaussian_sigma": (0, 1), "sensor_gain": (1e-6, 1), "sensor_read": (0, 1), "jpeg_quality": (1, 100)}
        wrong = [
            f"{name}: expected 0..1, got {value!r}" for name in chances if not 0 <= (value := getattr(self, name)) <= 1
        ]
        if self.gaussian + self.sensor > 1:
            wrong.append(f"gaussian + sensor: expected 1 at most, got {self.gaussian + self.sensor:g}")
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                wrong.append(f"{name}: expected two numbers within {least:g}..{most:g}, ascending, got {low}, {high}")
        if self.downscale not in range(1, 9):
            wrong.append(f"downscale: expected a whole number, 1..8, got {self.downscale!r}")
        if wrong:
            raise UsageError("degradation: " + "; ".join(wrong) + ".")

    @classmethod
    def named(cls, name: str) -> Degradation:
        """A preset: `denoise`, `jpeg`, `super-resolve-x2` or `super-resolve-x4`.

        Raises:
            UnknownName: There is none of that name.
        """
        if name not in PRESETS:
            raise UnknownName("degradation", name, PRESETS)
        return PRESETS[name]


PRESETS: Mapping[str, Degradation] = MappingProxyType(
    {
        "denoise": Degradation(gaussian=0.5, sensor=0.47, rounded=0.85, jpeg=0.2),
        "jpeg": Degradation(jpeg=0.97, jpeg_quality=(10, 95)),
        "super-resolve-x2": Degradation(downscale=2),
        "super-resolve-x4": Degradation(downscale=4),
    }
)
