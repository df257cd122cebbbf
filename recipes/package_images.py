"""What there is to say of the image-to-image models: contract, terms of the photos, scores."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from package_measure import fingerprint, measured
from package_plan import Floats, Plan
from photos import LICENSE_CLASSES, Pixels, is_validation, read_manifest, read_photos
from pixelwright.errors import ParityError
from pixelwright.runtimes.onnx import RUNTIME as REFERENCE
from pixelwright.structures import spec as s
from protocol import add_noise, halve, psnr

CROP_PX = 128
CROPS = 2  # of each validation photo: at least 20 inputs
SIGMAS = (15, 25, 50)
PARITY_SIGMAS = (15, 50)
HALO_TOLERANCE = 1e-4
LICENSE_URLS: Mapping[str, str] = MappingProxyType(
    {
        "cc0-pd": "https://creativecommons.org/publicdomain/zero/1.0/",
        "cc-by": "https://creativecommons.org/licenses/by/4.0/",
        "cc-by-sa": "https://creativecommons.org/licenses/by-sa/4.0/",
    }
)
TERMS: Mapping[str, str] = MappingProxyType(
    {
        "cc0-pd": "CC0 or public domain: free of conditions.",
        "cc-by": "Each author is named in docs/training-photos.md.",
        "cc-by-sa": "Each author is named in docs/training-photos.md. No photo is shipped. "
        "Whether weights adapt share-alike training photos is not settled law.",
    }
)


@dataclass(frozen=True)
class Kind:
    """What the two models differ in.

    `halo_px`: the receptive radius, rounded up to a multiple of 8. `multiple_of`: what the sides must be multiples of.
    """

    architecture: str
    summary: str
    recipe: str
    scale: int
    halo_px: int
    multiple_of: int


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "denoise": Kind(
            "resunet small",
            "Takes noise out of photographs without being told how strong it is: Gaussian, sensor-like and "
            "correlated noise, with or without JPEG compression after it.",
            "recipes/denoise.py, 60 minutes on one core",
            scale=1,
            halo_px=56,
            multiple_of=8,
        ),
        "super-resolve-x2": Kind(
            "span x2-small",
            "Makes photographs twice as large in each direction, sharper than bicubic enlargement.",
            "recipes/super_resolve_x2.py, 60 minutes on one core",
            scale=2,
            halo_px=24,
            multiple_of=1,
        ),
    }
)


def to_planes(pixels: Pixels) -> Floats:
    """`(H, W, 3)` uint8 as `(1, 3, H, W)`, 0..1."""
    return np.ascontiguousarray((pixels.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None])


def degrade(kind: Kind, pixels: Pixels, index: int) -> Pixels:
    """What the model gets to see of a clean picture."""
    return halve(pixels) if kind.scale == 2 else add_noise(pixels, PARITY_SIGMAS[index % 2], index)


def crops(photos: Sequence[Pixels], size: int) -> list[Pixels]:
    """Squares from the middle of each photo's halves."""
    found = []
    for pixels in photos:
        height, width = pixels.shape[:2]
        top = (height - size) // 2
        for number in range(CROPS):
            left = (width - size) * (2 * number + 1) // (2 * CROPS)
            found.append(pixels[top : top + size, left : left + size])
    return found


def draw_picture(height: int, width: int) -> Pixels:
    """A picture of our own: a color gradient, disks, stripes and letters."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    red, green = 60 + 150 * columns / width, 200 - 120 * rows / height
    pixels = np.stack((red, green, 128 + 60 * np.sin(columns / 2.5)), axis=-1).astype(np.uint8)
    cv2.circle(pixels, (width // 3, height // 2), height // 4, (240.0, 220.0, 40.0), -1, cv2.LINE_AA)
    cv2.putText(
        pixels, "pw", (width // 2, height - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20.0, 20.0, 30.0), 1, cv2.LINE_AA
    )
    return pixels


def probe(kind: Kind) -> list[Floats]:
    """Two generated inputs of different shape, as the model is meant to see them."""
    sizes = ((24, 40), (16, 24))
    return [to_planes(degrade(kind, draw_picture(h * kind.scale, w * kind.scale), i)) for i, (h, w) in enumerate(sizes)]


def check_halo(model: Path, kind: Kind, pixels: Pixels) -> None:
    """A tile with its halo must give what the whole picture gives there.

    Raises:
        ParityError: It does not; the halo is too small.
    """
    graph = REFERENCE.open(model, threads=1)
    name = graph.outputs[0].name
    whole = to_planes(pixels[: CROP_PX * 2, : CROP_PX * 2])
    start, core, halo = CROP_PX - 32, 64, kind.halo_px
    window = slice(start - halo, start + core + halo)
    tile = graph.run({"image": np.ascontiguousarray(whole[:, :, window, window])})[name]
    inner, outer = (slice(kind.scale * a, kind.scale * (a + core)) for a in (halo, start))
    expected = graph.run({"image": whole})[name][:, :, outer, outer]
    apart = float(np.abs(tile[:, :, inner, inner] - expected).max())
    if not apart <= HALO_TOLERANCE:
        raise ParityError(f"{model}: a tile with a halo of {halo} px differs by {apart:.2g} from the whole.")


def licenses(archive: Path) -> s.License:
    """The terms of code and weights, and of the training photos by license class with their numbers."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in sorted(LICENSE_CLASSES)}
    for row in read_manifest(archive):
        if not is_validation(row["file"]):
            counts[row["licence_class"]][row["licence"]] += 1
    ours = s.Terms("Apache-2.0", "yes", url="https://www.apache.org/licenses/LICENSE-2.0", name="ours")
    data = [
        s.Terms(
            "; ".join(f"{license_name} ({count})" for license_name, count in found.most_common()),
            "yes",
            url=LICENSE_URLS[kind],
            name=f"photos-train, {kind}, {found.total()} photos",
            note=TERMS[kind],
        )
        for kind, found in counts.items()
    ]
    return s.License(ours, ours, data)


def datasets(data: Path) -> dict[str, s.Data]:
    """What was measured on, by the name it has in the score file."""
    archive = data / "photos-train" / "photos-train.zip"
    kept = {row["file"] for row in read_manifest(archive) if is_validation(row["file"])}
    with zipfile.ZipFile(archive) as opened:
        validation = fingerprint(opened.read(f"photos/{name}") for name in sorted(kept))
    with zipfile.ZipFile(data / "bsd130" / "bsd130.zip") as opened:
        names = [name for name in opened.namelist() if name.startswith("test/") and not name.endswith("/")]
        test = fingerprint(opened.read(name) for name in names)
    return {
        "bsd130-test": s.Data("BSDS500, 30 of its test photos (bsd130)", test, "test, never used before scoring"),
        "validation": s.Data("photos-train, validation photos", validation, "validation, watched while training"),
    }


def scored(kind: Kind, data: Path, scores: Mapping[str, Any]) -> list[s.Measured]:
    """The model's scores with what the plain methods reach beside them."""
    found = datasets(data)
    rows = denoise_keys(scores, found) if kind.scale == 1 else enlarge_keys(scores, found)
    return [
        measured(
            scores,
            key,
            metric=metric,
            definition=f"{scores['protocol']} Interval: percentile bootstrap over images.",
            data=found[name],
            condition=condition,
        )
        for key, metric, name, condition in rows
    ]


def denoise_keys(scores: Mapping[str, Any], found: Mapping[str, s.Data]) -> Iterator[tuple[str, str, str, str]]:
    """Key in the score file, metric, data and condition: each noise level."""
    means = scores["mean"]
    for name in found:
        for sigma in SIGMAS:
            key = f"{name}/sigma{sigma}"
            condition = (
                f"Gaussian noise, sigma {sigma}/255; the noisy image has {means[f'{key}/noisy']:.2f}, "
                f"OpenCV's non-local means {means[f'{key}/opencv-nlm']:.2f}"
            )
            yield f"{key}/model", "psnr-rgb", name, condition


def enlarge_keys(scores: Mapping[str, Any], found: Mapping[str, s.Data]) -> Iterator[tuple[str, str, str, str]]:
    """Key in the score file, metric, data and condition: luma and color."""
    for name in found:
        for metric in ("psnr_y", "psnr_rgb"):
            key = f"{name}/{metric}"
            condition = f"2x; Pillow's bicubic enlargement has {scores['mean'][f'{key}/bicubic']:.2f}"
            yield f"{key}/model", metric.replace("_", "-"), name, condition


def contract(kind: Kind) -> s.InputSpec:
    """Restoration keeps what the file has: gamut, bit depth, alpha, further channels."""
    return s.InputSpec(
        color="as-is",
        depth="keep",
        gray="expand",
        alpha="keep",
        extra_channels="each",
        multiple_of=kind.multiple_of,
        white=1.0,
    )


def plan(name: str, data: Path, model: Path, scores: Mapping[str, Any]) -> Plan:
    """Everything package.py needs; checks the halo."""
    kind, archive = KINDS[name], data / "photos-train" / "photos-train.zip"
    validation = list(read_photos(archive)[1].values())
    check_halo(model, kind, validation[0])
    clean = crops(validation, CROP_PX)
    seen = [degrade(kind, pixels, index) for index, pixels in enumerate(clean)]

    def mean_psnr(outputs: Sequence[Floats]) -> float:
        return float(np.mean([psnr(to_planes(a), np.clip(b, 0, 1)) for a, b in zip(clean, outputs, strict=True)]))

    output = REFERENCE.open(model, threads=1).outputs[0].name
    return Plan(
        task="enhance",
        architecture=kind.architecture,
        summary=kind.summary,
        recipe=kind.recipe,
        input=contract(kind),
        output=s.OutputSpec("image", {"output": output, "scale": kind.scale}),
        tiling=s.Tiling(kind.halo_px, 8),
        decision=s.Decision(),
        license=licenses(archive),
        measured=scored(kind, data, scores),
        metric_name="psnr-rgb",
        metric=mean_psnr,
        real=[to_planes(pixels) for pixels in seen],
        probe=probe(kind),
    )
