"""Every fault that is put into a sound data set is found, and in a sound one nothing is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageEnhance

from datasets import page
from patients import SHAPES, boxed_pictures, shape_folders, shape_picture
from pixelwright.cli import main
from pixelwright.data.layout import Hints
from pixelwright.errors import DataError, UsageError
from pixelwright.verbs.doctor import CHECKS, Diagnosis, examine, open_patient, write_report
from pixelwright.verbs.doctor.copies import LEAST_CORRELATION, correlations, near_pairs, perceptual_hashes
from pixelwright.verbs.doctor.finding import RULES, Check

QUICK: tuple[Check, ...] = ("files", "labels", "balance", "duplicates", "surprises")  # all but the slow one


def examined(root: Path, checks: tuple[Check, ...] = QUICK) -> Diagnosis:
    return examine(open_patient(root), workers=1, checks=checks)


def cases(diagnosis: Diagnosis) -> dict[str, list[tuple[str, ...]]]:
    return {one.name: [case.ids for case in one.cases] for one in diagnosis.findings}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shape_folders(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def patient(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "patient"))


def test_nothing_is_found_in_a_sound_data_set(sound: Path) -> None:
    diagnosis = examined(sound, CHECKS)
    assert cases(diagnosis) == {}
    assert (diagnosis.exit_code, diagnosis.read) == (0, 180)
    assert "labels were judged" in diagnosis.remarks[0]


def cut_short(root: Path) -> set[str]:
    path = root / "train/disc/disc001.png"
    path.write_bytes(path.read_bytes()[:-40])
    return {"train/disc/disc001.png"}


def no_picture(root: Path) -> set[str]:
    (root / "train/disc/notes.png").write_text("not a picture")
    (root / "val/square/empty.jpg").write_bytes(b"")
    return {"train/disc/notes.png", "val/square/empty.jpg"}


def single_color(root: Path) -> set[str]:
    PillowImage.new("RGB", (48, 48), (9, 9, 9)).save(root / "train/disc/plain.png")
    return {"train/disc/plain.png"}


def same_file_in_both_splits(root: Path) -> set[str]:
    shutil.copy(root / "train/disc/disc001.png", root / "val/disc/again.png")
    return {"train/disc/disc001.png", "val/disc/again.png"}


def same_file_of_two_classes(root: Path) -> set[str]:
    shutil.copy(root / "train/disc/disc002.png", root / "train/square/again.png")
    return {"train/disc/disc002.png", "train/square/again.png"}


def same_file_twice(root: Path) -> set[str]:
    shutil.copy(root / "train/disc/disc003.png", root / "train/disc/again.png")
    return {"train/disc/disc003.png", "train/disc/again.png"}


def near_copy_in_both_splits(root: Path) -> set[str]:
    with PillowImage.open(root / "train/disc/disc004.png") as picture:
        brighter = ImageEnhance.Brightness(picture.resize((60, 60))).enhance(1.1)
    brighter.save(root / "val/disc/again.jpg", quality=80)
    return {"train/disc/disc004.png", "val/disc/again.jpg"}


def near_copy(root: Path) -> set[str]:
    with PillowImage.open(root / "train/disc/disc006.png") as picture:
        picture.save(root / "train/disc/again.jpg", quality=60)
    return {"train/disc/disc006.png", "train/disc/again.jpg"}


def near_copy_of_two_classes(root: Path) -> set[str]:
    with PillowImage.open(root / "train/disc/disc007.png") as picture:
        picture.save(root / "train/square/again.jpg", quality=60)
    return {"train/disc/disc007.png", "train/square/again.jpg"}


def sixteen_bits(root: Path) -> set[str]:
    deep = np.random.default_rng(1).integers(0, 65535, (48, 48), np.uint16)
    PillowImage.fromarray(deep).save(root / "train/disc/deep.png")
    return {"train/disc/deep.png"}


def thumbnail(root: Path) -> set[str]:
    shape_picture("disc", np.random.default_rng(9)).resize((5, 5)).save(root / "train/disc/small.png")
    return {"train/disc/small.png"}


def swapped_labels(root: Path) -> set[str]:
    moved = set()
    for number in range(41, 45):
        target = f"train/square/odd{number}.png"
        (root / f"train/disc/disc{number:03d}.png").rename(root / target)
        moved.add(target)
    return moved


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("unreadable", cut_short),
        ("unreadable", no_picture),
        ("blank", single_color),
        ("copies-across-splits", same_file_in_both_splits),
        ("copies-labeled-differently", same_file_of_two_classes),
        ("copies", same_file_twice),
        ("near-across-splits", near_copy_in_both_splits),
        ("near-labeled-differently", near_copy_of_two_classes),
        ("near", near_copy),
        ("depth", sixteen_bits),
        ("size", thumbnail),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_fault_is_found_where_it_is(patient: Path, name: str, harm: Callable[[Path], set[str]]) -> None:
    harmed = harm(patient)
    diagnosis = examined(patient)
    assert {one for ids in cases(diagnosis)[name] for one in ids} == harmed
    assert diagnosis.exit_code == (0 if RULES[name].severity == "note" else 1)


def test_wrong_labels_are_told_of_and_right_ones_are_not(patient: Path) -> None:
    swapped = swapped_labels(patient)
    told = {one for ids in cases(examined(patient, ("mislabeled",)))["mislabeled"] for one in ids}
    assert told <= swapped
    assert len(told) >= 2


def test_where_labels_cannot_be_told_apart_none_is_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(60):
        folder = tmp_path / ("odd" if number % 2 else "even")
        folder.mkdir(exist_ok=True)
        shape_picture("disc", rng).save(folder / f"{number}.png")
    diagnosis = examined(tmp_path, ("mislabeled",))
    assert cases(diagnosis) == {}
    assert "which is too little" in diagnosis.remarks[0]


def test_notes_alone_are_no_findings(patient: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    for name in ("turned.jpg", "named.png"):
        shape_picture("disc", np.random.default_rng(len(name))).save(
            patient / "train/disc" / name, "JPEG", exif=exif, quality=95
        )
    diagnosis = examined(patient)
    ids = [("train/disc/named.png",), ("train/disc/turned.jpg",)]
    assert cases(diagnosis) == {"stored-turned": ids, "ending": ids[:1]}
    assert diagnosis.exit_code == 0


def test_classes_that_are_rare_or_missing_in_a_split_are_named(patient: Path) -> None:
    (patient / "train/star").mkdir()
    for number in range(2):
        shape_picture("disc", np.random.default_rng(50 + number)).save(patient / f"train/star/{number}.png")
    found = {one.name: [case.detail for case in one.cases] for one in examined(patient).findings}
    assert found["class-rare"] == ["star: 2"]
    assert found["class-missing-in-split"] == ["star in validation"]
    assert found["imbalance"] == ["disc 60, star 2 samples"]


def test_a_group_of_near_copies_that_is_never_parted_is_no_finding(patient: Path) -> None:
    near_copy(patient)
    (patient / "train/disc/again.jpg").rename(patient / "train/disc/disc006-v1.jpg")
    grouped = open_patient(patient, hints=Hints(group=r"(\w+?)(?:-v\d+)?\.\w+$"))
    assert cases(examine(grouped, workers=1, checks=QUICK)) == {}


def harmed_coco(root: Path, harm: Callable[[dict[str, list[dict[str, object]]]], None]) -> Path:
    boxed_pictures(root)
    coco = json.loads((root / "coco.json").read_text())
    harm(coco)
    (root / "coco.json").write_text(json.dumps(coco))
    return root


def test_nothing_is_found_in_sound_boxes(tmp_path: Path) -> None:
    assert cases(examined(boxed_pictures(tmp_path / "boxes"))) == {}


@pytest.mark.parametrize(
    ("name", "box"),
    [("box-outside", [60, 10, 80, 20]), ("box-tiny", [10, 10, 1.5, 20]), ("box-empty", [10, 10, 0, 20])],
)
def test_a_wrong_box_is_found(tmp_path: Path, name: str, box: list[float]) -> None:
    def harm(coco: dict[str, list[dict[str, object]]]) -> None:
        coco["annotations"][4]["bbox"] = box

    diagnosis = examined(harmed_coco(tmp_path / "boxes", harm))
    assert name in cases(diagnosis)
    assert diagnosis.exit_code == 1


def test_an_unknown_class_is_found(tmp_path: Path) -> None:
    def harm(coco: dict[str, list[dict[str, object]]]) -> None:
        coco["annotations"][4]["category_id"] = 7

    (finding,) = (one for one in examined(harmed_coco(tmp_path / "boxes", harm)).findings if one.rule.check == "labels")
    assert finding.name == "label-unusable"
    assert "7" in finding.cases[0].detail


def test_a_thing_with_two_boxes_is_found(tmp_path: Path) -> None:
    def harm(coco: dict[str, list[dict[str, object]]]) -> None:
        coco["annotations"].append(coco["annotations"][4] | {"id": 900})

    assert cases(examined(harmed_coco(tmp_path / "boxes", harm)))["box-twice"] == [("images/005.png",)]


def write_six(folder: Path, size: tuple[int, int]) -> None:
    """Pictures of which number 4 is stored on its side."""
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    for number in range(6):
        picture = shape_picture("disc", np.random.default_rng(number)).resize(size)
        picture.save(folder / f"{number}.jpg", exif=exif if number == 4 else PillowImage.Exif())


def test_boxes_drawn_on_a_picture_before_it_was_turned_are_found(tmp_path: Path) -> None:
    rows = ["file,class,x1,y1,x2,y2"]
    write_six(tmp_path, (96, 72))
    for number in range(6):
        rows.append(f"{number}.jpg,disc,70,10,90,30")  # fits 96x72, not 72x96
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    found = cases(examined(tmp_path))
    assert found["box-turned"] == [("4.jpg",)]
    assert not {"turned", "box-outside"} & found.keys()


def test_labels_of_a_square_picture_fit_it_either_way(tmp_path: Path) -> None:
    write_six(tmp_path, (96, 96))
    for number in range(6):
        corners = (70, 10, 120, 30) if number == 4 else (70, 10, 90, 30)
        (tmp_path / f"{number}.xml").write_text(page(f"{number}.jpg", ("disc", *corners), size=(96, 96)))
    assert cases(examined(tmp_path, ("labels",))) == {"box-outside": [("4.jpg",)]}


def test_labels_made_for_the_picture_as_stored_are_one_finding(tmp_path: Path) -> None:
    write_six(tmp_path, (96, 72))
    for number in range(6):
        (tmp_path / f"{number}.xml").write_text(page(f"{number}.jpg", ("disc", 70, 10, 90, 30), size=(96, 72)))
    diagnosis = examined(tmp_path, ("labels", "surprises"))
    assert cases(diagnosis) == {"box-turned": [("4.jpg",)]}
    with pytest.raises(DataError, match=r"which has 72x96 once its EXIF orientation \(6\) turns it upright"):
        open_patient(tmp_path).samples[4].truth()


@pytest.mark.parametrize("layout", ["coco", "csv", "voc", "yolo"])
def test_a_box_outside_is_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    for number in range(6):
        picture = shape_picture("disc", np.random.default_rng(number)).resize((96, 72))
        picture.save(tmp_path / f"{number}.jpg")
    boxes = [(10, 10, 120 if number == 4 else 60, 50) for number in range(6)]  # one to 120 of 96
    rows = [(f"{number}.jpg", *box) for number, box in enumerate(boxes)]
    match layout:
        case "csv":
            lines = ["file,class,x1,y1,x2,y2", *(f"{name},disc,{x1},{y1},{x2},{y2}" for name, x1, y1, x2, y2 in rows)]
            (tmp_path / "labels.csv").write_text("\n".join(lines))
        case "voc":
            for name, *box in rows:
                (tmp_path / f"{name[0]}.xml").write_text(page(name, ("disc", *box), size=(96, 72)))
        case "yolo":
            for name, x1, y1, x2, y2 in rows:
                shares = ((x1 + x2) / 192, (y1 + y2) / 144, (x2 - x1) / 96, (y2 - y1) / 72)
                (tmp_path / f"{name[0]}.txt").write_text(f"0 {' '.join(map(str, shares))}\n")
        case _:
            images = [{"id": number, "file_name": row[0]} for number, row in enumerate(rows)]
            things = [
                {"id": number, "image_id": number, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
                for number, (_, x1, y1, x2, y2) in enumerate(rows)
            ]
            file = {"images": images, "annotations": things, "categories": [{"id": 1, "name": "disc"}]}
            (tmp_path / "coco.json").write_text(json.dumps(file))
    diagnosis = examined(tmp_path, ("labels",))
    assert (cases(diagnosis), diagnosis.exit_code) == ({"box-outside": [("4.jpg",)]}, 1)
    assert "reaches outside" in diagnosis.findings[0].cases[0].detail


def test_data_that_cannot_be_trained_on_are_an_error(patient: Path) -> None:
    shutil.rmtree(patient / "train")
    (patient / "train").mkdir()
    found = {one.name: (one.rule.severity, one.cases[0].detail) for one in examined(patient, ("labels",)).findings}
    assert found["not-understood"][0] == "error"
    assert "there is nothing to train on: expected pictures in train, got validation" in found["not-understood"][1]
    assert found["split-empty"][0] == "warning"


def test_labels_that_cannot_be_read_at_all_are_an_error(tmp_path: Path) -> None:
    root = boxed_pictures(tmp_path / "boxes")
    text = (root / "coco.json").read_text()
    (root / "coco.json").write_text(text[: len(text) // 2])
    diagnosis = examined(root)
    assert (diagnosis.exit_code, diagnosis.count("error"), diagnosis.to_dict()["errors"]) == (1, 1, 1)
    (finding,) = (one for one in diagnosis.findings if one.rule.severity == "error")
    assert finding.name == "not-understood"
    assert "coco.json: is no COCO file" in finding.cases[0].detail


def test_a_mask_of_another_size_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        shape_picture("disc", rng).save(tmp_path / f"images/{number}.png")
        side = 40 if number == 2 else 48
        PillowImage.fromarray(rng.integers(0, 3, (6, 6), np.uint8)).resize((side, side), 0).save(
            tmp_path / f"masks/{number}.png"
        )
    (finding,) = (one for one in examined(tmp_path).findings if one.rule.check == "labels")
    assert [case.ids for case in finding.cases] == [("images/2.png",)]
    assert "40x40" in finding.cases[0].detail


def test_the_class_for_not_known_needs_no_sample(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels.txt").write_text("sky\nroad\nvoid\n")
    for number in range(6):
        PillowImage.fromarray(rng.integers(0, 255, (48, 48, 3), np.uint8)).save(tmp_path / f"images/{number}.png")
        PillowImage.fromarray(rng.integers(0, 3, (48, 48), np.uint8)).save(tmp_path / f"masks/{number}.png")
    assert open_patient(tmp_path).void_id == 2
    diagnosis = examined(tmp_path)
    assert (cases(diagnosis), diagnosis.exit_code) == ({}, 0)


def test_one_check_alone_is_made(patient: Path) -> None:
    same_file_twice(patient)
    cut_short(patient)
    assert set(cases(examined(patient, ("files",)))) == {"unreadable"}


def test_an_unknown_check_is_refused(sound: Path) -> None:
    with pytest.raises(UsageError, match="expected some of files, labels"):
        examine(open_patient(sound), checks=("health",))  # type: ignore[arg-type]


def test_progress_is_told_after_each_sample(sound: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    examine(
        open_patient(sound), workers=1, checks=("files",), on_progress=lambda one: seen.append((one.done, one.total))
    )
    assert seen == [(number, 180) for number in range(1, 181)]


def test_where_nothing_can_be_read_the_exit_code_says_so(tmp_path: Path) -> None:
    for label in SHAPES:
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_text("no picture")
    assert examined(tmp_path).exit_code == 3


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such"):
        open_patient(tmp_path / "nowhere")


def test_the_page_shows_findings_with_their_pictures(patient: Path, tmp_path: Path) -> None:
    same_file_in_both_splits(patient)
    dataset = open_patient(patient)
    write_report(examine(dataset, workers=1, checks=QUICK), dataset, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Groups of equal pictures in different splits: 1" in page
    assert page.count("data:image/") == 2
    assert "val/disc/again.png" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_page_needs_the_name_of_one(sound: Path, tmp_path: Path) -> None:
    dataset = open_patient(sound)
    with pytest.raises(UsageError, match=r"ends in \.html, got '\.pdf'"):
        write_report(examine(dataset, workers=1, checks=("files",)), dataset, tmp_path / "page.pdf")


def test_a_folder_that_is_not_there_is_told_before_anything_is_examined(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "absent" / "page.html"
    assert main(["doctor", str(sound), "--report", str(path)]) == 2
    told = capsys.readouterr()
    assert f"--report {path}: the folder {path.parent} is not there" in told.err and told.out == ""


def test_hashes_do_not_change_with_brightness_and_are_half_ones() -> None:
    rng = np.random.default_rng(0)
    thumbs = rng.integers(40, 180, (20, 32, 32), np.uint8)
    hashes = perceptual_hashes(thumbs)
    assert (np.bitwise_count(hashes) == 32).all()  # above the median
    assert (perceptual_hashes(thumbs + np.uint8(20)) == hashes).all()


def test_pairs_are_those_that_comparing_all_with_all_finds() -> None:
    rng = np.random.default_rng(3)
    coarse = [PillowImage.fromarray(rng.integers(0, 256, (11, 11), np.uint8)) for _ in range(40)]
    base = np.stack([np.asarray(one.resize((32, 32), PillowImage.Resampling.BICUBIC)) for one in coarse])
    noisy = np.clip(base[:25] + rng.normal(0, 2, (25, 32, 32)), 0, 255).astype(np.uint8)
    thumbs = np.concatenate([base, noisy])
    gray = thumbs.reshape(65, 8, 4, 8, 4).mean(axis=(2, 4)).astype(np.uint8)[..., None].repeat(3, axis=3)
    rows = np.arange(len(thumbs))
    every = np.stack(np.triu_indices(len(thumbs), 1), axis=1)
    hashes = perceptual_hashes(thumbs)
    close = np.bitwise_count(hashes[every[:, 0]] ^ hashes[every[:, 1]]) <= 5
    wanted = every[close & (correlations(thumbs, every) >= LEAST_CORRELATION)]
    assert len(wanted) >= 20
    assert near_pairs(thumbs, gray, rows).tolist() == wanted.tolist()


@pytest.mark.shared
def test_no_edge_image_stops_the_doctor(shared: Path, tmp_path: Path) -> None:
    dataset = open_patient(shared / "data/edge-images")
    diagnosis = examine(dataset, workers=1)
    assert diagnosis.samples == 48
    unreadable = {ids[0] for ids in cases(diagnosis)["unreadable"]}
    assert {
        "bad_crc.png",
        "bomb.png",
        "text_named.png",
        "truncated.jpg",
        "truncated.png",
        "zero_bytes.jpg",
    } == unreadable
    write_report(diagnosis, dataset, tmp_path / "edge.html")


@pytest.mark.shared
def test_the_known_copies_across_splits_are_found(shared: Path) -> None:
    dataset = open_patient(shared / "data/pneumoniamnist")
    found = cases(examine(dataset, checks=("files", "duplicates")))
    assert len(found["copies-across-splits"]) == 8
    assert "near-across-splits" not in found


def test_pictures_of_several_depths_and_channels_are_told_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, (20, 20), np.uint8)
        deep = PillowImage.fromarray(pixels.astype(np.uint16) * 257)
        (deep if number % 3 == 0 else PillowImage.fromarray(pixels)).save(tmp_path / f"{number:02}.png")
    (finding,) = examined(tmp_path, ("surprises",)).findings
    assert (finding.name, finding.cases[0].detail) == ("mixed", "8 bits 8, 16 bits 4")


def test_a_file_that_describes_no_data_is_no_patient(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "val", tmp_path / "val")
    (tmp_path / "notes.py").write_text("print()")
    with pytest.raises(DataError, match=r"notes\.py: describes no data"):
        open_patient(tmp_path / "notes.py")


def test_a_folder_that_is_the_current_one_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only").mkdir()
    shape_picture("disc", np.random.default_rng(0)).save(tmp_path / "only" / "a.png")
    monkeypatch.chdir(tmp_path)
    dataset = open_patient(Path())
    diagnosis = examine(dataset, checks=("labels",), workers=1)
    details = [case.detail for finding in diagnosis.findings for case in finding.cases]
    assert any(detail.startswith(f"{tmp_path.name}: ") for detail in details)
    write_report(diagnosis, dataset, tmp_path / "page.html")
    assert f"Examination of {tmp_path.name}" in (tmp_path / "page.html").read_text()
