"""`evaluate` and `compare` from pictures to scores: complete, repeatable, and honest about what failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bundles import blur, brightness, levels, quarters, squares, trends
from pixelwright.contract import PredictOptions
from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.pictures import FilePicture
from pixelwright.data.place import Place
from pixelwright.data.splits import SplitOptions, split
from pixelwright.errors import DataError, ImageError, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import Execution, Model, load
from pixelwright.structures.image import Image
from pixelwright.structures.spec import Data, Decision, Provenance, Splitting
from pixelwright.verbs.evaluate import Evaluated, EvaluateOptions, compare, evaluate, group_for, part_of
from pixelwright.verbs.evaluate.report import page_of
from pixelwright.verbs.evaluate.robustness import SEVERITIES, Robustness, robustness_of, spoil
from pixelwright.verbs.evaluate.slices import slices
from pixelwright.verbs.tally import Progress

LEVELS = {"dark": range(0, 120, 6), "bright": range(136, 256, 6)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twenty dark and twenty bright pictures, of which two lie in the wrong folder."""
    folder = tmp_path_factory.mktemp("data")
    for label, grays in LEVELS.items():
        (folder / label).mkdir()
        for gray in grays:
            write_image(Image(np.full((12, 12 + gray % 5, 3), gray, np.uint8)), folder / label / f"{gray:03}.png")
    for name in ("000", "250"):
        source, target = ("dark", "bright") if name == "000" else ("bright", "dark")
        (folder / source / f"{name}.png").rename(folder / target / f"wrong {name}.png")
    return open_dataset(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(brightness(tmp_path_factory.mktemp("model") / "b").path, execution=Execution(threads=1))


@pytest.fixture(scope="module")
def evaluated(model: Model, data: Dataset) -> Evaluated:
    return evaluate(model, data, EvaluateOptions(look=True, rounds=200))


def test_the_default_goal_comes_first_and_is_the_share_of_right_pictures(evaluated: Evaluated) -> None:
    assert evaluated.headline.metric == "accuracy" == evaluated.scores[0].metric
    assert evaluated.headline.value == pytest.approx(38 / 40)
    assert evaluated.headline.ci95 and evaluated.headline.ci95[0] < 0.95 < evaluated.headline.ci95[1]


def test_the_record_has_metrics_exactly_as_promised(evaluated: Evaluated, data: Dataset) -> None:
    record = evaluated.to_dict()
    assert [list(row) for row in record["metrics"]] == [["metric", "value", "ci95", "n", "definition"]] * len(
        evaluated.scores
    )
    assert record["n"] == 40 and record["data"]["fingerprint"] == fingerprint(data)


@pytest.mark.parametrize(
    "execution", [Execution(threads=2, workers=2, batch_size=3), Execution(threads=1, batch_size=1)]
)
def test_scores_depend_on_neither_threads_nor_batches(
    model: Model, data: Dataset, evaluated: Evaluated, execution: Execution
) -> None:
    again = evaluate(replace(model, execution=execution), data, EvaluateOptions(rounds=200))
    assert again.scores == evaluated.scores
    assert [one.id for one in again.seen] == [one.id for one in evaluated.seen]


def test_options_of_the_caller_do_not_change_what_is_asked_for(
    model: Model, data: Dataset, evaluated: Evaluated
) -> None:
    strict = replace(model, options=PredictOptions(threshold=0.99, top_k=1))
    assert evaluate(strict, data, EvaluateOptions(rounds=200)).scores == evaluated.scores


def test_progress_begins_at_nothing_and_ends_at_all(model: Model, data: Dataset) -> None:
    told: list[Progress] = []
    evaluate(model, data, EvaluateOptions(rounds=20), on_progress=told.append)
    assert (told[0], told[-1]) == (Progress(0, 0, 40), Progress(40, 0, 40))


def test_what_cannot_be_read_is_counted_named_and_no_part_of_the_scores(model: Model, tmp_path: Path) -> None:
    for label, gray in (("dark", 9), ("bright", 240)):
        (tmp_path / label).mkdir()
        write_image(Image(np.full((9, 9, 3), gray, np.uint8)), tmp_path / label / "sound.png")
    (tmp_path / "dark" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    found = evaluate(model, open_dataset(tmp_path), EvaluateOptions(rounds=20))
    assert [name for name, _ in found.failures] == ["dark/broken.png"]
    assert (found.headline.value, found.headline.n) == (1.0, 2)
    assert any("2 pictures only" in remark for remark in found.remarks)


def test_a_picture_that_is_gone_is_counted_and_stops_nothing(model: Model, data: Dataset) -> None:
    gone = replace(data.samples[-1], picture=FilePicture(Place("gone.png")))
    holed = data.only([*data.samples[:-1], gone])
    found = evaluate(_trained_on(model, holed), holed, EvaluateOptions(rounds=20))
    assert [name for name, _ in found.failures] == [gone.id]
    assert found.fingerprint == fingerprint(data.only(data.samples[:-1]))


def test_pictures_of_classes_that_are_not_scored_are_no_part_of_the_fingerprint(model: Model, data: Dataset) -> None:
    found = evaluate(model, data, EvaluateOptions(rounds=20, classes=("dark",)))
    dark = data.only(one for one in data.samples if one.id.startswith("dark/"))
    assert (len(found.seen), found.fingerprint) == (20, fingerprint(dark))
    assert compare((model, model), data, EvaluateOptions(rounds=20, classes=("dark",))).fingerprint == found.fingerprint


def test_where_nothing_can_be_read_there_is_no_score(model: Model, tmp_path: Path) -> None:
    for label in ("dark", "bright"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with pytest.raises(ImageError, match="none of 2 pictures can be scored; the first: "):
        evaluate(model, open_dataset(tmp_path))


def test_data_that_the_bundle_was_trained_or_fitted_on_is_told(model: Model, data: Dataset) -> None:
    own = Data(name="greys", fingerprint=fingerprint(data), split="train")
    spec = msgspec.structs.replace(
        model.bundle.spec, provenance=Provenance(toolkit="x", data=[own]), decision=Decision(data=own)
    )
    known = replace(model, bundle=replace(model.bundle, spec=spec))
    remarks = " ".join(evaluate(known, data, EvaluateOptions(rounds=20)).remarks)
    assert "was trained on exactly these pictures (greys train)" in remarks
    assert "Thresholds of brightness were fitted on exactly these pictures" in remarks


def _trained_on(model: Model, data: Dataset, *, seed: int = 0, group: str = "") -> Model:
    """The model as a training on the data would have left it."""
    own = Data(name="greys", fingerprint=fingerprint(split(data, SplitOptions(seed=seed)).train), split="train")
    made = Splitting(seed=seed, validation=0.15, calibration=0.1, test=0, by_content=True, group=group)
    origin = Provenance(toolkit="x", data=[own], splitting=made)
    spec = msgspec.structs.replace(model.bundle.spec, provenance=origin)
    return replace(model, bundle=replace(model.bundle, spec=spec))


def test_how_many_of_the_pictures_a_bundle_was_trained_on_is_told(model: Model, data: Dataset) -> None:
    known = _trained_on(model, data, seed=1)
    learned = len(split(data, SplitOptions(seed=1)).train)
    remarks = evaluate(known, data, EvaluateOptions(rounds=20)).remarks
    assert f"brightness was trained on {learned} of these 40 pictures: the scores flatter it." in remarks


def test_the_training_of_the_other_of_two_models_is_looked_at_too(model: Model, data: Dataset) -> None:
    first, second = (_trained_on(model, data, seed=seed) for seed in (0, 1))
    part, name, _ = part_of(data, "validation", first.bundle.spec)
    remarks = compare((first, second), part, EvaluateOptions(rounds=20), split=name, whole=data).remarks
    met = {one.id for one in part.samples} & {one.id for one in split(data, SplitOptions(seed=1)).train.samples}
    assert [one for one in remarks if "was trained on" in one] == [
        f"brightness was trained on {len(met)} of these {len(part)} pictures: the scores flatter it."
    ]


def test_a_part_of_data_that_are_not_those_of_the_training_may_hold_what_was_learned(
    model: Model, data: Dataset
) -> None:
    known = _trained_on(model, data.only(data.samples[::2]))
    part, _, _ = part_of(data, "validation", known.bundle.spec)
    remarks = evaluate(known, part, EvaluateOptions(rounds=20), whole=data).remarks
    assert any("it may have been trained on some of these pictures" in one for one in remarks)


def test_what_a_bundle_learned_from_with_groups_is_told_where_none_are_asked_for(model: Model, data: Dataset) -> None:
    pattern = r"(\d)\d\.png"
    groups = open_dataset(data.root, hints=Hints(group=pattern))
    known = _trained_on(model, groups, group=pattern)
    learned = len(split(groups).train)
    for whole in (data, groups):
        remarks = evaluate(known, whole, EvaluateOptions(rounds=20)).remarks
        assert f"brightness was trained on {learned} of these 40 pictures: the scores flatter it." in remarks
    compared = compare((model, known), data, EvaluateOptions(rounds=20)).remarks
    assert any(f"trained on {learned} of these 40" in one for one in compared)
    changed = _trained_on(model, groups.only(groups.samples[::2]), group=pattern)
    remarks = evaluate(changed, data, EvaluateOptions(rounds=20)).remarks
    assert any("it may have been trained on some of these pictures" in one for one in remarks)


def test_pictures_to_learn_from_of_which_none_can_be_read_cost_no_scores(model: Model, data: Dataset) -> None:
    gone = FilePicture(Place("gone.png"))
    samples = [replace(one, split="test" if place % 2 else "") for place, one in enumerate(data.samples)]
    whole = data.only(one if one.split else replace(one, picture=gone, group="g") for one in samples)
    assert len(evaluate(_trained_on(model, data), whole, EvaluateOptions(rounds=20)).seen) == 20


def test_a_part_that_the_data_states_is_scored_without_reading_the_others(model: Model, data: Dataset) -> None:
    known = _trained_on(model, data)
    samples = [replace(one, split="test" if place % 2 else "train") for place, one in enumerate(data.samples)]
    gone = replace(samples[0], picture=FilePicture(Place("gone.png")))
    whole = data.only([gone, *samples[1:]])
    remarks = evaluate(known, part_of(whole, "test")[0], EvaluateOptions(rounds=20), whole=whole).remarks
    assert not any("trained" in one for one in remarks)


def test_a_task_without_evaluation_and_data_of_another_kind_are_refused(
    model: Model, data: Dataset, tmp_path: Path
) -> None:
    embedder = load(quarters(tmp_path / "q").path)
    with pytest.raises(UsageError, match="is for embed, which is not scored"):
        evaluate(embedder, data)
    with pytest.raises(UsageError, match=r"holds classes .* and segment is scored on map"):
        evaluate(load(levels(tmp_path / "l").path), data)


def test_a_data_set_without_pictures_is_refused(model: Model, data: Dataset) -> None:
    with pytest.raises(DataError, match="there is no picture to score on"):
        evaluate(model, data.only(()))


def test_the_test_part_is_preferred_to_validation_and_that_to_everything(data: Dataset) -> None:
    def parts(*names: str) -> str:
        samples = [replace(one, split=name) for one, name in zip(data.samples, names, strict=False)]
        return part_of(data.only(samples))[1]

    assert parts("train", "validation", "test") == "test"
    assert parts("train", "validation") == "validation"
    assert parts("train", "train") == "all"


def test_a_part_that_is_not_stated_is_that_of_the_bundles_training(model: Model, data: Dataset) -> None:
    spec = _trained_on(model, data, seed=1).bundle.spec
    part, name, said = part_of(data, "validation", spec)
    own = split(data, SplitOptions(seed=1))
    assert [one.id for one in part.samples] == [one.id for one in own.validation.samples]
    assert (name, said) == ("validation", "the validation part as the training of brightness makes it, seed 1")
    with pytest.raises(UsageError, match="--split dev: expected train, calibration, validation, test or all"):
        part_of(data, "dev")


def test_groups_of_the_training_are_asked_for_where_a_part_is_to_be_made(model: Model, data: Dataset) -> None:
    spec = _trained_on(model, data, group="patient").bundle.spec
    assert group_for(data, "validation", spec) == "patient"
    assert group_for(data, "", spec) == group_for(data, "all", spec) == ""
    stated = data.only(replace(one, split="validation") for one in data.samples)
    assert group_for(stated, "validation", spec) == ""


def test_slices_hold_all_pictures_and_tell_where_a_model_is_weak(evaluated: Evaluated) -> None:
    found = slices(evaluated)
    assert sum(one.n for one in found["brightness"]) == 40
    # The wrong ones are the darkest and the brightest.
    assert found["brightness"][1].score.value == 1 > found["brightness"][0].score.value


@pytest.mark.parametrize("kind", SEVERITIES)
def test_harm_grows_with_severity_and_is_the_same_again(kind: str) -> None:
    image = Image(np.random.default_rng(0).integers(60, 200, (180, 150, 3)).astype(np.uint8))
    errors = [
        np.abs(spoil(image, 7, kind=kind, level=level).pixels - image.pixels.astype(float)).mean() for level in range(5)
    ]
    assert errors == sorted(errors) and errors[0] > 0
    again = [spoil(image, 7, kind=kind, level=2).pixels for _ in range(2)]
    assert (again[0] == again[1]).all()


def test_robustness_scores_the_same_pictures_spoiled(evaluated: Evaluated) -> None:
    found = robustness_of(evaluated, EvaluateOptions())
    assert found.n == 40 and found.clean == pytest.approx(0.95)
    # Half of white is added at the end: everything above 0 is bright to this model.
    assert found.values["brightness"][-1] < 0.6
    assert found.to_dict()["severities"]["jpeg"][0] == 60


def test_a_clean_score_that_has_no_value_is_null() -> None:
    found = Robustness("r2", float("nan"), dict.fromkeys(SEVERITIES, (float("nan"),) * 5), 3).to_dict()
    assert found["clean"] is None and found["values"]["noise"] == [None] * 5


def test_robustness_of_what_mends_pictures_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "clean"
    folder.mkdir()
    write_image(Image(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)), folder / "a.png")
    mender = load(blur(tmp_path / "m").path)
    found = evaluate(mender, open_dataset(folder), EvaluateOptions(rounds=20, noise_sigma=25))
    with pytest.raises(UsageError, match="enhance mends spoiled pictures"):
        robustness_of(found, EvaluateOptions())


def test_clean_pictures_are_made_smaller_for_a_model_that_enlarges(tmp_path: Path) -> None:
    folder = tmp_path / "clean"
    folder.mkdir()
    write_image(Image(np.full((33, 41, 3), 90, np.uint8)), folder / "odd.png")
    found = evaluate(load(blur(tmp_path / "m", scale=2).path), open_dataset(folder), EvaluateOptions(rounds=20))
    # A flat picture, of which the box blur spoils only the edge: two pixels, four after enlarging.
    assert found.seen[0].observation.psnr_y > found.seen[0].observation.psnr_rgb - 1


def test_clean_pictures_alone_do_not_score_a_denoiser(tmp_path: Path) -> None:
    folder = tmp_path / "clean"
    folder.mkdir()
    write_image(Image(np.full((16, 16, 3), 90, np.uint8)), folder / "a.png")
    with pytest.raises(UsageError, match=r"holds clean pictures only.*--noise 25"):
        evaluate(load(blur(tmp_path / "m").path), open_dataset(folder))


def test_things_are_scored_from_files_to_average_precision(tmp_path: Path) -> None:
    folder = tmp_path / "yolo"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames:\n  0: white\n  1: red\n")
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:40, 10:60] = 255
    write_image(Image(pixels), folder / "images" / "a.png")
    (folder / "labels" / "a.txt").write_text("0 0.35 0.3 0.5 0.2\n")
    found = evaluate(load(squares(tmp_path / "s").path), open_dataset(folder), EvaluateOptions(rounds=20))
    assert {name: found.score(name).value for name in ("AP", "AP_small", "f1_50")} == {  # type: ignore[union-attr]
        "AP": pytest.approx(1), "AP_small": pytest.approx(1), "f1_50": pytest.approx(1)
    }  # fmt: skip


def test_sequences_are_scored_and_no_picture_is_made_of_them(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 7, 2)).astype(np.float32)
    y = (x[:, :, 1].mean(axis=1) > x[:, :, 0].mean(axis=1)).astype(np.int64)
    y[0] = 1 - y[0]
    np.savez(tmp_path / "seq.npz", x=x, y=y)
    data = open_dataset(tmp_path / "seq.npz", hints=Hints(labels=("up", "down")))
    found = evaluate(load(trends(tmp_path / "t").path), data, EvaluateOptions(look=True, rounds=20))
    assert found.headline.value == pytest.approx(39 / 40)
    html = page_of(found).html()
    assert "<img" not in html and "Most confident mistakes" in html
    with pytest.raises(UsageError, match="this data holds sequences"):
        robustness_of(found, EvaluateOptions())


def test_a_model_is_as_good_as_itself(model: Model, data: Dataset) -> None:
    found = compare((model, model), data, EvaluateOptions(rounds=100))
    assert found.headline.difference == 0 and found.headline.p_value == 1
    assert "cannot be told apart by accuracy on 40 pictures" in found.verdict


def test_the_better_model_is_named_with_the_interval_of_the_difference(
    model: Model, data: Dataset, tmp_path: Path
) -> None:
    swapped = msgspec.structs.replace(model.bundle.spec.output, labels=["bright", "dark"])
    worse = load(brightness(tmp_path / "w", name="worse", output=swapped).path)
    found = compare((worse, model), data, EvaluateOptions(rounds=200))
    assert found.headline.test == "mcnemar" and found.headline.p_value < 1e-8
    assert found.headline.difference == pytest.approx(0.9)
    assert found.verdict.startswith("brightness 1.0.0 is better by 90.00 points of accuracy (")
    back = compare((model, worse), data, EvaluateOptions(rounds=200))
    assert back.verdict.startswith("brightness 1.0.0 is better by 90.00 points of accuracy (")


def test_models_of_two_tasks_are_not_compared(model: Model, data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="brightness is for classify, levels for segment"):
        compare((model, load(levels(tmp_path / "l").path)), data)
