"""Tiles cover a window exactly once, and their contexts hold what a network needs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixelwright.ops.tiles import pad_to_multiple, tiles
from pixelwright.structures.raster import Window
from pixelwright.structures.spec import Tiling


@st.composite
def cut(draw: st.DrawFn) -> tuple[Window, tuple[int, int], Tiling, int]:
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    window = Window(top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))
    tiling = Tiling(halo_px=draw(st.integers(0, 20)), multiple=draw(st.sampled_from([1, 2, 8])))
    return window, (height, width), tiling, draw(st.integers(1, 40))


@given(cut())
def test_cores_cover_the_window_once_and_nothing_else(case: tuple[Window, tuple[int, int], Tiling, int]) -> None:
    window, size_hw, tiling, tile_px = case
    count = np.zeros(size_hw, int)
    for tile in tiles(window, size_hw, tiling, tile_px=tile_px):
        count[tile.core.slices] += 1
    expected = np.zeros(size_hw, int)
    expected[window.slices] = 1
    assert np.array_equal(count, expected)


@given(cut())
def test_a_context_is_aligned_inside_and_wide_enough(case: tuple[Window, tuple[int, int], Tiling, int]) -> None:
    window, (height, width), tiling, tile_px = case
    for tile in tiles(window, (height, width), tiling, tile_px=tile_px):
        core, context = tile.core, tile.context
        assert context.top % tiling.multiple == 0 == context.left % tiling.multiple
        assert 0 <= context.top <= max(0, core.top - tiling.halo_px)
        assert 0 <= context.left <= max(0, core.left - tiling.halo_px)
        bottom, right = context.top + context.height, context.left + context.width
        assert min(height, core.top + core.height + tiling.halo_px) <= bottom <= height
        assert min(width, core.left + core.width + tiling.halo_px) <= right <= width
        # An end inside the image is on the grid too, or the network would pad where the whole image does not.
        assert bottom == height or bottom % tiling.multiple == 0
        assert right == width or right % tiling.multiple == 0


def test_padding_repeats_the_last_row_and_column() -> None:
    pixels = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    padded = pad_to_multiple(pixels, 4)
    assert padded[:, :, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]


def test_padding_leaves_what_fits_as_it_is() -> None:
    pixels = np.zeros((4, 8, 3), np.float32)
    assert pad_to_multiple(pixels, 4) is pixels
