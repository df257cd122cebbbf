"""ICC profiles: is it one, what does it look like, and what are its curves and matrix.

Only matrix and gray profiles are taken apart here, so that 16-bit values go through in float; table-based ones go
through Little CMS (`pixelwright.io.lcms`). Source: ICC.1:2022 (profile version 4.4), sections 7, 9 and 10.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Color

Floats = npt.NDArray[np.floating]

MAX_ICC_BYTES = 2**24  # the largest press profiles have 4 MiB; a compressed chunk could unfold to anything
TRANSFER_TOLERANCE = 0.004  # one 8-bit step: curves closer than this are the same
PRIMARIES_TOLERANCE = 0.003  # in XYZ; sRGB profiles in the wild differ by up to 0.0015

# Linear RGB to XYZ under ICC's D50 (0.9642, 1, 0.8249), columns red, green, blue: `matrix_of` of the published
# chromaticities. All from one computation, so that gray in one gamut is gray in the others to the last of 16 bits.
TO_XYZ_D50: dict[str, Floats] = {
    "srgb": np.array(
        [[0.4360413, 0.3851129, 0.1430458], [0.2224845, 0.7169051, 0.0606104], [0.0139202, 0.0970672, 0.7139126]]
    ),
    "adobe-rgb": np.array(
        [[0.6097408, 0.2052726, 0.1491867], [0.3111125, 0.6256751, 0.0632123], [0.0194654, 0.0608745, 0.7445601]]
    ),
    "display-p3": np.array(
        [[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]]
    ),
    "bt2020": np.array(
        [[0.6734802, 0.1656712, 0.1250486], [0.2790426, 0.6753445, 0.0456129], [-0.0019335, 0.0299828, 0.7968506]]
    ),
}
GAMMA = {"adobe-rgb": 563 / 256, "display-p3": 2.2, "srgb": 2.2, "bt2020": 2.2}  # what "gamma" means without a profile
# ITU-T H.273, tables 2 and 3; the first code of a name is the one to write
CODED_PRIMARIES = {1: "srgb", 2: "srgb", 9: "bt2020", 12: "display-p3"}
CODED_TRANSFER = {13: "srgb", 1: "srgb", 2: "srgb", 6: "srgb", 14: "srgb", 15: "srgb", 8: "linear", 16: "pq", 18: "hlg"}


@dataclass(frozen=True, slots=True)
class Curve:
    """From a stored value 0..1 to light 0..1: a parametric function or a table."""

    parameters: tuple[float, ...] = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # g a b c d e f of ICC's function type 4
    table: npt.NDArray[np.float32] | None = None

    def __call__(self, value: Floats) -> npt.NDArray[np.float32]:
        """Light for stored values, same shape."""
        if self.table is not None:
            return np.interp(value, np.linspace(0, 1, len(self.table)), self.table).astype(np.float32)
        g, a, b, c, d, e, f = self.parameters
        upper = np.power(np.maximum(a * value + b, 0), g) + e
        return np.where(value >= d, upper, c * value + f).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile, as far as it is understood.

    Attributes:
        space: `RGB `, `GRAY`, `CMYK` or another signature.
        curves: One for each channel; empty where the profile works through tables.
        to_xyz: Linear RGB to XYZ (D50); None for gray and table profiles.
    """

    space: str
    curves: tuple[Curve, ...] = ()
    to_xyz: Floats | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but curves and a matrix."""
        return bool(self.curves)


def unfold(packed: bytes, limit_bytes: int = MAX_ICC_BYTES) -> bytes | None:
    """Inflates a compressed block of metadata; None where it is damaged or longer than the limit."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(packed, limit_bytes)
    except zlib.error:
        return None
    return plain if inflater.eof else None


@lru_cache(maxsize=16)
def parse(profile: bytes) -> Profile | None:
    """What a profile says; None where it is cut off or none at all."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    size, count = struct.unpack_from(">I", profile)[0], struct.unpack_from(">I", profile, 128)[0]
    if size > len(profile) or count > 200 or 132 + 12 * count > len(profile):
        return None
    tags = {}
    for index in range(count):
        name, at, length = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if at + length > len(profile):
            return None
        tags[name] = profile[at : at + length]
    space = profile[16:20].decode("latin-1")
    try:
        return Profile(space, *_plain_parts(space, tags))
    except (struct.error, ValueError, IndexError, KeyError):
        return None


def _plain_parts(space: str, tags: dict[bytes, bytes]) -> tuple[tuple[Curve, ...], Floats | None]:
    if b"A2B0" in tags:  # the standard puts tables before the matrix
        return (), None
    if space == "GRAY":
        return (_curve(tags[b"kTRC"]),), None
    if space != "RGB ":
        return (), None
    columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    return curves, np.stack(columns, axis=1)


def _curve(tag: bytes) -> Curve:
    """`curv` and `para`, ICC.1:2022 sections 10.6 and 10.18."""
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        v = [x / 65536 for x in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
        if kind == 0:
            return Curve((v[0], 1.0, 0.0, 0.0, -1.0, 0.0, 0.0))
        if kind in (1, 2):
            lowest = -v[2] / v[1] if v[1] else 0.0
            offset = v[3] if kind == 2 else 0.0
            return Curve((v[0], v[1], v[2], 0.0, lowest, offset, offset))
        return Curve((*v, 0.0, 0.0)) if kind == 3 else Curve(tuple(v))
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return Curve()
    if count == 1:
        return Curve((struct.unpack_from(">H", tag, 12)[0] / 256, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0))
    return Curve(table=(np.frombuffer(tag, ">u2", count, 12) / 65535).astype(np.float32))


SRGB_CURVE = Curve((2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0))  # IEC 61966-2-1


@lru_cache(maxsize=16)
def names_of(profile: bytes) -> tuple[str, str]:
    """(transfer, primaries) that a profile looks like, `unknown` where it looks like none we name."""
    parsed = parse(profile)
    if parsed is None or not parsed.is_plain:
        return "unknown", "unknown"
    primaries = "unknown"
    if parsed.to_xyz is None:
        primaries = "srgb"  # gray has no gamut to speak of
    else:
        for name, matrix in TO_XYZ_D50.items():
            if np.abs(matrix - parsed.to_xyz).max() < PRIMARIES_TOLERANCE:
                primaries = name
    return _transfer(parsed.curves[0]), primaries


def _transfer(curve: Curve) -> str:
    stored = np.linspace(0, 1, 33)
    seen = np.power(np.clip(curve(stored), 0, 1), 1 / 2.2)  # compared where the eye compares
    for name, other in (("srgb", SRGB_CURVE), ("linear", Curve())):
        if np.abs(seen - np.power(np.clip(other(stored), 0, 1), 1 / 2.2))[2:].max() < TRANSFER_TOLERANCE:
            return name
    middle = float(curve(np.array([0.5]))[0])
    if not 0 < middle < 1:
        return "unknown"
    gamma = np.log(middle) / np.log(0.5)
    return "gamma" if np.abs(seen - stored ** (gamma / 2.2)).max() < TRANSFER_TOLERANCE else "unknown"


def color_of(channels: tuple[str, ...], icc: bytes | None) -> tuple[Color, tuple[str, ...]]:
    """The color of a picture with an embedded profile (or none), and a warning where the profile is of no use."""
    if not icc:
        return Color(channels), ()
    parsed = parse(icc)
    if channels == GRAY_CHANNELS and parsed is not None and parsed.space == "RGB " and parsed.is_plain:
        if _transfer(parsed.curves[1]) == "srgb":
            return Color(channels), ()
        icc = _assemble(None, _coded(parsed.curves[1]))  # gray under an RGB profile: its curve is what is meant
        parsed = parse(icc)
    wanted = {RGB_CHANNELS: "RGB ", GRAY_CHANNELS: "GRAY"}.get(channels)
    if parsed is None:
        return Color(channels), ("The embedded ICC profile is damaged and was ignored; sRGB is assumed.",)
    if parsed.space != wanted:
        sentence = f"The embedded ICC profile is for {parsed.space.strip()} and was ignored; sRGB is assumed."
        return Color(channels), (sentence,)
    transfer, primaries = names_of(icc)
    return Color(channels, transfer, primaries, icc), ()


def color_of_codes(channels: tuple[str, ...], primaries: int, transfer: int) -> Color:
    """The color that codes of ITU-T H.273 name; what they leave unspecified (2) is sRGB's."""
    return Color(channels, CODED_TRANSFER.get(transfer, "unknown"), CODED_PRIMARIES.get(primaries, "unknown"))


def profile_of(color: Color) -> bytes | None:
    """What to embed: the picture's own profile, one made from its names where they are not sRGB, or none."""
    if color.icc is not None or color.is_srgb or not (color.is_rgb or color.is_gray):
        return color.icc
    if color.transfer not in ("srgb", "linear", "gamma") or color.primaries not in TO_XYZ_D50:
        return None
    gamma = {"srgb": None, "linear": 1.0, "gamma": GAMMA[color.primaries]}[color.transfer]
    return make(TO_XYZ_D50[color.primaries] if color.is_rgb else None, gamma)


def spread(color: Color) -> Color:
    """The color of a gray picture whose values were copied into three channels: the same curve, the gamut of sRGB."""
    parsed = parse(color.icc) if color.icc else None
    if color.icc is None or parsed is None or not parsed.is_plain:
        return Color(RGB_CHANNELS, color.transfer, color.primaries)
    profile = _assemble(TO_XYZ_D50["srgb"], _coded(parsed.curves[0]))
    return Color(RGB_CHANNELS, *names_of(profile), profile)


def _coded(curve: Curve) -> bytes:
    table = np.rint(np.clip(curve(np.linspace(0, 1, 4096)), 0, 1) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(table)) + table.tobytes()


def make(to_xyz: Floats | None, gamma: float | None) -> bytes:
    """A version 4 display profile from a matrix (None for gray) and one gamma (None for the sRGB curve)."""
    if gamma is None:
        values = SRGB_CURVE.parameters[:5]
        curve = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(v * 65536) for v in values))
    else:
        curve = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(gamma * 65536))
    return _assemble(to_xyz, curve)


def _assemble(to_xyz: Floats | None, curve: bytes) -> bytes:
    tags = [(b"desc", _text("Pixelwright")), (b"cprt", _text("CC0")), (b"wtpt", _xyz((0.9642, 1.0, 0.8249)))]
    if to_xyz is None:
        tags.append((b"kTRC", curve))
    else:
        tags += [(name, _xyz(to_xyz[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, value in tags:
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    if to_xyz is None:
        head = head[:16] + b"GRAY" + head[20:]
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(values: Floats | tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(v) * 65536) for v in values))


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded


def matrix_of(xy: Sequence[float]) -> Floats | None:
    """Linear RGB to XYZ (D50) from chromaticities of white, red, green, blue; None where they span no gamut.

    Source: SMPTE RP 177-1993; adaptation to D50 with the Bradford matrix, ICC.1:2022 annex E.
    """
    points = np.array(xy).reshape(4, 2)
    if (points[:, 1] < 1e-3).any() or (points.sum(axis=1) > 1.0001).any():
        return None
    columns = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    white, primaries = columns[:, 0], columns[:, 1:]
    if abs(np.linalg.det(primaries)) < 1e-6:
        return None
    native = primaries * np.linalg.solve(primaries, white)
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gains = (cone @ (0.9642, 1.0, 0.8249)) / (cone @ white)
    return np.linalg.solve(cone, gains[:, None] * cone) @ native
