"""Networks by what `--model` names: an architecture with its variant, a Keras model, or a bundle to learn on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelwright import hub, registry
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.errors import UnknownName, UsageError
from pixelwright.interop import pytorch_continued, pytorch_keras
from pixelwright.interop.keras import is_keras
from pixelwright.models import imported, timm_network
from pixelwright.models.architecture import Architecture, Problem


def name_and_variant(model: str) -> tuple[str, str]:
    """The name of an architecture and of its variant, which may be empty; a bundle has none."""
    name, _, variant = model.partition("/")
    return (name, variant) if name in registry.names("architecture") else (model, "")


def record_of(name: str) -> Architecture:
    """The architecture of this name, or that of the bundle.

    Raises:
        UnknownName: There is no such architecture and no such bundle.
        NotPulled: It is a bundle of the hub that has to be pulled first.
        BundleError: The bundle is damaged.
        DamagedModel: So are the weights that it keeps to be trained further.
        UnsupportedModel: Its network cannot be trained here.
        UsageError: There is nothing in it that could serve as a backbone; or the Keras model cannot be used.
        MissingExtra: It is a model of Keras or timm, which is not installed.
    """
    if is_keras(name):
        return pytorch_keras.architecture(name)
    if name.startswith(timm_network.PREFIXES):
        return timm_network.architecture(name)
    if name in registry.names("architecture"):
        return registry.get("architecture", name)
    bundle = _bundle(name)
    return pytorch_continued.architecture(bundle) or imported.architecture(bundle, name)


def starts_from_weights(name: str) -> bool:
    """Whether a network of this name has learned something before."""
    return name.startswith(timm_network.PREFIXES) or parent_of(name) is not None


def parent_of(name: str) -> ModelBundle | None:
    """The bundle that a network of this name starts from, if it does."""
    if is_keras(name) or name.startswith(timm_network.PREFIXES) or name in registry.names("architecture"):
        return None
    return _bundle(name)


def _bundle(name: str) -> ModelBundle:
    try:
        folder = Path(hub.locate(name))
    except UnknownName as err:
        raise UnknownName("architecture or model", name, (*registry.names("architecture"), *hub.names())) from err
    return read_bundle(folder)


def fitted(record: Architecture, config: Any, problem: Problem) -> Any:
    """The configuration for a problem.

    Raises:
        UsageError: The architecture is not for it.
    """
    if problem.task not in record.tasks:
        raise UsageError(f"{record.name}: is for {', '.join(sorted(record.tasks))}, and the task is {problem.task}.")
    if problem.sequence and not record.sequences:
        raise UsageError(f"{record.name}: takes pictures, and these are sequences. Take rnn or lstm (--model).")
    return record.fit(config, problem)
