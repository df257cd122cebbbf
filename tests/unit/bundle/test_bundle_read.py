"""Reading a bundle: what is sound is read, everything else is refused with one sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bundles
from pixelwright.bundle import ModelBundle, files, read_bundle, write_bundle
from pixelwright.errors import BundleError
from pixelwright.schemas import BUNDLE_SCHEMA, bundle_schema
from pixelwright.structures.spec import Parity

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return bundles.brightness(tmp_path / "small").path


def change(folder: Path, edit: Change) -> dict[str, Any]:
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return content


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(BundleError) as caught:
        read_bundle(folder, **options)
    assert caught.value.path == str(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def put(*path: Any, value: Any) -> Change:
    def edit(content: dict[str, Any]) -> None:
        place: Any = content
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return edit


def test_a_sound_bundle_is_read_with_its_files(small: Path) -> None:
    bundle = read_bundle(str(small), verify="full")
    assert bundle.spec.output.labels == ["dark", "bright"]
    assert bundle.file("model") == small / "model.onnx"


def test_a_role_that_is_not_there_is_named(small: Path) -> None:
    with pytest.raises(BundleError, match="no artifact has the role 'probe'; there are: model"):
        read_bundle(small).file("probe")


def test_digest_follows_the_content_not_the_formatting(small: Path) -> None:
    before = read_bundle(small).digest
    change(small, lambda content: None)
    assert read_bundle(small).digest == before
    change(small, put("summary", value="Another one."))
    assert read_bundle(small).digest != before


def test_a_folder_without_a_contract_is_no_bundle(tmp_path: Path) -> None:
    assert "there is no bundle.json" in refusal(tmp_path)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}', b'{"a": 1e999}'])
def test_what_is_not_json_is_refused(small: Path, raw: bytes) -> None:
    (small / "bundle.json").write_bytes(raw)
    refusal(small)


def test_a_contract_over_the_limit_is_refused(small: Path) -> None:
    (small / "bundle.json").write_bytes(b" " * 4_000_001)
    assert "over 4 MB" in refusal(small)


def test_an_unknown_schema_says_which_is_known(small: Path) -> None:
    change(small, put("schema", value="pixelwright-bundle/9"))
    said = refusal(small)
    assert "'pixelwright-bundle/9'" in said and "'pixelwright-bundle/1'" in said and "Update pixelwright" in said


SHAPE_FAULTS: list[tuple[Change, str]] = [
    (put("surprise", value=1), "unknown field `surprise`"),
    (put("input", "surprise", value=1), "unknown field `surprise`"),
    (put("name", value="../x"), "name"),
    (put("name", value="small\n"), "name"),
    (put("version", value="1.0"), "version"),
    (put("input", "mean", value=[None]), "float"),
    (put("input", "std", value=[0.0]), "std"),
    (put("input", "white", value=1e30), "white"),
    (put("input", "resize", "size_hw", value=[10**9, 10**9]), "size_hw"),
    (put("input", "crop_hw", value=[0, 5]), "crop_hw"),
    (put("input", "color", value="cmyk"), "color"),
    (put("artifacts", value=[]), "artifacts"),
    (put("artifacts", 0, "format", value="pickle"), "format"),
    (put("artifacts", 0, "files", 0, "sha256", value="0" * 63), "sha256"),
    (put("artifacts", 0, "files", 0, "bytes", value=-1), "bytes"),
    (put("graphs", value={}), "graphs"),
    (put("decision", "temperature", value=0), "temperature"),
    (put("decision", "thresholds", value={"dark": 1.5}), "thresholds"),
    (lambda content: content.pop("license"), "license"),
]


@pytest.mark.parametrize(("edit", "named"), SHAPE_FAULTS)
def test_a_fault_of_shape_is_refused_and_the_schema_agrees(small: Path, edit: Change, named: str) -> None:
    content = change(small, edit)
    assert named in refusal(small)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(BUNDLE_SCHEMA.read_bytes()))


def test_the_schema_accepts_what_is_written(small: Path) -> None:
    jsonschema.validate(json.loads((small / "bundle.json").read_bytes()), json.loads(BUNDLE_SCHEMA.read_bytes()))


def test_the_schema_file_is_what_the_types_make() -> None:
    assert BUNDLE_SCHEMA.read_bytes() == bundle_schema(), "run: python -m pixelwright.schemas"


def add_artifact(role: str, path: str) -> Change:
    file = {"path": path, "bytes": 0, "sha256": "0" * 64}
    return lambda content: content["artifacts"].append({"role": role, "format": "onnx", "files": [file]})


def both(first: Change, second: Change) -> Change:
    def edit(content: dict[str, Any]) -> None:
        first(content)
        second(content)

    return edit


MEASURED = {
    "metric": "psnr", "definition": "", "value": 3.0, "n": 1, "data": {"name": "x", "fingerprint": "0" * 64},
    "runtime": "onnxruntime", "date": "2026-11-22", "ci95": [4.0, 5.0],
}  # fmt: skip
PARITY = {"runtime": "openvino", "precision": "f32", "n": 1, "largest_difference": 0.0, "tolerance": 0.1}
FILE = ("artifacts", 0, "files", 0)
INPUT = ("graphs", "model", "inputs", 0)


def picodet(**parameters: Any) -> dict[str, Any]:
    """The output of a contract whose decoder takes lists of outputs."""
    given = {"scores": ["logits"], "boxes": ["logits"], "strides": [8], **parameters}
    return {"decoder": "picodet", "parameters": given, "labels": ["dark", "bright"]}


MEANING_FAULTS: list[tuple[Change, str]] = [
    (put(*FILE, "path", value="/etc/passwd"), "is absolute"),
    (put(*FILE, "path", value="../model.onnx"), "leads out of the folder"),
    (put(*FILE, "path", value="a/../../model.onnx"), "leads out of the folder"),
    (put(*FILE, "path", value="a\\model.onnx"), "holds the character"),
    (put(*FILE, "path", value="C:/model.onnx"), "holds the character ':'"),
    (put(*FILE, "path", value="model.onnx\x00"), "holds the character"),
    (put(*FILE, "path", value="*/_ORT_MEM_ADDR_/*"), "holds the character '*'"),
    (put(*FILE, "path", value="./model.onnx"), "is not a plain path"),
    (put(*FILE, "path", value="nul.onnx"), "is no file name on Windows"),
    (put(*FILE, "path", value="bundle.json"), "the bundle's own file"),
    (add_artifact("model", "other.onnx"), "the role 'model' stands there twice"),
    (add_artifact("other", "MODEL.onnx"), "'model.onnx' is listed twice"),
    (put("artifacts", 0, "role", value="encoder"), "'model' has no onnx artifact"),
    (put("output", "decoder", value="softmacks"), "Did you mean 'softmax'?"),
    (put("output", "parameters", value={"output": "logits", "axis": 1}), "it takes output"),
    (put("output", "parameters", value={}), "does not take these"),
    (put("output", "parameters", value={"output": 5}), "output.parameters.output: Expected `str`"),
    (put("output", "parameters", value={"output": "logit"}), "no graph has an output 'logit'"),
    (put("output", "parameters", "temperature", value=2.0), "belongs into decision.temperature"),
    (put("output", "parameters", value={"output": "logits", "temperature": -1}), "temperature"),
    (put("output", "decoder", value="image"), "'logits' has 2 dimensions, and the decoder 'image' takes 4"),
    (put("output", value=picodet(boxes=["boxes"])), "output.parameters.boxes: no graph has an output 'boxes'"),
    (put("output", value=picodet(scores=["logits"])), "'logits' has 2 dimensions, and the decoder 'picodet' takes 3"),
    (put("output", value=picodet(scores="logits")), "output.parameters.scores: Expected `array`"),
    (put("output", value=picodet(strides=[0])), "output.parameters.strides: Expected `int` >= 1"),
    (put("output", "labels", value=["dark"]), "1 labels for 2 classes"),
    (put("output", "labels", value=[]), "0 labels for 2 classes"),
    (put("decision", "thresholds", value={"drak": 0.5}), "'drak' is no label"),
    (put("input", "mean", value=[0.5, 0.5]), "2 values for 1 channels"),
    (put("input", "std", value=[0.5, 0.5, 0.5]), "3 values for 1 channels"),
    (put("input", "dtype", value="uint8"), "takes float32, input.dtype is uint8"),
    (put("input", "resize", value=None), "has H = 8, but input makes any size"),
    (put("input", "channels", value="rgb"), "has C = 1, but input makes 3"),
    (put("input", "crop_hw", value=[9, 4]), "does not fit into the resized 8x8"),
    (put("input", "resize", "size_hw", value=[65536, 65536]), "megapixels"),
    (put(*INPUT, "dims", value=["batch", 64]), "has 2 dimensions"),
    (put("graphs", "model", "states", value={"logits": "h"}), "is no output fed to an input"),
    (put("tiling", value={"halo_px": 8}), "stands together with input.resize"),
    (both(put("input", "resize", value=None), put("input", "reduced_decode", value=1.0)), "without a resize"),
    (put("measured", value=[MEASURED]), "outside its interval"),
    (put("parity", value=[PARITY, PARITY]), "'openvino f32' stands there twice"),
]


@pytest.mark.parametrize(("edit", "named"), MEANING_FAULTS)
def test_a_fault_of_meaning_is_refused(small: Path, edit: Change, named: str) -> None:
    change(small, edit)
    assert named in refusal(small)


IMAGE_PARAMETERS: list[tuple[str, Any, bool]] = [
    *(("scale", good, True) for good in (1, 2, 16)),
    *(("scale", bad, False) for bad in (0, -2, 17, 10**9, 1e9, 1.5, True, "2", None, [2])),
    *(("white", good, True) for good in (1, 255, 0.5)),
    *(("white", bad, False) for bad in (0, 0.0, -1.0, 1e300, "1", None)),
]


@pytest.mark.parametrize(("name", "value", "sound"), IMAGE_PARAMETERS)
def test_a_decoders_parameters_keep_to_their_range(tmp_path: Path, name: str, value: Any, sound: bool) -> None:
    folder = bundles.blur(tmp_path / "blur").path
    change(folder, put("output", "parameters", name, value=value))
    if sound:
        assert read_bundle(folder).spec.output.parameters[name] == value
    else:
        assert f"output.parameters.{name}: Expected" in refusal(folder)


def test_softmax_over_a_map_is_refused(tmp_path: Path) -> None:
    folder = bundles.blur(tmp_path / "blur").path
    change(folder, put("output", value={"decoder": "softmax", "parameters": {"output": "out"}, "labels": list("abc")}))
    assert "'out' has 4 dimensions, and the decoder 'softmax' takes 2" in refusal(folder)


def test_all_faults_are_named_at_once(small: Path) -> None:
    change(small, both(put("output", "labels", value=["dark"]), put("tiling", value={"halo_px": 8})))
    said = refusal(small)
    assert "1 labels for 2 classes" in said and "tiling" in said


def test_a_missing_file_is_named(small: Path) -> None:
    (small / "model.onnx").unlink()
    assert "model.onnx is missing" in refusal(small)


def test_a_changed_byte_shows_both_checksums(small: Path) -> None:
    stated = read_bundle(small).spec.artifacts[0].files[0].sha256
    raw = bytearray((small / "model.onnx").read_bytes())
    raw[-1] ^= 1
    (small / "model.onnx").write_bytes(raw)
    said = refusal(small)
    assert stated in said and files.sha256_of(small / "model.onnx") in said


def test_a_file_of_another_size_is_refused(small: Path) -> None:
    with (small / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert "model.onnx has" in refusal(small)


def test_a_link_out_of_the_folder_is_refused(small: Path) -> None:
    outside = small.parent / "outside.onnx"
    (small / "model.onnx").rename(outside)
    (small / "model.onnx").symlink_to(outside)
    assert "leads outside" in refusal(small)


def test_a_linked_folder_out_of_the_bundle_is_refused(small: Path) -> None:
    (small.parent / "elsewhere").mkdir()
    shutil.move(small / "model.onnx", small.parent / "elsewhere" / "model.onnx")
    (small / "sub").symlink_to(small.parent / "elsewhere", target_is_directory=True)
    change(small, put(*FILE, "path", value="sub/model.onnx"))
    assert "leads outside" in refusal(small)


def test_a_link_to_itself_is_refused(small: Path) -> None:
    (small / "model.onnx").unlink()
    (small / "model.onnx").symlink_to(small / "model.onnx")
    refusal(small)


def test_a_link_that_stays_inside_is_read(small: Path) -> None:
    (small / "model.onnx").rename(small / "kept.onnx")
    (small / "model.onnx").symlink_to("kept.onnx")
    assert read_bundle(small, verify="full").file("model").is_file()


def external_model(folder: Path, location: str) -> Path:
    """A model of one bias whose 4 bytes are kept in another file."""
    bias = numpy_helper.from_array(np.zeros(1, np.float32), "bias")
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    entry = bias.external_data.add()
    entry.key, entry.value = "location", location
    graph = helper.make_graph(
        [helper.make_node("Add", ["in", "bias"], ["out"])],
        "external",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [bias],
    )
    path = folder / "external.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=10).SerializeToString())
    return path


def external_spec() -> Any:
    tensor = bundles.TensorSpec("in", "float32", ["n", 3, "h", "w"])
    made = msgspec.structs.replace(tensor, name="out")
    return bundles.spec(graphs={"model": bundles.GraphSpec([tensor], [made])})


def test_external_data_beside_the_model_is_written_and_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(4))
    model = external_model(tmp_path, "weights.bin")
    bundle = write_bundle(tmp_path / "b", external_spec(), {"model": [model, tmp_path / "weights.bin"]})
    assert [file.path for file in bundle.spec.artifacts[0].files] == ["model/external.onnx", "model/weights.bin"]
    onnx.load(bundle.file("model"))  # finds its weights


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "", "*/_ORT_MEM_ADDR_/*", "C:\\x"])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(BundleError, match="keeps weights in"):
        write_bundle(tmp_path / "b", external_spec(), {"model": external_model(tmp_path, location)})
    assert not (tmp_path / "b").exists()


def test_external_data_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    model = external_model(tmp_path, "weights.bin")
    with pytest.raises(BundleError, match="does not list"):
        write_bundle(tmp_path / "b", external_spec(), {"model": model})


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fake.onnx").write_bytes(b"ORTM" * 50)
    with pytest.raises(BundleError, match="not an ONNX file"):
        write_bundle(tmp_path / "b", external_spec(), {"model": tmp_path / "fake.onnx"})


def test_a_big_file_is_hashed_once_and_trusted_by_its_stamp(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STAMPED_FROM_BYTES", 0)
    hashed: list[Path] = []
    monkeypatch.setattr(files, "sha256_of", lambda path, real=files.sha256_of: hashed.append(path) or real(path))
    read_bundle(small)
    read_bundle(small)
    assert len(hashed) == 1
    read_bundle(small, verify="full")
    assert len(hashed) == 2
    model = small / "model.onnx"
    raw = bytearray(model.read_bytes())
    raw[-1] ^= 1
    model.write_bytes(raw)
    os.utime(model, ns=(1, 1))
    assert "was altered" in refusal(small)


def test_a_stamp_that_cannot_be_written_is_no_error(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STAMPED_FROM_BYTES", 0)
    monkeypatch.setenv("PIXELWRIGHT_CACHE", str(small / "bundle.json"))  # a file where a folder should be
    read_bundle(small)


def test_the_cache_stands_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELWRIGHT_CACHE", "/somewhere")
    assert files.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("PIXELWRIGHT_CACHE")
    monkeypatch.setattr(files.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert files.cache_folder() == Path("/xdg/pixelwright")
    monkeypatch.setattr(files.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert files.cache_folder() == Path("/local/pixelwright/cache")


def test_the_identity_is_of_what_decides_answers_alone(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "b")
    timed = Parity("openvino", "f32", 1, 0.0, 1e-3, relative_time=0.5)
    measured = ModelBundle(bundle.path, msgspec.structs.replace(bundle.spec, parity=[timed]))
    assert (measured.identity == bundle.identity, measured.digest == bundle.digest) == (True, False)
    other = msgspec.structs.replace(bundle.spec, input=msgspec.structs.replace(bundle.spec.input, channels="bgr"))
    assert ModelBundle(bundle.path, other).identity != bundle.identity
