"""HEIC and HEIF, through pillow-heif (the extra `formats`): 10 and 12 bits are kept, turning is left to libheif."""

from __future__ import annotations

import io
from dataclasses import replace
from types import ModuleType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import MissingExtra
from pixelwright.io import exif, orientation, profiles
from pixelwright.io.exchange import to_numpy
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.heif_still import still_of
from pixelwright.io.formats.still import as_rgb, check_page, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

QUALITY = 90
MAX_SIDE_PX = 16384
_IDENTITY = 0  # of ITU-T H.273: RGB is stored as it is, where turning it to YCbCr would round
_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"heif")


def sniff(head: bytes) -> bool:
    """Whether it is a base media file of a HEIF brand that is not AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and b"avif" not in head[16:64]


def _plugin() -> ModuleType:
    try:
        import pillow_heif
    except ImportError as err:
        raise MissingExtra("Reading and writing HEIC", "formats") from err
    return pillow_heif


def open_raster(stored: Stored, page: int) -> Raster:
    """The primary picture, as libheif delivers it: upright already where `irot` and `imir` say how."""
    heif = _plugin()
    data = stored.whole()
    still, _ = still_of(data, stored.name, "heif")
    check_page(stored.name, page)
    turned = still.orientation
    delivered_hw = orientation.turn_size(still.size_hw, turned or 1)
    still = replace(still, size_hw=delivered_hw, orientation=None if turned is None else 1)

    def samples() -> npt.NDArray[np.generic]:
        opened = heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, bgr_mode=False)
        decoded = np.asarray(opened[opened.primary_index])
        if decoded.dtype == np.uint16:
            decoded = decoded >> (16 - still.bits)  # libheif's values come shifted to the top of 16 bits
        return decoded

    return raster_of(stored, still, samples)


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """8 bits with alpha and metadata, chroma at full resolution."""
    heif = _plugin()
    image = raster.read()
    if image.alpha is not None:
        image = as_rgb(image)
    samples = to_numpy(image)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    picture = heif.from_bytes(mode=mode, size=(samples.shape[1], samples.shape[0]), data=samples.tobytes())
    block, profile = exif.to_embed(image.capture), profiles.profile_of(image.color)
    if profile:
        picture[0].info["icc_profile"] = profile
        picture[0].info["icc_profile_type"] = "prof"
    exact = {"quality": -1, "matrix_coefficients": _IDENTITY}
    target = io.BytesIO()
    picture.save(
        target,
        **(exact if options.lossless else {"quality": options.quality or QUALITY}),
        chroma=444,
        exif=block,
        xmp=image.capture.xmp,
    )
    file.write(target.getbuffer())


FORMAT = Format(
    name="heif",
    title="HEIC",
    suffixes=(".heic", ".heif", ".hif"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(alpha=True, max_side_px=MAX_SIDE_PX),
)
