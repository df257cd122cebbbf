"""The classic networks have the layers that their sources say."""

from __future__ import annotations

import pytest

from pixelwright.errors import UsageError

torch = pytest.importorskip("torch")

from pixelwright.models import cnn, keras_mnist, vit  # noqa: E402
from pixelwright.models.architecture import Problem  # noqa: E402


def shapes(net: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(weight.shape) for key, weight in net.state_dict().items()}


def test_the_cnn_is_as_the_textbook_says() -> None:
    problem = Problem("classify", tuple("abcdefghij"), 3, (30, 22))
    assert shapes(cnn.Cnn(cnn.fit(cnn.VARIANTS["classic"], problem))) == {
        "conv1.weight": (32, 3, 3, 3),
        "conv1.bias": (32,),
        "conv2.weight": (64, 32, 3, 3),
        "conv2.bias": (64,),
        "hidden.weight": (128, 64 * 7 * 5),
        "hidden.bias": (128,),
        "classify.weight": (10, 128),
        "classify.bias": (10,),
    }


@pytest.mark.parametrize("size_hw", [(4, 4), (5, 7), (32, 32)])
def test_the_cnn_takes_sides_that_are_no_multiple_of_four(size_hw: tuple[int, int]) -> None:
    net = cnn.Cnn(cnn.fit(cnn.Config(), Problem("classify", ("a", "b"), 1, size_hw)))
    assert net(torch.zeros(2, 1, *size_hw)).shape == (2, 2)


def test_keras_mnist_has_93322_parameters() -> None:
    net = keras_mnist.KerasMnist(keras_mnist.VARIANTS["classic"])
    assert sum(weight.numel() for weight in net.parameters()) == 93_322
    assert shapes(net)["hidden.weight"] == (64, 576)


def test_keras_mnist_begins_as_keras_lets_it_begin() -> None:
    torch.manual_seed(0)
    net = keras_mnist.KerasMnist(keras_mnist.VARIANTS["classic"])
    limit = (6 / (3 * 3 * 32 + 3 * 3 * 64)) ** 0.5  # Glorot: the square root of 6 over the sum of both fans
    assert 0.95 * limit < net.conv2.weight.abs().max() <= limit
    assert not net.conv2.bias.any()


@pytest.mark.parametrize(
    ("architecture", "size_hw"), [(cnn.ARCHITECTURE, (3, 30)), (keras_mnist.ARCHITECTURE, (28, 17))]
)
def test_pictures_too_small_for_the_layers_are_refused(architecture: object, size_hw: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="pixels or more"):
        architecture.fit(architecture.variants["classic"], Problem("classify", ("a", "b"), 1, size_hw))  # type: ignore[attr-defined]


@pytest.mark.parametrize("architecture", [cnn.ARCHITECTURE, keras_mnist.ARCHITECTURE], ids=lambda one: one.name)
def test_dense_layers_over_space_need_one_size(architecture: object) -> None:
    with pytest.raises(UsageError, match="one size"):
        architecture.fit(architecture.variants["classic"], Problem("classify", ("a", "b"), 1, (28, 28), fixed=False))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("size", "side"), [(14, 7), (28, 14), (32, 8), (64, 8), (224, 14)])
def test_a_vision_transformer_never_has_more_than_14_tokens_a_side(size: int, side: int) -> None:
    config = vit.fit(vit.VARIANTS["xs"], Problem("classify", ("a", "b"), 1, (size, size)))
    assert vit.VisionTransformer(config).patches(torch.zeros(1, 1, size, size)).shape[2:] == (side, side)


def test_a_vision_transformer_of_large_pictures_keeps_all_of_their_channels() -> None:
    config = vit.fit(vit.VARIANTS["xs"], Problem("classify", ("a", "b"), 3, (2048, 2048)))
    net = vit.VisionTransformer(config)
    channels = [layer.out_channels for layer in net.patches if isinstance(layer, torch.nn.Conv2d)]
    assert channels == [3, 3, 3, 4, 8, 16, 32, 64, 64]


def test_positions_tell_every_token_from_every_other() -> None:
    made = vit.positions(7, 9, 64, torch.zeros(1))[0]
    distances = torch.cdist(made, made) + torch.eye(63) * 9
    assert distances.min() > 0.1
