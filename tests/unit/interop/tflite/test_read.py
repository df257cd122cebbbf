"""The face: names, outputs, batches, layouts, and what the file says of itself."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pixelwright.errors import UnsupportedModel, UsageError
from pixelwright.interop.tflite import read
from pixelwright.interop.tflite.metadata import read_metadata
from unit.interop.tflite.peers import run_litert, run_onnx
from unit.interop.tflite.writer import Record, Step, Tensor, flatbuffer, model

DICE = np.random.default_rng(2)
CONV = {"padding": 1, "stride_w": 1, "stride_h": 1}
IMAGE = (1, 12, 10, 3)


def _kernel(name: str, *shape: int) -> list[Tensor]:
    return [
        Tensor(name, shape, data=DICE.normal(size=shape)),
        Tensor(
            f"{name}b", (shape[0] if shape[0] > 1 else shape[3],), data=np.ones(shape[0] if shape[0] > 1 else shape[3])
        ),
    ]


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(data)
    return path


def _network(metadata: dict[str, bytes] | None = None) -> bytes:
    """Convolution, ReLU, mean, softmax."""
    tensors = [
        Tensor("picture", IMAGE),
        *_kernel("w", 4, 3, 3, 3),
        Tensor("features", (1, 10, 8, 4)),
        Tensor("axes", (2,), "int32", [1, 2]),
        Tensor("pooled", (1, 4)),
        Tensor("scores", (1, 4)),
    ]
    steps = [
        Step("CONV_2D", ["picture", "w", "wb"], ["features"], {**CONV, "activation": 1}),
        Step("MEAN", ["features", "axes"], ["pooled"], {"keep_dims": False}),
        Step("SOFTMAX", ["pooled"], ["scores"], {"beta": 1.0}),
    ]
    return model(tensors, steps, ["picture"], ["scores"], metadata)


def _kinds(graph_model: Any) -> Counter[str]:
    return Counter(node.op_type for node in graph_model.graph.node)


def _check(path: Path, *, shape: tuple[int, ...] = IMAGE) -> onnx.ModelProto:
    imported = read(path)
    onnx.checker.check_model(imported.model, full_check=True)
    feeds = {imported.model.graph.input[0].name: DICE.normal(size=shape).astype(np.float32)}
    for mine, theirs in zip(run_onnx(imported.model, feeds), run_litert(path, feeds), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    return imported.model


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    graph = _check(_write(tmp_path, _network())).graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["picture", "scores"]
    assert [dim.dim_param or dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim] == ["N", 12, 10, 3]


def test_a_network_has_one_transpose(tmp_path: Path) -> None:
    assert _kinds(read(_write(tmp_path, _network())).model) == Counter(
        {"Transpose": 1, "Conv": 1, "Relu": 1, "GlobalAveragePool": 1, "Squeeze": 1, "Softmax": 1}
    )


def test_inner_tensors_can_be_given_out(tmp_path: Path) -> None:
    path = _write(tmp_path, _network())
    graph = read(path, outputs=["pooled", "features"]).model
    x = DICE.normal(size=IMAGE).astype(np.float32)
    pooled, features = run_onnx(graph, {"picture": x})
    assert features.shape == (1, 10, 8, 4)
    np.testing.assert_allclose(features.mean((1, 2)), pooled, rtol=1e-4)
    assert "Softmax" not in _kinds(graph)


def test_kinds_of_known_steps_that_are_not_converted_are_named_at_once(tmp_path: Path) -> None:
    tensors = [
        Tensor("in", (1, 4)), *(Tensor(name, (1, 4)) for name in ("rough", "rougher", "root", "both", "out")),
    ]  # fmt: skip
    few = {"min": -1.0, "max": 1.0, "narrow_range": False}
    steps = [
        Step("FAKE_QUANT", ["in"], ["rough"], {**few, "bits": 4}),
        Step("RELU", ["rough"], ["root"]),
        Step("FAKE_QUANT", ["in"], ["rougher"], {**few, "bits": 2}),
        Step("ADD", ["root", "rougher"], ["both"]),
        Step("TANH", ["both"], ["out"]),
    ]
    with pytest.raises(UnsupportedModel, match="does not convert FAKE_QUANT of 4 bits, FAKE_QUANT of 2 bits"):
        read(_write(tmp_path, model(tensors, steps, ["in"], ["out"])))


def test_an_unknown_tensor_is_named_with_its_neighbors(tmp_path: Path) -> None:
    said = r"net\.tflite: has no tensors \['feature', 'nose'\]; its outputs are \['scores'\], .*'features', 'pooled'"
    with pytest.raises(UsageError, match=said):
        read(_write(tmp_path, _network()), outputs=["feature", "scores", "nose"])


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read(tmp_path / "net.tflite")


def test_several_pictures_give_what_each_gives(tmp_path: Path) -> None:
    graph = read(_write(tmp_path, _network())).model
    pictures = DICE.normal(size=(3, *IMAGE[1:])).astype(np.float32)
    (together,) = run_onnx(graph, {"picture": pictures})
    alone = [run_onnx(graph, {"picture": pictures[number : number + 1]})[0] for number in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-4)


def test_a_network_that_mixes_the_batch_keeps_it_fixed(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 6)), Tensor("size", (2,), "int32", [2, 3]), Tensor("y", (2, 3))]
    steps = [Step("RESHAPE", ["x", "size"], ["y"], {"new_shape": (2, 3)})]
    imported = read(_write(tmp_path, model(tensors, steps, ["x"], ["y"])))
    assert [dim.dim_value for dim in imported.model.graph.input[0].type.tensor_type.shape.dim] == [1, 6]
    assert any("batch size is fixed at 1" in note for note in imported.notes)


def test_all_that_is_not_converted_is_named_at_once(tmp_path: Path) -> None:
    tensors = [Tensor(name, IMAGE) for name in "xabcy"]
    steps = [
        Step("CUSTOM MyOp", ["x"], ["a"]),
        Step("SVDF", ["a"], ["b"]),
        Step("SVDF", ["b"], ["c"]),
        Step("RELU", ["c"], ["y"]),
    ]
    path = _write(tmp_path, model(tensors, steps, ["x"], ["y"]))
    with pytest.raises(UnsupportedModel, match=r"CUSTOM MyOp \(used 1 time\), SVDF \(used 2 times\)"):
        read(path)


def test_what_no_output_needs_may_be_of_any_kind(tmp_path: Path) -> None:
    tensors = [Tensor(name, IMAGE) for name in "xay"]
    steps = [Step("RELU", ["x"], ["a"]), Step("CUSTOM MyOp", ["a"], ["y"])]
    assert _kinds(read(_write(tmp_path, model(tensors, steps, ["x"], ["y"])), outputs=["a"]).model) == Counter(
        {"Relu": 1}
    )


def test_padding_before_a_convolution_becomes_its_own(tmp_path: Path) -> None:
    tensors = [
        Tensor("x", IMAGE),
        Tensor("sizes", (4, 2), "int32", [[0, 0], [1, 2], [0, 1], [0, 0]]),
        Tensor("padded", (1, 15, 11, 3)),
        *_kernel("w", 4, 3, 3, 3),
        *_kernel("v", 4, 3, 3, 3),
        Tensor("y", (1, 7, 5, 4)),
        Tensor("z", (1, 8, 6, 4)),
    ]
    strided = {**CONV, "stride_w": 2, "stride_h": 2}
    steps = [
        Step("PAD", ["x", "sizes"], ["padded"]),
        Step("CONV_2D", ["padded", "w", "wb"], ["y"], strided),
        Step("CONV_2D", ["padded", "v", "vb"], ["z"], {**strided, "padding": 0}),
    ]
    found = _check(_write(tmp_path, model(tensors, steps, ["x"], ["y", "z"])))
    assert "Pad" not in _kinds(found)


def test_a_dilated_convolution_written_with_blocks_becomes_one(tmp_path: Path) -> None:
    tensors = [
        Tensor("x", IMAGE),
        Tensor("block", (2,), "int32", [2, 2]),
        Tensor("pads", (2, 2), "int32", [[2, 2], [2, 2]]),
        Tensor("crops", (2, 2), "int32", [[0, 0], [0, 0]]),
        Tensor("spread", (4, 8, 7, 3)),
        *_kernel("w", 4, 3, 3, 3),
        Tensor("made", (4, 6, 5, 4)),
        Tensor("y", (1, 12, 10, 4)),
    ]
    steps = [
        Step("SPACE_TO_BATCH_ND", ["x", "block", "pads"], ["spread"]),
        Step("CONV_2D", ["spread", "w", "wb"], ["made"], CONV),
        Step("BATCH_TO_SPACE_ND", ["made", "block", "crops"], ["y"]),
    ]
    found = _check(_write(tmp_path, model(tensors, steps, ["x"], ["y"])))
    assert _kinds(found) == Counter({"Transpose": 2, "Conv": 1})


def test_shapes_computed_in_the_network_are_computed_once(tmp_path: Path) -> None:
    """As files of a dynamic batch have it: the shape of the picture, its batch, and a reshape to that."""
    tensors = [
        Tensor("x", IMAGE, signature=(-1, 12, 10, 3)),
        Tensor("shape", (4,), "int32"),
        *(Tensor(name, (1,), "int32", [value]) for name, value in (("begin", 0), ("end", 1), ("step", 1))),
        Tensor("batch", (), "int32"),
        Tensor("rest", (), "int32", 360),
        Tensor("target", (2,), "int32"),
        Tensor("y", (1, 1)),
    ]
    steps = [
        Step("SHAPE", ["x"], ["shape"], {"output_type": 2}),
        Step("STRIDED_SLICE", ["shape", "begin", "end", "step"], ["batch"], {"shrink_axis_mask": 1}),
        Step("PACK", ["batch", "rest"], ["target"], {"count": 2}),
        Step("RESHAPE", ["x", "target"], ["y"]),
    ]
    found = _check(_write(tmp_path, model(tensors, steps, ["x"], ["y"])))
    assert _kinds(found) == Counter({"Reshape": 1})
    assert found.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_size_left_open_is_told(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 8, 8, 3), signature=(-1, -1, -1, 3)), Tensor("y", (1, 8, 8, 3))]
    imported = read(_write(tmp_path, model(tensors, [Step("RELU", ["x"], ["y"])], ["x"], ["y"])))
    assert any("is for (1, 8, 8, 3) alone" in note for note in imported.notes)


def _said(mean: list[float], std: list[float], labels: str = "") -> bytes:
    """Metadata with a normalization of the input, and a label file of the output."""
    unit = Record({0: ("uint8", 1), 1: Record({0: np.array(mean, np.float32), 1: np.array(std, np.float32)})})
    files = [Record({0: labels, 2: ("int8", 2)})] if labels else []
    graph = Record({2: [Record({4: [unit]})], 3: [Record({6: files})]})
    return flatbuffer(Record({3: [graph]}), b"M001")


def _zipped(**files: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return target.getvalue()


def test_metadata_gives_labels_and_normalization(tmp_path: Path) -> None:
    data = _network({"TFLITE_METADATA": _said([127.5], [128.0], "names.txt")})
    data += _zipped(names_txt="cat\ndog\n", readme_txt="no\n")
    imported = read(_write(tmp_path, data))
    assert imported.labels == ("cat", "dog")
    assert (imported.mean, imported.std) == ((127.5,), (128.0,))


def test_labels_are_found_without_metadata(tmp_path: Path) -> None:
    data = _network() + _zipped(labelmap_txt="cat\r\ndog", readme_txt="no\n")
    assert read(_write(tmp_path, data)).labels == ("cat", "dog")


def test_metadata_of_one_deviation_holds_for_all_channels(tmp_path: Path) -> None:
    imported = read(_write(tmp_path, _network({"TFLITE_METADATA": _said([1, 2, 3], [4])})))
    assert (imported.mean, imported.std) == ((1, 2, 3), (4, 4, 4))


@pytest.mark.parametrize(
    "metadata", [b"junk", b"", _said([1], [0]), _said([1], [float("nan")]), _said([1, 2], [1, 2, 3]), _said([], [])]
)
def test_damaged_metadata_does_not_hide_the_network(metadata: bytes, tmp_path: Path) -> None:
    imported = read(_write(tmp_path, _network({"TFLITE_METADATA": metadata})))
    assert imported.mean == () and imported.labels == ()


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    packed = bytearray(_zipped(labels_txt="cat\ndog\n" * 30))
    packed[45] ^= 0xFF  # within the text, so that its checksum fails
    imported = read(_write(tmp_path, _network() + packed))
    assert imported.labels == ()
    assert any("label files" in note for note in imported.notes)


def test_labels_in_the_file_are_read_as_those_beside_it(tmp_path: Path) -> None:
    data = _network() + _zipped(labels_txt="\ufeffcat\r\n dog \nf\x0cf\n\n")
    assert read(_write(tmp_path, data)).labels == ("cat", "dog", "f\x0cf")


def test_blank_lines_among_labels_are_told(tmp_path: Path) -> None:
    imported = read(_write(tmp_path, _network() + _zipped(labels_txt="cat\n\ndog\n")))
    assert imported.labels == ()
    assert "line 2 of 'labels.txt' is blank" in imported.notes[-1]


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_labels_packed_and_damaged_in_any_way_are_told(kind: int) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", kind) as archive:
        archive.writestr("labels.txt", "cat\ndog\n" * 30)
    packed = bytearray(target.getvalue())
    packed[45:50] = b"\xff" * 5
    said = read_metadata(bytes(packed), {})
    assert said.labels == ()
    assert "cannot be read and were left out" in said.notes[0]


def test_a_flood_of_labels_is_told(tmp_path: Path) -> None:
    imported = read(_write(tmp_path, _network() + _zipped(labels_txt="x\n" * 200_000)))
    assert imported.labels == ()
    assert any("100000 lines" in note for note in imported.notes)
