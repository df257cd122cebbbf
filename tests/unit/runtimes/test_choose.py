"""Which runtime is taken, and that a graph must be what its contract says."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

import bundles
from pixelwright.bundle import ModelBundle
from pixelwright.errors import BundleError, RuntimeFailure, UnknownName, UsageError
from pixelwright.runtimes import choose as chooser
from pixelwright.runtimes import onnx, openvino
from pixelwright.runtimes.choose import choose, open_graphs
from pixelwright.structures.spec import Parity

FITS = Parity("openvino", "f32", 20, 1e-6, 1e-3, relative_time=0.5)
DIFFERS = Parity("openvino", "bf16", 20, 0.5, 1e-2)


@pytest.fixture
def vouched(tmp_path: Path) -> ModelBundle:
    return bundles.blur(tmp_path / "b", parity=[FITS, DIFFERS])


@pytest.fixture
def plain(tmp_path: Path) -> ModelBundle:
    return bundles.blur(tmp_path / "b")


@pytest.fixture
def with_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino.OpenVino, "available", lambda self, precision="f32": None)


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "find_spec", lambda name: None)


def test_auto_takes_openvino_where_the_record_vouches_and_it_was_faster(
    vouched: ModelBundle, with_openvino: None
) -> None:
    assert [c if isinstance(c, str) else c.name for c in choose(vouched)] == ["openvino", "f32"]


@pytest.mark.parametrize(
    ("relative_time", "taken"),
    [(0.4, "openvino"), (0.95, "onnxruntime"), (2.5, "onnxruntime"), (None, "onnxruntime")],
)
def test_auto_takes_what_was_the_faster(
    tmp_path: Path, with_openvino: None, relative_time: float | None, taken: str
) -> None:
    timed = msgspec.structs.replace(FITS, relative_time=relative_time)
    assert choose(bundles.blur(tmp_path / "b", parity=[timed]))[0].name == taken


def test_auto_takes_the_reference_where_nothing_is_recorded(plain: ModelBundle, with_openvino: None) -> None:
    assert choose(plain)[0].name == "onnxruntime"


def test_auto_takes_the_reference_where_openvino_is_missing(vouched: ModelBundle, without_openvino: None) -> None:
    assert choose(vouched)[0].name == "onnxruntime"


def test_a_gpu_is_the_references_business(vouched: ModelBundle, with_openvino: None) -> None:
    assert choose(vouched, device="cuda")[0].name == "onnxruntime"


def test_auto_takes_the_reference_where_its_gpu_package_is_installed(
    vouched: ModelBundle, with_openvino: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chooser, "has_cuda", lambda: True)
    assert choose(vouched)[0].name == "onnxruntime"
    assert choose(vouched, device="cpu")[0].name == "openvino"


def test_auto_at_a_precision_that_only_one_runtime_has_takes_it_untimed(tmp_path: Path, with_openvino: None) -> None:
    rough = msgspec.structs.replace(FITS, precision="bf16", relative_time=None)
    assert choose(bundles.blur(tmp_path / "b", parity=[rough]), precision="bf16") == (openvino.RUNTIME, "bf16")


def test_what_is_not_vouched_for_is_taken_with_a_warning(
    vouched: ModelBundle, with_openvino: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, chooser.__name__):
        assert choose(vouched, precision="bf16") == (openvino.RUNTIME, "bf16")
    assert "does not vouch for openvino at bf16" in caplog.text


def test_what_is_vouched_for_is_taken_silently(
    vouched: ModelBundle, with_openvino: None, caplog: pytest.LogCaptureFixture
) -> None:
    choose(vouched, runtime="openvino")
    choose(vouched, runtime="onnxruntime")
    assert not caplog.records


def test_a_runtime_that_is_missing_says_how_to_install_it(vouched: ModelBundle, without_openvino: None) -> None:
    with pytest.raises(RuntimeFailure, match=r"pip install 'pixelwright\[openvino\]'"):
        choose(vouched, runtime="openvino")


def test_a_precision_a_runtime_lacks_names_those_it_has(plain: ModelBundle) -> None:
    with pytest.raises(RuntimeFailure, match="onnxruntime has no precision bf16; it has f32"):
        choose(plain, runtime="onnxruntime", precision="bf16")


def test_unknown_names_are_refused(plain: ModelBundle) -> None:
    with pytest.raises(UsageError, match="fp32"):
        choose(plain, precision="fp32")
    with pytest.raises(UnknownName, match="onnxruntime"):
        choose(plain, runtime="onnxruntme")


def test_the_graphs_of_all_roles_are_opened(plain: ModelBundle) -> None:
    assert list(open_graphs(plain, onnx.RUNTIME, "f32", threads=1)) == ["model"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "image"}, r"inputs are \['in'\], stated \['image'\]"),
        ({"dims": ["n", 1, "h", "w"]}, r"\(batch, 3, height, width\), stated \(n, 1, h, w\)"),
        ({"dims": ["n", 3, "h"]}, r"stated \(n, 3, h\)"),
        ({"dtype": "uint8"}, "is float32, stated uint8"),
    ],
)
def test_a_graph_that_is_not_as_stated_is_refused(plain: ModelBundle, change: dict, said: str) -> None:
    graph = plain.spec.graphs["model"]
    stated = msgspec.structs.replace(graph, inputs=[msgspec.structs.replace(graph.inputs[0], **change)])
    spec = msgspec.structs.replace(plain.spec, graphs={"model": stated})
    with pytest.raises(BundleError, match=said):
        open_graphs(ModelBundle(plain.path, spec), onnx.RUNTIME, "f32", threads=1)
