"""The contract where tasks and verbs meet: what a task is, and what it adds to be measured and to be learned."""

from pixelwright.contract.evaluation import Decided, Evaluation, Outcome, Scoring
from pixelwright.contract.task import (
    Graphs,
    PredictOptions,
    Task,
    answers,
    prepare,
    prepare_image,
    shape_of,
)
from pixelwright.contract.training import Example, LossOptions, Training, kept
from pixelwright.contract.whole import whole_input, whole_pixels

__all__ = [
    "Decided",
    "Evaluation",
    "Example",
    "Graphs",
    "LossOptions",
    "Outcome",
    "PredictOptions",
    "Scoring",
    "Task",
    "Training",
    "answers",
    "kept",
    "prepare",
    "prepare_image",
    "shape_of",
    "whole_input",
    "whole_pixels",
]
