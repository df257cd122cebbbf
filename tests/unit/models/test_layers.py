"""Layers that architectures share: what they compute, and the names by which checkpoints find their weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pixelwright import registry  # noqa: E402
from pixelwright.models.layers import normalized, pair  # noqa: E402

# Names and shapes in the state dictionary of each architecture's first variant as it stands in its module. Bundles and
# checkpoints hold weights by these: where another stands there, nobody's can be loaded any more.
STATES: dict[str, dict[str, list[int]]] = json.loads(Path(__file__).with_name("states.json").read_text())


@pytest.mark.parametrize("name", STATES)
def test_weights_that_are_stored_still_find_their_places(name: str) -> None:
    record = registry.get("architecture", name)
    state = record.build(next(iter(record.variants.values()))).state_dict()
    # In this order too: optimizers keep what they know of each by its number.
    assert [(key, list(value.shape)) for key, value in state.items()] == list(STATES[name].items())


@pytest.mark.parametrize(
    ("kernel", "options"), [(1, {}), (3, {"stride": 2}), (3, {"dilation": 4}), (5, {"groups": 4, "for_relu": True})]
)
def test_a_normalized_convolution_keeps_the_size_but_for_its_stride(kernel: int, options: dict[str, int]) -> None:
    made = normalized(4, 8, kernel, **options)(torch.rand(2, 4, 17, 23))  # type: ignore[arg-type]
    stride = options.get("stride", 1)
    assert made.shape == (2, 8, math.ceil(17 / stride), math.ceil(23 / stride))
    torch.testing.assert_close(made.mean(dim=(0, 2, 3)), torch.zeros(8), rtol=0, atol=1e-5)


def test_weights_for_relu_begin_with_the_variance_of_their_source() -> None:
    torch.manual_seed(0)
    weight = normalized(64, 256, for_relu=True).state_dict()["0.weight"]
    assert float(weight.var()) == pytest.approx(2 / (256 * 9), rel=0.02)


def test_a_pair_is_never_negative_and_as_large_as_its_input() -> None:
    with torch.no_grad():
        made = pair(3, 6)(torch.randn(2, 3, 9, 11))
    assert made.shape == (2, 6, 9, 11) and float(made.min()) == 0
