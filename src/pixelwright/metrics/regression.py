"""How far predicted numbers are from true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.metrics.score import Picks, Statistic

Floats = npt.NDArray[np.floating[Any]]


def statistic(predicted: Floats, truth: Floats, labels: Sequence[str]) -> Statistic:
    """MSE, its root, MAE and R² over all values, and of each, `mae/age`, for any picks of N samples.

    MSE = (1/N) Σ (ŷ − y)²; of vectors the mean over their values as well. R² is the mean of those of the values; it has
    no value where all truths are equal.

    Args:
        predicted: (N, V).
        truth: (N, V).
        labels: V names.

    Raises:
        ShapeError: The two differ in shape, or there are not as many names.
    """
    if predicted.shape != truth.shape or predicted.ndim != 2 or predicted.shape[1] != len(labels):
        raise ShapeError(
            f"predicted: expected {len(labels)} values a row, as in truth {truth.shape}, got {predicted.shape}."
        )
    true = truth.astype(np.float64)
    errors = predicted.astype(np.float64) - true

    def over(picks: Picks) -> Mapping[str, float]:
        if not len(picks):
            each = [f"{name}/{label}" for label in labels for name in ("mae", "r2")] if len(labels) > 1 else []
            return dict.fromkeys(("mse", "rmse", "mae", "r2", *each), float("nan"))
        weights = np.bincount(picks, minlength=len(true)) / len(picks)
        mse, mae = weights @ errors**2, weights @ np.abs(errors)
        spread = weights @ (true - weights @ true) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            # Not by the spread, which rounding makes larger than 0: a tenth is no binary number.
            r2 = np.where(np.ptp(true[picks], axis=0) > 0, 1 - mse / spread, np.nan)
        known = np.isfinite(r2)
        values = {
            "mse": float(mse.mean()),
            "rmse": float(np.sqrt(mse.mean())),
            "mae": float(mae.mean()),
            "r2": float(r2[known].mean()) if known.any() else float("nan"),
        }
        if len(labels) > 1:
            for place, label in enumerate(labels):
                values |= {f"mae/{label}": float(mae[place]), f"r2/{label}": float(r2[place])}
        return values

    return over
