"""One frame of a DICOM file, decoded: by pydicom, and by imagecodecs where pydicom has no decoder of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import MissingExtra, UnreadableImage, UnsupportedImage
from pixelwright.io.stored import Stored

_JPEG = "1.2.840.10008.1.2.4."
# What pydicom leaves to further packages, with imagecodecs' decoders in the order to try.
_CODECS = {
    _JPEG + "51": ("jpeg8_decode",),  # 12 bits; pydicom reads 8
    _JPEG + "57": ("jpegsof3_decode", "ljpeg_decode"),
    _JPEG + "70": ("jpegsof3_decode", "ljpeg_decode"),
    _JPEG + "80": ("jpegls_decode",),
    _JPEG + "81": ("jpegls_decode",),
    _JPEG + "201": ("jpeg2k_decode",),
    _JPEG + "202": ("jpeg2k_decode",),
    _JPEG + "203": ("jpeg2k_decode",),
}


def decode_frame(stored: Stored, header: Any, page: int) -> npt.NDArray[Any]:
    """Samples (H, W) or (H, W, 3) of a frame, color as RGB.

    Raises:
        MissingExtra: Its compression needs a package that is not installed.
        UnsupportedImage: Its compression is known to nobody here.
        UnreadableImage: It is truncated or damaged.
    """
    syntax = str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""
    if syntax in _CODECS and (syntax != _JPEG + "51" or int(header.get("BitsStored") or 8) > 8):
        return _by_imagecodecs(stored, header, page, _CODECS[syntax])
    from pydicom.pixels.utils import pixel_array

    try:
        with stored.file() as file:
            return pixel_array(file, index=page)
    except (NotImplementedError, RuntimeError) as err:
        name = getattr(header.file_meta.get("TransferSyntaxUID"), "name", "unknown")
        raise UnsupportedImage(stored.name, f"its pixels ({name}) cannot be decoded, or are damaged.") from err


def _by_imagecodecs(stored: Stored, header: Any, page: int, decoders: tuple[str, ...]) -> npt.NDArray[Any]:
    try:
        import imagecodecs
    except ImportError as err:
        raise MissingExtra("Reading this DICOM's compression", "medical") from err
    from pydicom import dcmread
    from pydicom.encaps import get_frame

    with stored.file() as file:
        data = dcmread(file, force=True, specific_tags=["PixelData"]).PixelData
    frame = get_frame(data, page, number_of_frames=int(header.get("NumberOfFrames") or 1))
    failure: Exception | None = None
    for decoder in decoders:
        try:
            return _signed(np.asarray(getattr(imagecodecs, decoder)(frame)), header)
        except Exception as err:  # each of them raises its own
            failure = err
    raise UnreadableImage(stored.name, "is damaged: its compressed pixels cannot be decoded.") from failure


def _signed(samples: npt.NDArray[Any], header: Any) -> npt.NDArray[Any]:
    """Samples whose highest stored bit is a sign, where the file says so."""
    if not int(header.get("PixelRepresentation") or 0) or samples.dtype.kind != "u":
        return samples
    unused = 8 * samples.dtype.itemsize - int(header.get("BitsStored") or 16)
    return (samples << unused).view(samples.dtype.name[1:]) >> unused
