"""Rate: a learning rate found by trying.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", https://arxiv.org/abs/1506.01186, section 3.3:
for some steps the rate grows from far too small to far too large, and the loss falls, then explodes. Where Smith reads
the plot, the tenth of the rate with the least (smoothed) loss is taken here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pixelwright.verbs.train.learning.learner import Learner
from pixelwright.verbs.train.learning.source import Source

STEPS = 100
SPAN = 100.0  # the optimizer's usual rate is tried divided by it, up to multiplied by it
MEMORY = 0.9  # of the mean over losses of single batches
EXPLODED = 4.0  # times the least loss
PRUDENCE = 10.0


def find_rate(learner: Learner, source: Source) -> float:
    """The learning rate to take, rounded to two digits; the learner is of no use afterwards.

    Args:
        learner: With fresh weights, at the optimizer's usual rate.
        source: Batches.
    """
    rate = learner.optimizer.param_groups[0]["lr"]
    with source.ahead(0) as take:
        factor = best_factor(lambda step, factor: learner.step(take(step), factor))
    return float(f"{rate * factor:.2g}")


def best_factor(step: Callable[[int, float], float]) -> float:
    """By what to multiply the usual rate: within 1 / SPAN to SPAN / PRUDENCE.

    Args:
        step: `(number, factor)`: one step at so many times the rate; gives its loss.
    """
    mean, least, best = 0.0, math.inf, 1.0
    for number in range(STEPS):
        factor = SPAN ** (2 * number / (STEPS - 1) - 1)
        mean = MEMORY * mean + (1 - MEMORY) * step(number, factor)
        smooth = mean / (1 - MEMORY ** (number + 1))
        if not math.isfinite(smooth) or smooth > EXPLODED * least:
            break
        if smooth < least:
            least, best = smooth, factor
    return max(best / PRUDENCE, 1 / SPAN)
