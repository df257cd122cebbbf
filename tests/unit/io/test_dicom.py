"""DICOM is shown as its file says, what was done is stated, and nothing of the patient goes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless, RLELossless

from clips import dicom
from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io.images import open_raster, read_image, read_pages, write_image
from pixelwright.structures.image import Image

RAMP = np.arange(-1000, 1000, dtype=np.int16).reshape(40, 50)


def read(path: Path, pixels: np.ndarray, **elements: Any) -> Image:
    return read_image(dicom(path, pixels, **elements))


def test_a_window_is_applied_after_the_modality_transform(tmp_path: Path) -> None:
    ct = np.array([[0, 1024, 1064, 1104, 4000]], np.uint16)
    window = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "WindowCenter": ["40", "9"], "WindowWidth": ["81", "9"]}
    image = read(tmp_path / "ct.dcm", ct, **window)
    # PS3.3 C.11.2.1.2: (x - 39.5) / 80 + 0.5, for x = -1024, 0, 40, 80, 2976
    assert image.pixels[..., 0].tolist() == [[0, round(0.00625 * 65535), round(0.50625 * 65535), 65535, 65535]]
    assert image.warnings == ("shown through its first window: center 40, width 81",)


@pytest.mark.parametrize(
    ("function", "middle", "right"), [("LINEAR_EXACT", 0.5, 0.75), ("SIGMOID", 0.5, 1 / (1 + np.exp(-1)))]
)
def test_the_other_window_functions(tmp_path: Path, function: str, middle: float, right: float) -> None:
    values = np.array([[100, 125]], np.int16)
    elements = {"WindowCenter": "100", "WindowWidth": "100", "VOILUTFunction": function}
    image = read(tmp_path / "x.dcm", values, **elements)
    assert image.pixels[0, :, 0] == pytest.approx(np.array([middle, right]) * 65535, abs=1)


def test_without_a_window_the_whole_range_is_shown_and_said(tmp_path: Path) -> None:
    image = read(tmp_path / "x.dcm", RAMP)
    assert (image.pixels.min(), image.pixels.max(), image.white) == (0, 65535, 65535)
    assert "no window" in image.warnings[0] and np.all(np.diff(image.pixels.ravel().astype(int)) > 0)


def test_padding_is_black_and_does_not_count_to_the_range(tmp_path: Path) -> None:
    values = np.array([[-2000, 0, 50, 100]], np.int16)
    assert read(tmp_path / "x.dcm", values, PixelPaddingValue=-2000).pixels.ravel().tolist() == [0, 0, 32768, 65535]


def test_monochrome1_is_inverted_and_said(tmp_path: Path) -> None:
    image = read(tmp_path / "x.dcm", np.array([[0, 200]], np.uint8), PhotometricInterpretation="MONOCHROME1")
    assert image.pixels.ravel().tolist() == [255, 55] and image.pixels.dtype == np.uint8
    assert image.source.stored_color == "monochrome1" and "inverted" in image.warnings[0]


def test_eight_bits_without_a_window_are_left_alone(tmp_path: Path) -> None:
    image = read(tmp_path / "x.dcm", np.array([[3, 200]], np.uint8))
    assert image.pixels.ravel().tolist() == [3, 200] and image.warnings == ()


def test_color_is_rgb(tmp_path: Path) -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    image = read(tmp_path / "x.dcm", pixels)
    assert np.array_equal(image.pixels, pixels) and image.color.is_rgb


def test_frames_are_pages(tmp_path: Path) -> None:
    path = dicom(tmp_path / "x.dcm", np.stack([np.full((4, 5), level, np.uint8) for level in (10, 20, 30)]))
    assert [int(page.pixels[0, 0, 0]) for page in read_pages(path)] == [10, 20, 30]
    with pytest.raises(UnreadableImage, match="page 3 was asked for"):
        open_raster(path, page=3)


def test_each_frame_of_an_enhanced_file_has_its_own_window(tmp_path: Path) -> None:
    def groups(center: int) -> pydicom.Dataset:
        window, group = pydicom.Dataset(), pydicom.Dataset()
        window.WindowCenter, window.WindowWidth = center, 2
        group.FrameVOILUTSequence = [window]
        return group

    shared, measures = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing = ["0.5", "0.25"]
    shared.PixelMeasuresSequence = [measures]
    path = dicom(
        tmp_path / "x.dcm",
        np.full((2, 4, 5), 100, np.uint16),
        PerFrameFunctionalGroupsSequence=[groups(50), groups(200)],
        SharedFunctionalGroupsSequence=[shared],
    )
    assert [int(page.pixels[0, 0, 0]) for page in read_pages(path)] == [65535, 0]
    assert read_image(path).spacing_mm == (0.5, 0.25)


def test_spacing_is_rows_first_and_that_of_the_detector_is_said_to_be_one(tmp_path: Path) -> None:
    assert read(tmp_path / "x.dcm", RAMP, PixelSpacing=["0.5", "0.7"]).spacing_mm == (0.5, 0.7)
    image = read(tmp_path / "y.dcm", RAMP, ImagerPixelSpacing=["0.1", "0.2"])
    assert image.spacing_mm == (0.1, 0.2) and "at the detector" in image.warnings[0]


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1, RLELossless])
def test_lossless_compression_gives_the_stored_values(tmp_path: Path, syntax: str) -> None:
    values = (RAMP.astype(int) + 1000).astype(np.uint16)
    plain = read(tmp_path / "plain.dcm", values).pixels
    path = tmp_path / "packed.dcm"
    if syntax == RLELossless:
        header = pydicom.dcmread(tmp_path / "plain.dcm")
        header.compress(RLELossless)
        header.save_as(path)
    else:
        encode = imagecodecs.jpegls_encode if syntax == JPEGLSLossless else imagecodecs.ljpeg_encode
        options = {} if syntax == JPEGLSLossless else {"bitspersample": 16}
        dicom(path, values, TransferSyntaxUID=syntax, PixelData=encapsulate([bytes(encode(values, **options))]))
    assert np.array_equal(read_image(path).pixels, plain)


def test_nothing_of_the_patient_goes_into_a_picture(tmp_path: Path) -> None:
    image = read(tmp_path / "x.dcm", RAMP)
    for suffix in (".png", ".tif"):
        write_image(image, tmp_path / f"out{suffix}")
        assert b"Doe" not in (tmp_path / f"out{suffix}").read_bytes()
    assert (image.capture.exif, image.capture.xmp) == (None, None)


def test_an_error_does_not_tell_the_patients_name(tmp_path: Path) -> None:
    path = dicom(tmp_path / "x.dcm", RAMP)
    data = path.read_bytes()
    for size in (len(data) // 2, 400, 300):
        with pytest.raises((UnreadableImage, UnsupportedImage)) as caught:
            read_image(data[:size])
        assert "Doe" not in str(caught.value)


def test_a_file_without_a_picture_is_said_to_have_none(tmp_path: Path) -> None:
    path = dicom(tmp_path / "x.dcm", RAMP)
    header = pydicom.dcmread(path)
    del header.Rows, header.PixelData
    header.save_as(path)
    with pytest.raises(UnsupportedImage, match="holds no picture"):
        open_raster(path)


def test_a_file_that_begins_as_tiff_too_is_dicom(tmp_path: Path) -> None:
    data = dicom(tmp_path / "x.dcm", RAMP).read_bytes()
    assert open_raster(b"II*\x00" + data[4:]).source.format == "dicom"


@pytest.mark.shared
def test_real_files_are_read(shared: Path) -> None:
    files = sorted((shared / "data" / "medical-files" / "dicom").glob("*.dcm"))
    images = {path.stem: read_image(path) for path in files}
    assert len(images) == 7
    assert np.array_equal(images["MR_small"].pixels, images["MR_small_RLE"].pixels)
    assert images["CT_small"].spacing_mm == (0.661468, 0.661468)
    assert images["JPEG-lossy"].size_hw == (1024, 256)  # 12 bits
    assert images["examples_palette"].color.is_rgb
