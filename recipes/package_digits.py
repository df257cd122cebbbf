"""What there is to say of the reader of digits: contract, temperature, scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist import HELD_OUT, read_mnist
from package_measure import fingerprint, measured
from package_plan import Floats, Plan
from pixelwright.runtimes.onnx import RUNTIME as REFERENCE
from pixelwright.structures import spec as s

PARITY_IMAGES = 200
BATCH = 50
TEMPERATURES = np.geomspace(0.2, 5.0, 2001)
DEFINITION = (
    "Share of images whose highest score is the right class, single forward pass on 28x28 gray; "
    "interval: percentile bootstrap over images"
)


def read_held_out(data: Path) -> tuple[Floats, NDArray[np.uint8]]:
    """The held-out images in both polarities, `(4000, 1, 28, 28)` 0..1, and their labels."""
    images, labels = read_mnist(data, "train20k")
    images, labels = images[-HELD_OUT:], labels[-HELD_OUT:]
    return np.concatenate((images, 1 - images)), np.concatenate((labels, labels))


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """The temperature of least negative log-likelihood (Guo et al., ICML 2017, section 4.2)."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        picked = scaled[np.arange(len(labels)), labels]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - picked))

    return float(round(min(TEMPERATURES, key=loss), 4))


def draw_digits() -> list[Floats]:
    """Digits drawn here (MNIST itself is share-alike), blurred, in both polarities: two batches of ten."""
    images = np.zeros((10, 1, 28, 28), np.float32)
    for digit in range(10):
        canvas = np.zeros((28, 28), np.uint8)
        cv2.putText(canvas, str(digit), (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.75, 255.0, 2, cv2.LINE_AA)
        images[digit, 0] = np.rint(cv2.GaussianBlur(canvas, (3, 3), 0.6)) / np.float32(255)
    return [images, 1 - images]


def licenses() -> s.License:
    """The terms: what is certain, and what is not."""
    ours = s.Terms("Apache-2.0", "yes", url="https://www.apache.org/licenses/LICENSE-2.0", name="ours")
    mnist = s.Terms(
        "CC-BY-SA-3.0",
        "yes",
        url="http://yann.lecun.com/exdb/mnist/",
        name="MNIST, first 18,000 training images",
        note="LeCun, Cortes, Burges. Usually cited as CC BY-SA 3.0; the copy used does not state it. No image is "
        "shipped. Whether weights adapt share-alike training images is not settled law.",
    )
    return s.License(ours, ours, [mnist])


def scored(data: Path, scores: Mapping[str, Any]) -> list[s.Measured]:
    """Accuracy on the MNIST test set and on the held-out images, by polarity."""
    rows = []
    for key, name, split, files in (
        ("t10k", "MNIST", "test, 10,000 images", "t10k"),
        ("held-out", "MNIST", "the last 2,000 of the first 20,000 training images, used to choose", "train20k"),
    ):
        paths = sorted((data / "mnist").glob(f"{files}-*.gz"))
        described = s.Data(name, fingerprint(path.read_bytes() for path in paths), split)
        for polarity, words in (("white-on-black", "as in MNIST"), ("black-on-white", "negative: dark ink on paper")):
            rows.append(
                measured(
                    scores,
                    f"{key}/accuracy/{polarity}",
                    metric="accuracy",
                    definition=DEFINITION,
                    data=described,
                    condition=words,
                )
            )
    return rows


def plan(data: Path, model: Path, scores: Mapping[str, Any]) -> Plan:
    """Everything package.py needs; fits the temperature."""
    images, labels = read_held_out(data)
    graph = REFERENCE.open(model, threads=1)
    parts = np.split(images, len(images) // 500)
    logits = np.concatenate([graph.run({"image": part})["logits"] for part in parts]).astype(np.float64)
    every = len(images) // PARITY_IMAGES
    picked, truth = images[::every], labels[::every]

    def accuracy(outputs: Sequence[Floats]) -> float:
        return float(np.mean(np.concatenate(outputs).argmax(axis=1) == truth))

    return Plan(
        task="classify",
        architecture="plaincnn digits",
        summary="Reads one handwritten digit in a tightly cut picture, light on dark or dark on light.",
        recipe="recipes/digits.py, 12 minutes on one core",
        input=s.InputSpec(
            color="srgb", channels="gray", depth="8-bit", alpha="flatten", resize=s.Resize("stretch", (28, 28))
        ),
        output=s.OutputSpec("softmax", {"output": "logits"}, [str(digit) for digit in range(10)]),
        tiling=None,
        decision=s.Decision(temperature=fit_temperature(logits, labels)),
        license=licenses(),
        measured=scored(data, scores),
        metric_name="accuracy",
        metric=accuracy,
        real=np.split(picked, len(picked) // BATCH),
        probe=draw_digits(),
    )
