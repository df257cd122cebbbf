"""Loading by name, calling on anything that is a picture, and streaming with bounded look-ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from bundles import blur, brightness
from pixelwright.errors import UnknownName, UnreadableImage, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(brightness(tmp_path_factory.mktemp("models") / "c").path)


def test_every_stand_in_for_a_picture_gives_the_same_answer(model: Model, tmp_path: Path) -> None:
    pixels = np.full((9, 11, 3), 130, np.uint8)
    write_image(Image(pixels), tmp_path / "ö.png")
    path = tmp_path / "ö.png"
    stand_ins = [path, str(path), path.read_bytes(), pixels, Image(pixels), PillowImage.fromarray(pixels)]
    answers = [model(one) for one in stand_ins]
    assert len({answer[0] for answer in answers}) == 1


def test_what_is_no_picture_is_refused(model: Model) -> None:
    with pytest.raises(UsageError, match="a dict is no picture"):
        model({})


def test_a_model_of_another_task_names_the_right_command(tmp_path: Path) -> None:
    folder = blur(tmp_path / "b").path
    with pytest.raises(UsageError, match=r"is for enhance, not for classify. Use: pixelwright enhance"):
        load(folder, task="classify")


def test_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="digits"):
        load("digit")


def test_a_stream_yields_in_order_and_carries_errors(model: Model) -> None:
    dark, bright = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    done = list(model.stream([dark, b"not a picture", bright]))
    assert [one.result[0].label if one.result else None for one in done] == ["dark", None, "bright"]
    assert isinstance(done[1].error, UnreadableImage)


def test_a_stream_of_a_folder_reads_its_pictures(model: Model, tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        write_image(Image(np.zeros((4, 4, 3), np.uint8)), tmp_path / name)
    assert [Path(one.item).name for one in model.stream(tmp_path)] == ["a.png", "b.png"]


def test_a_stream_is_lazy(model: Model) -> None:
    taken = []

    def endless():  # type: ignore[no-untyped-def]
        while True:
            taken.append(1)
            yield np.zeros((4, 4, 3), np.uint8)

    stream = model.stream(endless())
    for _ in range(5):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(taken) < 200


def test_a_result_is_drawn_onto_the_upright_picture(model: Model, tmp_path: Path) -> None:
    turned = PillowImage.Exif()
    turned[0x0112] = 6
    PillowImage.new("RGB", (300, 400), "red").save(tmp_path / "turned.png", exif=turned)
    shown = model.draw(tmp_path / "turned.png", model(tmp_path / "turned.png"))
    assert shown.pixels.dtype == np.uint8 and shown.size_hw[1] == 400 and shown.size_hw[0] > 300
    assert shown.pixels[150, 200].tolist() == [255, 0, 0]
    assert (shown._repr_png_() or b"").startswith(b"\x89PNG")


def test_an_enhanced_picture_is_its_own_drawing(tmp_path: Path) -> None:
    enhancer = load(blur(tmp_path / "b", scale=2).path)
    picture = Image(np.full((6, 8, 3), 99, np.uint8))
    better = enhancer(picture)
    assert np.array_equal(enhancer.draw(picture, better).pixels, better.pixels)
