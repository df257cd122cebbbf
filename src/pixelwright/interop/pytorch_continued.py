"""Networks of our own bundles, trained further: the same architecture, with the weights that a bundle keeps for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.errors import DamagedModel
from pixelwright.interop.pytorch_state import ROLE, State, read_state
from pixelwright.models.architecture import Architecture
from pixelwright.models.imported import levels

log = logging.getLogger(__name__)

NAMED = 5  # parts in a message


def architecture(bundle: ModelBundle) -> Architecture | None:
    """The record of a bundle's own architecture, whose networks begin with the bundle's weights.

    What depends on the problem, a head for other classes, has other shapes and begins fresh. None where the bundle
    keeps no weights to train further, or those of an architecture that is not registered here.

    Raises:
        DamagedModel: The weights cannot be read, or are of another configuration than they say.
    """
    if all(artifact.role != ROLE for artifact in bundle.spec.artifacts):
        return None
    state = read_state(bundle.file(ROLE))
    if state.architecture not in registry.names("architecture"):
        return None
    record: Architecture = registry.get("architecture", state.architecture)
    kind = type(next(iter(record.variants.values())))
    try:
        config = msgspec.convert(state.config, kind)
    except msgspec.ValidationError as err:
        raise DamagedModel(f"{bundle.file(ROLE)}: its configuration is none of {record.name}: {err}.") from err
    return replace(
        record,
        summary=f"{record.summary} Trained further from {bundle.spec.name}.",
        variants={"trained": config},
        build=_begun(record.build, state, bundle.file(ROLE)),
        mean_std=levels(bundle.spec.input),
    )


def _begun(build: Callable[[Any], nn.Module], state: State, path: Path) -> Callable[[Any], nn.Module]:
    def begun(config: Any) -> nn.Module:
        net = build(config)
        own = net.state_dict()
        fitting = {
            name: value for name, value in state.weights.items() if name in own and own[name].shape == value.shape
        }
        if not any(name in fitting for name, _ in net.named_parameters()):
            raise DamagedModel(f"{path}: none of its weights fit {state.architecture} as configured here: {config}.")
        with torch.no_grad():
            net.load_state_dict({**own, **fitting})
        if fresh := sorted(own.keys() - fitting.keys()):
            more = f" and {len(fresh) - NAMED} more" if len(fresh) > NAMED else ""
            log.info("begins fresh, as it has another shape: %s%s", ", ".join(fresh[:NAMED]), more)
        return net

    return begun
