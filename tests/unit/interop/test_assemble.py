"""A bundle of an imported network is whole, compared, tried, or not there at all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from networks import SIDE, classifier, save
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.errors import BundleError, ParityError, UsageError
from pixelwright.interop import measure, sandbox
from pixelwright.interop.assemble import Plan, build, evenly
from pixelwright.interop.imported import Imported
from pixelwright.interop.labels import read_labels
from pixelwright.interop.onnx import read
from pixelwright.interop.probe_picture import prepared, probe_picture
from pixelwright.model import load
from pixelwright.runtimes.parity import verify
from pixelwright.runtimes.probe import Case, read_probe
from pixelwright.structures.draft import Draft, Reference
from pixelwright.structures.spec import InputSpec, License, OutputSpec, Provenance, Resize, Terms
from sandbox_jobs import at_home

FREE = License(Terms("CC0-1.0", "yes"), Terms("CC0-1.0", "yes"))
FITTING = InputSpec(resize=Resize("stretch", (SIDE, SIDE)))
LABELS = ["cat", "dog", "cow"]
ORIGIN = Provenance("test")


def draft(**changes: object) -> Draft:
    start = {"task": "classify", "input": FITTING, "output": OutputSpec("softmax", {"output": "logits"}, LABELS)}
    return Draft(**{**start, "license": FREE, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return read(classifier(tmp_path_factory.mktemp("model") / "net.onnx"))


@pytest.fixture(autouse=True)
def _quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes and one runtime; a test that names `in_full` has all of it."""
    if "in_full" not in request.fixturenames:
        monkeypatch.setattr(sandbox, "run", at_home)
        monkeypatch.setattr(measure, "TOLERANCES", {("onnxruntime", "f32"): 1e-3})


@pytest.fixture
def in_full() -> None:
    pytest.importorskip("openvino")


def test_a_bundle_is_filled_in_and_verified(imported: Imported, tmp_path: Path, in_full: None) -> None:
    seen: list[ModelBundle] = []
    built = build(Plan(imported, draft(), "pets", ORIGIN), tmp_path / "pets", accept=seen.append)
    bundle = read_bundle(tmp_path / "pets", verify="full")
    assert [row.runtime for row in bundle.spec.parity][:2] == ["onnxruntime", "openvino"]
    assert all(row.n == 2 for row in bundle.spec.parity)
    assert bundle.spec.graphs["model"].inputs[0].layout == "NCHW"
    assert all(check.holds for check in verify(bundle) if check.precision == "f32")
    assert seen[0].spec == bundle.spec == built.bundle.spec
    assert load(tmp_path / "pets")(np.zeros((20, 30, 3), np.uint8)).labels[0] in LABELS
    assert len(read_probe(bundle.file("probe"))) == 2


def test_every_fault_is_named_at_once(imported: Imported, tmp_path: Path) -> None:
    wrong = draft(
        input=InputSpec(layout="NHWC", mean=[0.5]),
        output=OutputSpec("softmax", {"output": "nose", "warmth": 3}, ["cat"]),
    )
    with pytest.raises(BundleError) as caught:
        build(Plan(imported, wrong, "pets", ORIGIN), tmp_path / "pets")
    assert all(word in str(caught.value) for word in ("input.mean: 1 values", "has H = 3", "does not take these"))
    assert not (tmp_path / "pets").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "output.labels: there are none for the network's 3 classes"),
        (("a", "b", "c", "z"), "the label file has 4, from 'a' to 'z', and the network has 3 classes"),
    ],
)
def test_labels_have_to_be_as_many_as_classes(
    imported: Imported, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    bare = draft(output=OutputSpec("softmax", {"output": "logits"}))
    with pytest.raises(BundleError, match=said):
        build(Plan(imported, bare, "pets", ORIGIN, labels=given), tmp_path / "pets")


def test_labels_of_the_contract_go_before_the_file_and_that_before_the_metadata(
    imported: Imported, tmp_path: Path
) -> None:
    known = replace(imported, labels=("x", "y", "z"))
    bare = draft(output=OutputSpec("softmax", {"output": "logits"}))
    for number, (given, file, expected) in enumerate(
        ((draft(), ("a", "b", "c"), LABELS), (bare, ("a", "b", "c"), ["a", "b", "c"]), (bare, (), ["x", "y", "z"]))
    ):
        made = build(Plan(known, given, "pets", ORIGIN, labels=file), tmp_path / f"pets{number}").bundle
        assert made.spec.output.labels == expected


def test_normalization_of_the_metadata_is_taken_where_the_contract_has_none(imported: Imported, tmp_path: Path) -> None:
    known = replace(imported, mean=(127.5,), std=(127.5,))
    built = build(Plan(known, draft(), "pets", ORIGIN), tmp_path / "pets")
    assert (built.bundle.spec.input.white, built.bundle.spec.input.mean) == (255.0, [127.5] * 3)
    assert "Normalization from the file's metadata" in built.notes[0]


@pytest.mark.parametrize(("mean", "notes"), [(0.5, 0), (0.4, 1)])
def test_normalization_of_the_contract_wins_and_a_difference_is_noted(
    imported: Imported, tmp_path: Path, mean: float, notes: int
) -> None:
    known = replace(imported, mean=(127.5,), std=(127.5,))
    own = InputSpec(resize=Resize("stretch", (SIDE, SIDE)), mean=[mean] * 3, std=[0.5] * 3)
    built = build(Plan(known, draft(input=own), "pets", ORIGIN), tmp_path / "pets")
    assert built.bundle.spec.input.mean == [mean] * 3
    assert len([note for note in built.notes if "The draft was followed" in note]) == notes


def test_values_of_its_own_executor_are_compared(imported: Imported, tmp_path: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(imported.model.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"in": prepared(FITTING)})
    right = Reference("LiteRT 2.1", {"logits": [float(value) for value in evenly(made, 3)]}, 1e-3)
    build(Plan(imported, draft(), "pets", ORIGIN, reference=right), tmp_path / "pets")
    wrong = Reference("LiteRT 2.1", {"logits": [right.values["logits"][0], 123.0, 0.0]}, 1e-3)
    with pytest.raises(ParityError, match=r"value 1 of output 'logits' is -?[0-9.]+, and LiteRT 2\.1 made 123:"):
        build(Plan(imported, draft(), "pets", ORIGIN, reference=wrong), tmp_path / "more")
    other = Reference("LiteRT 2.1", {"nose": [1.0]}, 1e-3)
    with pytest.raises(ParityError, match=r"has no output 'nose'; there are \['logits'\]"):
        build(Plan(imported, draft(), "pets", ORIGIN, reference=other), tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_a_decoder_that_cannot_read_the_answers_is_a_sentence(imported: Imported, tmp_path: Path) -> None:
    logits_as_scores = draft(output=OutputSpec("scores", {"output": "logits"}, LABELS))
    with pytest.raises(BundleError, match=rf"bundle {tmp_path}/pets: the decoder 'scores' cannot read the answers"):
        build(Plan(imported, logits_as_scores, "pets", ORIGIN), tmp_path / "pets")
    assert not (tmp_path / "pets").exists()


def test_the_last_word_can_refuse_the_bundle(imported: Imported, tmp_path: Path) -> None:
    def refuse(bundle: ModelBundle) -> None:
        raise UsageError("not this one.")

    with pytest.raises(UsageError, match="not this one"):
        build(Plan(imported, draft(), "pets", ORIGIN), tmp_path / "pets", accept=refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_replaced_only_where_that_is_asked_for(imported: Imported, tmp_path: Path) -> None:
    plan = Plan(imported, draft(), "pets", ORIGIN)
    build(plan, tmp_path / "pets")
    with pytest.raises(BundleError, match="already stands there"):
        build(plan, tmp_path / "pets")
    build(plan, tmp_path / "pets", replace=True)


def test_a_network_of_one_picture_at_a_time_makes_a_bundle(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["in"], ["rows"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["rows"], ["most"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["rows", "most"], ["less"]),
        helper.make_node("Add", ["less", "offset"], ["logits"]),
    ]
    constants = {"offset": np.array([[3, 1, 2]], np.float32)}
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"logits": [1, 3]}, opset=11)
    bundle = build(Plan(read(path), draft(), "pets", ORIGIN), tmp_path / "pets").bundle
    assert bundle.spec.graphs["model"].inputs[0].dims[0] == 1
    assert [done.error for done in load(bundle.path).stream([np.zeros((9, 9, 3), np.uint8)] * 3)] == [None] * 3


def test_the_probe_picture_is_the_same_everywhere() -> None:
    """Stored values of other executors belong to these bytes: a change of the formula makes them void."""
    digests = [hashlib.sha256(probe_picture((24, 32), variant).tobytes()).hexdigest()[:16] for variant in (0, 1)]
    assert digests == ["e3823fc857522075", "0d7492ac1d2df060"]


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 7), (513, 513)])
def test_the_probe_picture_has_any_size(size_hw: tuple[int, int]) -> None:
    assert probe_picture(size_hw).shape == (*size_hw, 3)


def test_the_probe_picture_is_not_resampled() -> None:
    plain = InputSpec(resize=Resize("stretch", (20, 30)), layout="NHWC", dtype="uint8", white=255)
    np.testing.assert_array_equal(prepared(plain)[0], probe_picture((20, 30)))


def test_class_numbers_do_not_excuse_the_boxes_beside_them() -> None:
    boxes, numbers = np.ones((1, 50, 4), np.float32), np.arange(50)[None] % 7
    where = ("onnxruntime", "f32")
    wanted = [Case({"in": numbers}, {"boxes": boxes, "numbers": numbers})]
    apart = [Case({"in": numbers}, {"boxes": 1.5 * boxes, "numbers": numbers})]
    row = measure._row(where, wanted, apart, rounded=False)
    assert (row.holds, row.tolerance) == (False, 1e-3)


@pytest.mark.parametrize(("changed", "holds"), [(1, True), (5, False)])
def test_maps_of_class_numbers_may_differ_in_few_pixels(changed: int, holds: bool) -> None:
    numbers = np.arange(100)[None] % 7
    other = numbers.copy()
    other[0, :changed] += 1
    one, two = ([Case({"in": numbers}, {"map": array})] for array in (numbers, other))
    row = measure._row(("onnxruntime", "f32"), one, two, rounded=False)
    assert (row.holds, row.largest_difference) == (holds, changed / 100)


def test_values_are_spaced_evenly() -> None:
    assert evenly(np.arange(100).reshape(4, 25), 4).tolist() == [0, 33, 66, 99]
    assert evenly(np.arange(2), 4).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "raw",
    [b"cat\ndog\n", b"cat\ndog", b"\xef\xbb\xbfcat\r\ndog\r\n", b"cat\rdog", b" cat \ndog\n\n\n"],
    ids=["plain", "no last line end", "byte order mark and Windows", "old Mac", "blank lines at the end"],
)
def test_label_files_of_every_system_read_alike(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(raw)
    assert read_labels(tmp_path / "labels.txt") == ("cat", "dog")


def test_every_line_is_a_label_whatever_stands_in_it(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("# pets\nkat, Katze\n255 = ignore\nf\x0cf\n", encoding="utf-8")
    assert read_labels(tmp_path / "labels.txt") == ("# pets", "kat, Katze", "255 = ignore", "f\x0cf")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"cat\n\ndog\n \ncow", r"lines \[2, 4\] are blank"),
        (b"", "0 labels; expected 1"),
        (b"cat\n\xff\xfe", "byte 4 is not UTF-8"),
    ],
)
def test_a_label_file_that_is_none_is_a_sentence(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "labels.txt").write_bytes(raw)
    with pytest.raises(UsageError, match=said):
        read_labels(tmp_path / "labels.txt")


def test_a_label_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_labels(tmp_path / "labels.txt")
