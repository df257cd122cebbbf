"""What the image-to-image recipes share: tensors, export and running of an image model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from artifacts import answer, write_onnx
from photos import Floats, Pixels


def to_batch(pixels: Floats) -> Tensor:
    """`(N, H, W, C)` as a tensor `(N, C, H, W)`; the memory stays, which torch calls channels_last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def run_image(
    session: onnxruntime.InferenceSession,
    image: Floats,
    *,
    scale: int = 1,
    multiple_px: int = 1,
) -> Floats:
    """The model's answer to one image `(H, W, 3)`, 0..1, clipped to 0..1; `scale` times as large.

    Sides that are no multiple of `multiple_px` are extended by repeating the edge, as the contract says, and cut back.
    """
    height, width = image.shape[:2]
    below, right = -height % multiple_px, -width % multiple_px
    padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    restored = answer(session, padded.transpose(2, 0, 1)[None])
    return np.clip(restored[0, :, : height * scale, : width * scale].transpose(1, 2, 0), 0, 1)


def export_image_model(
    net: nn.Module, path: Path, photos: Sequence[Pixels], *, scale: int = 1, multiple_px: int = 1
) -> None:
    """Writes an image-to-image network as ONNX, checked on real photos of two sizes and batches."""
    first, second, third = (torch.from_numpy(pixels.copy()) for pixels in photos[:3])
    height, width = (side // multiple_px * multiple_px for side in first.shape[:2])
    part = slice(8 * multiple_px), slice(12 * multiple_px)
    batches = first[None, :height, :width], torch.stack((second[part], third[part]))
    examples = [batch.permute(0, 3, 1, 2).contiguous().float() / 255 for batch in batches]
    factor = f"{scale}*" if scale > 1 else ""
    write_onnx(
        net,
        path,
        examples,
        output="restored",
        axes={0: "batch", 2: "height", 3: "width"},
        output_axes={0: "batch", 2: f"{factor}height", 3: f"{factor}width"},
    )
