"""Trains a Keras model in a process of its own: `python -m pixelwright.interop.keras_fit JOB.json`.

It is told all by the job, takes its arrays from files, says a line of JSON after each epoch, and leaves weights, and
answers that whatever reads these weights has to reproduce. A job that was killed continues from its last epoch.

It ends with whoever started it: when its standard input is closed, which a process does however it ends.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec
import numpy as np
import numpy.typing as npt

from pixelwright.interop.keras import KerasSource
from pixelwright.io.atomic import whole_file

WEIGHTS, BEST, ANSWERS = "best.weights.h5", "best.json", "answers.npz"
ARRAYS = "arrays.npz"
COMPARED = 32  # pictures of the validation part

Truth = Literal["exclusive", "several", "values"]


class FitJob(msgspec.Struct, frozen=True):
    """What is to be trained.

    Attributes:
        file: Of the model (see `KerasSource`).
        function: In it.
        truth: What `ARRAYS` holds under `y`: ids (N,), weights (N, K) 0 or 1, or numbers (N, V).
        classes: Outputs of the model.
        batch_size: Pictures in a step.
        epochs: How often each is seen.
        learning_rate: Of Adam, for models that come without an optimizer; None for Keras' own.
        seed: Of everything that is random.
    """

    file: str
    function: str
    truth: Truth
    classes: int
    batch_size: int
    epochs: int
    learning_rate: float | None
    seed: int


def main() -> None:
    """Carry out the job whose file is the only argument."""
    path = Path(sys.argv[1])
    job, folder = msgspec.json.decode(path.read_bytes(), type=FitJob), path.parent
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as told, np.load(folder / ARRAYS) as arrays:
        os.dup2(2, 1)  # what Keras, or the file that builds the model, prints is no epoch
        fit(job, folder, {name: arrays[name] for name in arrays.files}, told)


def _end_with_the_caller() -> None:
    os.read(0, 1)  # nobody writes: it returns when there is nobody any more
    os._exit(1)


def fit(job: FitJob, folder: Path, arrays: dict[str, npt.NDArray[Any]], told: TextIO) -> None:
    """Train, and leave `WEIGHTS` of the best epoch and `ANSWERS` in the folder.

    Args:
        job: What.
        folder: Where the job is.
        arrays: `x`, `y` to learn from and `validation_x`, `validation_y`; pictures float32 (N, H, W, C) as the model
            takes them.
        told: Gets a line of JSON after each epoch.
    """
    import keras

    keras.utils.set_random_seed(job.seed)
    model = KerasSource(job.file, job.function).build(arrays["x"].shape[1:], job.classes)
    if not model.compiled:
        _compile(model, job)
    model.fit(
        arrays["x"],
        arrays["y"],
        batch_size=job.batch_size,
        epochs=job.epochs,
        validation_data=(arrays["validation_x"], arrays["validation_y"]),
        verbose=0,
        callbacks=[
            # Before the backup: an epoch that is not to be repeated has been judged.
            keras.callbacks.LambdaCallback(
                on_epoch_begin=_seeded(model, job.seed), on_epoch_end=_judge(model, folder, told)
            ),
            keras.callbacks.BackupAndRestore(str(folder / "backup"), double_checkpoint=True, delete_checkpoint=False),
            keras.callbacks.TerminateOnNaN(),
        ],
    )
    if not (folder / WEIGHTS).exists():
        raise SystemExit("the loss was not finite from the first epoch on.")
    model.load_weights(str(folder / WEIGHTS))
    shown = np.ascontiguousarray(arrays["validation_x"][:COMPARED])
    np.savez(folder / ANSWERS, x=shown, answers=model.predict(shown, verbose=0))


def _compile(model: Any, job: FitJob) -> None:
    import keras

    losses = {
        "exclusive": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "several": keras.losses.BinaryCrossentropy(from_logits=True),
        "values": keras.losses.MeanSquaredError(),
    }
    rate = job.learning_rate
    model.compile(
        optimizer=keras.optimizers.Adam() if rate is None else keras.optimizers.Adam(learning_rate=rate),
        loss=losses[job.truth],
        metrics=["accuracy"] if job.truth == "exclusive" else None,
    )


def _seeded(model: Any, seed: int) -> Callable[[int, Any], None]:
    """Has the random numbers of an epoch follow from its number, so that a job may be continued at any."""
    import keras

    def begin(epoch: int, logs: Any) -> None:
        del logs
        keras.utils.set_random_seed((seed + epoch) % 2**32)
        for number, variable in enumerate(model.non_trainable_variables):
            if variable.name == "seed_generator_state":  # of a layer, such as dropout
                variable.assign([(seed + number) % 2**31, epoch])

    return begin


def _judge(model: Any, folder: Path, told: TextIO) -> Callable[[int, Any], None]:
    """Says what an epoch came to, and keeps the weights where none was better: by accuracy, or else by the loss.

    Weights that are not finite are never the best, although the accuracy of their answers is a number.
    """
    begun, record = time.monotonic(), folder / BEST

    def judge(epoch: int, logs: Any) -> None:
        said = {name: float(value) for name, value in logs.items()}
        name = "val_accuracy" if "val_accuracy" in said else "val_loss"
        worth = said[name] if name == "val_accuracy" else -said[name]
        if not (math.isfinite(said["loss"]) and math.isfinite(said["val_loss"])):
            worth = -math.inf
        best = json.loads(record.read_text()) if record.exists() else {"worth": -math.inf}
        if worth > best["worth"]:
            model.save_weights(str(folder / f"next.{WEIGHTS}"))
            (folder / f"next.{WEIGHTS}").replace(folder / WEIGHTS)
            best = {"worth": worth, "epoch": epoch + 1}
            with whole_file(record) as file:
                file.write(json.dumps(best).encode())
        row = {"epoch": epoch + 1, "seconds": time.monotonic() - begun, "best_epoch": best.get("epoch", 0), **said}
        told.write(json.dumps(row) + "\n")
        told.flush()

    return judge


if __name__ == "__main__":
    main()
