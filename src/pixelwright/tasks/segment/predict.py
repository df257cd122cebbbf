"""Segmentation from a raster to the class of each pixel of the upright full-resolution picture.

A network sees the picture resized, framed or cropped; its map is read back at the center of every pixel of the
original. Where the contract allows tiles a large picture is cut, and the tiled answer equals the whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers, prepare_image, shape_of
from pixelwright.contract import prepare as prepare_whole
from pixelwright.errors import BundleError, RuntimeFailure, UsageError
from pixelwright.ops import batch, decision, maps, tiles
from pixelwright.structures.label_map import LabelMap, without_label
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.spec import BundleSpec, InputSpec, Tiling

TILE_PX = 768  # smaller ones spend more on halos, larger ones only memory
MOST_LABELS = 65_535  # and void: what 16 bits hold
YES_OR_NO = 2  # classes between which a threshold decides

Spans = tuple[slice, slice]


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle that makes no label maps, and options that it cannot follow.

    Raises:
        BundleError: Its decoder makes something else, or it has too many labels.
        UnknownName: A label that the model does not have.
        UsageError: A threshold where the best of many classes is chosen.
    """
    output = bundle.spec.output
    if registry.get("decoder", output.decoder).makes != "labels":
        raise BundleError(bundle.path, f"decoder {output.decoder!r} makes no label map; segment needs 'argmax-map'.")
    if len(output.labels) > MOST_LABELS:
        raise BundleError(bundle.path, f"{len(output.labels)} labels; a label map holds {MOST_LABELS} at the most.")
    decision.check_classes(options.classes, output.labels)
    decided = len(output.labels) != YES_OR_NO or output.parameters.get("layout") == "ids"
    if options.threshold is not None and decided:
        raise UsageError(
            f"threshold: {bundle.spec.name} gives each pixel the best of {len(output.labels)} classes, whatever its "
            "score. Leave the threshold out."
        )


def prepare(raster: Raster, bundle: ModelBundle) -> batch.Prepared | Raster:
    """The tensor the graph takes; a picture that may be cut stays as it is, and waits without taking memory."""
    return prepare_whole(raster, bundle) if bundle.spec.tiling is None else raster


def key(prepared: batch.Prepared | Raster) -> Hashable:
    """Tensors of one shape share a batch; a picture in tiles goes alone."""
    return id(prepared) if isinstance(prepared, Raster) else shape_of(prepared)


def predict(
    prepared: Sequence[batch.Prepared | Raster], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[LabelMap]:
    """A label map for each prepared picture."""
    network = _Network(graphs, bundle, options)
    whole = [one for one in prepared if isinstance(one, batch.Prepared)]
    found = iter(_whole(whole, network) if whole else [])
    return [
        network.named(_tiled(one, network, options.tile_px or TILE_PX) if isinstance(one, Raster) else next(found))
        for one in prepared
    ]


class _Network:
    """The graph with what is needed to name the classes that it finds."""

    def __init__(self, graphs: Graphs, bundle: ModelBundle, options: PredictOptions) -> None:
        self.spec: BundleSpec = bundle.spec
        self._graphs, self._bundle = graphs, bundle
        output, decided = bundle.spec.output, bundle.spec.decision
        self._labels = tuple(output.labels)
        self.void_id = len(self._labels) if output.void_id is None else output.void_id
        self.dtype = maps.smallest_dtype(max(len(self._labels), self.void_id + 1))
        self._unwanted = np.flatnonzero(~decision.wanted_classes(options.classes, self._labels))
        self._threshold = options.threshold
        if self._threshold is None and len(self._labels) == YES_OR_NO:
            self._threshold = decided.thresholds.get(self._labels[1], decided.threshold)

    def classes(self, tensor: npt.NDArray[Any], grids: Sequence[maps.Grid]) -> list[maps.Ids]:
        """For each image of a batch the classes at the places of its grid."""
        found = answers(tensor, self._graphs, self._bundle, threshold=self._threshold, grids=grids)
        if "grids" not in registry.get("decoder", self.spec.output.decoder).asks_for:
            found = [maps.ids_at(ids, grid) for ids, grid in zip(found, grids, strict=True)]
        for ids in found:
            self._check(ids)
        return [ids.astype(self.dtype, copy=False) for ids in found]

    def named(self, ids: maps.Ids) -> LabelMap:
        """The result, with what was not asked for as void."""
        if self._unwanted.size:
            kept = np.arange(np.iinfo(ids.dtype).max + 1).astype(ids.dtype)
            kept[self._unwanted] = self.void_id
            for row in ids:  # one by one, as NumPy widens what it looks up to eight bytes
                row[:] = kept[row]
        return LabelMap(ids, self._labels, self.void_id)

    def _check(self, ids: maps.Ids) -> None:
        unknown = without_label(ids, len(self._labels), self.spec.output.void_id)
        if unknown is not None:
            raise RuntimeFailure(
                f"model {self.spec.name} found class {unknown}, and has {len(self._labels)} labels. Add a label for "
                "each class to its contract, or name the class for unknown pixels in output.void_id."
            )


def _whole(prepared: Sequence[batch.Prepared], network: _Network) -> list[maps.Ids]:
    placed = [_grid(one, network.spec.input) for one in prepared]
    found = network.classes(batch.stack(prepared), [grid for grid, _ in placed])
    return [
        _framed(ids, one.original_hw, spans, network.void_id)
        for ids, one, (_, spans) in zip(found, prepared, placed, strict=True)
    ]


def _grid(prepared: batch.Prepared, spec: InputSpec) -> tuple[maps.Grid, Spans]:
    """Where the pixels of the original lie in the tensor, and which of them do: outside a crop nothing is known."""
    tensor_hw = batch.sides(prepared.tensor.shape, spec)
    scales, offsets = prepared.placement.scale_xy[::-1], prepared.placement.offset_xy[::-1]
    places: list[npt.NDArray[Any]] = []
    spans: list[slice] = []
    for side, count, scale, offset in zip(tensor_hw, prepared.original_hw, scales, offsets, strict=True):
        at = (np.arange(count) + 0.5 - offset) / scale
        inside = np.flatnonzero((at >= 0) & (at < side))
        spans.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
        # At the picture's edge the frame around it has no say.
        first, last = max(0.0, -offset / scale), min(float(side), (count - offset) / scale)
        places.append(np.clip(at[spans[-1]], first + 0.5, max(first + 0.5, last - 0.5)))
    return maps.Grid(places[0], places[1], tensor_hw), (spans[0], spans[1])


def _framed(ids: maps.Ids, size_hw: tuple[int, int], spans: Spans, void_id: int) -> maps.Ids:
    if ids.shape == size_hw:
        return ids
    framed = np.full(size_hw, void_id, ids.dtype)
    framed[spans] = ids
    return framed


def _tiled(raster: Raster, network: _Network, tile_px: int) -> maps.Ids:
    tiling, spec = network.spec.tiling or Tiling(halo_px=0), network.spec.input
    if tiling.multiple > 1:  # a coarse map is read between its cells: one more of them is needed on each side
        tiling = Tiling(halo_px=tiling.halo_px + tiling.multiple, multiple=tiling.multiple)
    source = raster if raster.windowed else Raster.of(raster.read())
    ids = np.empty(raster.size_hw, network.dtype)
    for tile in tiles.tiles(Window(0, 0, *raster.size_hw), raster.size_hw, tiling, tile_px=tile_px):
        tensor = prepare_image(source.read(tile.context), spec).tensor
        core, context = tile.core, tile.context
        rows = np.arange(core.height, dtype=np.float64) + (core.top - context.top + 0.5)
        columns = np.arange(core.width, dtype=np.float64) + (core.left - context.left + 0.5)
        grid = maps.Grid(rows, columns, batch.sides(tensor.shape, spec))
        ids[core.slices] = network.classes(tensor[None], [grid])[0]
    return ids
