"""Writing a bundle: all of it or nothing, never over something else, and read back as it was."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bundles
from pixelwright.bundle import parse_spec, read_bundle, write_bundle
from pixelwright.errors import BundleError
from pixelwright.structures import spec as s


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    written = bundles.blur(tmp_path / "b")
    assert read_bundle(tmp_path / "b", verify="full") == written
    assert sorted(p.name for p in written.path.iterdir()) == ["README.md", "bundle.json", "model.onnx"]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (bundles.blur(tmp_path / name) for name in ("a", "b"))
    for name in ("bundle.json", "README.md"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


def test_a_faulty_contract_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="labels"):
        bundles.brightness(tmp_path / "b", output=s.OutputSpec("softmax", {"output": "logits"}, ["one"]))
    assert [p.name for p in tmp_path.iterdir()] == ["brightness.onnx"]


def test_a_value_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="mean"):
        bundles.blur(tmp_path / "b", input=s.InputSpec(mean=[math.nan] * 3))


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("years of work")
    bundle = bundles.blur(tmp_path / "a")
    for replace in (False, True):
        with pytest.raises(BundleError, match="not empty and no bundle"):
            write_bundle(tmp_path / "b", bundle.spec, {"model": bundle.file("model")}, replace=replace)
    assert (tmp_path / "b" / "thesis.txt").read_text() == "years of work"


def test_a_bundle_is_replaced_only_on_request(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "b")
    model = tmp_path / "blur.onnx"
    changed = msgspec.structs.replace(bundle.spec, version="2.0.0")
    with pytest.raises(BundleError, match="already stands there"):
        write_bundle(bundle.path, changed, {"model": model})
    write_bundle(bundle.path, changed, {"model": model}, replace=True)
    assert read_bundle(bundle.path).spec.version == "2.0.0"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "blur.onnx"]


def test_replacing_never_loses_a_file_of_someone_else(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "b")
    (bundle.path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"would lose notes\.txt"):
        write_bundle(bundle.path, bundle.spec, {"model": tmp_path / "blur.onnx"}, replace=True)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert bundles.blur(tmp_path / "b").path.is_dir()


@pytest.mark.parametrize(
    ("name", "said"), [("gone.onnx", "there is no file"), ("model.pkl", r"expected a file \.onnx")]
)
def test_a_file_that_cannot_be_taken_is_named(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        write_bundle(tmp_path / "b", bundles.spec(), {"model": tmp_path / name})


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    bundle = bundles.blur(tmp_path / "a")
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "file" / "b", bundle.spec, {"model": bundle.file("model")})


def test_names_beyond_ascii_are_fine(tmp_path: Path) -> None:
    assert read_bundle(bundles.blur(tmp_path / "Größe 模型").path, verify="full")


text = st.text(max_size=60)
finite = st.floats(-1e12, 1e12)
terms = st.builds(
    s.Terms, license=text, commercial=st.sampled_from(["yes", "no", "unknown"]), url=text, note=text, name=text
)
measured = st.builds(
    lambda value, width, **rest: s.Measured(value=value, ci95=(value - width, value + width), **rest),
    value=st.floats(-1e9, 1e9),
    width=st.floats(0, 1e6),
    metric=st.just("psnr"),
    definition=text,
    n=st.integers(1, 10**6),
    data=st.builds(s.Data, name=text, fingerprint=st.just("0" * 64), split=text),
    runtime=st.just("onnxruntime"),
    date=st.just("2026-11-22"),
    condition=text,
)
parity = st.builds(
    s.Parity,
    runtime=st.just("openvino"),
    precision=st.just("bf16"),
    n=st.integers(1, 99),
    largest_difference=st.floats(0, 1),
    tolerance=st.floats(1e-6, 1),
    metric=text,
    metric_delta=finite,
)
tensor = s.TensorSpec("x", "float32", ["n", 3, "h", "w"])
specs = st.builds(
    s.BundleSpec,
    schema=st.just(s.SCHEMA_ID),
    name=st.just("made-up"),
    version=st.just("1.2.3"),
    task=st.sampled_from(["enhance", "unheard-of"]),
    architecture=text,
    summary=text,
    artifacts=st.just([s.Artifact("model", "onnx", [s.FileSpec("model.onnx", 5, "0" * 64)])]),
    graphs=st.just({"model": s.GraphSpec([tensor], [tensor])}),
    input=st.builds(s.InputSpec, mean=st.lists(finite, min_size=3, max_size=3), multiple_of=st.integers(1, 4)),
    output=st.just(s.OutputSpec("image", {"output": "x", "scale": 2})),
    license=st.builds(s.License, code=terms, weights=terms, data=st.lists(terms, max_size=3)),
    provenance=st.builds(s.Provenance, toolkit=text, recipe=text, seed=st.none() | st.integers(-(2**62), 2**62)),
    measured=st.lists(measured, max_size=3),
    parity=st.lists(parity, max_size=1),
)


@settings(max_examples=60, deadline=None)
@given(specs)
def test_a_contract_survives_json(spec: s.BundleSpec) -> None:
    assert parse_spec(msgspec.json.encode(spec), Path("made-up")) == spec


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def places(content: object, path: tuple = ()) -> list[tuple]:
    """The path of every value in a JSON document."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [found for key, value in pairs for found in [(*path, key), *places(value, (*path, key))]]


@settings(max_examples=150, deadline=None)
@given(spec=specs, data=st.data())
def test_any_value_anywhere_is_read_or_refused_with_a_sentence(spec: s.BundleSpec, data: st.DataObject) -> None:
    content = msgspec.to_builtins(spec)
    place = content
    *path, last = data.draw(st.sampled_from(places(content)))
    for step in path:
        place = place[step]
    place[last] = data.draw(values)
    try:
        parse_spec(msgspec.json.encode(content), Path("made-up"))
    except BundleError as err:
        assert str(err).startswith("bundle made-up: bundle.json")
