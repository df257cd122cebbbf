"""The end of a training: compared, calibrated on a part of its own, measured, written whole, tried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pixelwright as pw  # noqa: E402
from pixelwright import registry  # noqa: E402
from pixelwright.bundle import read_bundle  # noqa: E402
from pixelwright.data.dataset import fingerprint  # noqa: E402
from pixelwright.data.opening import open_dataset  # noqa: E402
from pixelwright.errors import DamagedModel, ParityError, UsageError  # noqa: E402
from pixelwright.interop import pytorch_continued as continued  # noqa: E402
from pixelwright.interop.pytorch_state import read_state  # noqa: E402
from pixelwright.runtimes.onnx import RUNTIME  # noqa: E402
from pixelwright.runtimes.probe import read_probe  # noqa: E402
from pixelwright.runtimes.torch import TorchGraph  # noqa: E402
from pixelwright.structures.degradation import Degradation  # noqa: E402
from pixelwright.verbs.evaluate import part_of  # noqa: E402
from pixelwright.verbs.train import read_config, train  # noqa: E402
from pixelwright.verbs.train.finishing import finish as finishing  # noqa: E402
from pixelwright.verbs.train.finishing.finish import Finished, Origin, finish  # noqa: E402
from pixelwright.verbs.train.planning.decide import open_splits, plan_of  # noqa: E402
from pixelwright.verbs.train.planning.plan import Plan  # noqa: E402
from trainings import SMALL, write_data, write_gray  # noqa: E402

LICENSES = {"bundle.license": "MIT", "bundle.data_license": "CC-BY-NC-4.0=https://example.org/terms"}


def plan_for(folder: Path, **changes: Any) -> Plan:
    data = folder / "squares.npz"
    if not data.exists():
        write_data(data, train=80)
    parts = {"data.calibration": 0.25, "data.test": 0.1, "bundle.name": "sides", "data.path": str(data)}
    named = {name.replace("__", "."): value for name, value in changes.items()}
    config = read_config("classify", None, {**SMALL, **parts, **LICENSES, **named})
    return plan_of(config, open_splits("classify", config.data, config.seed))


def network(plan: Plan) -> torch.nn.Module:
    torch.manual_seed(0)
    return plan.record().build(plan.network)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_for(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finish(plan, network(plan), tmp_path_factory.mktemp("run"), Origin("a test"))


def test_the_bundle_answers_as_the_network_does(plan: Plan, finished: Finished) -> None:
    model = pw.load(finished.bundle.path)
    spec = model.bundle.spec
    picture = plan.splits.validation.samples[0].read()
    prepared = model.task.prepare(pw.structures.raster.Raster.of(picture), model.bundle)
    graph = TorchGraph(network(plan), tuple(spec.graphs["model"].inputs), tuple(spec.graphs["model"].outputs))
    logits = graph.run({"images": prepared.tensor[None]})["logits"][0].astype(np.float64) / spec.decision.temperature
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    scores = model(picture, threshold=0.0)
    found = dict(zip(scores.labels, scores.scores, strict=True))
    np.testing.assert_allclose([found[label] for label in spec.output.labels], expected, rtol=1e-3)


def test_every_score_stands_with_its_pictures_interval_and_definition(plan: Plan, finished: Finished) -> None:
    rows = [row for row in finished.bundle.spec.measured if row.metric == "accuracy"]
    validation, test = plan.splits.validation, plan.splits.test
    assert [(row.n, row.data.fingerprint) for row in rows] == [
        (len(test), fingerprint(test)),
        (len(validation), fingerprint(validation)),
    ]
    assert [row.data.split for row in rows] == [
        "test: looked at for this score alone",
        "validation: it chose the weights",
    ]
    assert all(row.runtime == "onnxruntime" and row.ci95 and row.definition.startswith("accuracy: ") for row in rows)
    assert all("/" not in row.metric for row in finished.bundle.spec.measured)


def test_the_decision_rests_on_the_calibration_part_alone(plan: Plan, finished: Finished) -> None:
    decision = finished.bundle.spec.decision
    assert decision.data and decision.data.fingerprint == fingerprint(plan.splits.calibration)
    assert decision.data.fingerprint not in {row.data.fingerprint for row in finished.bundle.spec.measured}
    assert decision.goal == "f1"
    assert set(decision.thresholds) == set(plan.problem.labels)


def test_runtimes_are_compared_with_pytorch_and_timed(finished: Finished) -> None:
    rows = {(row.runtime, row.precision): row for row in finished.bundle.spec.parity}
    reference = rows["onnxruntime", "f32"]
    assert 0 < reference.largest_difference < 1e-5
    assert (reference.metric, reference.metric_delta, reference.relative_time) == ("accuracy", 0.0, 1.0)
    assert all(row.relative_time for row in rows.values())


def test_terms_and_origin_are_in_the_bundle(plan: Plan, finished: Finished) -> None:
    spec = finished.bundle.spec
    assert (spec.license.weights.license, spec.license.weights.commercial) == ("MIT", "yes")
    assert (spec.license.data[0].license, spec.license.data[0].url) == ("CC-BY-NC-4.0", "https://example.org/terms")
    assert spec.license.commercial == "no"
    assert spec.provenance.recipe == "a test"
    assert [(one.name, one.fingerprint) for one in spec.provenance.data] == [
        ("squares.npz", fingerprint(plan.splits.train))
    ]


def test_intervals_over_few_pictures_are_not_left_without_a_word(plan: Plan, finished: Finished) -> None:
    assert len(plan.splits.validation) == 16
    assert "validation: There are 16 pictures only: the intervals say little." in finished.remarks


def test_the_bundle_tells_how_the_same_parts_are_made_again(tmp_path: Path) -> None:
    write_gray(tmp_path / "data", [f"{label}/{number}.png" for number in range(25) for label in "ab"])
    config = read_config("classify", None, {**SMALL, "data.path": str(tmp_path / "data"), "data.test": 0.1, "seed": 1})
    plan = plan_of(config, open_splits("classify", config.data, config.seed))
    spec = finish(plan, network(plan), tmp_path / "run").bundle.spec
    again, name, said = part_of(open_dataset(tmp_path / "data"), "validation", spec)
    assert [one.id for one in again.samples] == [one.id for one in plan.splits.validation.samples]
    assert said == f"the validation part as the training of {spec.name} makes it, seed 1"
    by_default, _, _ = part_of(open_dataset(tmp_path / "data"), name)
    assert {one.id for one in by_default.samples} != {one.id for one in again.samples}


def test_weights_to_train_further_are_those_of_the_network(plan: Plan, finished: Finished) -> None:
    state = read_state(finished.bundle.file("weights"))
    record = registry.get("architecture", state.architecture)
    config = msgspec.convert(state.config, type(plan.network))
    assert config == plan.network
    net = record.build(config)
    net.load_state_dict(state.weights)
    original = network(plan).state_dict()
    assert all(torch.equal(value, original[name]) for name, value in net.state_dict().items())


def test_a_bundle_is_trained_further_from_its_weights(plan: Plan, finished: Finished) -> None:
    again = plan_for(plan.splits.train.root.parent, model=str(finished.bundle.path), network__channels=[4, 8])
    assert again.network == plan.network
    torch.manual_seed(1)
    begun, original = again.record().build(again.network).state_dict(), network(plan).state_dict()
    assert all(torch.equal(value, original[name]) for name, value in begun.items())


def test_a_head_for_other_classes_begins_fresh(
    plan: Plan, finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    record = continued.architecture(finished.bundle)
    assert record is not None
    config = record.fit(plan.network, replace(plan.problem, labels=("a", "b", "c")))
    with caplog.at_level(logging.INFO):
        net = record.build(config)
    assert net.classify.weight.shape[0] == 3
    assert torch.equal(net.stages[0][0].weight, network(plan).stages[0][0].weight)
    assert "begins fresh, as it has another shape: classify.bias, classify.weight" in caplog.text


def test_weights_of_another_configuration_are_refused(plan: Plan, finished: Finished) -> None:
    record = continued.architecture(finished.bundle)
    assert record is not None
    with pytest.raises(DamagedModel, match="none of its weights fit plaincnn"):
        record.build(replace(plan.network, channels=(5, 7), classes=3))


def test_a_bundle_without_weights_is_not_trained_further_by_them() -> None:
    assert continued.architecture(pw.load("digits").bundle) is None


def test_no_picture_of_the_data_is_in_the_bundle(plan: Plan, finished: Finished) -> None:
    probes = [next(iter(case.inputs.values())) for case in read_probe(finished.bundle.file("probe"))]
    assert len(probes) == 2
    for sample in plan.splits.validation.samples:
        pixels = sample.read().pixels.astype(np.float32)
        assert not any(np.array_equal(probe[0, 0], pixels[:, :, 0] / 255) for probe in probes)


def test_an_export_that_is_not_the_network_is_refused_with_both_numbers(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export: Callable[..., Any] = finishing.export_onnx

    def sabotaged(net: torch.nn.Module, *given: Any, **options: Any) -> Any:
        changed = network(plan)
        with torch.no_grad():
            changed.classify.weight.neg_()
            changed.classify.bias.neg_()
        return export(changed, *given, **options)

    monkeypatch.setattr(finishing, "export_onnx", sabotaged)
    # What is the best class becomes the worst of two: from p of 16 pictures to 1 - p.
    with pytest.raises(ParityError, match=r"accuracy is [\d.]+ in PyTorch and [\d.]+ in ONNX Runtime .*No bundle"):
        finish(plan, network(plan), tmp_path)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_rounded_weights_are_measured_and_stored_in_fewer_bytes(plan: Plan, finished: Finished, tmp_path: Path) -> None:
    config = msgspec.structs.replace(
        plan.config, bundle=msgspec.structs.replace(plan.config.bundle, weights="int8", trainable=False)
    )
    rounded = finish(replace(plan, config=config), network(plan), tmp_path)
    assert "rounding the weights changed accuracy on the validation pictures from" in " ".join(rounded.remarks)
    assert [one.role for one in rounded.bundle.spec.artifacts] == ["model", "probe"]
    (probe, _) = read_probe(rounded.bundle.file("probe"))
    whole = RUNTIME.open(finished.bundle.file("model"), threads=1).run(probe.inputs)["logits"]
    assert 0 < np.abs(whole - probe.outputs["logits"]).max() < 0.1 * np.abs(whole).max()


@pytest.mark.slow
def test_without_a_calibration_part_scores_are_the_networks_own(plan: Plan, tmp_path: Path) -> None:
    splits = replace(plan.splits, calibration=plan.splits.calibration.only(()))
    done = finish(replace(plan, splits=splits), network(plan), tmp_path)
    assert done.bundle.spec.decision.temperature == 1
    assert not done.bundle.spec.decision.thresholds
    assert any("no calibration part" in remark for remark in done.remarks)


@pytest.mark.slow
def test_a_bundle_of_before_is_replaced_and_the_terms_of_its_parent_are_kept(
    plan: Plan, finished: Finished, tmp_path: Path
) -> None:
    for origin in (Origin(), Origin(parent=read_bundle(finished.bundle.path))):
        done = finish(plan, network(plan), tmp_path, origin)
    assert [(terms.license, terms.name) for terms in done.bundle.spec.license.data] == [
        ("CC-BY-NC-4.0", "squares.npz"),
        ("CC-BY-NC-4.0", "squares.npz"),
        ("MIT", "weights of sides"),
    ]
    assert done.bundle.spec.provenance.parent.startswith("sides 1.0.0, ")


def test_weights_of_another_library_are_named_and_their_terms_are_unknown(plan: Plan, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Config:
        pretrained: bool

    for pretrained, said in ((False, []), (True, [("unknown", "weights of timm:resnet18")])):
        other = replace(plan, architecture="timm:resnet18", network=Config(pretrained))
        inherited = finishing._inherited(other, Origin())
        assert [(terms.license, terms.name) for terms in inherited] == said
    assert finishing._provenance(other, Origin()).parent == "timm:resnet18"


@pytest.mark.slow
def test_a_picture_that_is_gone_does_not_cost_the_bundle(tmp_path: Path) -> None:
    folder = write_gray(tmp_path / "data", [f"{label}/{number}.png" for number in range(25) for label in "ab"])
    for name in ("train", "val"):
        (folder / name).mkdir()
    for label in "ab":
        (folder / label).rename(folder / "train" / label)
        write_gray(folder / "val", [f"{label}/{number}.png" for number in range(4)])
        (folder / "train" / label / "gone.png").symlink_to(tmp_path / "nowhere.png")
    config = read_config("classify", None, {**SMALL, "data.path": str(folder), "data.calibration": 0.25})
    done = train(config, output=tmp_path / "run")
    assert done.bundle is not None
    assert pw.load(done.bundle).bundle.spec.provenance.data[0].fingerprint is not None


def test_a_goal_that_makes_no_sense_is_refused_before_anything_is_done(plan: Plan, tmp_path: Path) -> None:
    config = msgspec.structs.replace(plan.config, bundle=msgspec.structs.replace(plan.config.bundle, threshold="best"))
    with pytest.raises(UsageError, match="threshold 'best': expected f1"):
        finish(replace(plan, config=config), network(plan), tmp_path)


def test_how_pictures_were_made_worse_is_the_condition_of_a_score(plan: Plan) -> None:
    worse = Degradation(gaussian=1.0, gaussian_sigma=(0.1, 0.2), downscale=2)
    assert finishing._condition(replace(plan.problem, degradation=worse)) == (
        "clean pictures made worse: downscale 2, gaussian 1, gaussian_sigma 0.1 to 0.2"
    )
    assert finishing._condition(plan.problem) == ""
