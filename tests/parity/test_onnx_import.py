"""Published ONNX files, imported, answer as they did before; and as bundles they do what they are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import skimage

from pixelwright.cli import main
from pixelwright.interop.onnx import read
from pixelwright.interop.probe_picture import probe_picture
from pixelwright.model import load

pytestmark = pytest.mark.shared

ULTRAFACE = "ultraface_rfb320/version-RFB-320"
# file, opset, free sizes
FILES = {
    "fastestdet_coco/FastestDet.onnx": (11, ["batch", 3, 352, 352]),
    f"{ULTRAFACE}.onnx": (9, ["batch", 3, 240, 320]),
    f"{ULTRAFACE}_simplified.onnx": (9, ["batch", 3, "height", "width"]),
    f"{ULTRAFACE}_without_postprocessing.onnx": (9, ["batch", 3, "height", "width"]),
    "mobilefacenet/MobileFaceNet.onnx": (18, ["batch", 3, 112, 112]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_published_network_answers_as_before_in_any_batch(name: str, shared: Path) -> None:
    path = shared / "models" / name
    imported = read(path)
    before, after = (
        onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
        for raw in (path.read_bytes(), imported.model.SerializeToString())
    )
    (entry,) = after.get_inputs()
    assert entry.shape == FILES[name][1]
    assert [(one.domain, one.version) for one in imported.model.opset_import] == [("", 21)]
    height, width = (size for size in before.get_inputs()[0].shape[2:])
    single = [
        ((probe_picture((height, width), variant).astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
        for variant in (0, 1)
    ]
    expected = [before.run(None, {entry.name: picture}) for picture in single]
    together = after.run(None, {entry.name: np.concatenate(single)})
    assert [one.name for one in after.get_outputs()] == [one.name for one in before.get_outputs()]
    for first, second, both in zip(*expected, together, strict=True):
        wanted = np.concatenate([first, second])
        assert np.abs(both - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_the_three_exports_of_one_network_agree(shared: Path) -> None:
    """The raw one and the simplified one; the first of the three has its boxes decoded."""
    picture = ((probe_picture((240, 320)).astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    made = []
    for ending in ("", "_simplified", "_without_postprocessing"):
        model = read(shared / "models" / f"{ULTRAFACE}{ending}.onnx").model
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        made.append(dict(zip(("scores", "boxes"), session.run(["scores", "boxes"], {"input": picture}), strict=True)))
    for other in made[1:]:
        np.testing.assert_allclose(other["scores"], made[0]["scores"], atol=1e-4)  # measured: 2e-5
    np.testing.assert_allclose(made[1]["boxes"], made[2]["boxes"], atol=2e-3)  # of offsets up to 10


def test_networks_freed_in_size_answer_at_another_size_as_rebuilt_for_it(shared: Path) -> None:
    """Rows of the raw detector grow with the picture: strides 8, 16, 32 and 64 with 3, 2, 2 and 3 boxes a cell."""
    model = read(shared / "models" / f"{ULTRAFACE}_without_postprocessing.onnx").model
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores, boxes) = session.run(["scores", "boxes"], {"input": np.zeros((1, 3, 480, 640), np.float32)})
    rows = 80 * 60 * 3 + 40 * 30 * 2 + 20 * 15 * 2 + 10 * 8 * 3
    assert (scores.shape, boxes.shape) == ((1, rows, 2), (1, rows, 4))


def test_a_published_detector_becomes_a_bundle_and_finds_people(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "models" / "fastestdet_coco"
    contract = tmp_path / "contract.toml"
    contract.write_text(
        """
        task = "detect"
        input = { channels = "bgr", resize = { rule = "stretch", size_hw = [352, 352] } }
        [output]
        decoder = "fastestdet"
        parameters = { output = "758" }
        suppression = { iou_threshold = 0.45 }
        [license]
        code = { license = "BSD-3-Clause", commercial = "yes" }
        weights = { license = "BSD-3-Clause", commercial = "unknown" }
        """
    )
    files = [str(folder / "FastestDet.onnx"), str(folder / "coco.names")]
    assert main(["convert", *files, "--contract", str(contract), "-o", str(tmp_path / "finder")]) == 0
    assert "openvino f32" in capsys.readouterr().out
    found = load(tmp_path / "finder")(Path(skimage.__file__).parent / "data" / "astronaut.png", threshold=0.5)
    assert "person" in set(found.labels)


def test_a_published_quantized_classifier_becomes_a_bundle_without_a_contract(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared / "models" / "mobilenet_v2_imagenet_uint8" / "mobilenet_v2_1.0_224_quant.tflite"
    assert main(["convert", str(path), "--task", "classify", "-o", str(tmp_path / "imagenet")]) == 0
    assert "rows sum to one" in capsys.readouterr().out
    answer = load(tmp_path / "imagenet")(Path(skimage.__file__).parent / "data" / "chelsea.png")
    assert "cat" in answer.labels[0]
