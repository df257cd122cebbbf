from __future__ import annotations

import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from bundles import blur, brightness
from pixelwright.errors import ShapeError, UnknownName, UsageError
from pixelwright.io.images import read_image
from pixelwright.metrics.fidelity import psnr, psnr_y, studio_luma
from pixelwright.verbs.demo import DemoModels, demo
from pixelwright.verbs.demo import photos as photo_finder
from pixelwright.verbs.demo.digits import draw_digit
from pixelwright.verbs.demo.measure import DETAIL_PX, busiest, calmest
from pixelwright.verbs.run import Progress

HOSTILE = 'a<script>alert("1")&.png'


def no_progress(_: Progress) -> None:
    pass


def photo(path: Path, size_wh: tuple[int, int] = (96, 80)) -> None:
    """A smooth colored picture with one sharp edge."""
    width, height = size_wh
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / width, 255 * y / height, np.where(x > width // 2, 200, 60)], axis=2)
    PillowImage.fromarray(pixels.astype(np.uint8)).save(path)


class Links(HTMLParser):
    """Every `src`, `href` and radio `value` of a page, its ids, and its tags."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("src", "href") and value]
        if found.get("type") == "radio":
            self.links.append(found["value"] or "")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> DemoModels:
    folder = tmp_path_factory.mktemp("models")
    return DemoModels(
        denoise=str(blur(folder / "denoise", name="denoise").path),
        enlarge=str(blur(folder / "enlarge", name="enlarge", scale=2).path),
        digits=str(brightness(folder / "digits", name="digits").path),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, models: DemoModels) -> tuple[Path, list[Progress]]:
    folder = tmp_path_factory.mktemp("demo")
    photos, steps = folder / "photos", []
    photos.mkdir()
    photo(photos / HOSTILE)
    photo(photos / "b.png", (97, 81))
    (photos / "broken<b>.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return demo(folder / "out", photos=photos, models=models, on_progress=steps.append), steps


def test_page_has_every_section(made: tuple[Path, list[Progress]]) -> None:
    found = Links(made[0])
    assert made[0].name == "index.html"
    assert {"denoise", "enlarge", "depth", "turned", "digits", "time", "models", "use"} <= set(found.ids)
    assert found.tags.count("section") == 8


def test_all_links_resolve_inside_the_folder(made: tuple[Path, list[Progress]]) -> None:
    page, found = made[0], Links(made[0])
    assert len(found.links) > 60
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            assert link.startswith("images/")
            assert (page.parent / link).is_file()


def test_page_reaches_for_nothing_outside(made: tuple[Path, list[Progress]]) -> None:
    page = made[0].read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "@import" not in page
    assert Links(made[0]).tags.count("link") == 0


def test_hostile_file_name_is_escaped(made: tuple[Path, list[Progress]]) -> None:
    page = made[0].read_text(encoding="utf-8")
    assert "a&lt;script&gt;alert(&quot;1&quot;)&amp;.png" in page
    assert "<script>alert" not in page
    assert Links(made[0]).tags.count("script") == 1


def test_unreadable_photo_is_reported_on_the_page(made: tuple[Path, list[Progress]]) -> None:
    assert "broken&lt;b&gt;.jpg" in made[0].read_text(encoding="utf-8")


def test_progress_ends_complete(made: tuple[Path, list[Progress]]) -> None:
    steps = made[1]
    assert [step.done for step in steps] == list(range(len(steps)))
    assert steps[-1].done == steps[-1].total


def test_sixteen_bit_result_keeps_depth_and_profile(made: tuple[Path, list[Progress]]) -> None:
    images = made[0].parent / "images"
    before, after = read_image(images / "sixteen-bit.tif"), read_image(images / "sixteen-bit-enlarged.tif")
    assert after.pixels.dtype == np.uint16
    assert after.color.icc == before.color.icc is not None
    assert np.unique(after.pixels).size > 256


def test_sideways_result_is_upright_without_a_tag(made: tuple[Path, list[Progress]]) -> None:
    images = made[0].parent / "images"
    with PillowImage.open(images / "sideways.jpg") as stored, PillowImage.open(images / "sideways-denoised.jpg") as out:
        assert stored.getexif()[0x0112] == 6
        assert out.getexif().get(0x0112, 1) == 1
        assert out.size == stored.size[::-1]


def test_second_run_writes_over_the_first(tmp_path: Path, models: DemoModels) -> None:
    photo(tmp_path / "a.png")
    for _ in range(2):
        page = demo(tmp_path / "out", photos=tmp_path, models=models, on_progress=no_progress)
    assert "a.png" in page.read_text(encoding="utf-8")
    assert "out/images" not in page.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_file_name_that_is_no_unicode_is_shown_somehow(tmp_path: Path, models: DemoModels) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "bad\udcff.png")
    page = demo(tmp_path / "out", photos=tmp_path, models=models, on_progress=no_progress)
    assert "bad?.png" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "there is no such folder"),
        (lambda folder: folder.mkdir(), "no readable photo: it holds no picture files"),
        (lambda folder: (folder.mkdir(), (folder / "a.png").write_bytes(b"no")), "no readable photo: 1 tried"),
        (lambda folder: (folder.mkdir(), photo(folder / "a.png", (40, 40))), "40x40 is too small"),
    ],
)
def test_folder_without_a_usable_photo_is_said_in_a_sentence(
    tmp_path: Path, models: DemoModels, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "photos")
    with pytest.raises(UsageError, match=words):
        demo(tmp_path / "out", photos=tmp_path / "photos", models=models, on_progress=no_progress)
    assert not (tmp_path / "out").exists()


def test_no_samples_installed_names_both_ways_out(
    tmp_path: Path, models: DemoModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_finder, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"demo --photos DIR.*pip install --no-deps scikit-image"):
        demo(tmp_path / "out", models=models, on_progress=no_progress)


def test_samples_are_found_without_importing_their_package(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    for name in [name for name in sys.modules if name.partition(".")[0] == "skimage"]:
        del sys.modules[name]
    album = photo_finder.open_album(None, leave_out=tmp_path)
    assert len(album.photos) == len(photo_finder.SAMPLES)
    assert "skimage" not in sys.modules


def test_missing_model_is_named_and_leaves_no_folder(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    with pytest.raises(UnknownName, match="no-such-model"):
        demo(tmp_path / "out", photos=tmp_path, models=DemoModels(denoise="no-such-model"), on_progress=no_progress)
    assert not (tmp_path / "out").exists()


def test_strangers_page_is_not_written_over(tmp_path: Path, models: DemoModels) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "index.html").write_text("my own page")
    with pytest.raises(UsageError, match="did not write"):
        demo(tmp_path, photos=tmp_path / "a.png", models=models, on_progress=no_progress)
    assert (tmp_path / "index.html").read_text() == "my own page"


def test_output_that_is_a_file_is_refused(tmp_path: Path, models: DemoModels) -> None:
    photo(tmp_path / "a.png")
    with pytest.raises(UsageError, match="cannot be used as a folder"):
        demo(tmp_path / "a.png", photos=tmp_path / "a.png", models=models, on_progress=no_progress)


def test_big_photo_is_cropped_and_small_one_made_even(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", (1001, 901))
    photo(tmp_path / "b.png", (97, 81))
    big, small = photo_finder.open_album(tmp_path, leave_out=tmp_path / "out").photos
    assert (big.image.size_hw, big.whole_hw, big.is_crop) == ((512, 720), (901, 1001), True)
    assert (small.image.size_hw, small.is_crop) == ((80, 96), False)


def test_psnr_equals_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    truth, seen = rng.integers(0, 256, (2, 31, 17, 3), dtype=np.uint8)
    expected = metrics.peak_signal_noise_ratio(truth, seen, data_range=255)
    assert psnr(truth, seen) == pytest.approx(expected, rel=1e-9)


def test_psnr_of_a_known_difference() -> None:
    black, gray = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    assert psnr(black, gray) == pytest.approx(20 * np.log10(5))  # 255 / 51
    assert psnr(black, black) == float("inf")


def test_psnr_refuses_other_shapes() -> None:
    with pytest.raises(ShapeError, match="expected the shape of truth"):
        psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))


def test_luma_equals_that_of_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_allclose(studio_luma(pixels), color.rgb2ycbcr(pixels)[:, :, 0], rtol=1e-9)


def test_psnr_y_leaves_the_border_out() -> None:
    truth = np.full((10, 10, 3), 128, np.uint8)
    seen = truth.copy()
    seen[:2] = 0
    assert psnr_y(truth, seen, border_px=2) == float("inf")
    assert psnr_y(truth, seen, border_px=0) < 20


def test_busiest_window_holds_the_edges() -> None:
    pixels = np.zeros((300, 320, 3), np.uint8)
    pixels[180:270:2, 220:310] = 255
    window = busiest(pixels)
    assert (window.height, window.width) == (DETAIL_PX, DETAIL_PX)
    assert window.top <= 180 and window.top + window.height >= 270
    assert window.left <= 220 and window.left + window.width >= 310


def test_calmest_window_is_smooth_and_not_black() -> None:
    pixels = np.random.default_rng(0).integers(60, 200, (300, 320, 3), dtype=np.uint8)
    pixels[:120, :120] = 0
    pixels[150:264, 190:304] = 90
    assert calmest(pixels).top in (150, 151, 152)


@pytest.mark.parametrize("hand", ["pen", "typeface"])
@pytest.mark.parametrize("digit", range(10))
def test_digits_are_drawn_with_ink_on_paper(digit: int, hand: str) -> None:
    rng = np.random.default_rng(0)
    pixels = draw_digit(digit, 28, rng, hand=hand, dark_ink=True).pixels
    assert pixels.shape == (28, 28, 1)
    assert 0.02 < (pixels < 128).mean() < 0.3
    assert (pixels[[0, -1]] > 128).all() and (pixels[:, [0, -1]] > 128).all()
