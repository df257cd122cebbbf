"""An augmented data set is read back as what it was made from, with its variants, whatever happened on the way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from patients import boxed_pictures, shape_folders, shape_picture
from pixelwright.cli import main
from pixelwright.data.augment.policy import Policy
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.pictures import Known
from pixelwright.data.splits import PARTS, SplitOptions, split
from pixelwright.errors import JobError, MissingExtra, OutputError, UsageError
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.targets import Annotations, Classes, Values
from pixelwright.verbs.augment import AugmentRequest, augment_dataset, write, write_preview
from pixelwright.verbs.tally import Progress

MIRROR = Policy(mirror=1.0)


def files(root: Path) -> dict[str, str]:
    """Digest of every file that is seen."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and ".augment" not in path.parts
    }


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    return shape_folders(tmp_path / "shapes", 5)


def test_folders_of_classes_become_folders_of_classes(shapes: Path, tmp_path: Path) -> None:
    before = open_dataset(shapes)
    written = augment_dataset(before, AugmentRequest(tmp_path / "more", Policy.named("standard"), copies=2), workers=1)
    after = open_dataset(tmp_path / "more")
    assert (written.pictures, written.variants, written.failed, written.exit_code) == (39, 24, 0, 0)
    assert (after.layout, after.labels, len(after)) == ("image-folder", before.labels, 39)
    assert Counter(sample.split for sample in after.samples) == {"train": 36, "validation": 3}


def test_originals_keep_every_byte_and_may_be_left_out(shapes: Path, tmp_path: Path) -> None:
    before = open_dataset(shapes)
    augment_dataset(before, AugmentRequest(tmp_path / "with", MIRROR), workers=1)
    digests = set(files(tmp_path / "with").values())
    assert {sample.picture.digest() for sample in before.samples} <= digests
    augment_dataset(before, AugmentRequest(tmp_path / "without", MIRROR, originals=False), workers=1)
    train = [one for one in open_dataset(tmp_path / "without").samples if one.split == "train"]
    assert len(train) == 12
    assert all("-v1" in one.id for one in train)


def test_a_variant_is_what_the_policy_says(shapes: Path, tmp_path: Path) -> None:
    augment_dataset(open_dataset(shapes), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    with PillowImage.open(shapes / "train/disc/disc001.png") as one:
        before = np.asarray(one)
    with PillowImage.open(tmp_path / "more/train/disc/disc001-v1.png") as one:
        assert (np.asarray(one) == before[:, ::-1]).all()


def test_boxes_follow_and_are_written_as_coco(tmp_path: Path) -> None:
    before = open_dataset(boxed_pictures(tmp_path / "boxes", 4))
    augment_dataset(before, AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    after = open_dataset(tmp_path / "more")
    assert (after.layout, after.labels, len(after), after.faults) == ("coco", ("box",), 8, ())
    boxes = {}
    for sample in after.samples:
        target = sample.truth()
        assert isinstance(target, Annotations)
        boxes[Path(sample.id).stem] = target.boxes_xyxy[0].tolist()
    for number in range(1, 5):
        left, top, right, bottom = boxes[f"{number:03d}"]
        assert boxes[f"{number:03d}-v1"] == [96 - right, top, 96 - left, bottom]


def test_maps_follow_and_keep_their_names(tmp_path: Path) -> None:
    root, rng = tmp_path / "maps", np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    (root / "labels.txt").write_text("ground\nroad\nsky\n")
    masks = {}
    for number in range(3):
        shape_picture("disc", rng).save(root / f"images/{number}.png")
        masks[number] = rng.integers(0, 3, (48, 48), np.uint8)
        PillowImage.fromarray(masks[number]).save(root / f"masks/{number}.png")
    augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    after = open_dataset(tmp_path / "more")
    assert (after.layout, after.labels, len(after), after.faults) == ("masks", ("ground", "road", "sky"), 6, ())
    found = {Path(sample.id).stem: sample.truth() for sample in after.samples}
    for number, mask in masks.items():
        target = found[f"{number}-v1"]
        assert isinstance(target, LabelMap)
        assert (target.ids == mask[:, ::-1]).all()


def test_pairs_stay_pairs_with_all_their_bits(tmp_path: Path) -> None:
    root, rng = tmp_path / "pairs", np.random.default_rng(0)
    for folder in ("input", "target"):
        (root / folder).mkdir(parents=True)
    better = rng.integers(0, 65536, (16, 20), np.uint16)
    for number in range(3):
        PillowImage.fromarray(rng.integers(0, 256, (16, 20), np.uint8)).save(root / f"input/{number}.png")
        PillowImage.fromarray(better).save(root / f"target/{number}.png")
    written = augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "more", Policy(mirror=1.0, noise=0.1)))
    assert any("pairs are mirrored" in remark for remark in written.remarks)
    after = open_dataset(tmp_path / "more")
    assert (after.layout, len(after), after.faults) == ("pairs", 6, ())
    for sample in after.samples:
        target = sample.truth()
        assert isinstance(target, Image)
        assert target.pixels.dtype == np.uint16
        assert (target.pixels[:, :, 0] == (better[:, ::-1] if "-v1" in sample.id else better)).all()


def test_numbers_and_several_classes_go_into_a_table(tmp_path: Path) -> None:
    root, rng = tmp_path / "ages", np.random.default_rng(0)
    root.mkdir()
    for number in range(3):
        shape_picture("disc", rng).save(root / f"{number}.png")
    (root / "labels.csv").write_text("path,age,split\n0.png,31.5,train\n1.png,2,train\n2.png,77,val\n")
    augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    after = open_dataset(tmp_path / "more")
    found = {Path(sample.id).stem: (sample.truth(), sample.split) for sample in after.samples}
    assert (after.layout, after.labels) == ("csv", ("age",))
    assert found["0-v1"] == (Values((31.5,)), "train")
    assert found["2"] == (Values((77.0,)), "validation")
    assert "2-v1" not in found
    (root / "labels.csv").write_text("path,labels\n0.png,cat|dog\n1.png,cat\n2.png,dog\n")
    augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "several", MIRROR), workers=1)
    after = open_dataset(tmp_path / "several")
    found = {Path(sample.id).stem: sample.truth() for sample in after.samples}
    assert (after.exclusive, after.labels) == (False, ("cat", "dog"))
    assert (found["0-v1"], found["2"]) == (Classes((0, 1)), Classes((1,)))


def _parts_of(root: Path) -> dict[str, set[str]]:
    """The names of the originals in each part, made or stated."""
    parts = split(open_dataset(root), SplitOptions(calibration=0.2))
    return {name: {re.sub(r"-v\d+$", "", Path(one.id).stem) for one in getattr(parts, name).samples} for name in PARTS}


@pytest.mark.parametrize("stated", [(), ("train", "test"), ("train", "val", "test")])
def test_no_part_has_a_variant_of_a_picture_that_is_learned_from(stated: tuple[str, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(48):
        part = stated[0 if number % 4 else number // 4 % len(stated)] if stated else "."
        folder = tmp_path / "in" / part / ("disc", "square")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shape_picture("disc", rng).save(folder / f"{number}.png")
    augment_dataset(open_dataset(tmp_path / "in"), AugmentRequest(tmp_path / "more", MIRROR, copies=2), workers=1)
    parts = _parts_of(tmp_path / "more")
    assert parts["validation"] and parts["calibration"]
    for one, other in combinations(parts.values(), 2):
        assert not one & other


def test_groups_of_the_original_stay_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    rows = ["path,age,patient"]
    for number in range(30):
        shape_picture("disc", rng).save(tmp_path / "in" / f"{number}.png")
        rows.append(f"{number}.png,{number}.5,p{number // 3}")
    (tmp_path / "in/labels.csv").write_text("\n".join(rows))
    before = open_dataset(tmp_path / "in", hints=Hints(group="patient"))
    assert len({sample.group for sample in before.samples}) == 10
    augment_dataset(before, AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    after = open_dataset(tmp_path / "more")
    assert {len(list(same)) for _, same in groupby(sorted(one.group for one in after.samples))} == {6}
    assert not after.faults and "10 groups by groups.csv" in after.remarks
    patients = [{int(name) // 3 for name in names} for names in _parts_of(tmp_path / "more").values()]
    assert not any(one & other for one, other in combinations(patients, 2))


def test_equal_originals_are_of_one_group(shapes: Path, tmp_path: Path) -> None:
    one = next(path for path in sorted(shapes.rglob("*.png")) if "train" in path.parts)
    shutil.copy(one, one.with_name("again.png"))
    augment_dataset(open_dataset(shapes), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    groups = Counter(sample.group for sample in open_dataset(tmp_path / "more").samples)
    assert sorted(groups.values())[-2:] == [2, 4]


def test_the_same_seed_writes_the_same_files_whatever_the_workers(shapes: Path, tmp_path: Path) -> None:
    dataset = open_dataset(shapes)
    for name, seed, workers in (("a", 1, 1), ("b", 1, 3), ("c", 2, 1)):
        request = AugmentRequest(tmp_path / name, Policy.named("strong"), seed=seed)
        augment_dataset(dataset, request, workers=workers)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_what_was_cut_short_is_continued_to_the_same_files(shapes: Path, tmp_path: Path) -> None:
    dataset, request = open_dataset(shapes), AugmentRequest(tmp_path / "cut", Policy.named("strong"))
    augment_dataset(dataset, AugmentRequest(tmp_path / "whole", Policy.named("strong")), workers=1)

    def stop(progress: object) -> None:
        if getattr(progress, "done", 0) == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment_dataset(dataset, request, workers=1, on_progress=stop)
    assert 10 <= len(files(tmp_path / "cut")) < 27
    stale = tmp_path / "cut/train/disc/.pixelwright-0123.part"
    stale.write_bytes(b"left by a kill")
    told: list[Progress] = []
    written = augment_dataset(dataset, request, workers=1, on_progress=told.append)
    assert written.pictures == 27
    assert 10 <= told[0].done < 27  # first what an earlier run has done
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_finished_folder_is_left_as_it_is(shapes: Path, tmp_path: Path) -> None:
    dataset, request = open_dataset(shapes), AugmentRequest(tmp_path / "more", MIRROR)
    augment_dataset(dataset, request, workers=1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "more").rglob("*.png")}
    assert augment_dataset(dataset, request, workers=1).pictures == 27
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "more").rglob("*.png")}


def test_another_request_and_other_files_are_refused(shapes: Path, tmp_path: Path) -> None:
    dataset = open_dataset(shapes)
    augment_dataset(dataset, AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    with pytest.raises(JobError, match="seed: 0 there, 7 now"):
        augment_dataset(dataset, AugmentRequest(tmp_path / "more", MIRROR, seed=7), workers=1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(JobError, match="something in it already"):
        augment_dataset(dataset, AugmentRequest(tmp_path / "full", MIRROR), workers=1)
    with pytest.raises(JobError, match=r"mine\.txt is a file\. Name a new folder"):
        augment_dataset(dataset, AugmentRequest(tmp_path / "full/mine.txt", MIRROR), workers=1)
    with pytest.raises(UsageError, match="lies in the data set itself"):
        augment_dataset(dataset, AugmentRequest(shapes / "more", MIRROR), workers=1)


def test_changed_data_are_not_mixed_with_what_was_written(shapes: Path, tmp_path: Path) -> None:
    request = AugmentRequest(tmp_path / "more", MIRROR)
    augment_dataset(open_dataset(shapes), request, workers=1)
    shape_picture("disc", np.random.default_rng(77)).save(shapes / "train/disc/disc001.png")
    with pytest.raises(JobError, match="data: "):
        augment_dataset(open_dataset(shapes), request, workers=1)


def test_an_unreadable_picture_is_told_and_the_rest_is_written(shapes: Path, tmp_path: Path) -> None:
    (shapes / "train/disc/disc001.png").write_bytes(b"no picture")
    dataset = open_dataset(shapes)
    (shapes / "train/disc/disc002.png").unlink()
    written = augment_dataset(dataset, AugmentRequest(tmp_path / "more", MIRROR, copies=3), workers=1)
    assert (written.pictures, written.failed, written.exit_code) == (43, 2, 1)
    assert [name for name, _ in written.failures] == ["train/disc/disc001.png", "train/disc/disc002.png"]


def test_a_full_disk_stops_and_what_was_finished_is_kept(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, request = open_dataset(shapes), AugmentRequest(tmp_path / "more", MIRROR)
    kept, write_picture = [0], write.write_picture

    def full(*args: object, **options: object) -> None:
        kept[0] += 1
        if kept[0] > 4:
            raise write.stopped(Path("x.png"), OSError(errno.ENOSPC, "No space left on device"))
        write_picture(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(write, "write_picture", full)
    with pytest.raises(OutputError, match="No space left"):
        augment_dataset(dataset, request, workers=1)
    monkeypatch.setattr(write, "write_picture", write_picture)
    assert augment_dataset(dataset, request, workers=1).pictures == 27


def test_without_torch_the_extra_is_named(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pixelwright\[train\]"):
        augment_dataset(open_dataset(shapes), AugmentRequest(tmp_path / "more", MIRROR))


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("a/x", "a/y", "b/x"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shape_picture("disc", rng).save(tmp_path / "in" / folder / "1.png")
    augment_dataset(open_dataset(tmp_path / "in"), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    assert Counter(Path(name).parent.name for name in files(tmp_path / "more")) == {"a": 4, "b": 2, "": 1}


def test_the_sheet_has_a_row_for_each_picture(shapes: Path, tmp_path: Path) -> None:
    write_preview(open_dataset(shapes), Policy.named("strong"), tmp_path / "sheet.png")
    with PillowImage.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 + 6 * 232, 8 + 6 * 254)


def test_the_command_says_what_it_did(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(shapes), "-o", str(tmp_path / "more"), "--mirror", "1", "--workers", "1"]
    assert main(["augment", *given]) == 0
    assert "27 pictures, 12 of them variants, 0 failed, layout image-folder" in capsys.readouterr().err
    job = json.loads((tmp_path / "more/.augment/job.json").read_text())
    assert job["request"]["policy"]["mirror"] == 1.0
    assert job["request"]["policy"]["noise"] == 0.0


def test_the_command_refuses_what_makes_no_sense(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["augment", str(shapes)]) == 2
    assert "nothing to write" in capsys.readouterr().err
    assert main(["augment", str(shapes), "-o", str(tmp_path / "x"), "--mirror", "3"]) == 2
    assert "mirror: expected 0..1, got 3.0" in capsys.readouterr().err
    shutil.rmtree(shapes / "train")
    assert main(["augment", str(shapes), "-o", str(tmp_path / "x")]) == 2


def test_doctor_finds_the_same_by_its_command(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(shapes), "--check", "files,labels", "--workers", "1"]) == 0
    assert "0 errors, 0 warnings, 0 notes; 15 of 15 read" in capsys.readouterr().out
    (shapes / "train/disc/disc001.png").write_bytes(b"no picture")
    report = tmp_path / "page.html"
    assert main(["doctor", str(shapes), "--check", "files", "--json", "--report", str(report)]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["finding"], finding["count"]) == ("unreadable", 1)
    assert report.exists()
    assert main(["doctor", str(shapes), "--check", "health"]) == 2
    assert main(["doctor", str(tmp_path / "nowhere")]) == 3


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
@pytest.mark.parametrize("form", ["image-folder", "coco", "csv"])
def test_names_of_any_bytes_are_written_so_that_they_are_found_again(tmp_path: Path, form: str) -> None:
    root, names = tmp_path / "data", [os.fsdecode(b"caf\xe9.png"), "b\\c.png", "d.png", "e.png"]
    for place, name in enumerate(names):
        folder = root / ("ab"[place % 2] if form == "image-folder" else "")
        folder.mkdir(parents=True, exist_ok=True)
        shape_picture("disc", np.random.default_rng(place)).save(folder / name)
        if form == "coco":  # from YOLO
            (folder / f"{Path(name).stem}.txt").write_text("0 .5 .5 .4 .4\n")
    dataset = open_dataset(root)
    if form == "csv":
        values = tuple(replace(one, truth=Known(Values((1.5,)))) for one in dataset.samples)
        dataset = replace(dataset, kind="values", labels=("size",), samples=values)
    written = augment_dataset(dataset, AugmentRequest(tmp_path / "out", MIRROR), workers=1)
    again = open_dataset(tmp_path / "out")
    assert (again.layout, written.layout, len(again), again.faults) == (form, form, 8, ())
    assert len({sample.group for sample in again.samples}) == 4


def test_which_keypoints_change_places_in_a_mirror_is_kept(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "in" / "images").mkdir(parents=True, exist_ok=True)
        shape_picture("disc", np.random.default_rng(number)).save(tmp_path / "in" / "images" / f"{number}.png")
        (tmp_path / "in" / "labels").mkdir(exist_ok=True)
        (tmp_path / "in" / "labels" / f"{number}.txt").write_text("0 .5 .5 .4 .4 .4 .4 2 .6 .4 2 .5 .5 2\n")
    (tmp_path / "in" / "data.yaml").write_text("names: [face]\nkpt_shape: [3, 3]\nflip_idx: [1, 0, 2]\ntrain: images\n")
    augment_dataset(open_dataset(tmp_path / "in"), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    again = open_dataset(tmp_path / "more")
    assert (again.layout, again.kind, again.mirrored) == ("coco", "keypoints", (1, 0, 2))


def test_what_augment_wrote_is_augmented_again_without_overwriting(tmp_path: Path) -> None:
    root = boxed_pictures(tmp_path / "boxes", 3)
    augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "once", MIRROR), workers=1)
    once = open_dataset(tmp_path / "once")
    written = augment_dataset(once, AugmentRequest(tmp_path / "twice", MIRROR), workers=1)
    after = open_dataset(tmp_path / "twice")
    assert (written.pictures, len(after), after.faults) == (12, 12, ())
    assert {sample.picture.digest() for sample in once.samples} <= {one.picture.digest() for one in after.samples}
    assert {"001", "001-v1"} <= {Path(sample.id).stem for sample in after.samples}


def _mapped(root: Path, numbers: tuple[int, ...], labels: str) -> Path:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    (root / "labels.txt").write_text(labels)
    for number in range(3):
        shape_picture("disc", rng).save(root / f"images/{number}.png")
        PillowImage.fromarray(rng.choice(np.array(numbers, np.uint8), (48, 48))).save(root / f"masks/{number}.png")
    return root


@pytest.mark.parametrize(
    ("numbers", "labels", "hinted", "read"),
    [
        ((0, 1, 2), "road\nsky\n", 2, 255),  # a number of its own, as CamVid's 11
        ((0, 1, 2), "ground\nroad\nsky\n", 0, 255),  # a class by its name
        ((0, 1, 2), "void\nroad\nsky\n", None, 0),
        ((0, 1, 2, 255), "ground\nroad\nsky\n", None, 255),
    ],
)
def test_void_is_read_back_as_void(
    tmp_path: Path, numbers: tuple[int, ...], labels: str, hinted: int | None, read: int
) -> None:
    before = open_dataset(_mapped(tmp_path / "maps", numbers, labels), hints=Hints(void_id=hinted))
    written = augment_dataset(before, AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    after = open_dataset(tmp_path / "more")
    assert (after.labels, after.void_id, after.faults) == (before.labels, read, ())
    assert not any("--void" in remark for remark in written.remarks)
    found = {Path(sample.id).stem: sample.truth() for sample in after.samples}
    for sample in before.samples:
        one, other = sample.truth(), found[Path(sample.id).stem]
        assert isinstance(one, LabelMap) and isinstance(other, LabelMap)
        assert ((one.ids == one.void_id) == (other.ids == read)).all()
        assert one.shares == other.shares


def test_void_that_only_an_option_tells_is_said(tmp_path: Path) -> None:
    root = _mapped(tmp_path / "maps", (0, 1, 2), "void\nroad\nsky\n")
    before = open_dataset(root, hints=Hints(void_id=2))
    written = augment_dataset(before, AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    assert "void is written as 2: read the masks with --void 2." in written.remarks
    assert open_dataset(tmp_path / "more", hints=Hints(void_id=2)).void_id == 2


def test_stated_areas_without_masks_are_kept(tmp_path: Path) -> None:
    root = boxed_pictures(tmp_path / "boxes", 2)
    (file,) = root.rglob("*.json")
    stated = json.loads(file.read_text())
    for thing in stated["annotations"]:
        thing["area"] = 70.125
    file.write_text(json.dumps(stated))
    augment_dataset(open_dataset(root), AugmentRequest(tmp_path / "more", MIRROR), workers=1)
    for sample in open_dataset(tmp_path / "more").samples:
        target = sample.truth()
        assert isinstance(target, Annotations) and target.areas is not None
        assert target.areas.tolist() == pytest.approx([70.125] * len(target))


@pytest.mark.parametrize(
    ("numbers", "labels", "hinted", "changes"),
    [
        ((0, 2), "road\nsky\n", 2, {"mirror": 1.0}),  # 0 and 255 alone look like two classes
        ((0,), "road\nsky\n", None, {"mirror": 0.0, "shift": 0.5, "outside": "black"}),  # void of the variants alone
        ((0, 254), "".join(f"{one}\n" for one in range(255)), None, {"mirror": 0.0, "shift": 0.5, "outside": "black"}),
    ],
)
def test_void_that_the_masks_do_not_tell_is_said_and_read_as_said(
    tmp_path: Path, numbers: tuple[int, ...], labels: str, hinted: int | None, changes: dict[str, Any]
) -> None:
    before = open_dataset(_mapped(tmp_path / "maps", numbers, labels), hints=Hints(void_id=hinted))
    request = AugmentRequest(tmp_path / "more", replace(MIRROR, **changes))
    written = augment_dataset(before, request, workers=1)
    assert "void is written as 255: read the masks with --void 255." in written.remarks
    again = augment_dataset(before, request, workers=1)
    assert again.remarks == written.remarks
    after = open_dataset(tmp_path / "more", hints=Hints(void_id=255))
    assert (after.labels, after.void_id, after.faults) == (before.labels, 255, ())
    seen: set[int] = set()
    for sample in after.samples:
        target = sample.truth()
        assert isinstance(target, LabelMap)
        seen |= set(np.unique(target.ids).tolist())
    assert seen == set(numbers) - {hinted} | {255}
