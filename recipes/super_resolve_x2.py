"""Trains the x2 enlarger: `python recipes/super_resolve_x2.py --data DIR --run DIR --minutes 60 --threads 1`.

Needs PyTorch and pixelwright (installed, or PYTHONPATH=src). A second call continues a killed run; `--export`
then writes RUN/model.onnx and `--evaluate` RUN/scores.json. The small image is Pillow's antialiased bicubic
reduction, rounded to 8 bit; absolute error first, squared error on larger crops last.
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from artifacts import open_session, write_scores
from loop import LoopConfig, arguments, load_ema, train
from photos import Crops, Pixels, open_crops, read_folder, read_photos, to_float
from pixelwright.models import span
from protocol import halve, psnr
from restoration import export_image_model, run_image, to_batch

MINUTES = 60
CONFIG = span.VARIANTS["x2-small"]
SCALE = CONFIG.scale
BATCH, CROP_PX = 8, 96  # of the large image
POLISH_FROM, POLISH_BATCH, POLISH_CROP_PX = 0.85, 2, 192  # fraction of the time; larger crops, squared error
MARGIN_PX = 8  # cut off on all sides after the reduction: its kernel would meet the edge of the crop
BORDER_PX = 2  # left out of the scores, as the field does: the scale


def enlarge(pixels: Pixels) -> Pixels:
    """The image at double size by Pillow's bicubic filter: the baseline."""
    size = pixels.shape[1] * SCALE, pixels.shape[0] * SCALE
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def make_batch(crops: Crops, rng: np.random.Generator, fraction: float) -> tuple[Tensor, Tensor]:
    """Small and large crops, `(N, 3, S / 2, S / 2)` and `(N, 3, S, S)`, 0..1."""
    count, size = (BATCH, CROP_PX) if fraction < POLISH_FROM else (POLISH_BATCH, POLISH_CROP_PX)
    small, large = [], []
    for _ in range(count):
        pixels = np.ascontiguousarray(crops.draw(rng, size + 2 * MARGIN_PX))
        margin = MARGIN_PX // SCALE
        small.append(halve(pixels)[margin:-margin, margin:-margin])
        large.append(pixels[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX])
    inputs, targets = (to_float(np.stack(images)) for images in (small, large))
    return to_batch(inputs), to_batch(targets)


def loss(net: nn.Module, batch: tuple[Tensor, ...], fraction: float) -> Tensor:
    """Absolute error, then squared error, which is what PSNR measures."""
    small, large = batch
    with torch.autocast("cpu", torch.bfloat16):  # twice as fast here as float32 (avx512_bf16, one thread)
        enlarged = net(small)
    if fraction < POLISH_FROM:
        return functional.l1_loss(enlarged.float(), large)
    return 20 * functional.mse_loss(enlarged.float(), large)  # about the gradient scale of the loss before


def even(pixels: Pixels) -> Pixels:
    """The image without a last odd row or column."""
    height, width = (side // SCALE * SCALE for side in pixels.shape[:2])
    return pixels[:height, :width]


def luma(image: NDArray) -> NDArray:
    """ITU-R BT.601 luma in studio range (16 to 235 of 255) on a scale of 1, from RGB 0..1."""
    return image @ (np.array((65.481, 128.553, 24.966)) / 255) + 16 / 255


def score(large: Pixels, image: NDArray) -> tuple[float, float]:
    """PSNR of luma and of RGB against the large image, borders left out; `image` holds 0..1."""
    inner = slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX)
    truth, seen = (large / 255.0)[inner], image[inner]
    return psnr(luma(truth), luma(seen)), psnr(truth, seen)


def validate(photos: dict[str, Pixels], net: nn.Module) -> dict[str, float]:
    """Mean PSNR of luma and RGB on the validation photos."""
    values = []
    for pixels in photos.values():
        large = even(pixels)
        enlarged = net(to_batch(to_float(halve(large)[None])))[0].permute(1, 2, 0).numpy()
        values.append(score(large, np.clip(enlarged, 0, 1)))
    luma_db, rgb_db = np.mean(values, axis=0)
    return {"psnr_y": float(luma_db), "psnr_rgb": float(rgb_db)}


def evaluate(data: Path, run: Path) -> None:
    """Writes scores.json: PSNR-Y and PSNR-RGB per image of the validation photos and bsd130's test images."""
    session = open_session(run / "model.onnx")
    _, validation = read_photos(data / "photos-train" / "photos-train.zip")
    sets = {"validation": validation, "bsd130-test": read_folder(data / "bsd130" / "bsd130.zip", "test")}
    scores: dict[str, dict[str, float]] = {}
    for set_name, images in sets.items():
        for name, pixels in images.items():
            large = even(pixels)
            small = halve(large)
            restored = run_image(session, to_float(small), scale=SCALE)
            for method, image in (("bicubic", enlarge(small) / 255.0), ("model", restored)):
                for metric, value in zip(("psnr_y", "psnr_rgb"), score(large, image), strict=True):
                    scores.setdefault(f"{set_name}/{metric}/{method}", {})[name] = value
    protocol = (
        "PSNR of BT.601 studio-range luma and of RGB, 2 px of border left out. Images cut to even size; "
        "small image: Pillow BICUBIC (antialiased) by 2, 8 bit. model: float output, clipped. bicubic: "
        "Pillow BICUBIC, 8 bit. Pillow's reduction is not MATLAB's: published tables differ slightly."
    )
    write_scores(run, "super-resolve-x2", protocol, scores)


def main() -> None:
    """Trains, exports or evaluates."""
    options = arguments(__doc__ or "", minutes=MINUTES)
    archive = options.data / "photos-train" / "photos-train.zip"
    if options.export:
        net = load_ema(span.build(CONFIG), options.run)
        _, validation = read_photos(archive)
        export_image_model(net, options.run / "model.onnx", list(validation.values()), scale=SCALE)
    if options.evaluate:
        evaluate(options.data, options.run)
    if options.export or options.evaluate:
        return
    training, validation = read_photos(archive)
    crops = open_crops(training, np.random.default_rng(0))
    train(
        partial(span.build, CONFIG),
        partial(make_batch, crops),
        loss,
        partial(validate, validation),
        options.run,
        LoopConfig(minutes=options.minutes, learning_rate=1e-3),
    )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
