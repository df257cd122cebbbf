"""Choices: a configuration that becomes complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.recipe import changed, counts, value_of


@dataclass(slots=True)
class Choices:
    """A configuration that becomes complete.

    Attributes:
        config: As far as it is.
        reasons: Why what was chosen was, by dotted name.
    """

    config: TrainConfig
    reasons: dict[str, str] = field(default_factory=dict)

    def fill(self, name: str, value: Any, reason: str) -> None:
        """Set what is still open, if it counts."""
        if not counts(self.config, name):
            return
        found = value_of(self.config, name)
        if found is None or (isinstance(found, str) and not found):
            self.config = changed(self.config, {name: value})
            self.reasons[name] = reason
