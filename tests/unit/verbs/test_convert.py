"""`pixelwright convert`: files in, a bundle out, and everything that was assumed said aloud."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image as PillowImage

from networks import SIDE, classifier, save
from pixelwright import registry
from pixelwright.bundle import read_bundle
from pixelwright.cli import main
from pixelwright.errors import DamagedModel
from pixelwright.interop import measure, sandbox
from pixelwright.interop.reading import read
from pixelwright.model import load
from pixelwright.structures.draft import Draft
from sandbox_jobs import at_home


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run", at_home)
    monkeypatch.setattr(measure, "TOLERANCES", {("onnxruntime", "f32"): 1e-3})
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def labels() -> Path:
    Path("labels.txt").write_text("cat\ndog\ncow\n")
    return Path("labels.txt")


def converted(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command line says on stdout, or on stderr where it fails."""
    assert main(["convert", *arguments]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_without_a_contract_it_says_what_was_found_and_what_was_assumed(
    capsys: pytest.CaptureFixture[str], labels: Path
) -> None:
    nodes = [helper.make_node("Flatten", ["in"], ["row"]), helper.make_node("MatMul", ["row", "matrix"], ["logits"])]
    constants = {"matrix": np.random.default_rng(1).normal(size=(192, 3)).astype(np.float32)}
    save(Path("flat.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"logits": [1, 3]})
    said = converted(capsys, "flat.onnx", "labels.txt", "--task", "classify", "-o", "Pets 1")
    for part in (
        "pets-1 1.0.0 -> Pets 1",
        "input   in float32 (batch, 3, 8, 8)",
        "output  logits float32 (batch, 3)",
        "opset 21",
        "parity  onnxruntime f32 differs by 0",
        "found   Size: 8x8.",
        "assumed Values go from 0 to 1, with no other normalization: NOTHING SAYS SO",
        "assumed Output 'logits' holds logits",
        "assumed The terms of use are not known",
        "Try it: pixelwright classify PICTURE --model ",
    ):
        assert part in said
    spec = read_bundle("Pets 1", verify="full").spec
    assert (spec.output.decoder, spec.output.labels) == ("softmax", ["cat", "dog", "cow"])
    assert spec.license.commercial == "unknown"
    assert spec.provenance.source_sha256


def test_probabilities_are_told_from_logits(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["in"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["sure"], axis=1),
    ]
    constants = {"matrix": np.random.default_rng(1).normal(size=(192, 3)).astype(np.float32)}
    save(Path("flat.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"sure": [1, 3]})
    converted(capsys, "flat.onnx", "--labels", "labels.txt", "--task", "classify", "-o", "pets")
    assert read_bundle("pets").spec.output.decoder == "scores"


def contract(model: Path, **changes: str) -> None:
    """A written contract for a small classifier."""
    assert model.exists()
    Path("contract.toml").write_text(
        f"""
        task = "classify"
        summary = "Tells pets apart."
        [input]
        mean = [0.5, 0.5, 0.5]
        std = [0.5, 0.5, 0.5]
        resize = {{ rule = "stretch", size_hw = [{SIDE}, {SIDE}] }}
        [output]
        decoder = "{changes.get("decoder", "softmax")}"
        labels = {changes.get("labels", '["cat", "dog", "cow"]')}
        parameters = {{ output = "logits" }}
        [license]
        code = {{ license = "MIT", commercial = "yes" }}
        weights = {{ license = "MIT", commercial = "yes" }}
        """
    )


def test_with_a_contract_everything_is_taken_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    contract(classifier(Path("net.onnx"), opset=11))
    said = json.loads(converted(capsys, "net.onnx", "--contract", "contract.toml", "-o", "pets", "--json"))
    assert (said["found"], said["assumed"]) == ([], [])
    assert said["bundle"]["input"]["mean"] == [0.5, 0.5, 0.5]
    assert said["bundle"]["license"]["weights"]["commercial"] == "yes"
    assert said["opset"] == 21
    assert said["digest"] == read_bundle("pets").digest


def test_a_class_without_a_name_is_called_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Flatten", ["in"], ["row"]), helper.make_node("MatMul", ["row", "matrix"], ["logits"])]
    constants = {"matrix": np.ones((64, 2), np.float32)}
    save(Path("net.onnx"), nodes, constants, {"in": ["n", 1, 8, 8]}, {"logits": ["n", 2]})
    said = converted(capsys, "net.onnx", "--task", "classify", "-o", "two")
    assert "assumed The 2 classes have no names" in said
    spec = read_bundle("two").spec
    assert (spec.output.labels, spec.input.channels) == (["class 0", "class 1"], "gray")


def test_a_network_of_any_size_needs_one_stated(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["in"], ["means"]),
        helper.make_node("Flatten", ["means"], ["logits"]),
    ]
    save(Path("net.onnx"), nodes, {}, {"in": ["n", 3, "h", "w"]}, {"logits": ["n", 3]})
    said = converted(capsys, "net.onnx", "labels.txt", "--task", "classify", "-o", "pets", code=2)
    assert "takes pictures of any size; state the one it was trained with" in said
    assert "--template > contract.toml" in said


def test_a_size_that_the_file_states_is_kept_where_others_are_possible(
    capsys: pytest.CaptureFixture[str], labels: Path
) -> None:
    classifier(Path("net.onnx"))
    said = converted(capsys, "net.onnx", "labels.txt", "--task", "classify", "-o", "pets")
    assert "input   in float32 (batch, 3, height, width)" in said
    assert "found   Size: 8x8; the network takes others too." in said
    resize = read_bundle("pets").spec.input.resize
    assert resize is not None and resize.size_hw == (SIDE, SIDE)


def test_a_detector_needs_a_contract_and_gets_a_template(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["in"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["flat"]),
        helper.make_node("Reshape", ["flat", "rows"], ["boxes"]),
        helper.make_node("Slice", ["boxes", "start", "stop", "last"], ["scores"]),
    ]
    constants = {
        "matrix": np.random.default_rng(2).normal(scale=0.01, size=(192, 20)).astype(np.float32),
        "rows": np.array([1, 5, 4]),
        "start": np.array([0]),
        "stop": np.array([3]),
        "last": np.array([2]),
    }
    outputs = {"boxes": [1, 5, 4], "scores": [1, 5, 3]}
    save(Path("net.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, outputs)
    said = converted(capsys, "net.onnx", "labels.txt", "--task", "detect", "-o", "finder", code=2)
    assert "cannot be seen: 'boxes' float32 (batch, 5, 4), 'scores' float32 (batch, 5, 3)" in said
    text = converted(capsys, "net.onnx", "labels.txt", "--task", "detect", "--template")
    draft = msgspec.toml.decode(text, type=Draft)
    assert (draft.task, draft.output.labels) == ("detect", ["cat", "dog", "cow"])
    assert draft.input.resize is not None and draft.input.resize.size_hw == (SIDE, SIDE)
    assert "MISSING" in text and '#   "boxes": float32 (batch, 5, 4)' in text


@pytest.mark.parametrize("task", ["classify", "embed", "enhance", "segment", "detect"])
def test_every_template_is_a_contract(capsys: pytest.CaptureFixture[str], task: str) -> None:
    classifier(Path("net.onnx"))
    text = converted(capsys, "net.onnx", "--task", task, "--template")
    assert msgspec.toml.decode(text, type=Draft).task == task
    assert tomllib.loads(text)["license"]["code"] == {"license": "unknown", "commercial": "unknown"}


def test_a_template_holds_labels_of_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["\U0001f600", 'a "b" \\', "\x7f\u2028"]
    Path("labels.txt").write_text("\n".join(names), encoding="utf-8")
    said = converted(capsys, str(classifier(Path("net.onnx"))), "labels.txt", "--task", "classify", "--template")
    assert tomllib.loads(said)["output"]["labels"] == [name.strip() for name in names]


def test_what_stands_at_the_target_is_said_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "run", None)
    Path("pets").mkdir()
    Path("pets/diary.txt").touch()
    arguments = (str(classifier(Path("net.onnx"))), "labels.txt", "--task", "classify", "-o", "pets")
    assert "pets: something stands there; name another folder with -o" in converted(capsys, *arguments, code=2)


def test_an_enhancer_of_one_size_is_refused_with_that_size(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Mul", ["in", "map"], ["out"])]
    constants = {"map": np.ones((1, 1, SIDE, SIDE), np.float32)}
    save(Path("net.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"out": [1, 3, SIDE, SIDE]})
    said = converted(capsys, "net.onnx", "--task", "enhance", "-o", "same", code=2)
    assert "takes (batch, 3, 8, 8) alone, and an enhancer has to take pictures of any size" in said


def test_class_numbers_with_an_axis_too_many_are_no_map(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    nodes = [helper.make_node("ArgMax", ["in"], ["map"], axis=1)]
    sides = ({"in": [1, 3, SIDE, SIDE]}, {"map": [1, 1, SIDE, SIDE]})
    save(Path("net.onnx"), nodes, {}, *sides, kinds={"map": TensorProto.INT64})
    said = converted(capsys, "net.onnx", "labels.txt", "--task", "segment", "-o", "map", code=2)
    assert "output 'map' is int64 (batch, 1, " in said
    assert "which is no map of classes" in said


def test_a_vector_is_an_embedding(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Flatten", ["in"], ["row"]), helper.make_node("MatMul", ["row", "matrix"], ["vector"])]
    constants = {"matrix": np.random.default_rng(1).normal(size=(192, 16)).astype(np.float32)}
    save(Path("net.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"vector": [1, 16]})
    converted(capsys, "net.onnx", "--task", "embed", "-o", "space")
    assert read_bundle("space").spec.output.decoder == "embedding"
    assert len(load("space")(np.full((9, 9, 3), 200, np.uint8)).vector) == 16


def test_a_map_of_classes_is_segmented(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    rng = np.random.default_rng(1)
    constants = {"kernel": rng.normal(size=(3, 3, 1, 1)).astype(np.float32), "map": np.ones((1, 1, 8, 8), np.float32)}
    nodes = [helper.make_node("Mul", ["in", "map"], ["same"]), helper.make_node("Conv", ["same", "kernel"], ["out"])]
    save(Path("net.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"out": [1, 3, SIDE, SIDE]})
    converted(capsys, "net.onnx", "labels.txt", "--task", "segment", "-o", "map")
    spec = read_bundle("map").spec
    assert spec.output.parameters == {"output": "out", "layout": "NCHW", "values": "logits"}


def test_class_numbers_need_labels_for_all_classes(capsys: pytest.CaptureFixture[str], labels: Path) -> None:
    constants = {"map": np.ones((1, 1, SIDE, SIDE), np.float32)}
    nodes = [
        helper.make_node("Mul", ["in", "map"], ["same"]),
        helper.make_node("ArgMax", ["same"], ["ids"], axis=1, keepdims=0),
    ]
    sides = {"ids": [1, SIDE, SIDE]}
    save(Path("net.onnx"), nodes, constants, {"in": [1, 3, SIDE, SIDE]}, sides, kinds={"ids": TensorProto.INT64})
    said = converted(capsys, "net.onnx", "--task", "segment", "-o", "map", code=2)
    assert "class numbers do not say how many classes there are" in said
    said = converted(capsys, "net.onnx", "labels.txt", "--task", "segment", "-o", "map")
    assert "onnxruntime f32" in said
    assert read_bundle("map").spec.output.parameters["layout"] == "ids"


def test_an_enhancer_says_how_much_larger_and_in_which_multiples(capsys: pytest.CaptureFixture[str]) -> None:
    """Halved, then four times as large: twice the size, of even sides."""
    nodes = [
        helper.make_node("AveragePool", ["in"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "scales"], ["out"], mode="nearest"),
    ]
    constants = {"scales": np.array([1, 1, 4, 4], np.float32)}
    save(Path("net.onnx"), nodes, constants, {"in": ["n", 3, "h", "w"]}, {"out": ["n", 3, "h2", "w2"]})
    converted(capsys, "net.onnx", "--task", "enhance", "-o", "larger")
    spec = read_bundle("larger").spec
    assert (spec.output.parameters["scale"], spec.input.multiple_of) == (2, 2)
    assert load("larger")(np.zeros((9, 7, 3), np.uint8)).size_hw == (18, 14)


def test_a_sample_shows_answers(capsys: pytest.CaptureFixture[str]) -> None:
    contract(classifier(Path("net.onnx")))
    Path("few").mkdir()
    for number in range(10):
        PillowImage.new("RGB", (12, 9), (20 * number, 0, 0)).save(Path("few") / f"{number}.png")
    said = converted(capsys, "net.onnx", "--contract", "contract.toml", "-o", "pets", "--sample", "few")
    shown = [line for line in said.splitlines() if line.startswith("sample")]
    assert len(shown) == 8
    assert all("%" in line for line in shown)


def test_all_faults_of_what_is_given_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    classifier(Path("net.onnx"))
    Path("labels.txt").write_text("cat\n\ndog\n")
    Path("notes.doc").write_text("x")
    Path("contract.toml").write_text("task = 3")
    said = converted(
        capsys, "net.onnx", "absent.onnx", "notes.doc", "labels.txt", "--contract", "contract.toml", "--sample", "none",
        "-o", "pets", code=2,
    )  # fmt: skip
    for part in (
        "there is no file absent.onnx",
        "notes.doc: .doc is not read; known are .onnx",
        "labels.txt: lines [2] are blank",
        "contract.toml: ",
        "--sample none: is no folder",
    ):
        assert part in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["net.onnx", "-o", "pets"], "name the task with --task: "),
        (["net.onnx", "--task", "clasify", "-o", "pets"], "Did you mean 'classify'?"),
        (
            ["net.onnx", "net.onnx", "--task", "classify", "-o", "pets"],
            "expected one model file (.onnx, .tflite), got 2",
        ),
        (["labels.txt", "--task", "classify", "-o", "pets"], "expected one model file (.onnx, .tflite), got 0"),
        (
            ["net.onnx", "labels.txt", "--labels", "labels.txt", "--task", "classify", "-o", "x"],
            "expected one label file",
        ),
        (["net.onnx", "--task", "detect", "--contract", "contract.toml", "-o", "pets"], "make them equal"),
        (["net.onnx", "--contract", "contract.toml"], "Name a folder with -o"),
        (["net.onnx", "--task", "classify", "--template", "-o", "pets"], "leave out -o"),
        (["net.onnx", "--contract", "contract.toml", "-o", "pets", "--output-tensor", "nose"], "no tensors ['nose']"),
        (["net.onnx", "--contract", "contract.toml", "-o", "pets", "--name", "No Name"], "name"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    capsys: pytest.CaptureFixture[str], labels: Path, arguments: list[str], said: str
) -> None:
    contract(classifier(Path("net.onnx")))
    assert said in converted(capsys, *arguments, code=2)
    assert not Path("pets").exists()


def test_labels_that_are_too_many_are_said_with_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    contract(classifier(Path("net.onnx")), labels="[]")
    Path("labels.txt").write_text("cat\ndog\ncow\n255 = ignore\n")
    said = converted(capsys, "net.onnx", "labels.txt", "--contract", "contract.toml", "-o", "pets", code=2)
    assert "has 4, from 'cat' to '255 = ignore', and the network has 3 classes" in said


def test_a_decoder_that_does_not_fit_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    contract(classifier(Path("net.onnx")), decoder="scores")
    said = converted(capsys, "net.onnx", "--contract", "contract.toml", "-o", "pets", code=2)
    assert "the decoder 'scores' cannot read the answers" in said
    assert sorted(path.name for path in Path().iterdir() if path.is_dir()) == []


def test_without_the_onnx_package_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelwright.verbs import convert

    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    said = converted(capsys, "net.onnx", "--task", "classify", "-o", "pets", code=2)
    assert "pip install 'pixelwright[convert]'" in said


def test_an_importer_of_a_plugin_works_in_the_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TensorFlow Lite stands for it: it does not guard itself."""
    monkeypatch.undo()
    importer = registry.get("importer", "tflite")
    assert not importer.guarded
    with pytest.raises(DamagedModel, match="not a TensorFlow Lite file"):
        (tmp_path / "net.tflite").write_bytes(b"nothing of the kind")
        read(importer, tmp_path / "net.tflite")
