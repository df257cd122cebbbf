"""Trains the blind color denoiser: `python recipes/denoise.py --data DIR --run DIR --minutes 60 --threads 1`.

Needs PyTorch and pixelwright (installed, or PYTHONPATH=src). A second call continues a killed run; `--export`
then writes RUN/model.onnx and `--evaluate` RUN/scores.json. The images are spoiled by Gaussian noise of any
strength up to 60/255, sensor-like noise, correlated noise, JPEG compression after noise, and a few not at
all; Charbonnier loss first, squared error on larger crops last. One core-hour gives a useful network, more
hours a better one.
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from artifacts import open_session, write_scores
from loop import LoopConfig, arguments, load_ema, train
from photos import Crops, Floats, Pixels, open_crops, read_folder, read_photos, to_float
from pixelwright.models import resunet
from protocol import add_noise, non_local_means, psnr
from restoration import export_image_model, run_image, to_batch

MINUTES = 60
CONFIG = resunet.VARIANTS["small"]
BATCH, CROP_PX = 16, 64
POLISH_FROM, POLISH_BATCH, POLISH_CROP_PX = 0.85, 4, 128  # fraction of the time; larger crops, squared error
MARGIN_PX = 8  # crops are this much larger while degraded, so that the JPEG grid can start anywhere
SIGMAS = (15, 25, 50)
VALIDATION_PX = 192
# OpenCV's fast non-local means gets the best of these strengths per sigma, chosen on the validation photos.
NLM_STRENGTHS = {15: (4, 6, 8, 10, 13), 25: (8, 11, 14, 18, 22), 50: (18, 24, 30, 38, 46)}

BAYER = np.zeros((2, 2, 3), np.float32)
BAYER[0, 0, 0] = BAYER[0, 1, 1] = BAYER[1, 0, 1] = BAYER[1, 1, 2] = 1
BILINEAR_RED_BLUE = np.outer((1, 2, 1), (1, 2, 1)).astype(np.float32) / 4
BILINEAR_GREEN = np.array(((0, 1, 0), (1, 4, 1), (0, 1, 0)), np.float32) / 4


def correlate(rng: np.random.Generator, noise: Floats) -> Floats:
    """White noise `(H, W, 3)` as a camera leaves it: demosaiced (bilinear, RGGB) or slightly blurred."""
    if rng.random() < 0.5:
        height, width = noise.shape[:2]
        sampled = noise * np.tile(BAYER, (height // 2, width // 2, 1))
        kernels = (BILINEAR_RED_BLUE, BILINEAR_GREEN, BILINEAR_RED_BLUE)
        channels = [cv2.filter2D(sampled[..., i], -1, kernel) for i, kernel in enumerate(kernels)]
        return np.stack(channels, axis=-1).astype(np.float32, copy=False)
    blurred = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.35, 1.1)))
    # Blurring takes away most of the noise; give back a part, else strong correlated noise is never seen.
    return np.multiply(blurred, rng.uniform(1.0, 1.0 / max(float(blurred.std()), 0.2)), dtype=np.float32)


def add_sensor_noise(rng: np.random.Generator, clean: Floats) -> Floats:
    """Shot and read noise, a gain per channel, in linear light or in the file's values, often correlated."""
    noise = rng.standard_normal(clean.shape, np.float32)
    if rng.random() < 0.7:
        noise = correlate(rng, noise)
    gains = np.exp(rng.uniform(np.log(2e-4), np.log(2e-2))) * rng.uniform(0.6, 1.6, 3)
    read = rng.uniform(0, 0.04)
    if rng.random() < 0.5:
        return clean + noise * np.sqrt(gains * clean + read**2).astype(np.float32)
    linear = clean**2.2
    linear = linear + noise * np.sqrt(0.4 * gains * linear + (0.3 * read) ** 2).astype(np.float32)
    return np.maximum(linear, 0) ** np.float32(1 / 2.2)


def to_uint8(image: Floats) -> Pixels:
    """Values 0..1 as a file stores them: clipped and rounded to 8 bit."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def compress(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """The image after a JPEG file of quality 40..95, chroma at full or half resolution."""
    half = rng.random() < 0.6
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if half else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    quality = int(rng.integers(40, 96))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, int(sampling)]
    payload = cv2.imencode(".jpg", pixels[..., ::-1], options)[1]
    return np.asarray(cv2.imdecode(payload, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def degrade(rng: np.random.Generator, pixels: Pixels) -> Floats:
    """A noisy version, float 0..1 (unclipped in an eighth of the cases), of a clean crop."""
    clean = to_float(pixels)
    kind = rng.random()
    if kind < 0.03:
        return clean
    if kind < 0.53:
        sigma = np.float32(rng.uniform(0, 60) / 255)
        noisy = np.add(clean, sigma * rng.standard_normal(clean.shape, np.float32), dtype=np.float32)
        # Mostly as an 8-bit file holds it; the rest keeps the network usable on float images.
        return noisy if rng.random() < 0.25 else to_float(to_uint8(noisy))
    stored = to_uint8(add_sensor_noise(rng, clean))
    if rng.random() < 0.4:
        stored = compress(rng, stored)
    return to_float(stored)


def make_batch(crops: Crops, rng: np.random.Generator, fraction: float) -> tuple[Tensor, Tensor]:
    """Noisy and clean crops, `(N, 3, S, S)`, 0..1."""
    count, size = (BATCH, CROP_PX) if fraction < POLISH_FROM else (POLISH_BATCH, POLISH_CROP_PX)
    noisy, clean = [], []
    for _ in range(count):
        pixels = np.ascontiguousarray(crops.draw(rng, size + MARGIN_PX))
        top, left = rng.integers(0, MARGIN_PX + 1, 2)
        window = slice(top, top + size), slice(left, left + size)
        noisy.append(degrade(rng, pixels)[window])
        clean.append(to_float(pixels[window]))
    return to_batch(np.stack(noisy)), to_batch(np.stack(clean))


def loss(net: nn.Module, batch: tuple[Tensor, ...], fraction: float) -> Tensor:
    """Charbonnier, then squared error, which is what PSNR measures."""
    noisy, clean = batch
    with torch.autocast("cpu", torch.bfloat16):  # 1.6 times faster than float32 (avx512_bf16, one thread)
        restored = net(noisy)
    squared = (restored.float() - clean).square()
    if fraction < POLISH_FROM:
        return (squared + 1e-6).sqrt().mean()
    return 10 * squared.mean()  # about the gradient scale of the loss before


def validate(photos: dict[str, Pixels], net: nn.Module) -> dict[str, float]:
    """Mean PSNR on the center squares of the validation photos, by sigma."""
    scores = {}
    for sigma in SIGMAS:
        values = []
        for index, pixels in enumerate(photos.values()):
            top, left = ((side - VALIDATION_PX) // 2 for side in pixels.shape[:2])
            square = pixels[top : top + VALIDATION_PX, left : left + VALIDATION_PX]
            noisy = to_batch(to_float(add_noise(square, sigma, index)[None]))
            restored = net(noisy)[0].permute(1, 2, 0).numpy()
            values.append(psnr(square / 255.0, np.clip(restored, 0, 1)))
        scores[f"sigma{sigma}"] = float(np.mean(values))
    return scores


def choose_strength(photos: dict[str, Pixels], sigma: int) -> float:
    """The non-local means strength of best mean PSNR on the validation photos."""
    noisy = [add_noise(pixels, sigma, index) for index, pixels in enumerate(photos.values())]

    def score(strength: float) -> float:
        cleaned = (non_local_means(seen, strength) / 255.0 for seen in noisy)
        pairs = zip(photos.values(), cleaned, strict=True)
        return float(np.mean([psnr(clean / 255.0, image) for clean, image in pairs]))

    return max(NLM_STRENGTHS[sigma], key=score)


def evaluate(data: Path, run: Path) -> None:
    """Writes scores.json: PSNR per image of the validation photos and of bsd130's test images."""
    session = open_session(run / "model.onnx")
    _, validation = read_photos(data / "photos-train" / "photos-train.zip")
    sets = {"validation": validation, "bsd130-test": read_folder(data / "bsd130" / "bsd130.zip", "test")}
    strengths = {sigma: choose_strength(validation, sigma) for sigma in SIGMAS}
    scores: dict[str, dict[str, float]] = {}
    for set_name, images in sets.items():
        for sigma in SIGMAS:
            methods: dict[str, dict[str, float]] = {"noisy": {}, "opencv-nlm": {}, "model": {}}
            for index, (name, clean) in enumerate(images.items()):
                noisy, truth = add_noise(clean, sigma, index), clean / 255.0
                restored = run_image(session, to_float(noisy), multiple_px=resunet.MULTIPLE_PX)
                methods["noisy"][name] = psnr(truth, noisy / 255.0)
                methods["opencv-nlm"][name] = psnr(truth, non_local_means(noisy, strengths[sigma]) / 255.0)
                methods["model"][name] = psnr(truth, restored)
            for method, values in methods.items():
                scores[f"{set_name}/sigma{sigma}/{method}"] = values
    protocol = (
        "PSNR-RGB in dB of float output clipped to 0..1. Gaussian noise: RandomState(i).standard_normal, "
        "i = index of the image in name order, added to the 8-bit image, then clipped, rounded to 8 bit. "
        "Images whose sides are no multiples of 8 are extended by repeating the edge, and cut back. opencv-nlm: "
        "fastNlMeansDenoisingColored in BGR, windows 7 and 21, "
        f"h = hColor = {strengths} by sigma, chosen on validation."
    )
    write_scores(run, "denoise", protocol, scores)


def main() -> None:
    """Trains, exports or evaluates."""
    options = arguments(__doc__ or "", minutes=MINUTES)
    archive = options.data / "photos-train" / "photos-train.zip"
    if options.export:
        net = load_ema(resunet.build(CONFIG), options.run)
        _, validation = read_photos(archive)
        photos, multiple = list(validation.values()), resunet.MULTIPLE_PX
        export_image_model(net, options.run / "model.onnx", photos, multiple_px=multiple)
    if options.evaluate:
        evaluate(options.data, options.run)
    if options.export or options.evaluate:
        return
    training, validation = read_photos(archive)
    crops = open_crops(training, np.random.default_rng(0))
    train(
        partial(resunet.build, CONFIG),
        partial(make_batch, crops),
        loss,
        partial(validate, validation),
        options.run,
        LoopConfig(minutes=options.minutes, learning_rate=1.5e-3),
    )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
