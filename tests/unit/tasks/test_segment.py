"""A label map comes back to the pixels of the original, whatever was done to the picture on the way in."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import brightness, levels
from pixelwright.bundle import ModelBundle
from pixelwright.contract import PredictOptions
from pixelwright.errors import BundleError, RuntimeFailure, UnknownName, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.ops.draw import color_of
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import Decision, InputSpec, OutputSpec, Resize, Tiling
from pixelwright.tasks.segment.task import TASK

BRIGHTNESS = np.array([20, 128, 235], np.uint8)  # of classes 0, 1 and 2


def gray(pixels: np.ndarray) -> Image:
    return Image(pixels[:, :, None], GRAY)


def seen(bundle: ModelBundle, image: Any, **options: Any) -> LabelMap:
    return load(bundle.path)(image, **options)


@st.composite
def block_maps(draw: st.DrawFn) -> np.ndarray:
    """Classes of the blocks that a picture is made of."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, shape).astype(np.uint8)


def framed(rule: str, size_hw: tuple[int, int], **more: Any) -> InputSpec:
    resize = Resize(rule=rule, size_hw=size_hw, kernel="nearest", **more)  # type: ignore[arg-type]
    return InputSpec(channels="gray", resize=resize)


@settings(max_examples=40, deadline=None)
@given(
    block_maps(),
    st.integers(1, 5),
    st.tuples(st.integers(0, 6), st.booleans()),
    st.sampled_from(["center", "corner"]),
    st.sampled_from([1, 4]),
)
def test_a_letterbox_maps_back_exactly(
    blocks: np.ndarray, factor: int, room: tuple[int, bool], align: str, multiple: int
) -> None:
    height, width = blocks.shape
    frame_hw = (height + room[0], width) if room[1] else (height, width + room[0])
    spec = framed("letterbox", frame_hw, fill=235, align=align)
    spec = InputSpec(channels="gray", resize=spec.resize, multiple_of=multiple)
    classes = blocks.repeat(factor, axis=0).repeat(factor, axis=1)
    with tempfile.TemporaryDirectory() as folder:
        bundle = levels(Path(folder) / "b", layout="ids", input=spec)
        assert (seen(bundle, gray(BRIGHTNESS[classes])).ids == classes).all()


@settings(max_examples=20, deadline=None)
@given(block_maps(), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_a_stretch_maps_back_exactly(blocks: np.ndarray, factors: tuple[int, int]) -> None:
    classes = blocks.repeat(factors[0], axis=0).repeat(factors[1], axis=1)
    with tempfile.TemporaryDirectory() as folder:
        bundle = levels(Path(folder) / "b", layout="ids", input=framed("stretch", blocks.shape))  # type: ignore[arg-type]
        assert (seen(bundle, gray(BRIGHTNESS[classes])).ids == classes).all()


@settings(max_examples=20, deadline=None)
@given(block_maps(), st.integers(1, 3), st.tuples(st.integers(1, 7), st.integers(1, 7)))
def test_outside_a_crop_nothing_is_known(blocks: np.ndarray, factor: int, crop: tuple[int, int]) -> None:
    crop_hw = min(crop[0], blocks.shape[0]), min(crop[1], blocks.shape[1])
    top, left = (blocks.shape[0] - crop_hw[0]) // 2, (blocks.shape[1] - crop_hw[1]) // 2
    expected = np.full_like(blocks, 3)
    inside = slice(top, top + crop_hw[0]), slice(left, left + crop_hw[1])
    expected[inside] = blocks[inside]
    classes = blocks.repeat(factor, axis=0).repeat(factor, axis=1)
    spec = framed("stretch", blocks.shape)  # type: ignore[arg-type]
    spec = InputSpec(channels="gray", resize=spec.resize, crop_hw=crop_hw)
    with tempfile.TemporaryDirectory() as folder:
        found = seen(levels(Path(folder) / "b", layout="ids", input=spec), gray(BRIGHTNESS[classes]))
    assert (found.ids == expected.repeat(factor, axis=0).repeat(factor, axis=1)).all() and found.void_id == 3


@settings(max_examples=20, deadline=None)
@given(block_maps(), st.integers(1, 6), st.sampled_from(["NCHW", "NHWC"]), st.booleans())
def test_scores_are_interpolated_between_the_cells(blocks: np.ndarray, factor: int, layout: str, boxed: bool) -> None:
    height, width = blocks.shape
    spec = framed("letterbox", (height + 5, width), fill=255) if boxed else framed("stretch", (height, width))
    with tempfile.TemporaryDirectory() as folder:
        bundle = levels(Path(folder) / "b", layout=layout, input=spec)
        found = seen(bundle, gray(BRIGHTNESS[blocks].repeat(factor, axis=0).repeat(factor, axis=1)))
    # Independent: of the interpolated brightness, each cell's weight a triangle around its center.
    down, along = (
        np.clip(
            1 - np.abs(np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)[:, None] - np.arange(n)), 0, 1
        )
        for n in blocks.shape
    )
    light = down @ (BRIGHTNESS[blocks] / 255) @ along.T
    expected = np.digitize(light, [1 / 3, 2 / 3])
    sure = np.abs(light * 3 - np.rint(light * 3)) > 1e-5
    assert (found.ids == expected)[sure].all()


def smooth(size_hw: tuple[int, int]) -> np.ndarray:
    rows, columns = np.ogrid[: size_hw[0], : size_hw[1]]
    return np.rint(127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 7)).astype(np.uint8)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("layout", ["NCHW", "ids"])
@pytest.mark.parametrize("size_hw", [(1, 1), (61, 83), (64, 64)])
def test_tiles_put_together_equal_the_whole(tmp_path: Path, stride: int, layout: str, size_hw: tuple[int, int]) -> None:
    tiling = Tiling(halo_px=0, multiple=stride)
    tiled = levels(tmp_path / "tiled", stride=stride, layout=layout, tiling=tiling)
    whole = levels(tmp_path / "whole", stride=stride, layout=layout)
    image = gray(smooth(size_hw))
    expected = seen(whole, image).ids
    assert len(np.unique(expected)) == (3 if size_hw != (1, 1) else 1)
    for tile_px in (7, 16, 1000):
        assert (seen(tiled, image, tile_px=tile_px).ids == expected).all()


def test_a_picture_that_has_no_windows_is_cut_as_well(tmp_path: Path) -> None:
    path = write_image(gray(smooth((40, 50))), tmp_path / "a.png") or tmp_path / "a.png"
    tiled = levels(tmp_path / "tiled", tiling=Tiling(halo_px=0))
    whole = levels(tmp_path / "whole")
    assert (seen(tiled, path, tile_px=16).ids == seen(whole, path).ids).all()


def test_only_the_wanted_classes_are_reported(tmp_path: Path) -> None:
    image = gray(BRIGHTNESS[np.array([[0, 1, 2, 2]])])
    found = seen(levels(tmp_path / "b"), image, classes=("bright",))
    assert found.ids.tolist() == [[3, 3, 2, 2]] and found.void_id == 3 and found.shares == {"bright": 0.5}


def test_the_bundle_names_void(tmp_path: Path) -> None:
    output = OutputSpec(
        decoder="argmax-map",
        parameters={"output": "out", "layout": "ids"},
        labels=["dark", "middle"],
        void_id=2,
    )
    found = seen(levels(tmp_path / "b", layout="ids", output=output), gray(BRIGHTNESS[np.array([[0, 2]])]))
    assert found.ids.tolist() == [[0, 2]] and found.shares == {"dark": 0.5}


def test_a_class_without_a_label_is_the_models_fault(tmp_path: Path) -> None:
    output = OutputSpec(decoder="argmax-map", parameters={"output": "out", "layout": "ids"}, labels=["dark"])
    bundle = levels(tmp_path / "b", layout="ids", output=output)
    for class_id in (1, 2):  # also the first beyond the labels, which is what void is called where no bundle names it
        with pytest.raises(RuntimeFailure, match=rf"model levels found class {class_id}, and has 1 labels"):
            seen(bundle, gray(BRIGHTNESS[np.array([[0, class_id]])]))


def yes_or_no(folder: Path, **changes: Any) -> ModelBundle:
    """The score of `bright` alone, 5/3 v - 25/36, as a map of yes and no: 0 at a brightness of 5/12."""
    import onnx
    from onnx import numpy_helper

    made = levels(folder.parent / "three")
    graph = onnx.load(made.file("model"))
    for constant in graph.graph.initializer:
        constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant)[2:], constant.name))
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    onnx.save(graph, folder.parent / "yes.onnx")
    from msgspec.structs import replace

    from pixelwright.bundle import write_bundle

    tensors = made.spec.graphs["model"]
    one = replace(tensors.outputs[0], dims=["batch", 1, "height_out", "width_out"])
    output = OutputSpec(decoder="argmax-map", parameters={"output": "out"}, labels=["background", "lamp"])
    changed = replace(
        made.spec, graphs={"model": replace(tensors, outputs=[one])}, output=output, artifacts=[], **changes
    )
    return write_bundle(folder, changed, {"model": folder.parent / "yes.onnx"})


@pytest.mark.parametrize(
    ("decision", "asked", "expected"),
    [
        (Decision(), None, [0, 1, 1]),
        (Decision(threshold=0.7), None, [0, 0, 1]),
        (Decision(threshold=0.9, thresholds={"lamp": 0.5}), None, [0, 1, 1]),
        (Decision(threshold=0.7), 0.2, [1, 1, 1]),
    ],
)
def test_a_map_of_yes_and_no_is_cut_at_a_threshold(
    tmp_path: Path, decision: Decision, asked: float | None, expected: list[int]
) -> None:
    bundle = yes_or_no(tmp_path / "b", decision=decision)
    assert seen(bundle, gray(np.array([[30, 130, 255]], np.uint8)), threshold=asked).ids.tolist() == [expected]


def test_a_threshold_is_refused_where_the_best_class_wins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="threshold: levels gives each pixel the best of 3 classes"):
        load(levels(tmp_path / "b").path, options=PredictOptions(threshold=0.5))


def test_an_unknown_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no class named 'brigt'"):
        load(levels(tmp_path / "b").path, options=PredictOptions(classes=("brigt",)))


def test_a_model_that_makes_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'softmax' makes no label map; segment needs 'argmax-map'"):
        load(brightness(tmp_path / "b", task="segment").path)


def test_pictures_of_one_size_share_a_batch(tmp_path: Path) -> None:
    bundle = levels(tmp_path / "b")
    images = [gray(np.full((5, 6), value, np.uint8)) for value in (10, 130, 250)]
    model = load(bundle.path)
    prepared = [TASK.prepare(Raster.of(image), bundle) for image in images]
    found = TASK.predict(prepared, model.graphs(1), bundle, model.options)
    assert [int(one.ids[0, 0]) for one in found] == [0, 1, 2]
    assert len({TASK.key(one) for one in prepared}) == 1  # type: ignore[misc]


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 400), (57, 31)])
def test_a_drawing_shows_classes_and_a_legend(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    bundle = levels(tmp_path / "b")
    image = gray(np.full(size_hw, 235, np.uint8))
    drawn = TASK.draw(image, seen(bundle, image), bundle)
    assert drawn.pixels.dtype == np.uint8 and drawn.size_hw[0] > size_hw[0] and drawn.size_hw[1] >= 240
    halfway = np.rint((235 + np.array(color_of(2))) / 2)
    assert np.abs(drawn.pixels[0, 0] - halfway).max() <= 1
    assert (drawn.pixels[size_hw[0] :] == color_of(2)).all(axis=2).any()


def test_backgrounds_stay_as_they_are(tmp_path: Path) -> None:
    bundle = yes_or_no(tmp_path / "b")
    image = gray(np.tile(np.array([[30, 30, 30, 255, 255, 255]], np.uint8), (6, 60)))
    drawn = TASK.draw(image, seen(bundle, image), bundle)
    assert drawn.pixels[0, 0].tolist() == [30, 30, 30]


def test_classes_of_one_label_have_one_color_and_one_entry(tmp_path: Path) -> None:
    found = LabelMap(np.tile(np.repeat(np.array([0, 1, 2], np.uint8), 100), (90, 1)), ("a", "b", "a"))
    drawn = TASK.draw(gray(np.full((90, 300), 100, np.uint8)), found, levels(tmp_path / "b"))
    assert drawn.pixels[45, 50].tolist() == drawn.pixels[45, 250].tolist() != drawn.pixels[45, 150].tolist()


def test_a_long_label_is_cut_to_the_width_of_the_picture(tmp_path: Path) -> None:
    image = gray(np.full((90, 300), 100, np.uint8))
    bundle = levels(tmp_path / "b")
    long, short = (
        TASK.draw(image, LabelMap(np.zeros((90, 300), np.uint8), (label,)), bundle) for label in ("a" * 500, "a")
    )
    assert long.size_hw == short.size_hw
    assert (long.pixels[90:, -7:] == long.pixels[-1, 0]).all()  # nothing runs over the margin


def test_rows_hold_shares_and_leave_void_out(tmp_path: Path) -> None:
    found = LabelMap(np.array([[0, 0, 1, 7]], np.uint8), ("a", "b"), 7)
    assert TASK.rows(found.to_dict()) == [
        {"label": "a", "share": 0.5, "pixels": 2},
        {"label": "b", "share": 0.25, "pixels": 1},
    ]
    assert TASK.text(found.to_dict()) == "a 50.0%, b 25.0%" == str(found)


def test_a_stream_of_pictures_gives_maps(tmp_path: Path) -> None:
    model: Model = load(levels(tmp_path / "b").path)
    found = [done.result for done in model.stream([gray(smooth((30, 20)))] * 3)]
    assert [one.size_hw for one in found] == [(30, 20)] * 3  # type: ignore[union-attr]


def test_a_long_legend_is_cut(tmp_path: Path) -> None:
    ids = np.arange(200, dtype=np.uint8).reshape(10, 20)
    image = gray(np.full((10, 20), 100, np.uint8))
    drawn = TASK.draw(image, LabelMap(ids, tuple(f"class {one}" for one in range(200))), levels(tmp_path / "b"))
    assert drawn.size_hw[0] < 120 + 24 * 30


@pytest.mark.parametrize("classes", [(), ("bright",)])
def test_a_large_map_is_not_widened_to_eight_bytes(tmp_path: Path, classes: tuple[str, ...]) -> None:
    bundle = levels(tmp_path / "b", layout="ids", input=framed("stretch", (8, 8)))
    model = load(bundle.path, options=PredictOptions(classes=classes))
    prepared = [TASK.prepare(Raster.of(gray(np.full((3000, 2000), 235, np.uint8))), bundle)]
    tracemalloc.start()
    TASK.predict(prepared, model.graphs(1), bundle, model.options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 3000 * 2000
