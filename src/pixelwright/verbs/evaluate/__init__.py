"""Say how well a model answers, with intervals, and which of two answers better."""

from pixelwright.verbs.evaluate.compare import Compared, compare
from pixelwright.verbs.evaluate.parts import group_for, part_of
from pixelwright.verbs.evaluate.scored import Evaluated, EvaluateOptions, evaluate

__all__ = ["Compared", "EvaluateOptions", "Evaluated", "compare", "evaluate", "group_for", "part_of"]
