"""Detections by the bundle's contract: in pixels of the upright picture, whole or in tiles."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from bundles import brightness, squares
from pixelwright.bundle import ModelBundle
from pixelwright.cli import main
from pixelwright.contract import PredictOptions
from pixelwright.errors import BundleError, RuntimeFailure, UnknownName, UsageError
from pixelwright.io.images import open_raster
from pixelwright.model import Model, load
from pixelwright.ops import batch
from pixelwright.structures.detections import Detections
from pixelwright.structures.image import Image, Source
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.spec import Decision, InputSpec, OutputSpec, Resize, Suppression
from pixelwright.tasks.detect import predict as detect

WHITE, RED = (255, 255, 255), (255, 0, 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(squares(tmp_path_factory.mktemp("models") / "squares").path)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(squares(tmp_path_factory.mktemp("models") / "rich", name="rich", rich=True).path)


def scene(*things: tuple[int, int, int, int, Any], size_hw: tuple[int, int] = (60, 90)) -> np.ndarray:
    pixels = np.zeros((*size_hw, 3), np.uint8)
    for left, top, right, bottom, color in things:
        pixels[top:bottom, left:right] = color
    return pixels


def found(result: Detections) -> list[tuple[str, list[float]]]:
    return sorted((row.label, [round(side, 2) for side in row.box_xyxy]) for row in result)


TWO = scene((5, 10, 40, 25, WHITE), (70, 30, 90, 50, (204, 0, 0)))


def test_things_are_found_where_they_are_best_first(model: Model) -> None:
    result = model(TWO)
    assert [row.label for row in result] == ["white", "red"]
    assert result.boxes_xyxy.tolist() == [[5, 10, 40, 25], [70, 30, 90, 50]]
    assert result.scores.tolist() == pytest.approx([1, 0.8])


def test_an_empty_picture_holds_nothing(model: Model, rich: Model) -> None:
    for one in (model, rich):
        result = one(scene())
        assert len(result) == 0 and str(result) == "nothing above the threshold"


def test_threshold_classes_and_top_k_narrow_the_answer(model: Model) -> None:
    assert [row.label for row in model(TWO, threshold=0.9)] == ["white"]
    assert [row.label for row in model(TWO, classes=("red",))] == ["red"]
    assert [row.label for row in model(TWO, top_k=1)] == ["white"]
    with pytest.raises(UnknownName, match="Did you mean 'white'"):
        model(TWO, classes=("whit",))


def test_the_bundles_thresholds_are_applied(tmp_path: Path) -> None:
    strict = load(squares(tmp_path / "s", decision=Decision(threshold=0.1, thresholds={"red": 0.81})).path)
    assert [row.label for row in strict(TWO)] == ["white"]
    assert len(strict(TWO, threshold=0.5)) == 2


def test_a_threshold_of_its_own_decides_where_the_bundle_names_none(tmp_path: Path) -> None:
    plain = load(squares(tmp_path / "s", decision=Decision()).path)
    dim = scene((5, 5, 20, 20, (140, 140 // 3, 0)))  # red 0.549 * (1 - 0.18)
    assert len(plain(dim)) == 1 and len(plain(dim, threshold=0.5)) == 0


def test_without_suppression_every_proposal_stands(tmp_path: Path) -> None:
    output = squares(tmp_path / "a").spec.output
    every = load(squares(tmp_path / "b", output=msgspec.structs.replace(output, suppression=None)).path)
    picture = scene((5, 10, 10, 12, WHITE))
    assert len(every(picture)) == 10  # one for each pixel
    assert len(every(picture, iou_threshold=0.5)) == 1


def test_what_lies_in_the_filling_around_a_picture_is_no_thing(tmp_path: Path) -> None:
    resize = Resize(rule="letterbox", size_hw=(64, 64), fill=255, kernel="nearest")
    framed = load(squares(tmp_path / "s", input=InputSpec(resize=resize)).path)
    assert found(framed(scene(size_hw=(32, 64)))) == []
    assert found(framed(scene((10, 9, 20, 22, WHITE), size_hw=(32, 64)))) == [("white", [10, 9, 20, 22])]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 99, 3), (99, 1, 1), (7, 5, 1), (30, 30, 4), (30, 30, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_picture_gets_an_answer(rich: Model, shape: tuple[int, ...], dtype: type) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    result = rich(np.full(shape, white, dtype))
    assert found(result) == [("white", [0, 0, shape[1], shape[0]])]
    assert result.masks is not None and result.masks.areas.tolist() == [shape[0] * shape[1]]


def test_boxes_are_those_of_the_upright_picture(model: Model, tmp_path: Path) -> None:
    turned = PillowImage.Exif()
    turned[0x0112] = 6  # to be turned a quarter to the right
    PillowImage.fromarray(TWO).save(tmp_path / "turned.png", exif=turned)
    # (x, y) of the 60 stored rows becomes (60 - y, x).
    assert found(model(tmp_path / "turned.png")) == [("red", [10, 70, 30, 90]), ("white", [35, 5, 50, 40])]


def test_boxes_are_those_of_the_full_size_where_a_jpeg_is_decoded_smaller(tmp_path: Path) -> None:
    resize = Resize(rule="stretch", size_hw=(100, 100))
    frugal = load(squares(tmp_path / "s", input=InputSpec(resize=resize, reduced_decode=1.0)).path)
    turned = PillowImage.Exif()
    turned[0x0112] = 6  # to be turned a quarter to the right
    picture = scene((401, 303, 803, 909, WHITE), size_hw=(1203, 1605))  # neither side is a multiple of eight
    PillowImage.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    PillowImage.fromarray(picture).save(tmp_path / "turned.jpg", quality=95, exif=turned)
    for name, expected in (("a.jpg", [401, 303, 803, 909]), ("turned.jpg", [1203 - 909, 401, 1203 - 303, 803])):
        with open_raster(tmp_path / name) as raster:
            assert raster.read(at_least_hw=(100, 100)).source.scale < 0.2
        (row,) = frugal(tmp_path / name)
        assert np.abs(np.array(row.box_xyxy) - expected).max() < 9  # half a pixel of the network's, which is 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_decoded_smaller_maps_back_exactly_also_at_its_far_edges(tmp_path: Path, orientation: int) -> None:
    resize = Resize(rule="stretch", size_hw=(151, 151))  # an eighth of 1203 pixels, rounded up: 5 of them are too much
    frugal = load(squares(tmp_path / "s", input=InputSpec(resize=resize, reduced_decode=1.0)).path)
    stored = scene((1160, 1160, 1192, 1192, WHITE), size_hw=(1203, 1203))  # whole blocks of eight
    turned = PillowImage.Exif()
    turned[0x0112] = orientation
    PillowImage.fromarray(stored).save(tmp_path / "a.jpg", quality=100, exif=turned, subsampling=0)
    with open_raster(tmp_path / "a.jpg") as raster:
        rows, columns = np.nonzero(raster.read().pixels[:, :, 0] > 128)  # what is there at full scale
        assert raster.read(at_least_hw=(151, 151)).source.scale == 1 / 8
    (row,) = frugal(tmp_path / "a.jpg")
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert row.box_xyxy == pytest.approx(expected, abs=0.01)


def test_a_batch_answers_as_its_pictures_alone(rich: Model) -> None:
    pictures = [scene((3 * n, 2 * n, 20 + 5 * n, 30 + n, WHITE)) for n in range(1, 9)]
    alone = [rich(picture).to_dict() for picture in pictures]
    assert [done.result.to_dict() for done in rich.stream(pictures) if done.result] == alone


@pytest.mark.parametrize("size", [1, 3])
def test_a_graph_with_a_batch_of_fixed_size_takes_any_number_of_pictures(tmp_path: Path, size: int) -> None:
    fixed = load(squares(tmp_path / "s", batch=size).path)
    pictures = [scene((3 * n, 2 * n, 20 + 5 * n, 30 + n, WHITE)) for n in range(1, 6)]
    results = [done.result for done in fixed.stream(pictures)]
    assert [one.boxes_xyxy.tolist() for one in results if one] == [
        [[3 * n, 2 * n, 20 + 5 * n, 30 + n]] for n in range(1, 6)
    ]
    assert found(fixed(TWO, tile_px=40)) == found(fixed(TWO))


# masks and keypoints


def test_masks_and_keypoints_belong_to_their_boxes(rich: Model) -> None:
    result = rich(TWO)
    assert result.masks is not None and result.keypoints is not None
    for mask, (left, top, right, bottom) in zip(result.masks, result.boxes_xyxy.astype(int), strict=True):
        expected = np.zeros(TWO.shape[:2], bool)
        expected[top:bottom, left:right] = True
        assert np.array_equal(mask, expected)
    assert result.keypoint_names == ("top left", "bottom right")
    assert result.keypoints[0].tolist() == [[5, 10, 1], [40, 25, 1]]


def test_masks_and_keypoints_follow_the_picture_through_a_resize(tmp_path: Path) -> None:
    resize = Resize(rule="letterbox", size_hw=(60, 60))
    framed = load(squares(tmp_path / "s", rich=True, input=InputSpec(resize=resize)).path)
    picture = scene((30, 60, 150, 90, WHITE), size_hw=(120, 180))  # a third: 60 by 40, with 10 rows above
    result = framed(picture)
    assert found(result) == [("white", [30, 60, 150, 90])]
    assert result.masks is not None and result.keypoints is not None
    # Each corner of a coarse mask, interpolated, is round: one pixel goes.
    assert np.count_nonzero(result.masks[0] != (picture[:, :, 0] > 0)) <= 4
    assert result.keypoints[0, :, :2].tolist() == pytest.approx(np.array([[30, 60], [150, 90]]))


def test_a_result_survives_its_plain_form(rich: Model) -> None:
    result = rich(TWO)
    again = Detections.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.to_dict() == result.to_dict()
    assert rich.task.text(result.to_dict()) == "1 white, 1 red"
    assert rich.task.rows(result.to_dict())[0] == {
        "label": "white", "score": 1.0, "left": 5.0, "top": 10.0, "right": 40.0, "bottom": 25.0
    }  # fmt: skip


# tiles


@given(st.integers(0, 2**32 - 1), st.sampled_from([40, 57]), st.sampled_from([0.2, 0.5]))
@settings(deadline=None, max_examples=12)
def test_tiles_find_what_the_whole_finds(rich: Model, seed: int, tile_px: int, overlap: float) -> None:
    random = np.random.default_rng(seed)
    things = []
    taken = np.zeros((100, 130), bool)
    for _ in range(9):
        left, top, wide, high = random.integers([0, 0, 2, 2], [120, 90, 60, 60])
        if not taken[max(0, top - 1) : top + high + 1, max(0, left - 1) : left + wide + 1].any():
            taken[top : top + high, left : left + wide] = True
            things.append((left, top, left + wide, top + high, WHITE))
    picture = scene(*things, size_hw=(100, 130))
    whole = rich(picture)
    large = detect.Picture(Raster.of(Image(picture)), None)  # so that nothing but tiles is looked at
    options = PredictOptions(tile_px=tile_px, tile_overlap=overlap)
    (result,) = detect.predict([large], rich.graphs(1), rich.bundle, options)
    assert found(result) == found(whole)
    assert found(rich(picture, tile_px=tile_px, tile_overlap=overlap)) == found(whole)
    assert result.masks is not None and whole.masks is not None
    assert sorted(result.masks.areas) == sorted(whole.masks.areas)


def test_tiles_find_what_is_too_small_for_the_whole(tmp_path: Path) -> None:
    resize = Resize(rule="stretch", size_hw=(50, 50))
    coarse = load(squares(tmp_path / "s", input=InputSpec(resize=resize)).path)
    picture = scene((101, 203, 105, 207, WHITE), size_hw=(500, 500))
    assert found(coarse(picture)) == []
    assert found(coarse(picture, tile_px=50)) == [("white", [101, 203, 105, 207])]


def test_a_large_picture_is_read_in_windows_only(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Raster.of(Image(scene((30, 20, 75, 50, WHITE))))
    asked: list[Window | None] = []

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        asked.append(window)
        return picture.decode(window, at_least_hw)

    monkeypatch.setattr(detect, "LARGE_BYTES", 1000)
    spied = Raster(picture.size_hw, np.uint8, picture.color, 255.0, decode, windowed=True)
    assert found(model(spied, tile_px=40)) == [("white", [30, 20, 75, 50])]
    assert asked and all(window is not None and max(window.height, window.width) <= 40 for window in asked)
    asked.clear()
    assert found(model(spied)) == [("white", [30, 20, 75, 50])]  # whole, as nobody asked for tiles
    assert asked == [None]


def test_what_sees_every_pixel_looks_at_a_large_picture_in_windows(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = Raster.of(Image(scene((30, 20, 75, 50, WHITE)))), []

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        asked.append(window)
        return whole.decode(window, at_least_hw)

    monkeypatch.setattr(detect, "LARGE_PX", 5000)
    monkeypatch.setattr(detect, "WINDOW_PX", 50)
    spied = Raster(whole.size_hw, np.uint8, whole.color, 255.0, decode, windowed=True)
    assert found(model(spied)) == [("white", [30, 20, 75, 50])]
    assert len(asked) > 1 and all(window is not None and window.width <= 50 for window in asked)
    asked.clear()
    resized = msgspec.structs.replace(model.bundle.spec.input, resize=Resize(rule="stretch", size_hw=(60, 90)))
    spec = msgspec.structs.replace(model.bundle.spec, input=resized)
    detect.prepare(spied, ModelBundle(model.bundle.path, spec))
    assert asked == [None]  # scaled into a frame, no picture is large


def test_a_picture_without_windows_is_decoded_once_for_all_tiles(model: Model) -> None:
    whole, asked = Image(scene((30, 20, 75, 50, WHITE))), []

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        del at_least_hw
        asked.append(window)
        return whole

    spied = Raster(whole.size_hw, np.uint8, whole.color, 255.0, decode)
    assert found(model(spied, tile_px=40)) == [("white", [30, 20, 75, 50])]
    assert asked == [None, None]  # one for the whole, one for all tiles


def test_an_overlap_that_cannot_be_put_together_is_refused(model: Model) -> None:
    for overlap in (0.0, 0.95):
        with pytest.raises(UsageError, match=r"expected 0.05 to 0.9"):
            model(TWO, tile_px=40, tile_overlap=overlap)


# coordinates

RULES = st.one_of(
    st.builds(
        Resize,
        rule=st.sampled_from(["letterbox", "stretch"]),
        size_hw=st.tuples(st.integers(1, 70), st.integers(1, 70)),
        align=st.sampled_from(["center", "corner"]),
    ),
    st.builds(Resize, rule=st.just("shorter"), size_hw=st.integers(1, 70).map(lambda side: (side, side))),
)


@given(
    st.tuples(st.integers(1, 150), st.integers(1, 150)), RULES, st.integers(1, 4), st.booleans(),
    st.lists(st.floats(0, 1), min_size=4, max_size=4), st.sampled_from(["", "x", "y", "xy"]),
)  # fmt: skip
@settings(deadline=None)
def test_a_box_goes_into_the_tensor_and_comes_back(
    size_hw: tuple[int, int], rule: Resize, reduced: int, cropped: bool, parts: list[float], backward: str
) -> None:
    decoded_hw = tuple(-(-side // reduced) for side in size_hw)
    orientation = {"": 1, "x": 2, "xy": 3, "y": 4}[backward]
    source = Source("file", stored_size_hw=size_hw, orientation=orientation, scale=1 / reduced)
    crop_hw = (min(rule.size_hw), min(rule.size_hw)) if cropped and rule.rule == "shorter" else None
    spec = InputSpec(resize=rule, crop_hw=crop_hw)
    prepared = batch.prepare(Image(np.zeros((*decoded_hw, 3), np.uint8), source=source), spec)
    assert prepared.original_hw == size_hw
    box = np.array(parts) * np.tile(size_hw[::-1], 2)
    # By hand: scale to the size that the rule makes, move by the frame around it, or by what the crop cuts off.
    height, width = size_hw
    scale = {
        "stretch": 0.0,
        "letterbox": min(rule.size_hw[0] / height, rule.size_hw[1] / width),
        "shorter": min(rule.size_hw) / min(size_hw),
    }[rule.rule]
    whole = {"letterbox": round, "shorter": lambda side: int(side + 1e-9)}.get(rule.rule, round)
    made_hw = rule.size_hw if not scale else tuple(max(1, whole(side * scale)) for side in size_hw)
    frame_hw = prepared.tensor.shape[1:]
    moved = np.array([(frame_hw[axis] - made_hw[axis]) // 2 for axis in (1, 0)])
    if crop_hw is not None:
        moved = -np.array([(made_hw[axis] - crop_hw[axis]) // 2 for axis in (1, 0)])
    elif rule.align == "corner":
        moved = np.zeros(2)
    # The decoded picture is as many whole pixels as cover it; what is too much is where the file ends.
    covered = np.array(decoded_hw[::-1]) * reduced
    before = (covered - size_hw[::-1]) * ["x" in backward, "y" in backward]
    inside = (box.reshape(2, 2) + before) * np.divide(made_hw[::-1], covered) + moved
    back = prepared.placement.to_original(inside.astype(np.float32)).ravel()
    assert np.abs(back - box).max() < 1e-3 * max(1, max(size_hw) / max(made_hw) / 20)


@given(st.tuples(st.integers(40, 90), st.integers(40, 90)), st.integers(0, 30), st.integers(0, 30))
@settings(deadline=None, max_examples=25)
def test_a_tile_knows_its_place(size_hw: tuple[int, int], top: int, left: int) -> None:
    raster = Raster.of(Image(np.zeros((*size_hw, 3), np.uint8)))
    window = Window(top, left, 10, 8)
    made = detect._prepare_window(raster, window, InputSpec(resize=Resize(rule="stretch", size_hw=(33, 17))))
    corners = np.array([[0, 0], [17, 33]], np.float32)
    assert made.placement.to_original(corners).tolist() == pytest.approx(
        np.array([[left, top], [left + 8, top + 10]]), abs=1e-3
    )


# what goes wrong


@dataclass(frozen=True)
class Answer:
    """A graph that always makes the same."""

    outputs: Mapping[str, Any]
    inputs: tuple[Any, ...] = ()

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        del feeds
        return dict(self.outputs)


def answer_of(model: Model, output: OutputSpec, values: Any) -> Detections:
    spec = msgspec.structs.replace(model.bundle.spec, output=output)
    bundle = ModelBundle(model.bundle.path, spec)
    raster = Raster.of(Image(scene()))
    graphs: Any = {"model": Answer({"y": np.array(values, np.float32)})}
    return detect.predict([detect.prepare(raster, bundle)], graphs, bundle, PredictOptions())[0]


def test_boxes_are_cut_to_the_picture_and_those_outside_or_without_area_are_left_out(model: Model) -> None:
    output = OutputSpec(decoder="box-rows", parameters={"output": "y"}, labels=["a"])
    rows = [[-9, -9, 9, 9, 0.9, 0], [80, 50, 200, 70, 0.8, 0], [5, 5, 5, 20, 0.7, 0], [90, 0, 95, 9, 0.6, 0]]
    result = answer_of(model, output, [[*rows, [30, 40, 20, 50, 0.5, 0]]])  # the last is inside out
    assert result.boxes_xyxy.tolist() == [[0, 0, 9, 9], [80, 50, 90, 60]]


def test_of_things_that_need_no_suppression_none_is_dropped_for_their_number(model: Model) -> None:
    output = OutputSpec(decoder="box-rows", parameters={"output": "y"}, labels=["a"])
    rows = [[column, row, column + 1, row + 1, 0.9, 0] for row in range(20) for column in range(20)]
    assert len(answer_of(model, output, [rows])) == 400
    suppressed = msgspec.structs.replace(output, suppression=Suppression(iou_threshold=0.5))
    assert len(answer_of(model, suppressed, [rows])) == 300


def test_masks_known_in_parts_are_put_in_their_places(model: Model) -> None:
    parameters = {"objects": "y", "rays": "r", "stride": 1}
    output = OutputSpec(decoder="star-polygons", parameters=parameters, labels=["a"])
    spec = msgspec.structs.replace(model.bundle.spec, output=output, input=InputSpec(multiple_of=1))
    bundle = ModelBundle(model.bundle.path, spec)
    objects, rays = np.full((1, 1, 60, 90), -9, np.float32), np.full((1, 8, 60, 90), np.log(3.2), np.float32)
    objects[0, 0, 20, 30], objects[0, 0, 58, 50] = 4, 3
    graphs: Any = {"model": Answer({"y": objects, "r": rays})}
    picture = detect.prepare(Raster.of(Image(scene())), bundle)
    result = detect.predict([picture], graphs, bundle, PredictOptions())[0]
    assert result.boxes_xyxy.tolist() == [[27, 17, 34, 24], [47, 55, 54, 60]]
    assert result.masks is not None
    rows, columns = np.nonzero(result.masks[0])
    assert (rows.mean(), columns.mean(), len(rows)) == (20, 30, 29)  # a disc of radius 3.2, its corners cut: by hand
    assert np.array_equal(result.masks[1][55:60, 47:54], result.masks[0][17:22, 27:34])  # cut by the picture's edge


def test_a_class_without_a_label_is_refused(model: Model) -> None:
    output = OutputSpec(decoder="box-rows", parameters={"output": "y"}, labels=["a", "b"])
    with pytest.raises(RuntimeFailure, match="answered class 2 to 2; its contract has 2"):
        answer_of(model, output, [[[0, 0, 9, 9, 0.9, 2]]])


def test_another_number_of_keypoints_than_names_is_refused(model: Model) -> None:
    row = [[0.1, 0.1, 0.9], [0.6, 0.7, 0.9]]
    output = OutputSpec(decoder="keypoints", parameters={"output": "y"}, labels=["a"], keypoints=["nose"])
    with pytest.raises(RuntimeFailure, match="made 2 keypoints, its contract names 1"):
        answer_of(model, output, [[row]])
    unnamed = answer_of(model, msgspec.structs.replace(output, keypoints=[]), [[row]])
    assert unnamed.keypoint_names == ("0", "1")


def test_a_bundle_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="finds no things"):
        load(brightness(tmp_path / "b", task="detect").path)


# the command


def test_the_command_takes_its_options_and_writes_tables_and_pictures(
    tmp_path: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    PillowImage.fromarray(scene((30, 20, 75, 50, WHITE), (5, 5, 9, 9, RED))).save(tmp_path / "a.png")
    command = ["detect", str(tmp_path / "a.png"), "--model", str(model.bundle.path)]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("\t1 red, 1 white\n")
    folder = tmp_path / "out"
    options = ["--tile", "40", "--overlap", "0.3", "--iou", "0.4", "--classes", "white", "--threshold", "0.6"]
    assert main([*command, *options, "--draw", "--export", "csv", "-o", str(folder)]) == 0
    with (folder / "results.csv").open(encoding="utf-8") as table:
        (row,) = csv.DictReader(table)
    assert [row[name] for name in ("label", "left", "top", "right", "bottom")] == [
        "white",
        "30.0",
        "20.0",
        "75.0",
        "50.0",
    ]
    with PillowImage.open(folder / "images" / "a.png") as drawn:
        assert drawn.size == (270, 180)  # a small picture is enlarged
