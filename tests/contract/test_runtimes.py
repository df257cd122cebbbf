"""What every runtime must do; a new entry in the registry is tested without a new test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bundles
import tolerance
from pixelwright import registry
from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.protocol import Graph, Runtime

REFERENCE = "onnxruntime"


@pytest.fixture(params=registry.names("runtime"))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    found: Runtime = registry.get("runtime", request.param)
    if reason := found.available():
        pytest.skip(reason)
    assert found.name == request.param
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.blur(tmp_path_factory.mktemp("runtimes") / "blur", gain=2.0).file("model")


def picture(height: int, width: int, *, batch: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((batch, 3, height, width), np.float32)


def expected(image: np.ndarray) -> np.ndarray:
    """Twice the 5x5 box blur with zeros outside, in NumPy."""
    padded = np.pad(image.astype(np.float64), ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
    return 2 * windows.mean(axis=(4, 5))


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (17, 9), (64, 40)])
def test_the_answer_is_the_arithmetic_of_the_graph(runtime: Runtime, model: Path, size_hw: tuple[int, int]) -> None:
    image = picture(*size_hw)
    made = runtime.open(model, threads=1).run({"in": image})["out"]
    relative, absolute = tolerance.FLOAT32
    np.testing.assert_allclose(made, expected(image), rtol=relative, atol=absolute)


def test_one_graph_takes_size_after_size_and_batches(runtime: Runtime, model: Path) -> None:
    graph, reference = runtime.open(model, threads=1), registry.get("runtime", REFERENCE).open(model, threads=1)
    relative, absolute = tolerance.ACROSS_RUNTIMES
    for height, width, batch in ((8, 8, 1), (31, 5, 3), (8, 8, 2), (1, 50, 1)):
        image = picture(height, width, batch=batch)
        wanted = reference.run({"in": image})["out"]
        np.testing.assert_allclose(graph.run({"in": image})["out"], wanted, rtol=relative, atol=absolute)


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_a_lower_precision_is_near_or_refused(runtime: Runtime, model: Path, precision: str) -> None:
    if runtime.available(precision):  # pyright: ignore[reportArgumentType]
        with pytest.raises(RuntimeFailure, match=precision):
            runtime.open(model, precision=precision)  # pyright: ignore[reportArgumentType]
        return
    image = picture(16, 16)
    made = runtime.open(model, precision=precision, threads=1).run({"in": image})["out"]  # pyright: ignore[reportArgumentType]
    # A sum of 25: two roundings more than the table's single one (measured 1.0e-2).
    np.testing.assert_allclose(made, expected(image), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_the_number_of_threads_does_not_change_the_answer(runtime: Runtime, model: Path, threads: int) -> None:
    image = picture(33, 20)
    relative, absolute = tolerance.FLOAT32
    made = runtime.open(model, threads=threads).run({"in": image})["out"]
    np.testing.assert_allclose(made, expected(image), rtol=relative, atol=absolute)


def test_eight_threads_at_once_get_their_own_answers(runtime: Runtime, model: Path) -> None:
    graph = runtime.open(model, threads=1)
    images = [picture(16 + seed % 3, 24, seed=seed) for seed in range(40)]
    alone = [graph.run({"in": image})["out"].copy() for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: graph.run({"in": image})["out"], images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_answer_is_the_callers_own(runtime: Runtime, model: Path) -> None:
    graph = runtime.open(model, threads=1)
    first = graph.run({"in": picture(8, 8, seed=1)})["out"]
    kept = first.copy()
    graph.run({"in": picture(8, 8, seed=2)})
    np.testing.assert_array_equal(first, kept)
    assert first.flags.writeable


def test_a_strided_feed_is_taken(runtime: Runtime, model: Path) -> None:
    image = picture(12, 20)
    flipped = image[:, :, ::-1, ::2]
    made = runtime.open(model, threads=1).run({"in": flipped})["out"]
    relative, absolute = tolerance.FLOAT32
    np.testing.assert_allclose(made, expected(flipped), rtol=relative, atol=absolute)


def test_no_number_comes_out_as_no_number(runtime: Runtime, model: Path) -> None:
    image = picture(8, 8)
    image[0, 0, 0, 0] = np.nan
    assert np.isnan(runtime.open(model, threads=1).run({"in": image})["out"][0, 0, 0, 0])


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "'in' is missing"),
        ({"image": picture(4, 4)}, "'image' is no input"),
        ({"in": picture(4, 4).astype(np.float64)}, "expected float32, got float64"),
        ({"in": picture(4, 4)[0]}, "got \\(3, 4, 4\\)"),
        ({"in": picture(4, 4)[:, :2]}, "got \\(1, 2, 4, 4\\)"),
    ],
)
def test_a_wrong_feed_is_refused_with_a_sentence(runtime: Runtime, model: Path, feeds: dict, said: str) -> None:
    with pytest.raises(RuntimeFailure, match=said):
        runtime.open(model, threads=1).run(feeds)


def test_what_the_graph_takes_and_makes_is_told(runtime: Runtime, model: Path) -> None:
    graph: Graph = runtime.open(model, threads=1)
    assert [(t.name, t.dtype, len(t.dims)) for t in graph.inputs] == [("in", "float32", 4)]
    assert [(t.name, t.dtype, len(t.dims)) for t in graph.outputs] == [("out", "float32", 4)]
    assert graph.inputs[0].dims[1] == 3 and isinstance(graph.inputs[0].dims[2], str)


def test_a_damaged_file_is_refused_and_nothing_is_printed(
    runtime: Runtime, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x0a\x3a\x05abc")
    with pytest.raises(RuntimeFailure, match=r"broken\.onnx"):
        runtime.open(broken)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:1"])
def test_an_unknown_device_is_refused(runtime: Runtime, model: Path, device: str) -> None:
    with pytest.raises(RuntimeFailure, match=device):
        runtime.open(model, device=device)


def test_names_beyond_ascii_open(runtime: Runtime, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "Größe 模型.onnx"
    path.write_bytes(model.read_bytes())
    assert runtime.open(path, threads=1).run({"in": picture(4, 4)})["out"].shape == (1, 3, 4, 4)
    assert runtime.version()
