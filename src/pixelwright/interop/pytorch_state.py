"""The weights of a trained network in a bundle, to be trained further: safetensors, which hold numbers and no code.

Source: https://huggingface.co/docs/safetensors (format and library, Apache-2.0).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pixelwright.errors import DamagedModel
from pixelwright.io.atomic import whole_file

ROLE = "weights"  # of the artifact
ARCHITECTURE, CONFIG = "architecture", "config"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Weights, and of what.

    Attributes:
        architecture: Registry name.
        config: The architecture's configuration, as plain data.
        weights: By the names of `nn.Module.state_dict`, on the CPU.
    """

    architecture: str
    config: dict[str, Any]
    weights: dict[str, Tensor]


def write_state(path: Path, net: nn.Module, architecture: str, config: dict[str, Any]) -> None:
    """The weights and buffers of a network as a safetensors file, the same bytes for the same numbers.

    Args:
        path: Of the file, which is replaced.
        net: The network.
        architecture: Its registry name.
        config: Its configuration as plain data (`msgspec.to_builtins`).
    """
    # Clones: tied weights would share memory, which the format refuses.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in net.state_dict().items()}
    said = {ARCHITECTURE: architecture, CONFIG: json.dumps(config, sort_keys=True)}
    with whole_file(path) as file:
        file.write(save(weights, metadata=said))


def read_state(path: Path) -> State:
    """What `write_state` wrote.

    Raises:
        DamagedModel: It is no safetensors file, or none of ours.
    """
    weights: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                weights[name] = file.get_tensor(name)
        return State(said[ARCHITECTURE], dict(json.loads(said[CONFIG])), weights)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as err:
        raise DamagedModel(f"{path}: holds no weights that can be trained further: {err!r}.") from err
