"""Ours of `bench_keras_mnist.py`: `python ours_keras.py RECIPE PRECISION ARRAYS SCORED SEED RUN`.

As `pixelwright train`, up to the checkpoint; the bundle at the end, which Keras has nothing like, is timed apart. Says
`trained` once the weights are on the disk, then the share of right answers to the pictures of SCORED.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from pixelwright.verbs.train import read_config
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.learning.progress import Watch
from pixelwright.verbs.train.start import How, decide, start


def main() -> None:
    recipe, precision, arrays, scored, seed, folder = sys.argv[1:]
    run, changes = Run(Path(folder)), {"data.path": arrays, "data.calibration": 0.0, "seed": int(seed)}
    changes |= {"machine.precision": precision}
    config = read_config("classify", Path(recipe), changes)
    start(config, run.path, How(Watch(), bundle=False))
    print("trained", flush=True)
    plan, best = decide(config, run), run.kept()
    if best is None:
        raise SystemExit(f"{run.path}: no weights were kept.")
    net = plan.record().build(plan.network)
    net.load_state_dict(best["net"])
    net.eval()
    with np.load(scored) as kept, torch.no_grad():
        pictures = torch.from_numpy(kept["images"]).unsqueeze(1).float() / 255
        answers = torch.cat([net(part).argmax(1) for part in pictures.split(500)])
        print(float((answers.numpy() == kept["labels"]).mean()), flush=True)


if __name__ == "__main__":
    main()
