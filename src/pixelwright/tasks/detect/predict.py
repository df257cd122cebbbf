"""Detection from an image to boxes, masks and keypoints, by the bundle's contract.

A picture goes through the network whole, scaled as the contract says. With `tile_px` it is also cut into overlapping
windows, each of which goes through the network as if it were a picture: that finds things which would be too small
once the whole is scaled down. Networks that see every pixel at its own size look at large pictures in windows of their
own accord, so that memory stays bounded. What was found is put together by the rules of `ops.seams`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers, prepare_image
from pixelwright.contract import prepare as prepare_whole
from pixelwright.errors import BundleError, RuntimeFailure, UsageError
from pixelwright.ops import batch, decision, seams
from pixelwright.ops.boxes import MOST, clip, suppress, to_original
from pixelwright.ops.decoders.decoder import Candidates
from pixelwright.ops.masks import Patch, join, patch, patch_of, runs_of
from pixelwright.structures.detections import Detections
from pixelwright.structures.masks import Masks
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.spec import InputSpec, Suppression

DEFAULT_THRESHOLD = 0.25  # where neither the bundle nor the user names one
DEFAULT_TOP_K = 300
# Less, and a thing on a seam has no part that both windows see; more, and all work is done twice.
OVERLAPS = (0.05, 0.9)
WINDOW_BATCH = 4
WINDOW_PX = 2048  # side of windows that nobody asked for
LARGE_PX = 1 << 23  # a picture of more pixels, none of which are scaled away, is looked at in such windows
LARGE_BYTES = 1 << 28  # a picture that takes more, and can be read in windows, is not decoded before its turn, or whole

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that waits for its turn: where it is read from, and its tensor unless it is large."""

    raster: Raster
    prepared: batch.Prepared | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What is left of the candidates of one window, best first, in pixels of the picture.

    Attributes:
        boxes_xyxy: (M, 4) float32, inside the window.
        scores: (M,) float32.
        class_ids: (M,) int32.
        keypoints: (M, K, 3) float32, or None.
        patches: A mask for each, or None.
    """

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    keypoints: npt.NDArray[np.float32] | None
    patches: tuple[Patch, ...] | None

    def take(self, rows: Rows) -> Found:
        """Some of the rows."""
        return Found(
            self.boxes_xyxy[rows],
            self.scores[rows],
            self.class_ids[rows],
            None if self.keypoints is None else self.keypoints[rows],
            None if self.patches is None else tuple(self.patches[row] for row in rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Which candidates count.

    Attributes:
        bundle: Whose contract it is.
        wanted: For each label whether it was asked for.
        thresholds: For each label the least score.
        suppression: None where the network leaves nothing to suppress.
        most: So many of one window, the best.
    """

    bundle: ModelBundle
    wanted: npt.NDArray[np.bool_]
    thresholds: npt.NDArray[np.float32]
    suppression: Suppression | None
    most: int

    @classmethod
    def of(cls, bundle: ModelBundle, options: PredictOptions) -> Rules:
        """What the bundle decides, or the user instead."""
        output = bundle.spec.output
        suppression = output.suppression
        if options.iou_threshold is not None:
            per_class = suppression is None or suppression.per_class
            suppression = Suppression(iou_threshold=options.iou_threshold, per_class=per_class)
        least = decision.thresholds(output.labels, bundle.spec.decision, options.threshold, otherwise=DEFAULT_THRESHOLD)
        # Networks that leave nothing to suppress have counted the things themselves. The best of the whole may all be
        # in one window, so a window keeps no fewer.
        usual = MOST if output.suppression is None else DEFAULT_TOP_K
        most = max(usual, options.top_k or 0) if options.tile_px else options.top_k or usual
        return cls(bundle, decision.wanted_classes(options.classes, output.labels), least, suppression, most)

    @property
    def least(self) -> float:
        """No candidate with a lower score counts."""
        return float(self.thresholds[self.wanted].min(initial=1.0))

    def best(
        self,
        boxes_xyxy: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float32],
        class_ids: npt.NDArray[np.int32],
        *,
        keep: int | None,
    ) -> Rows:
        """Rows that are left once better ones have suppressed others, best first, `keep` of them at the most."""
        if self.suppression is None:
            return np.argsort(-scores, kind="stable")[: MOST if keep is None else keep]
        limit, per_class = self.suppression.iou_threshold, self.suppression.per_class
        return suppress(boxes_xyxy, scores, class_ids, iou_threshold=limit, per_class=per_class, keep=keep)


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle that finds no things, labels it does not have, and tiles that cannot be put together.

    Raises:
        BundleError: Its decoder makes something else.
        UnknownName: A label is not the model's, with the nearest.
        UsageError: The overlap is out of range.
    """
    output = bundle.spec.output
    if registry.get("decoder", output.decoder).makes != "candidates":
        raise BundleError(bundle.path, f"decoder {output.decoder!r} finds no things. Use a detector, or another task.")
    decision.check_classes(options.classes, output.labels)
    low, high = OVERLAPS
    if options.tile_px is not None and not low <= options.tile_overlap <= high:
        raise UsageError(f"overlap of tiles: expected {low} to {high}, got {options.tile_overlap}.")


def prepare(raster: Raster, bundle: ModelBundle) -> Picture:
    """The tensor the graph takes; a JPEG is decoded no larger than the contract needs."""
    if (raster.windowed and raster.nbytes > LARGE_BYTES) or _is_large(raster, bundle):
        return Picture(raster, None)
    return Picture(raster, prepare_whole(raster, bundle))


def _is_large(raster: Raster, bundle: ModelBundle) -> bool:
    """Whether the network would see more pixels at once than is good for the memory."""
    height, width = raster.size_hw
    spec = bundle.spec.input
    return spec.resize is None and spec.crop_hw is None and height * width > LARGE_PX


def key(picture: Picture) -> Hashable:
    """Tensors of one shape share a batch; a large picture goes alone."""
    return id(picture) if picture.prepared is None else picture.prepared.tensor.shape


def predict(
    pictures: Sequence[Picture], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[Detections]:
    """What is found in each picture."""
    rules = Rules.of(bundle, options)
    if options.tile_px is not None or any(_is_large(picture.raster, bundle) for picture in pictures):
        return [_predict_tiled(picture, graphs, rules, options) for picture in pictures]
    prepared = [one.prepared or prepare_whole(one.raster, bundle) for one in pictures]
    frames = [_frame(Window(0, 0, *one.original_hw)) for one in prepared]
    found = _find(prepared, frames, graphs, rules)
    return [_detections(one, picture.original_hw, bundle) for one, picture in zip(found, prepared, strict=True)]


def _frame(window: Window) -> seams.Frame:
    return window.left, window.top, window.left + window.width, window.top + window.height


def _find(
    prepared: Sequence[batch.Prepared], frames: Sequence[seams.Frame], graphs: Graphs, rules: Rules
) -> list[Found]:
    """What counts in each of some prepared windows of one shape; `frames` says where in their picture they lie."""
    tensors = batch.stack(prepared)
    candidates: list[Candidates] = answers(tensors, graphs, rules.bundle, threshold=rules.least)
    input_hw = batch.sides(tensors.shape, rules.bundle.spec.input)
    return [
        _sift(one, input_hw, window.placement, frame, rules)
        for one, window, frame in zip(candidates, prepared, frames, strict=True)
    ]


def _sift(
    candidates: Candidates, input_hw: tuple[int, int], placement: batch.Placement, frame: seams.Frame, rules: Rules
) -> Found:
    """The candidates that count, best first, mapped to the picture and cut to the window."""
    scores, ids = candidates.scores, candidates.class_ids
    labels = len(rules.wanted)
    if ids.size and not 0 <= ids.min() <= ids.max() < labels:
        name = rules.bundle.spec.name
        raise RuntimeFailure(f"model {name} answered class {ids.min()} to {ids.max()}; its contract has {labels}.")
    rows = np.flatnonzero(rules.wanted[ids] & (scores >= rules.thresholds[ids]))
    boxes = to_original(candidates.boxes_xyxy[rows], placement)
    cut = clip(boxes, frame)
    seen = np.all(cut[:, 2:] > cut[:, :2], axis=1)  # nothing is left of what lies in the filling around a picture
    rows, boxes, cut = rows[seen], boxes[seen], cut[seen]
    kept = rules.best(boxes, scores[rows], ids[rows], keep=rules.most)
    rows, boxes = rows[kept], cut[kept]
    patches = None
    if candidates.mask_logits is not None:
        logits = candidates.mask_logits(rows)
        patches = tuple(patch(one, input_hw, placement, box.tolist()) for one, box in zip(logits, boxes, strict=True))
    elif candidates.mask_parts is not None:
        parts = candidates.mask_parts(rows)
        patches = tuple(patch_of(one, input_hw, placement, box.tolist()) for one, box in zip(parts, boxes, strict=True))
    return Found(boxes, scores[rows], ids[rows], _mapped(candidates.keypoints, rows, placement), patches)


def _mapped(
    keypoints: npt.NDArray[np.float32] | None, rows: Rows, placement: batch.Placement
) -> npt.NDArray[np.float32] | None:
    if keypoints is None:
        return None
    points = keypoints[rows].astype(np.float32)
    places = placement.to_original(points[:, :, :2].reshape(-1, 2)).reshape(*points.shape[:2], 2)
    return np.concatenate((places, points[:, :, 2:]), axis=2)


def _predict_tiled(picture: Picture, graphs: Graphs, rules: Rules, options: PredictOptions) -> Detections:
    """What is found in the windows of a picture, and in the whole of it unless it is too large for that."""
    spec, raster = rules.bundle.spec.input, picture.raster
    side_px = options.tile_px or WINDOW_PX
    cuts = seams.windows(raster.size_hw, side_px=side_px, overlap=options.tile_overlap)
    frames = [_frame(window) for window in cuts]
    # What cannot be read in windows is decoded once, not once for each of them.
    source = raster if raster.windowed else Raster.of(raster.read())
    found: list[Found] = []
    for start in range(0, len(cuts), WINDOW_BATCH):
        some = [_prepare_window(source, window, spec) for window in cuts[start : start + WINDOW_BATCH]]
        found += _find(some, frames[start : start + WINDOW_BATCH], graphs, rules)
    if picture.prepared is not None and len(cuts) > 1:
        frames.append(_frame(Window(0, 0, *raster.size_hw)))
        found += _find([picture.prepared], frames[-1:], graphs, rules)
    return _detections(_merge(found, frames, rules, options.top_k), raster.size_hw, rules.bundle)


def _prepare_window(source: Raster, window: Window, spec: InputSpec) -> batch.Prepared:
    made = prepare_image(source.read(window), spec)
    left, top = made.placement.offset_xy
    placement = replace(made.placement, offset_xy=(left + window.left, top + window.top))
    return replace(made, placement=placement)


def _merge(found: Sequence[Found], frames: Sequence[seams.Frame], rules: Rules, top_k: int | None) -> Found:
    """The things of all windows, each once, best first."""
    boxes, scores, ids = (
        np.concatenate([getattr(one, name) for one in found]) for name in ("boxes_xyxy", "scores", "class_ids")
    )
    origins = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    per_class = rules.suppression is None or rules.suppression.per_class
    things = seams.merge(boxes, scores, ids, origins, np.array(frames, np.float32), per_class=per_class)
    keypoints = None
    if found[0].keypoints is not None:
        keypoints = np.concatenate([one.keypoints for one in found if one.keypoints is not None])[things.rows]
    patches = None
    if found[0].patches is not None:
        masks = [one for part in found for one in part.patches or ()]
        patches = tuple(join([masks[row] for row in rows]) for rows in things.pieces)
    merged = Found(things.boxes_xyxy, scores[things.rows], ids[things.rows], keypoints, patches)
    return merged.take(rules.best(merged.boxes_xyxy, merged.scores, merged.class_ids, keep=top_k))


def _detections(found: Found, size_hw: tuple[int, int], bundle: ModelBundle) -> Detections:
    output = bundle.spec.output
    names: tuple[str, ...] = ()
    if found.keypoints is not None:
        count = found.keypoints.shape[1]
        names = tuple(output.keypoints) or tuple(str(place) for place in range(count))
        if len(names) != count:
            raise RuntimeFailure(
                f"model {bundle.spec.name} made {count} keypoints, its contract names {len(names)}. Correct the names."
            )
    masks = None
    if found.patches is not None:
        masks = Masks(size_hw, tuple(runs_of(one, size_hw) for one in found.patches))
    return Detections(
        boxes_xyxy=found.boxes_xyxy,
        scores=found.scores,
        class_ids=found.class_ids,
        labels=tuple(output.labels[row] for row in found.class_ids),
        masks=masks,
        keypoints=found.keypoints,
        keypoint_names=names,
    )
