"""Networks of timm are built as it is asked for them, and nothing of it is needed until then."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pixelwright.errors import MissingExtra, UnknownName, UsageError  # noqa: E402
from pixelwright.models import timm_network  # noqa: E402
from pixelwright.models.architecture import Problem  # noqa: E402

COLORS = Problem("classify", ("a", "b", "c"), 3, (32, 32))


class Fake:
    """As much of timm as is used."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def is_model(self, name: str) -> bool:
        return name == "resnet18"

    def list_models(self) -> list[str]:
        return ["resnet18", "vit_tiny"]

    def get_pretrained_cfg(self, name: str) -> Any:
        return SimpleNamespace(mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.5))

    def create_model(self, name: str, **options: Any) -> Any:
        self.asked.append((name, options))
        return torch.nn.Conv2d(3, options["num_classes"], 1)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "timm", fake)
    return fake


def test_a_network_has_an_output_for_each_label_and_its_own_normalization(timm: Fake) -> None:
    record = timm_network.architecture("timm:resnet18")
    assert record.mean_std == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    record.build(record.fit(record.variants["pretrained"], COLORS))
    assert timm.asked == [("resnet18", {"pretrained": True, "num_classes": 3, "in_chans": 3})]


def test_a_name_of_the_hub_is_asked_of_the_hub(timm: Fake) -> None:
    record = timm_network.architecture("hf:someone/net")
    record.build(record.fit(record.variants["pretrained"], COLORS))
    assert timm.asked[0][0] == "hf-hub:someone/net" and record.mean_std[0] == (0.485, 0.456, 0.406)


def test_a_name_that_timm_does_not_have_is_told_with_the_nearest(timm: Fake) -> None:
    with pytest.raises(UnknownName, match="resnet18"):
        timm_network.architecture("timm:resnet81")


def test_gray_pictures_need_a_word_for_weights_of_colors(timm: Fake) -> None:
    record = timm_network.architecture("timm:resnet18")
    with pytest.raises(UsageError, match="--channels 3"):
        record.fit(record.variants["pretrained"], Problem("classify", ("a", "b"), 1, (32, 32)))


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match="timm"):
        timm_network.architecture("timm:resnet18")
