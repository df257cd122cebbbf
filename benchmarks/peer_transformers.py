"""The `transformers` side of `bench_classify.py`, run by an interpreter that has torch and transformers.

peer_transformers.py make DIR PHOTOS   writes the network, if it is not there: DIR/resnet18.onnx and DIR/hf/
peer_transformers.py run DIR LIST      classifies the files of a list with the image-classification pipeline
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetForImageClassification, pipeline

from source_photos import draw_crops, list_photos

PROTOTYPES = 1000
# Another seed and range of zooms than the test pictures have: a prototype made from a test picture would always win it.
SEED, LEAST_ZOOM = 1, 0.5
SIZE_WH = (341, 256)  # the test pictures' 4:3, as they come out of the resize


def make(work: Path, photos: Path) -> None:
    """A ResNet-18 with random convolutions whose last layer tells crops of the photos apart."""
    if (work / "resnet18.onnx").exists():
        return
    torch.manual_seed(0)
    config = ResNetConfig(
        layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], embedding_size=64, num_labels=1000
    )
    network = ResNetForImageClassification(config).eval()
    processor = _processor()
    crops = draw_crops(list_photos(photos), PROTOTYPES, seed=SEED, least_zoom=LEAST_ZOOM)
    with torch.no_grad():
        tensors = [processor(crop.read(SIZE_WH), return_tensors="pt")["pixel_values"] for crop in crops]
        features = torch.cat([network.resnet(tensor).pooler_output.flatten(1) for tensor in tensors])
        spread = features - features.mean(0)
        # Whitened, or a few dominant directions would decide everything; the trace keeps it well conditioned.
        covariance = spread.T @ spread / PROTOTYPES
        ridge = torch.eye(512) * covariance.trace() / 512 * 1e-2
        weight = torch.linalg.solve(covariance + ridge, spread.T).T
        network.classifier[1].weight.copy_(weight)
        network.classifier[1].bias.copy_(-weight @ features.mean(0) - (weight * spread).sum(1) / 2)
    work.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(work / "hf")
    processor.save_pretrained(work / "hf")
    torch.onnx.export(
        _Logits(network).eval(),
        (torch.zeros(1, 3, 224, 224),),
        work / "resnet18.onnx",
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes={"image": {0: "batch"}},
        opset_version=20,
        dynamo=True,
        external_data=False,
    )


class _Logits(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image).logits


def run(work: Path, listing: Path) -> None:
    """Classify, and print images a second and answers as one JSON line."""
    classify = pipeline("image-classification", model=str(work / "hf"), image_processor=_processor(), device="cpu")
    files = listing.read_text().splitlines()
    classify(files[0])
    start = time.perf_counter()
    answers = [int(classify(path, top_k=1)[0]["label"].removeprefix("LABEL_")) for path in files]
    print(json.dumps({"images_per_second": len(files) / (time.perf_counter() - start), "answers": answers}))


def _processor() -> ConvNextImageProcessorPil:
    # crop_pct 224/256: shorter side to 256, center crop of 224, bilinear. Its own default mean is another one.
    return ConvNextImageProcessorPil(
        size={"shortest_edge": 224},
        crop_pct=224 / 256,
        resample=Image.Resampling.BILINEAR,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        run(Path(sys.argv[2]), Path(sys.argv[3]))
