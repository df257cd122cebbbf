"""Small videos, tars and DICOM files for tests, made with the libraries that define them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

TICK = Fraction(1, 1000)


def clip(
    path: Path,
    levels: Sequence[int] = range(0, 200, 20),
    *,
    size_hw: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    times_ms: Sequence[int] | None = None,
    rotation: tuple[float, bool] | None = None,
    sound: bool = False,
    faststart: bool = False,
    **context: Any,
) -> Path:
    """A video whose frames are gray noise around levels; its left half is darker, so that sides can be told."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as output:
        stream = output.add_stream(codec, rate=25, options={"g": "5", "bf": "0"} if codec == "libx264" else {})
        stream.height, stream.width = size_hw
        stream.pix_fmt = context.pop("pix_fmt", "yuv420p")
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        if times_ms:
            stream.codec_context.time_base = TICK
        track = output.add_stream("aac", rate=48000) if sound else None
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(gray(level, size_hw, number), format="rgb24")
            frame.time_base = TICK if times_ms else Fraction(1, 25)
            frame.pts = times_ms[number] if times_ms else number
            output.mux(stream.encode(frame))
            if track is not None:
                output.mux(track.encode(tone(number)))
        for each in (stream, *([track] if track else [])):
            output.mux(each.encode(None))
    return path


def gray(level: int, size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Noise around a level, half as bright on the left, so that a frame has bytes worth damaging."""
    noise = np.random.default_rng(seed).integers(-8, 9, (*size_hw, 1))
    pixels = np.clip(level + noise, 0, 255).astype(np.uint8).repeat(3, axis=2)
    pixels[:, : size_hw[1] // 2] //= 2
    return pixels


def tone(number: int) -> av.AudioFrame:
    """A 25th of a second of sound."""
    wave = np.sin(np.arange(1920) / 20).astype(np.float32)[None].repeat(2, axis=0)
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
    return frame


def damage(path: Path, *numbers: int) -> Path:
    """The same file with the data of some of its pictures' packets overwritten; the container stays sound."""
    with av.open(str(path)) as source:
        places = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        position, size = places[number]
        assert position is not None
        data[position + 8 : position + size] = b"\xaa" * (size - 8)
    path.write_bytes(data)
    return path


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """The time and bytes of each packet of a track."""
    with av.open(str(path)) as source:
        found = [one for one in source.demux(**{kind: 0}) if one.size]
        return [((one.pts or 0) * one.time_base, bytes(one)) for one in found]


def shard(path: Path, files: dict[str, bytes]) -> Path:
    """A tar of files."""
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def dicom(path: Path, pixels: np.ndarray, **elements: Any) -> Path:
    """A DICOM file over stored values (H, W), (frames, H, W) or (H, W, 3), with the name of a patient."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    header = Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    header.PatientName, header.PatientID = "Doe^Jane", "4711"
    color = pixels.ndim == 3 and pixels.shape[2] == 3
    header.Rows, header.Columns = pixels.shape[:2] if color else pixels.shape[-2:]
    header.SamplesPerPixel = 3 if color else 1
    if color:
        header.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        header.NumberOfFrames = len(pixels)
    header.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = pixels.dtype.itemsize * 8
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    header.PixelData = elements.pop("PixelData", pixels.tobytes())
    for name, value in elements.items():
        setattr(header, name, value)
    pydicom.dcmwrite(path, header, enforce_file_format=True)
    return path
