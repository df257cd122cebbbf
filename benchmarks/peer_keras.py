"""The peer of `bench_keras_mnist.py`: the tutorial as Keras users run it.

python benchmarks/peer_keras.py ARRAYS.npz SCORED.npz SEED
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np


def main() -> None:
    arrays, scored, seed = sys.argv[1:]
    keras.utils.set_random_seed(int(seed))
    with np.load(arrays) as kept:
        pictures, ids = kept["train_images"][..., None].astype(np.float32) / 255, kept["train_labels"]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    model.fit(pictures, ids, epochs=5, verbose=0)  # pyright: ignore[reportArgumentType]
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
    print("trained", flush=True)
    with np.load(scored) as kept:
        shown = kept["images"][..., None].astype(np.float32) / 255
        answers = model.predict(shown, batch_size=500, verbose=0)  # pyright: ignore[reportArgumentType]
        print(float((answers.argmax(axis=1) == kept["labels"]).mean()), flush=True)


if __name__ == "__main__":
    main()
