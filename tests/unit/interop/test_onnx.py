"""ONNX files of many kinds become one kind, and answer as before."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from networks import SIDE, classifier, pictures, save
from pixelwright.errors import DamagedModel, PixelwrightError, RuntimeFailure, UnsupportedModel, UsageError
from pixelwright.interop.onnx import read
from pixelwright.interop.onnx_convert import convert
from tolerance import FLOAT32


def converted(
    path: Path, outputs: Sequence[str] = (), *, dequantize: bool = False
) -> tuple[onnx.ModelProto, list[str]]:
    """The conversion here, without the sandbox, which costs half a second."""
    folder = path.parent / f"{path.stem}-work"
    folder.mkdir(exist_ok=True)
    request = {"path": str(path), "name": path.name, "outputs": list(outputs), "dequantize": dequantize}
    answer = convert(folder, request)
    return onnx.load_model_from_string((folder / answer["model"]).read_bytes()), answer["notes"]


def run(model: onnx.ModelProto | Path, feed: np.ndarray) -> list[np.ndarray]:
    raw = model.read_bytes() if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: feed})


def dims(info: onnx.ValueInfoProto) -> list[Any]:
    return [dim.dim_value or dim.dim_param for dim in info.type.tensor_type.shape.dim]


def agree(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> None:
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, *FLOAT32)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21, 22])
def test_every_opset_answers_as_the_file_and_is_brought_to_one(tmp_path: Path, opset: int) -> None:
    path = classifier(tmp_path / "net.onnx", opset=opset, constants_as_inputs=opset < 9)
    model, notes = converted(path)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    one, other = pictures(1), pictures(1, seed=4)
    agree(run(model, one), run(path, one))
    agree(run(model, np.concatenate([one, other])), [np.concatenate([run(path, one)[0], run(path, other)[0]])])
    assert not [note for note in notes if "left out" in note]


def test_constants_are_no_longer_inputs(tmp_path: Path) -> None:
    model, _ = converted(classifier(tmp_path / "net.onnx", opset=9, constants_as_inputs=True))
    assert [info.name for info in model.graph.input] == ["in"]


def test_names_are_kept_and_sizes_are_freed(tmp_path: Path) -> None:
    model, _ = converted(classifier(tmp_path / "net.onnx"))
    assert {info.name: dims(info) for info in (*model.graph.input, *model.graph.output)} == {
        "in": ["batch", 3, "height", "width"],
        "logits": ["batch", 3],
    }


def test_a_reshape_that_splits_the_channels_of_one_picture_is_freed(tmp_path: Path) -> None:
    """As exporters write the shuffle of channels: (6, 2, 64) and (2, -1, 6, 8, 8)."""
    nodes = [
        helper.make_node("Conv", ["in", "kernel"], ["twelve"], pads=[1] * 4),
        helper.make_node("Reshape", ["twelve", "split"], ["halves"]),
        helper.make_node("Transpose", ["halves"], ["turned"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["turned", "joined"], ["five"]),
        helper.make_node("Gather", ["five", "first"], ["out"], axis=0),
    ]
    constants = {
        "kernel": np.random.default_rng(0).normal(size=(12, 3, 3, 3)).astype(np.float32),
        "split": np.array([6, 2, 64]), "joined": np.array([2, -1, 6, 8, 8]), "first": np.array(0),
    }  # fmt: skip
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, SIDE, SIDE]}, {"out": [1, 6, 8, 8]}, opset=11)
    model, notes = converted(path)
    two = pictures(2)
    agree(run(model, two), [np.concatenate([run(path, two[:1])[0], run(path, two[1:])[0]])])
    assert notes == ["The network takes pictures of 8x8 only."]


@pytest.mark.parametrize("batch", [1, "N"])
def test_a_network_that_mixes_its_pictures_takes_one_at_a_time(tmp_path: Path, batch: int | str) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["in"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["in", "mean"], ["apart"]),
        helper.make_node("Add", ["apart", "one"], ["out"]),
    ]
    constants = {"one": np.ones((1, 1, SIDE, SIDE), np.float32)}
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [batch, 3, 8, 8]}, {"out": [batch, 3, 8, 8]}, opset=13)
    model, notes = converted(path)
    assert dims(model.graph.input[0])[0] == dims(model.graph.output[0])[0] == 1
    assert "The network takes exactly 1 picture at a time." in notes


def test_a_file_for_four_pictures_takes_any_number(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", batch=4, flat=(4, 4))
    model, _ = converted(path)
    four = pictures(4)
    agree(run(model, four[:1]), [run(path, four)[0][:1]])


def test_weights_of_a_size_keep_the_size_fixed(tmp_path: Path) -> None:
    constants = {"map": np.ones((1, 1, SIDE, SIDE), np.float32)}
    nodes = [helper.make_node("Mul", ["in", "map"], ["out"])]
    model, notes = converted(save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}))
    assert dims(model.graph.input[0]) == ["batch", 3, 8, 8]
    assert notes == ["The network takes pictures of 8x8 only."]


def test_a_pooling_made_for_one_size_keeps_it(tmp_path: Path) -> None:
    """A little more of the picture would be ignored in silence: the window of 7 fits once into 9 and 11 pixels too."""
    nodes = [
        helper.make_node("AveragePool", ["in"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("AveragePool", ["small"], ["mean"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["mean"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix"], ["out"]),
    ]
    constants = {"matrix": np.ones((3, 5), np.float32)}
    model, notes = converted(save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 224, 224]}, {"out": [1, 5]}))
    assert dims(model.graph.input[0]) == ["batch", 3, 224, 224]
    assert notes == ["The network takes pictures of 224x224 only."]


def test_what_does_nothing_is_removed_and_constants_are_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["in"], ["same"]),
        helper.make_node("Add", ["half", "half"], ["whole"]),
        helper.make_node("Dropout", ["same"], ["kept"]),
        helper.make_node("Mul", ["kept", "whole"], ["out"]),
        helper.make_node("Relu", ["in"], ["unused"]),
    ]
    constants = {"half": np.full((3, 1, 1), 0.25, np.float32)}
    model, _ = converted(save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}))
    assert [node.op_type for node in model.graph.node] == ["Mul"]


def test_a_tensor_inside_becomes_the_output_and_the_rest_goes(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", opset=11)
    model, _ = converted(path, ["row", "means"])
    assert [info.name for info in model.graph.output] == ["row", "means"]
    assert "Gemm" not in {node.op_type for node in model.graph.node}
    assert run(model, pictures(2))[0].shape == (2, 4)


def test_unknown_outputs_are_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no tensors \['nose', 'ear'\]; its outputs are \['logits'\], .*'row'"):
        converted(classifier(tmp_path / "net.onnx"), ["nose", "row", "ear"])


def test_labels_are_found_in_the_metadata(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", metadata={"names": "{0: 'cat', 1: 'dog', 2: 'it\\'s a cow'}"})
    assert read(path).labels == ("cat", "dog", "it's a cow")


def quantized(path: Path) -> Path:
    """A convolution whose input, weights and output are rounded to 8 bits."""
    rng = np.random.default_rng(5)
    constants = {
        "step": np.array(1 / 255, np.float32), "zero": np.array(0, np.uint8), "weight_step": np.array(0.02, np.float32),
        "weight_zero": np.array(0, np.int8), "stored": rng.integers(-100, 100, (4, 3, 3, 3)).astype(np.int8),
        "out_step": np.array(0.1, np.float32), "out_zero": np.array(128, np.uint8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["in", "step", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "step", "zero"], ["back"]),
        helper.make_node("DequantizeLinear", ["stored", "weight_step", "weight_zero"], ["kernel"]),
        helper.make_node("Conv", ["back", "kernel"], ["made"], pads=[1] * 4),
        helper.make_node("QuantizeLinear", ["made", "out_step", "out_zero"], ["made_rounded"]),
        helper.make_node("DequantizeLinear", ["made_rounded", "out_step", "out_zero"], ["out"]),
    ]
    return save(path, nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 4, 8, 8]}, opset=13)


def test_a_quantized_network_stays_as_it_is(tmp_path: Path) -> None:
    path = quantized(tmp_path / "net.onnx")
    model, _ = converted(path)
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    agree(run(model, pictures(1)), run(path, pictures(1)))


def test_a_quantized_network_can_be_made_one_of_floats(tmp_path: Path) -> None:
    path = quantized(tmp_path / "net.onnx")
    model, notes = converted(path, dequantize=True)
    assert {node.op_type for node in model.graph.node} == {"Conv"}
    np.testing.assert_allclose(run(model, pictures(1))[0], run(path, pictures(1))[0], atol=0.1)  # one step of 0.1
    assert any(note.startswith("Dequantized: its answers differ by 0.0") for note in notes)


@pytest.mark.parametrize("opset", [10, 13])
def test_a_relu_that_the_rounding_stands_for_stays_in_a_network_of_floats(tmp_path: Path, opset: int) -> None:
    """Quantizers leave out a ReLU before integers whose least one is zero."""
    constants = {
        "kernel": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
        "step": np.array(0.02, np.float32), "zero": np.array(0, np.uint8),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["in", "kernel"], ["made"], pads=[1] * 4),
        helper.make_node("QuantizeLinear", ["made", "step", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "step", "zero"], ["back"]),
        helper.make_node("Neg", ["back"], ["out"]),
    ]
    sides = ({"in": [1, 3, 8, 8]}, {"out": [1, 4, 8, 8]})
    path = save(tmp_path / "net.onnx", nodes, constants, *sides, opset=opset)
    model, _ = converted(path, dequantize=True)
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(model, pictures(1))[0], run(path, pictures(1))[0], atol=0.011)  # half a step of 0.02


def test_a_value_rounded_and_brought_back_by_other_steps_is_left_alone(tmp_path: Path) -> None:
    constants = {"one": np.array(0.5, np.float32), "two": np.array(1.5, np.float32), "zero": np.array(9, np.uint8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["in", "one", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "two", "zero"], ["out"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}, opset=13)
    model, _ = converted(path, dequantize=True)
    agree(run(model, pictures(1)), run(path, pictures(1)))


def test_a_network_of_two_inputs_keeps_its_sizes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["in", "more"], ["out"])]
    sides = {"in": [1, 3, 8, 8], "more": [1, 3, 8, 8]}
    model, notes = converted(save(tmp_path / "net.onnx", nodes, {}, sides, {"out": [1, 3, 8, 8]}))
    assert [dims(info) for info in model.graph.input] == [[1, 3, 8, 8]] * 2
    assert notes[0].startswith("The network does not take one picture (2 inputs)")


def test_every_foreign_operator_is_named_at_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("FusedThing", ["in"], ["a"], domain="com.example"),
        helper.make_node("FusedThing", ["a"], ["b"], domain="com.example"),
        helper.make_node("Nonsense", ["b"], ["out"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, {}, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}, domains=["com.example"])
    with pytest.raises(UnsupportedModel, match=r"Nonsense \(1 times\), com\.example\.FusedThing \(2 times\)"):
        converted(path)


def test_a_network_that_rolls_dice_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("RandomNormalLike", ["in"], ["noise"]), helper.make_node("Add", ["in", "noise"], ["out"])]
    path = save(tmp_path / "net.onnx", nodes, {}, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]})
    with pytest.raises(UnsupportedModel, match=r"rolls dice \(RandomNormalLike\)"):
        converted(path)


def test_foreign_operators_behind_the_outputs_asked_for_do_not_matter(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["in"], ["features"]),
        helper.make_node("FusedThing", ["features"], ["out"], domain="com.example"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {}, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}, domains=["com.example"])
    model, _ = converted(path, ["features"])
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert [one.domain for one in model.opset_import] == [""]


@pytest.mark.parametrize(("opset", "said"), [(6, "is of opset 6; expected 7 or newer"), (99, "knows up to")])
def test_an_opset_out_of_range_is_refused(tmp_path: Path, opset: int, said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        converted(classifier(tmp_path / "net.onnx", opset=opset))


def with_weights_in(path: Path, location: str) -> Path:
    """The same network with its kernel in another file."""
    model = onnx.load_model_from_string(classifier(path).read_bytes())
    kernel = next(one for one in model.graph.initializer if one.name == "kernel")
    (path.parent / "weights.bin").write_bytes(kernel.raw_data)
    onnx.external_data_helper.set_external_data(kernel, location)
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_file_are_taken_in(tmp_path: Path) -> None:
    expected = run(classifier(tmp_path / "whole.onnx"), pictures(1))
    (tmp_path / "inner").mkdir()
    model, _ = converted(with_weights_in(tmp_path / "inner" / "net.onnx", "weights.bin"))
    agree(run(model, pictures(1)), expected)
    assert not [one for one in model.graph.initializer if one.data_location == TensorProto.EXTERNAL]


@pytest.mark.parametrize(
    ("location", "said"),
    [("../weights.bin", "leads out"), ("/etc/passwd", "is absolute"), ("absent.bin", "'absent.bin' are missing")],
)
def test_weights_elsewhere_are_refused(tmp_path: Path, location: str, said: str) -> None:
    with pytest.raises(DamagedModel, match=said):
        read(with_weights_in(tmp_path / "net.onnx", location))


@pytest.mark.parametrize("raw", [b"", b"\0" * 64, b"not a model at all", b"\x08\x08"])
def test_what_is_no_onnx_file_is_a_sentence(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(raw)
    with pytest.raises(DamagedModel, match=r"net\.onnx"):
        read(tmp_path / "net.onnx")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read(tmp_path / "net.onnx")


def test_cut_off_files_are_refused(tmp_path: Path) -> None:
    whole = classifier(tmp_path / "net.onnx").read_bytes()
    for share in (0.2, 0.5, 0.9, 0.99):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(PixelwrightError):
            read(path)


@pytest.mark.parametrize("seed", range(4))
def test_changed_bytes_end_in_a_network_or_a_sentence(tmp_path: Path, seed: int) -> None:
    raw = bytearray(classifier(tmp_path / "net.onnx").read_bytes())
    chance = random.Random(seed)
    for _ in range(6):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    path = tmp_path / "changed.onnx"
    path.write_bytes(raw)
    try:
        assert read(path).model.graph.node
    except PixelwrightError as err:
        assert "\n" not in str(err)


def test_a_size_that_asks_for_terabytes_is_a_sentence(tmp_path: Path) -> None:
    constants = {"dims": np.array([1_000_000, 1_000_000]), "axes": np.array([0, 0], np.int64)}
    nodes = [
        helper.make_node("ConstantOfShape", ["dims"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("Add", ["in", "sum"], ["out"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}, opset=13)
    with pytest.raises(PixelwrightError, match=r"net\.onnx"):
        read(path)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_file_of_very_many_parts_is_refused_before_they_take_memory(tmp_path: Path) -> None:
    """Millions of empty nodes take a hundred times the file's bytes to list."""
    count = 4_000_000
    length = bytes([2 * count & 127 | 128, 2 * count >> 7 & 127 | 128, 2 * count >> 14 & 127 | 128, 2 * count >> 21])
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08\x3a" + length + b"\x0a\x00" * count)
    with pytest.raises(DamagedModel, match=r"net\.onnx: .* more than 2000000 parts"):
        read(tmp_path / "net.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_small_file_that_asks_for_gigabytes_does_not_get_them(tmp_path: Path) -> None:
    constants = {"dims": np.array([1 << 29], np.int64)}
    nodes = [
        helper.make_node("ConstantOfShape", ["dims"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("Add", ["in", "sum"], ["out"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, constants, {"in": [1, 3, 8, 8]}, {"out": [1, 3, 8, 8]}, opset=13)
    with pytest.raises(RuntimeFailure, match=r"net\.onnx: needs more than 1\.8 GB of memory"):
        read(path)
