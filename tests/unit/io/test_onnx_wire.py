"""The walk over ONNX files: every place that can name another file is found, and hostile bytes are refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pixelwright.errors import DamagedModel
from pixelwright.io import onnx_wire
from pixelwright.io.onnx_wire import MAX_DEPTH, external_locations


def external(location: str | None) -> TensorProto:
    tensor = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in (("offset", "0"), ("location", location), ("length", "4")):
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    return tensor


def graph(*, initializer: Sequence[TensorProto] = (), nodes: Sequence[onnx.NodeProto] = ()) -> onnx.GraphProto:
    return helper.make_graph(nodes, "g", [], [], initializer)


def in_initializer(location: str | None) -> onnx.ModelProto:
    return helper.make_model(graph(initializer=[external(location)]))


def in_attribute(location: str) -> onnx.ModelProto:
    return helper.make_model(graph(nodes=[helper.make_node("Constant", [], ["c"], value=external(location))]))


def in_attribute_list(location: str) -> onnx.ModelProto:
    node = helper.make_node("Custom", [], ["c"], values=[external(location)])
    return helper.make_model(graph(nodes=[node]))


def in_subgraph(location: str) -> onnx.ModelProto:
    inner = graph(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=graph(initializer=[external(location)]))])
    return helper.make_model(graph(nodes=[helper.make_node("Loop", [], [], body=inner)]))


def in_function(location: str) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["c"], value=external(location))
    model = helper.make_model(graph())
    model.functions.append(helper.make_function("d", "f", [], ["c"], [node], [helper.make_opsetid("", 20)]))
    return model


def in_function_default(location: str) -> onnx.ModelProto:
    model = in_function(location)
    del model.functions[0].node[:]
    model.functions[0].attribute_proto.append(helper.make_attribute("a", external(location)))
    return model


def in_sparse_initializer(location: str) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.graph.sparse_initializer.add(values=external(location), indices=external(location))
    return model


def in_sparse_attribute(location: str) -> onnx.ModelProto:
    model = helper.make_model(graph(nodes=[helper.make_node("Constant", [], ["c"])]))
    attribute = model.graph.node[0].attribute.add(name="s", type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.values.CopyFrom(external(location))
    return model


def in_training(location: str) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.training_info.add(initialization=graph(initializer=[external(location)]))
    return model


PLACES = [
    in_initializer, in_attribute, in_attribute_list, in_subgraph, in_function, in_function_default,
    in_sparse_initializer, in_sparse_attribute, in_training,
]  # fmt: skip


def locations(folder: Path, raw: bytes) -> list[str]:
    path = folder / "m.onnx"
    path.write_bytes(raw)
    return external_locations(path)


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_it_hides(tmp_path: Path, place) -> None:
    assert locations(tmp_path, place("../weights.bin").SerializeToString()) == ["../weights.bin"]


def test_a_model_that_holds_its_weights_points_nowhere(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    assert locations(tmp_path, helper.make_model(graph(initializer=[weights])).SerializeToString()) == []


def test_external_data_without_a_location_is_an_empty_one(tmp_path: Path) -> None:
    assert locations(tmp_path, in_initializer(None).SerializeToString()) == [""]


def test_a_location_counts_even_where_the_tensor_denies_being_external(tmp_path: Path) -> None:
    model = in_initializer("x")
    model.graph.initializer[0].data_location = TensorProto.DEFAULT
    assert locations(tmp_path, model.SerializeToString()) == ["x"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x3a",  # a graph whose length is cut off
        b"\x3a\xff\xff\xff\xff\x0f",  # a graph longer than the file
        b"\x3a\x02\xff\xff",  # a number cut off in the graph
        b"\x08" + b"\xff" * 11,  # a number without end
        b"<net name='ir'></net>",  # OpenVINO's own format
        b"PK\x03\x04",
        b"\x08\x09",  # no graph at all
        b"\x00\x00",  # field 0
        b"\x38\x01",  # a graph that is a number
        b"\xba\x80\x80\x80\x40\x00",  # field number over 32 bits that readers truncate to 7
    ],
)
def test_bytes_that_are_no_model_are_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(DamagedModel, match=r"m\.onnx"):
        locations(tmp_path, raw)


def test_graphs_nested_beyond_reason_are_refused(tmp_path: Path) -> None:
    inner = b""
    for _ in range(MAX_DEPTH):  # graph > node > attribute > graph
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            length = len(inner)
            size = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
            inner = tag + size + inner
    length = len(inner)
    raw = b"\x3a" + bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14]) + inner
    with pytest.raises(DamagedModel, match="levels"):
        locations(tmp_path, raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x3a\x00")
def test_any_bytes_give_an_answer_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    try:
        assert locations(tmp_path_factory.getbasetemp(), raw) == sorted(locations(tmp_path_factory.getbasetemp(), raw))
    except DamagedModel as err:
        assert "m.onnx" in str(err)


def test_parts_are_counted_before_they_take_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_wire, "MAX_MESSAGES", 1000)
    nodes = [helper.make_node("Relu", ["a"], ["b"])] * 1001
    with pytest.raises(DamagedModel, match="more than 1000 parts"):
        locations(tmp_path, helper.make_model(graph(nodes=nodes)).SerializeToString())


def test_tensors_are_skipped_not_read(tmp_path: Path) -> None:
    weights = TensorProto(name="w", dims=[2**23], data_type=TensorProto.FLOAT, raw_data=bytes(2**25))
    raw = helper.make_model(graph(initializer=[weights])).SerializeToString()
    started = time.perf_counter()
    assert locations(tmp_path, raw) == []
    assert time.perf_counter() - started < 2  # 32 MB; reading byte by byte would take a minute
