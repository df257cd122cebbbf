"""How restoration is tested: what is handed to OpenCV and Pillow is what they expect."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the recipes among the places to import from, as when one is run."""
    monkeypatch.syspath_prepend(RECIPES)
    yield
    for name in ("mnist", "photos", "protocol"):
        sys.modules.pop(name, None)


@pytest.fixture
def protocol(recipes: None) -> ModuleType:
    return import_module("protocol")


def noisy() -> np.ndarray:
    red_wall = np.full((24, 32, 3), (180, 60, 20), np.uint8)
    noise = np.random.RandomState(0).standard_normal(red_wall.shape) * 25
    return np.rint(np.clip(red_wall + noise, 0, 255)).astype(np.uint8)


def test_opencv_gets_blue_first(protocol: ModuleType) -> None:
    made = protocol.non_local_means(noisy(), 18)
    bgr = cv2.cvtColor(noisy(), cv2.COLOR_RGB2BGR)
    expected = cv2.fastNlMeansDenoisingColored(bgr, None, 18, 18, 7, 21)
    np.testing.assert_array_equal(made, cv2.cvtColor(expected, cv2.COLOR_BGR2RGB))
    assert (made != cv2.fastNlMeansDenoisingColored(noisy(), None, 18, 18, 7, 21)).any()


def test_noise_is_the_same_for_a_seed_and_stays_8_bit(protocol: ModuleType) -> None:
    black = np.zeros((9, 9, 3), np.uint8)
    made = protocol.add_noise(black, 50, 3)
    np.testing.assert_array_equal(made, protocol.add_noise(black, 50, 3))
    assert made.dtype == np.uint8 and made.min() == 0 and made.max() > 50


def test_psnr_of_a_tenth_is_twenty(protocol: ModuleType) -> None:
    assert protocol.psnr(np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.6)) == pytest.approx(20)


def test_half_of_an_even_picture(protocol: ModuleType) -> None:
    assert protocol.halve(np.full((6, 8, 3), 77, np.uint8)).tolist() == np.full((3, 4, 3), 77).tolist()


def test_idx_is_read_and_other_files_are_refused(recipes: None, tmp_path: Path) -> None:
    mnist = import_module("mnist")
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes(range(6))))
    assert mnist.read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01" + struct.pack(">I", 1) + bytes(4)))
    with pytest.raises(ValueError, match="00 00 0d"):
        mnist.read_idx(path)
