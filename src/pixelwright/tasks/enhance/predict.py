"""Enhancement from a raster to a raster that is computed window by window as it is read.

Nothing is squeezed on the way: the file's own gamut, bit depth and alpha come out as they went in. A large image is
cut into tiles with the halo its contract states, so that the result equals the whole computed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers
from pixelwright.errors import BundleError, NotFinite, RuntimeFailure, ShapeError
from pixelwright.io.icc import to_srgb
from pixelwright.ops import batch, color, resample, tiles
from pixelwright.structures.image import GRAY, Color, Image
from pixelwright.structures.raster import Raster, Window, crop
from pixelwright.structures.spec import Tiling

Planes = npt.NDArray[Any]

TILE_PX = 768  # smaller ones spend more on halos, larger ones only memory


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle that does not make an image of an image, pixel by pixel.

    Raises:
        BundleError: Saying what of the contract does not fit.
    """
    del options
    spec = bundle.spec
    if registry.get("decoder", spec.output.decoder).makes != "images":
        raise BundleError(bundle.path, f"decoder {spec.output.decoder!r} makes no image; enhance needs 'image'.")
    if spec.input.resize or spec.input.crop_hw or spec.input.channels == "bgr":
        raise BundleError(bundle.path, "enhance takes a picture as it is: no resize, no crop, channels rgb or gray.")


def prepare(raster: Raster, bundle: ModelBundle) -> Raster:
    """The raster as it is, still undecoded: what waits for its turn takes no memory.

    Raises:
        ShapeError: The contract refuses this kind of image.
    """
    spec, path = bundle.spec.input, raster.source.path
    known = raster.color.is_gray or raster.color.is_rgb
    if not known and spec.extra_channels == "refuse":
        raise ShapeError(
            f"{path}: channels {raster.color.channels} are neither gray nor RGB, which this model refuses."
        )
    if raster.color.is_gray and spec.gray == "refuse" and spec.channels != "gray":
        raise ShapeError(f"{path}: is gray, and this model takes color only. Choose another model.")
    if raster.has_alpha and spec.alpha == "refuse":
        raise ShapeError(f"{path}: has an alpha channel, which this model refuses. Flatten it first.")
    return raster


def predict(prepared: Sequence[Raster], graphs: Graphs, bundle: ModelBundle, options: PredictOptions) -> list[Raster]:
    """For each raster the enhanced one. The network runs when the result is read, window by window."""
    return [_enhanced(raster, graphs, bundle, options) for raster in prepared]


def _enhanced(source: Raster, graphs: Graphs, bundle: ModelBundle, options: PredictOptions) -> Raster:
    spec, tiling = bundle.spec, bundle.spec.tiling
    scale = int(spec.output.parameters.get("scale", 1))
    height, width = source.size_hw
    squeeze = spec.input.depth == "8-bit"
    grid = tiling or Tiling(halo_px=0)
    tile_px = options.tile_px or TILE_PX if tiling else max(height, width)
    converted = spec.input.color == "srgb"

    @cache
    def pixels() -> Raster:
        if source.windowed and not converted:
            return source
        image = source.read()
        return Raster.of(to_srgb(image) if converted else image)

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        if tiling is None and window is not None:
            return crop(decode(None, None), window)
        wanted = window or Window(0, 0, height * scale, width * scale)
        inner = _shrunk(wanted, scale)
        canvas: Image | None = None
        for tile in tiles.tiles(inner, source.size_hw, grid, tile_px=tile_px):
            piece = crop(_run(pixels().read(tile.context), graphs, bundle), _within(tile.core, tile.context, scale))
            if tile.core == inner:
                canvas = piece
                break
            canvas = canvas or _blank(piece, inner, scale)
            _paste(canvas, piece, _within(tile.core, inner, scale))
        # A window holds a pixel, so there was a tile.
        return crop(cast(Image, canvas), Window(wanted.top % scale, wanted.left % scale, wanted.height, wanted.width))

    return replace(
        source,
        size_hw=(height * scale, width * scale),
        color=Color(source.color.channels) if converted else source.color,
        dtype=np.dtype(np.uint8) if squeeze else source.dtype,
        white=255.0 if squeeze else source.white,
        has_alpha=source.has_alpha and spec.input.alpha == "keep",
        spacing_mm=source.spacing_mm and (source.spacing_mm[0] / scale, source.spacing_mm[1] / scale),
        decode=decode,
        windowed=tiling is not None,
    )


def _run(image: Image, graphs: Graphs, bundle: ModelBundle) -> Image:
    """The enhanced image of one context, whole."""
    spec = bundle.spec.input
    if spec.alpha == "flatten":
        image = color.flatten_alpha(image)
    if spec.depth == "8-bit":
        image = color.to_8_bit(image)
    together = image.color.is_rgb and spec.channels != "gray"
    parts = [image] if together else [_channel(image, c) for c in range(image.pixels.shape[2])]
    if spec.channels != "gray":
        parts = [color.to_rgb(part) for part in parts]

    scale = int(bundle.spec.output.parameters.get("scale", 1))
    height, width = (side * scale for side in image.size_hw)
    made = _pictures([batch.tensor(part, spec) for part in parts], scale, graphs, bundle)[:, :height, :width]
    result = made[0] if together else np.stack([one.mean(axis=2) for one in made], axis=2)
    alpha = image.alpha
    if alpha is not None and scale > 1:
        alpha = resample.resize(alpha[:, :, None], (height, width), kernel="bicubic")[:, :, 0]
        alpha = np.clip(alpha, 0, alpha.dtype.type(image.white))
    spacing_mm = image.spacing_mm and (image.spacing_mm[0] / scale, image.spacing_mm[1] / scale)
    pixels = color.from_float(result, image.pixels.dtype, image.white)
    return image.replace(pixels=pixels, alpha=alpha, spacing_mm=spacing_mm)


def _pictures(tensors: list[Planes], scale: int, graphs: Graphs, bundle: ModelBundle) -> Planes:
    """The network's pictures (N, H, W, C), checked to be what its contract promises."""
    name, spec = bundle.spec.name, bundle.spec
    stacked = np.stack(tensors)
    made = answers(stacked, graphs, bundle)
    expected_hw = tuple(side * scale for side in batch.sides(stacked.shape, spec.input))
    if made.shape[1:3] != expected_hw:
        raise RuntimeFailure(f"model {name} made {made.shape[1:3]} pixels, its contract says {expected_hw}.")
    if not np.isfinite(made).all():
        raise NotFinite(f"model {name} made values that are not finite.")
    return made


def _channel(image: Image, index: int) -> Image:
    return image.replace(pixels=image.pixels[:, :, index : index + 1], color=GRAY, alpha=None)


def _shrunk(window: Window, scale: int) -> Window:
    top, left = window.top // scale, window.left // scale
    bottom, right = -(-(window.top + window.height) // scale), -(-(window.left + window.width) // scale)
    return Window(top, left, bottom - top, right - left)


def _within(inner: Window, outer: Window, scale: int) -> Window:
    """Where a window lies inside another, both enlarged."""
    top, left = inner.top - outer.top, inner.left - outer.left
    return Window(top * scale, left * scale, inner.height * scale, inner.width * scale)


def _blank(piece: Image, window: Window, scale: int) -> Image:
    size_hw = (window.height * scale, window.width * scale)
    pixels = np.empty((*size_hw, piece.pixels.shape[2]), piece.pixels.dtype)
    alpha = None if piece.alpha is None else np.empty(size_hw, piece.alpha.dtype)
    return piece.replace(pixels=pixels, alpha=alpha)


def _paste(canvas: Image, piece: Image, place: Window) -> None:
    canvas.pixels[place.slices] = piece.pixels
    if canvas.alpha is not None and piece.alpha is not None:
        canvas.alpha[place.slices] = piece.alpha
