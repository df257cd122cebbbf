"""Keras models as a user names them, `keras:FILE.py:build`: found, checked, and told apart by back end.

Keras is imported by whoever calls, after the back end was chosen: it cannot be changed in a process that has imported
it. So a model is trained in a process of its own (`keras_fit`) on the back end of the user's choice, and read again
here on PyTorch, from which it is exported. Keras' weights are the same on all of them.
"""

from __future__ import annotations

import inspect
import os
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pixelwright.errors import MissingExtra, UsageError

PREFIX = "keras:"
BACKENDS = ("tensorflow", "torch", "jax")
# Activations whose outputs are no logits.
SQUASHING = frozenset({"softmax", "sigmoid"})


def is_keras(model: str) -> bool:
    """Whether the name of a model says that Keras builds it."""
    return model.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class KerasSource:
    """A function that builds a Keras model.

    Attributes:
        file: The Python file that has it.
        function: Its name.
    """

    file: str
    function: str

    def build(self, input_shape: tuple[int, ...], classes: int) -> Any:
        """The model, freshly built. The function gets `input_shape` and `classes` if it has arguments of these names.

        Args:
            input_shape: (H, W, C).
            classes: How many outputs there have to be.

        Raises:
            UsageError: The file or function cannot be used, or what it builds does not fit the data.
        """
        made = self._call(input_shape, classes)
        if fault := _model_fault(made, input_shape, classes):
            raise UsageError(f"{self}: {fault}")
        return made

    def _call(self, input_shape: tuple[int, ...], classes: int) -> Any:
        import keras

        function = self._function()
        offered = {"input_shape": input_shape, "classes": classes}
        taken = {name: value for name, value in offered.items() if name in inspect.signature(function).parameters}
        try:
            made = function(**taken)
        except Exception as err:  # whatever a stranger's function does is that file's fault
            raise UsageError(f"{self}: fails with {type(err).__name__}: {err}") from err
        if not isinstance(made, keras.Model):
            raise UsageError(f"{self}: expected a keras.Model, got a {type(made).__name__}.")
        return made

    def _function(self) -> Callable[..., Any]:
        folder = str(Path(self.file).resolve().parent)
        sys.path.insert(0, folder)  # as Python itself does for a script: its neighbors can be imported
        try:
            found = runpy.run_path(self.file, run_name="pixelwright_model").get(self.function)
        except OSError as err:
            raise UsageError(f"{self}: the file cannot be read: {err.strerror or err}.") from err
        except Exception as err:
            raise UsageError(f"{self}: the file fails with {type(err).__name__}: {err}") from err
        finally:
            sys.path.remove(folder)
        if not callable(found):
            raise UsageError(f"{self}: the file has no function {self.function!r}.")
        return found

    def __str__(self) -> str:
        return f"{PREFIX}{self.file}:{self.function}"


def source_of(model: str) -> KerasSource:
    """What `keras:FILE.py:build` names; without a function, `build`.

    Raises:
        UsageError: It is written otherwise, or there is no such file.
        MissingExtra: Keras is not installed.
    """
    file, colon, function = model.removeprefix(PREFIX).rpartition(":")
    if not colon or file.endswith(("/", "\\")) or not function.isidentifier():
        file, function = model.removeprefix(PREFIX), "build"
    if not file.endswith(".py"):
        raise UsageError(f"--model {model}: expected keras:FILE.py:FUNCTION.")
    if not Path(file).is_file():
        raise UsageError(f"--model {model}: there is no file {file}.")
    if find_spec("keras") is None:
        raise MissingExtra("training a Keras model", "keras")
    return KerasSource(file, function)


def backend() -> str:
    """On what Keras is to train: what KERAS_BACKEND says, else TensorFlow where it is installed, else PyTorch.

    Raises:
        UsageError: KERAS_BACKEND names none that can train.
    """
    asked = os.environ.get("KERAS_BACKEND", "")
    if asked and asked not in BACKENDS:
        raise UsageError(f"KERAS_BACKEND={asked}: expected {', '.join(BACKENDS)}.")
    return asked or ("tensorflow" if find_spec("tensorflow") else "torch")


def on_torch() -> None:
    """Have this process import Keras on PyTorch.

    Raises:
        UsageError: It has imported it on something else.
    """
    asked = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    finally:  # what the user asked for is for training
        os.environ.pop("KERAS_BACKEND")
        if asked is not None:
            os.environ["KERAS_BACKEND"] = asked
    found = keras.backend.backend()
    if found != "torch":
        raise UsageError(
            f"Keras is loaded on {found} in this process, and its models are exported from PyTorch. Train from the "
            "command line, or set KERAS_BACKEND=torch before keras is imported."
        )


def _model_fault(model: Any, input_shape: tuple[int, ...], classes: int) -> str:
    taken, made = model.input_shape, model.output_shape
    if isinstance(taken, list | dict) or isinstance(made, list | dict):
        return "expected one input and one output, got several."
    if len(taken) != len(input_shape) + 1 or any(
        size not in (None, given) for size, given in zip(taken[1:], input_shape, strict=True)
    ):
        return (
            f"takes {taken[1:]}, and the data are {input_shape}. Change one of them (--size, --set input.channels=1)."
        )
    if tuple(made[1:]) != (classes,):
        return f"gives {tuple(made[1:])}, and the data have {classes} classes or values. Give one output for each."
    last = model.layers[-1]  # a layer of its own, `layers.Softmax()`, or the activation of one
    squashed = {type(last).__name__.casefold(), getattr(getattr(last, "activation", None), "__name__", "")} & SQUASHING
    if squashed:
        return (
            f"its last layer has the activation {min(squashed)}. Leave it out: the loss takes logits, and so does the "
            "bundle."
        )
    return ""
