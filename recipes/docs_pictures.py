"""Makes the pictures of the documentation: `python recipes/docs_pictures.py`, with the hub models it names pulled.

The photos come with scikit-image, all public domain or CC0: astronaut and hubble_deep_field (NASA), chelsea (Stefan van
der Walt), coffee (Rachel Michetti), rocket (SpaceX), the motorcycle from two sides (Daniel Scharstein).
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage

import pixelwright as pw
from pixelwright.contract import PredictOptions
from pixelwright.structures.raster import Raster

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
PHOTOS = Path(skimage.__file__).parent / "data"
QUALITY = 80
SIGMA = 25  # of 255

# model -> photo, options; the picture has the name of the model
PLAN = {
    "mobilenet-v2-imagenet": ("coffee.png", PredictOptions(top_k=3)),
    "fastestdet-coco": ("motorcycle_left.png", PredictOptions()),
    "ultraface-rfb320": ("astronaut.png", PredictOptions()),
    "movenet-lightning": ("astronaut.png", PredictOptions()),
    "deeplab-voc": ("chelsea.png", PredictOptions()),
}
SIMILAR = [
    "motorcycle_left.png",
    "motorcycle_right.png",
    "chelsea.png",
    "coffee.png",
    "astronaut.png",
    "rocket.jpg",
    "brick.png",
    "gravel.png",
    "grass.png",
    "hubble_deep_field.jpg",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PICTURES)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for name, (photo, options) in PLAN.items():
        model = pw.load(name, options=options)
        picture = pw.read_image(PHOTOS / photo)
        result = model(picture)
        print(f"{name}: {result}")
        path = folder / f"{name}.jpg"
        pw.write_image(Raster.of(model.draw(picture, result)), path, quality=QUALITY)
    similar(folder / "mobilenet-v2-features.jpg")
    denoised(folder / "denoise.jpg")


def denoised(path: Path) -> None:
    """A noisy photo, and what `denoise` makes of it beside it."""
    photo = pw.read_image(PHOTOS / "chelsea.png")
    noise = np.random.RandomState(0).standard_normal(photo.pixels.shape) * SIGMA
    noisy = photo.replace(pixels=np.rint(np.clip(photo.pixels + noise, 0, 255)).astype(np.uint8))
    clean = pw.load("denoise")(noisy)
    pw.write_image(photo.replace(pixels=np.hstack((noisy.pixels, clean.pixels))), path, quality=QUALITY)


def similar(sheet: Path) -> None:
    """The contact sheet of a small index."""
    photos = [str(PHOTOS / name) for name in SIMILAR]
    with tempfile.TemporaryDirectory() as folder:
        index = f"{folder}/index"
        pixelwright = [sys.executable, "-m", "pixelwright"]
        subprocess.run([*pixelwright, "embed", *photos, "--index", index], check=True)
        asked = [*photos[:1], "--index", index, "--top", "5", "--sheet", str(sheet)]
        subprocess.run([*pixelwright, "similar", *asked], check=True)


if __name__ == "__main__":
    main()
