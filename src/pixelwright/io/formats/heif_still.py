"""What the boxes of an AVIF or HEIF say of its primary picture, for both formats."""

from __future__ import annotations

import struct

from pixelwright.errors import UnreadableImage
from pixelwright.io import isobmff, orientation, profiles
from pixelwright.io.formats.still import Still
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Color

_ALPHA_URNS = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


def still_of(data: bytes, name: str, form: str) -> tuple[Still, isobmff.Boxes]:
    """Everything but the pixels.

    Raises:
        UnreadableImage: No primary picture, or no size.
    """
    try:
        boxes = isobmff.parse(data)
        own = boxes.of(boxes.primary)
        size_hw = struct.unpack_from(">II", own[b"ispe"], 4)[::-1]
        if form == "heif" and b"clap" in own:  # libheif cuts to the clean aperture, libavif leaves it alone
            across, across_below, down, down_below = struct.unpack_from(">4I", own[b"clap"])
            size_hw = round(down / down_below), round(across / across_below)
    except (ValueError, IndexError, KeyError, ZeroDivisionError, struct.error) as err:
        raise UnreadableImage(name, f"is damaged or truncated: its boxes lead to no picture ({err}).") from err
    if 0 in size_hw:
        raise UnreadableImage(name, f"is damaged: its header says {size_hw[1]}x{size_hw[0]} pixels.")
    bits, gray = _depth(own, boxes)
    color, faults = _color(own, boxes, GRAY_CHANNELS if gray else RGB_CHANNELS)
    turned = _orientation(own)
    still = Still(
        size_hw=(size_hw[0], size_hw[1]),
        format=form,
        bits=bits,
        gray=gray,
        alpha=_alpha(boxes),
        # libavif undoes it, libheif leaves it to its caller
        premultiplied=form == "heif" and any(kind == b"prem" for kind, _, _ in boxes.references),
        orientation=turned,
        white=float(2**bits - 1),
        color=color,
        exif=_exif(data, boxes),
        xmp=_xmp(data, boxes),
        warnings=faults,
    )
    return still, boxes


def _depth(own: dict[bytes, bytes], boxes: isobmff.Boxes) -> tuple[int, bool]:
    """(bits, gray) from the pixel information, or from the codec's own configuration."""
    pixi = own.get(b"pixi", b"")
    av1 = own.get(b"av1C", b"")
    if len(av1) >= 3:  # high bit depth, twelve bit, monochrome
        return 8 + 2 * (av1[2] >> 6 & 1) + 2 * (av1[2] >> 6 & 1) * (av1[2] >> 5 & 1), bool(av1[2] >> 4 & 1)
    hevc = own.get(b"hvcC", b"")
    if len(hevc) >= 18:
        return 8 + (hevc[17] & 7), (hevc[16] & 3) == 0
    if len(pixi) >= 6:
        return pixi[5], pixi[4] == 1
    tile = next((to for kind, start, to in boxes.references if kind == b"dimg" and start == boxes.primary), None)
    inner = boxes.of(tile) if tile is not None else {}
    return _depth(inner, isobmff.Boxes()) if inner else (8, False)


def _color(own: dict[bytes, bytes], boxes: isobmff.Boxes, channels: tuple[str, ...]) -> tuple[Color, tuple[str, ...]]:
    profile, code = None, None
    for number in boxes.items[boxes.primary].properties:
        if not 1 <= number <= len(boxes.properties):
            continue
        kind, body = boxes.properties[number - 1]
        if kind == b"colr" and body[:4] in (b"prof", b"rICC"):
            profile = body[4 : 4 + profiles.MAX_ICC_BYTES]
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            code = struct.unpack_from(">HH", body, 4)
    if profile is not None:
        return profiles.color_of(channels, profile)
    return profiles.color_of_codes(channels, *code) if code else Color(channels), ()


def _orientation(own: dict[bytes, bytes]) -> int | None:
    """What `irot` and `imir` ask for; None where there is neither and the EXIF block may speak."""
    if b"irot" not in own and b"imir" not in own:
        return None
    angle = own.get(b"irot", b"\0")[:1] or b"\0"
    mirror = own.get(b"imir")
    return orientation.of_box_properties(angle[0] & 3, mirror[0] & 1 if mirror else None)


def _alpha(boxes: isobmff.Boxes) -> bool:
    helpers = {start for kind, start, to in boxes.references if kind == b"auxl" and to == boxes.primary}
    return any(boxes.of(item).get(b"auxC", b"")[4:].startswith(_ALPHA_URNS) for item in helpers)


def _exif(data: bytes, boxes: isobmff.Boxes) -> bytes | None:
    for number, item in boxes.items.items():
        if item.kind == b"Exif":
            body = isobmff.item_bytes(data, boxes, number)
            skip = int.from_bytes(body[:4], "big")
            return body[4 + skip :] if skip < len(body) else None
    return None


def _xmp(data: bytes, boxes: isobmff.Boxes) -> bytes | None:
    for number, item in boxes.items.items():
        if item.kind == b"mime":
            body = isobmff.item_bytes(data, boxes, number)
            if b"<x:xmpmeta" in body[:4096] or b"<?xpacket" in body[:4096]:
                return body
    return None
