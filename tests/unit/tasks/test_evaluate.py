"""What pictures contribute to scores, task by task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import spec
from pixelwright.contract import Scoring
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, UsageError
from pixelwright.metrics.calibration import Goal, fit_thresholds
from pixelwright.structures.detections import Detections
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks
from pixelwright.structures.results import ClassScores
from pixelwright.structures.spec import Decision, OutputSpec
from pixelwright.structures.targets import Annotations, Classes
from pixelwright.tasks.classify import evaluate as classify
from pixelwright.tasks.detect import evaluate as detect
from pixelwright.tasks.enhance import evaluate as enhance
from pixelwright.tasks.segment import evaluate as segment


def _scoring(model: tuple[str, ...], data: tuple[str, ...], classes: tuple[str, ...] = (), **changes: Any) -> Scoring:
    decision = changes.pop("decision", Decision())
    output = OutputSpec(decoder=changes.pop("decoder", "scores"), labels=list(model))
    dataset = Dataset(Path("data"), "table", changes.pop("kind", "classes"), data, (), **changes)
    return Scoring.of(dataset, spec(output=output, decision=decision), classes)


def _classes(**scores: float) -> ClassScores:
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    labels = tuple(name for name, _ in ranked)
    return ClassScores(np.arange(len(ranked), dtype=np.int32), np.array([s for _, s in ranked], np.float32), labels)


def test_labels_meet_by_name_whatever_their_order() -> None:
    scoring = _scoring(("dog", "cat", "cow"), ("cat", "dog"))
    seen = classify.observe(_classes(cat=0.2, dog=0.7, cow=0.1), Classes((1,)), scoring)
    assert seen is not None
    assert seen.scores.tolist() == pytest.approx([0.2, 0.7])
    assert (seen.other, seen.answered.tolist()) == (pytest.approx(0.1), [False, True])


def test_labels_meet_across_case_spaces_and_the_two_spellings_of_coco() -> None:
    scoring = _scoring(("Pottedplant", "motorbike", "tvmonitor"), ("potted plant", "motorcycle", "tv"))
    assert scoring.places(["tvmonitor", "Pottedplant", "motorbike"]).tolist() == [2, 0, 1]


def test_labels_that_differ_in_case_alone_do_not_meet_where_both_are_meant() -> None:
    scoring = _scoring(("a", "A", "b"), ("A", "a", "B"))
    assert scoring.places(["a", "A", "b"]).tolist() == [1, 0, 2]


def test_labels_that_the_bundle_does_not_know_are_listed_beside_those_it_knows() -> None:
    with pytest.raises(UsageError) as caught:
        _scoring(("cat", "dog"), ("cats", "wolf"))
    said = str(caught.value)
    assert "2 of the data's 2 labels are unknown to small: cats, wolf. It knows 2: cat, dog." in said
    assert "'cats' may be its 'cat'" in said and "--classes" in said


def test_numbers_are_places_in_the_models_order() -> None:
    scoring = _scoring(("normal", "ill", "unclear"), ("2", "0", "01"))
    assert scoring.places(["normal", "ill", "unclear"]).tolist() == [1, 2, 0]


@pytest.mark.parametrize("numbers", [("0",), ("1", "2"), ("0", "1", "2"), ("0", "00", "1")])
def test_numbers_that_are_not_just_the_models_places_are_refused(numbers: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"numbers only, and not just 0 to 1, .* --void"):
        _scoring(("normal", "ill"), numbers)


def test_pictures_of_classes_that_are_not_scored_do_not_count() -> None:
    scoring = _scoring(("cat", "dog"), ("cat", "wolf"), ("cat",))
    assert classify.observe(_classes(cat=0.9, dog=0.1), Classes((1,)), scoring) is None
    assert classify.observe(_classes(cat=0.9, dog=0.1), Classes((0,)), scoring) is not None


def test_a_class_to_score_that_the_data_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--classes cow: the data has no such label\. It has: cat"):
        _scoring(("cat",), ("cat",), ("cow",))


def test_every_label_that_the_data_does_not_have_counts_in_top_5_and_brier() -> None:
    foreign = {f"n{number}": 0.045 for number in range(20)}
    data = tuple("abcdef")
    scoring = _scoring((*data, *foreign), data)
    scores = {"a": 0.04, "b": 0.012, "c": 0.012, "d": 0.012, "e": 0.012, "f": 0.012} | foreign
    seen = classify.observe(_classes(**scores), Classes((0,)), scoring)
    values = classify.statistic([seen], scoring)(np.arange(1)) if seen else {}
    assert values["top5_accuracy"] == 0  # 20 stand above it
    assert values["brier"] == pytest.approx(0.96**2 + 5 * 0.012**2 + 20 * 0.045**2)


def test_top_5_is_of_all_that_the_model_chooses_from() -> None:
    scoring = _scoring(("a", "b", "n1", "n2", "n3", "n4"), ("a", "b"))
    seen = classify.observe(_classes(a=0.1, b=0, n1=0.3, n2=0.3, n3=0.2, n4=0.1), Classes((0,)), scoring)
    assert seen and classify.statistic([seen], scoring)(np.arange(1))["top5_accuracy"] == 1  # the fourth, or the fifth


def test_of_several_labels_those_that_the_data_does_not_have_are_not_held_for_false() -> None:
    scoring = _scoring(("x", "y"), ("x",), exclusive=False)
    seen = classify.observe(_classes(x=0.9, y=0.8), Classes((0,)), scoring)
    assert seen and classify.statistic([seen], scoring)(np.arange(1))["brier"] == pytest.approx(0.01)


def test_an_answer_below_the_bundles_threshold_is_none() -> None:
    scoring = _scoring(("cat", "dog"), ("cat", "dog"), decision=Decision(threshold=0.6))
    seen = classify.observe(_classes(cat=0.55, dog=0.45), Classes((0,)), scoring)
    assert seen is not None and not seen.answered.any()
    values = classify.statistic([seen], scoring)(np.arange(1))
    assert (values["accuracy"], values["recall/cat"]) == (1, 0)


ROWS = np.array([[0.9, 0.05, 0.05], [0.5, 0.45, 0.05], [0.5, 0.45, 0.05], [0.1, 0.6, 0.3], [0.2, 0.4, 0.39]])
TRUTH = (0, 2, 2, 1, 1)


def test_thresholds_reach_their_goal_where_they_are_measured() -> None:
    names = ("a", "b", "c")
    fitted = fit_thresholds(ROWS, np.array(TRUTH), Goal("precision", 0.9))
    thresholds = {name: one.threshold for name, one in zip(names, fitted, strict=True) if one is not None}
    scoring = _scoring(names, names, decision=Decision(thresholds=thresholds), decoder="softmax")
    rows = [dict(zip(names, row.tolist(), strict=True)) for row in ROWS]
    seen = [classify.observe(_classes(**row), Classes((true,)), scoring) for row, true in zip(rows, TRUTH, strict=True)]
    values = classify.statistic([one for one in seen if one is not None], scoring)(np.arange(5))
    assert fitted[1] is not None and (values["precision/b"], values["recall/b"]) == (1, 1)
    assert fitted[1].precision == 1


def test_of_two_classes_the_second_is_answered_from_its_threshold_on() -> None:
    decision = Decision(thresholds={"normal": 0.875, "ill": 0.125})
    scoring = _scoring(("normal", "ill"), ("normal", "ill"), decision=decision, decoder="softmax")
    seen = classify.observe(_classes(normal=0.7, ill=0.3), Classes((1,)), scoring)
    assert seen is not None and seen.answered.tolist() == [False, True]


def test_several_labels_are_answered_from_one_half_on_without_thresholds() -> None:
    scoring = _scoring(("x", "y"), ("x", "y"), exclusive=False)
    seen = classify.observe(_classes(x=0.5, y=0.4), Classes(()), scoring)
    assert seen is not None and seen.answered.tolist() == [True, False]


def test_a_wrong_answer_is_the_worse_the_surer_it_is() -> None:
    scoring = _scoring(("cat", "dog"), ("cat", "dog"))
    seen = [classify.observe(_classes(cat=1 - sure, dog=sure), Classes((0,)), scoring) for sure in (0.6, 0.9)]
    outcomes = [classify.outcome(one, scoring) for one in seen if one is not None]
    assert outcomes[1].quality < outcomes[0].quality < 0
    assert (outcomes[1].right, outcomes[1].said, outcomes[1].true) == (False, "dog", "cat")
    assert outcomes[1].confidence == pytest.approx(0.9)


def test_a_decision_makes_scores_honest_and_reaches_its_goal() -> None:
    generator = np.random.default_rng(0)
    scoring = _scoring(("normal", "ill"), ("normal", "ill"))
    observations = []
    for _ in range(2000):
        logit = generator.normal()
        ill = generator.random() < 1 / (1 + np.exp(-logit))
        sharp = float(1 / (1 + np.exp(-3 * logit)))
        observations.append(classify.observe(_classes(normal=1 - sharp, ill=sharp), Classes((int(ill),)), scoring))
    made = classify.decide([one for one in observations if one is not None], scoring, Goal("recall", 0.9))
    assert made.decision.temperature == pytest.approx(3, rel=0.15)
    assert made.reached["ill"].recall >= 0.9 and made.reached["ill"].reached
    assert made.decision.thresholds["normal"] == pytest.approx(1 - made.decision.thresholds["ill"], abs=1e-6)


BOX = np.array([[10, 10, 30, 30]], np.float32)


def _found(boxes: Any, scores: Any, labels: tuple[str, ...], masks: Masks | None = None) -> Detections:
    ids = np.zeros(len(labels), np.int32)
    return Detections(np.asarray(boxes, np.float32), np.asarray(scores, np.float32), ids, labels, masks)


def _there(boxes: Any, ids: Any, **changes: Any) -> Annotations:
    return Annotations(np.asarray(boxes, np.float32), np.asarray(ids, np.int32), **changes)


def test_what_is_found_below_the_threshold_counts_for_curves_alone() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="boxes")
    seen = detect.observe(_found(BOX, [0.1], ("cell",)), _there(BOX, [0]), scoring)
    values = detect.statistic([seen], scoring)(np.arange(1))
    assert (values["AP50"], values["recall50"]) == (1, 0)


def test_things_of_a_class_that_is_not_scored_are_nobodys_mistake() -> None:
    scoring = _scoring(("cell", "dust"), ("cell", "dust"), ("cell",), kind="boxes")
    boxes = np.concatenate([BOX, BOX + 40])
    seen = detect.observe(_found(boxes, [0.9, 0.8], ("cell", "dust")), _there(BOX, [0]), scoring)
    values = detect.statistic([seen], scoring)(np.arange(1))
    assert (values["AP50"], values["precision50"]) == (1, 1)
    assert "AP/dust" not in values


def test_masks_are_scored_where_both_sides_have_them() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="instances")
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    half = mask.copy()
    half[10:18] = False  # 12 of 20 rows: an IoU of 0.6
    truth = _there(BOX, [0], masks=Masks.of([mask], (40, 40)))
    seen = detect.observe(_found(BOX, [0.9], ("cell",), Masks.of([half], (40, 40))), truth, scoring)
    values = detect.statistic([seen], scoring)(np.arange(1))
    assert (values["AP"], values["mask_AP50"], values["mask_AP75"]) == (1, 1, 0)
    assert values["DSB_AP"] == pytest.approx(0.3)  # right at 0.5, 0.55 and 0.6
    assert values["PQ"] == pytest.approx(0.6)


def test_masks_of_another_size_are_refused() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="instances")
    truth = _there(BOX, [0], masks=Masks.of([np.ones((40, 40), bool)], (40, 40)))
    found = _found(BOX, [0.9], ("cell",), Masks.of([np.ones((50, 40), bool)], (50, 40)))
    with pytest.raises(DataError, match=r"masks are of \(40, 40\) pixels, the picture has \(50, 40\)"):
        detect.observe(found, truth, scoring)


def test_a_thing_found_as_another_class_is_a_confusion_and_not_two_mistakes() -> None:
    scoring = _scoring(("cell", "dust"), ("cell", "dust"), kind="boxes")
    seen = detect.observe(_found(BOX, [0.9], ("dust",)), _there(BOX, [0]), scoring)
    table = detect._confusion([seen], scoring)
    assert table.labels == ("cell", "dust", "nothing")
    assert table.counts.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_what_is_matched_below_the_threshold_alone_can_be_taken_for_another_class() -> None:
    scoring = _scoring(("cat", "dog"), ("cat", "dog"), kind="boxes")
    found = _found(np.concatenate([BOX, BOX]), [0.9, 0.05], ("dog", "cat"))
    table = detect._confusion([detect.observe(found, _there(BOX, [0]), scoring)], scoring)
    assert table.counts.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_the_curve_of_crowds_goes_on_past_a_hundred_things() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="boxes")
    places = np.arange(300, dtype=np.float32)
    boxes = np.stack([40 * (places % 20), 40 * (places // 20)], axis=1)
    boxes = np.concatenate([boxes, boxes + 20], axis=1)
    scores = np.linspace(0.9, 0.3, 300)
    seen = detect.observe(_found(boxes, scores, ("cell",) * 300), _there(boxes, [0] * 300), scoring)
    (curve,) = detect._curves("", [seen.boxes], scoring).curves
    assert curve.x[-1] == 1
    assert curve.name == "cell: AP50_1000 1.000"


def test_the_picture_of_mistakes_has_a_color_for_each_kind() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="boxes")
    boxes = np.array([[10, 10, 80, 80], [150, 10, 220, 80], [10, 150, 80, 220]], np.float32)
    image = Image(np.zeros((240, 240, 3), np.uint8))
    drawn = detect.draw(image, _found(boxes[:2], [0.9, 0.8], ("cell", "cell")), _there(boxes[[0, 2]], [0, 0]), scoring)
    edges = [tuple(drawn.pixels[y, x]) for y, x in ((79, 40), (79, 180), (219, 40))]
    assert edges == [detect.RIGHT, detect.WRONG, detect.MISSED]


def test_thresholds_of_things_are_fitted_where_they_are_matched() -> None:
    scoring = _scoring(("cell",), ("cell",), kind="boxes")
    boxes = np.concatenate([BOX, BOX + 40])
    seen = [detect.observe(_found(boxes, [0.8, 0.4], ("cell", "cell")), _there(BOX, [0]), scoring)] * 3
    made = detect.decide(seen, scoring, Goal())
    assert made.decision.thresholds["cell"] == pytest.approx(0.6)
    assert made.reached["cell"].f1 == 1


def _map(ids: Any, labels: tuple[str, ...], void_id: int | None = None) -> LabelMap:
    return LabelMap(np.asarray(ids, np.uint8), labels, void_id)


def test_pixels_meet_by_the_names_of_their_classes() -> None:
    scoring = _scoring(("sky", "road", "car"), ("road", "void", "sky"), kind="map", void_id=1)
    truth = _map([[0, 0, 2, 1]], ("road", "void", "sky"), 1)
    answer = _map([[1, 2, 0, 0]], ("sky", "road", "car"))
    values = segment.statistic([segment.observe(answer, truth, scoring)], scoring)(np.arange(1))
    # The car is no label of the data: a wrong answer. The void pixel counts for nothing.
    assert values["IoU/road"] == 0.5 and values["IoU/sky"] == 1
    assert values["pixel_accuracy"] == pytest.approx(2 / 3)
    assert "IoU/void" not in values


def test_pixels_of_a_class_that_is_not_scored_can_still_be_taken_for_one_that_is() -> None:
    scoring = _scoring(("road", "sky"), ("road", "sky"), ("road",), kind="map")
    answer = _map([[0, 0, 0, 1]], ("road", "sky"))
    values = segment.statistic(
        [segment.observe(answer, _map([[0, 0, 1, 1]], ("road", "sky")), scoring)], scoring
    )(np.arange(1))  # fmt: skip
    assert values["mIoU"] == values["IoU/road"] == pytest.approx(2 / 3)
    assert values["pixel_accuracy"] == 3 / 4


def test_a_label_map_of_another_size_is_refused() -> None:
    scoring = _scoring(("road",), ("road",), kind="map")
    with pytest.raises(DataError, match=r"label map has \(1, 3\) pixels \(rows, columns\), its picture \(1, 2\)"):
        segment.observe(_map([[0, 0]], ("road",)), _map([[0, 0, 0]], ("road",)), scoring)


def test_a_restored_picture_is_scored_at_its_own_depth() -> None:
    scoring = _scoring((), (), kind="pair")
    truth = np.random.default_rng(0).integers(0, 65_000, (20, 20, 3)).astype(np.uint16)
    seen = enhance.observe(Image(truth + np.uint16(257)), Image(truth), scoring)
    # One step of 255: 10 log10(255²) dB.
    assert seen.psnr_rgb == pytest.approx(48.1308, abs=1e-3)
    assert enhance.observe(Image(truth), Image(truth), scoring).psnr_rgb == 100


def test_gray_and_color_of_the_same_picture_do_not_differ() -> None:
    scoring = _scoring((), (), kind="pair")
    gray = np.random.default_rng(0).integers(0, 256, (16, 16, 1)).astype(np.uint8)
    from pixelwright.structures.image import GRAY

    made = enhance.observe(Image(gray, color=GRAY), Image(np.repeat(gray, 3, axis=2)), scoring)
    assert made.psnr_rgb == 100 and made.psnr_y == 100


def test_a_better_picture_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match=r"enhanced picture has \(4, 4\) pixels"):
        enhance.observe(
            Image(np.zeros((4, 4, 3), np.uint8)), Image(np.zeros((8, 8, 3), np.uint8)), _scoring((), (), kind="pair")
        )
