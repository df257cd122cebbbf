"""Networks of PyTorch Image Models (timm) and of the Hugging Face hub in its format, where timm is installed.

Source: Wightman, PyTorch Image Models, https://github.com/huggingface/pytorch-image-models, Apache-2.0; each network
names its own paper there. The weights have terms of their own, which timm does not state in a form that a program
could read: a bundle made of them says that they are unknown, and commercial use what the user says of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from torch import nn

from pixelwright.errors import MissingExtra, UnknownName, UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture

TIMM, HUB = "timm:", "hf:"
PREFIXES = (TIMM, HUB)


@dataclass(frozen=True)
class Config:
    """A name as timm knows it, and what the network is for; `pretrained` weights are downloaded once and kept."""

    name: str
    classes: int = 2
    image_channels: int = 3
    pretrained: bool = True


def architecture(name: str) -> Architecture:
    """The record for `timm:NAME` or `hf:OWNER/NAME`.

    Raises:
        MissingExtra: timm is not installed, or cannot be imported.
        UnknownName: timm has no network of that name; the nearest are in the message.
    """
    timm = _timm()
    known = f"hf-hub:{name.removeprefix(HUB)}" if name.startswith(HUB) else name.removeprefix(TIMM)
    if name.startswith(TIMM) and not timm.is_model(known):
        raise UnknownName("network of timm", known, timm.list_models())
    mean, std = _mean_std(timm, known)
    return Architecture(
        name=name,
        summary=f"{known} of PyTorch Image Models",
        tasks=frozenset({"classify", "regress"}),
        source="https://github.com/huggingface/pytorch-image-models",
        variants=MappingProxyType({"pretrained": Config(known)}),
        fit=_fit,
        build=_build,
        outputs=("logits",),
        reading=whole_picture,
        mean_std=(mean, std),
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError as err:  # timm itself, or the torchvision that it imports
        raise MissingExtra("a network of timm", "timm") from err
    return timm


def _mean_std(timm: Any, known: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What its pretrained weights expect; ImageNet's, as in most of them, where it is only said on the hub."""
    settings = timm.get_pretrained_cfg(known) if timm.is_model(known) else None
    mean = getattr(settings, "mean", None) or (0.485, 0.456, 0.406)
    std = getattr(settings, "std", None) or (0.229, 0.224, 0.225)
    return tuple(mean), tuple(std)


def _fit(config: Config, problem: Problem) -> Config:
    if problem.channels != 3 and config.pretrained:
        raise UsageError(f"{config.name}: was trained on colors, and these pictures are gray. Add --channels 3.")
    return replace(config, classes=len(problem.labels), image_channels=problem.channels)


def _build(config: Config) -> nn.Module:
    net: nn.Module = _timm().create_model(
        config.name, pretrained=config.pretrained, num_classes=config.classes, in_chans=config.image_channels
    )
    return net
