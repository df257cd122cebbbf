"""What is decided otherwise where Keras trains."""

from __future__ import annotations

from typing import Any

from pixelwright.errors import UsageError
from pixelwright.verbs.train.planning.choices import Choices
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.recipe import without_effect

EPOCHS, BATCH = 10, 32


def fill(choices: Choices) -> None:
    """What Keras itself takes, where it is not said.

    Raises:
        UsageError: Something is said that does not count.
    """
    choices.fill("augment.preset", "none", "layers of a Keras model vary its pictures")
    asked = without_effect(choices.config)
    if choices.config.augment.preset != "none":
        asked.append(f"augment.preset {choices.config.augment.preset!r}")
    if asked:
        raise UsageError(
            f"{choices.config.model}: Keras trains it, by epochs, and these have no effect on it: {', '.join(asked)}. "
            "Leave them out; what is optimizer, loss or augmentation can be said in the file of the model."
        )
    choices.fill("budget.epochs", EPOCHS, "Keras trains by epochs")
    choices.fill("batch.size", BATCH, "as Keras")


def check(config: TrainConfig, network: Any, goal: str) -> None:
    """Nothing, if the goal is what Keras goes by, and the learning rate is not the business of the model.

    Raises:
        UsageError: One is said, and would make no difference.
    """
    if config.goal != goal:
        raise UsageError(
            f"--goal {config.goal}: the best epoch of a Keras model is that of the best accuracy or else the smallest "
            f"loss, and what is told of it is {goal}. Leave the option out."
        )
    if network.compiled and config.optimizer.learning_rate is not None:
        raise UsageError(
            f"--lr {config.optimizer.learning_rate:g}: {config.model} comes compiled, with an optimizer of its own. "
            "Leave the option out, or say it in the file of the model."
        )
