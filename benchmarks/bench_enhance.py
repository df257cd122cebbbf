"""Denoise and enlarge against OpenCV and bicubic: quality and speed on the same pictures in the same run.

    python benchmarks/bench_enhance.py --photos DIR [--images 8] [--sigma 25]

Noise is Gaussian, seeded by the picture's number, rounded and clipped to 8 bits as in a file; PSNR is over RGB of the
8-bit results, or over BT.601 luma with a border of 2 pixels left out where it says `psnr_y`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import pixelwright as pw
from report import report, spread
from source_photos import list_photos

Pixels = np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--sigma", type=float, default=25)
    options = parser.parse_args()
    photos = [pw.to_numpy(pw.read_image(path)) for path in list_photos(options.photos)[: options.images]]
    photos = [photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2] for photo in photos]
    denoise(photos, options.sigma)
    enlarge(photos)


def denoise(photos: list[Pixels], sigma: float) -> None:
    """Ours against `cv2.fastNlMeansDenoisingColored` at the strength that serves it best on these very pictures."""
    noisy = [_noisy(photo, sigma, number) for number, photo in enumerate(photos)]
    model = pw.load("denoise")
    ways: dict[str, Callable[[Pixels], Pixels]] = {"ours": lambda picture: pw.to_numpy(model(picture))}
    for strength in (0.5, 0.7, 0.9, 1.1):
        h = strength * sigma
        ways[f"nlm h={h:g}"] = lambda picture, h=h: non_local_means(picture, h)
    made = {name: [_timed(way, picture) for picture in noisy] for name, way in ways.items()}
    quality = {
        name: float(np.mean([_psnr(a, b) for a, (b, _) in zip(photos, made[name], strict=True)])) for name in ways
    }
    best = max((name for name in ways if name != "ours"), key=quality.__getitem__)
    ratios = [nlm / ours for (_, ours), (_, nlm) in zip(made["ours"], made[best], strict=True)]
    report(
        f"denoise-sigma{sigma:g}",
        images=len(photos),
        psnr_rgb_db={"noisy": round(np.mean([_psnr(a, b) for a, b in zip(photos, noisy, strict=True)]), 2)}
        | {"ours": round(quality["ours"], 2), f"opencv {best}": round(quality[best], 2)},
        times_as_fast_as_opencv_nlm=spread(ratios),
        megapixels_per_second=spread([a.shape[0] * a.shape[1] / 1e6 / s for a, s in made["ours"]]),
    )


def non_local_means(picture: Pixels, strength: float) -> Pixels:
    """OpenCV's denoiser, which takes and gives BGR."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.cvtColor(cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength), cv2.COLOR_BGR2RGB)


def enlarge(photos: list[Pixels]) -> None:
    """Ours against Pillow's bicubic."""
    from PIL import Image

    def smaller(photo: Pixels) -> Pixels:
        size = (photo.shape[1] // 2, photo.shape[0] // 2)
        return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))

    def bicubic(picture: Pixels) -> Pixels:
        size = (picture.shape[1] * 2, picture.shape[0] * 2)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))

    model = pw.load("super-resolve-x2")
    small = [smaller(photo) for photo in photos]
    ours = [_timed(lambda picture: pw.to_numpy(model(picture)), picture) for picture in small]
    theirs = [_timed(bicubic, picture) for picture in small]
    report(
        "super-resolve-x2",
        images=len(photos),
        psnr_y_db={
            "bicubic": round(np.mean([_psnr_y(a, b) for a, (b, _) in zip(photos, theirs, strict=True)]), 2),
            "ours": round(np.mean([_psnr_y(a, b) for a, (b, _) in zip(photos, ours, strict=True)]), 2),
        },
        times_as_slow_as_bicubic=spread([a / b for (_, a), (_, b) in zip(ours, theirs, strict=True)]),
        output_megapixels_per_second=spread([a.shape[0] * a.shape[1] / 1e6 / s for a, s in ours]),
    )


def _noisy(photo: Pixels, sigma: float, seed: int) -> Pixels:
    noise = np.random.RandomState(seed).standard_normal(photo.shape) * sigma
    return np.clip(np.rint(photo + noise), 0, 255).astype(np.uint8)


def _timed(way: Callable[[Pixels], Pixels], picture: Pixels) -> tuple[Pixels, float]:
    start = time.perf_counter()
    return way(picture), time.perf_counter() - start


def _psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(np.float64) - other) ** 2)))


def _psnr_y(one: Pixels, other: Pixels) -> float:
    luma = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, studio range; the offset cancels
    return _psnr((one @ luma)[2:-2, 2:-2], (other @ luma)[2:-2, 2:-2])


if __name__ == "__main__":
    main()
