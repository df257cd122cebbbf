"""Names lead to objects; a wrong one gets its neighbors."""

from __future__ import annotations

import pytest

from pixelwright import registry
from pixelwright.errors import UnknownName


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'classify'") as caught:
        registry.get("task", "clasify")
    assert caught.value.nearest == ["classify"]


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UnknownName, match="Known: classify, enhance"):
        registry.get("task", "xyzzy")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in registry.BUILTIN.items() for name in table])
def test_every_built_in_row_leads_to_an_object(kind: str, name: str) -> None:
    assert registry.get(kind, name) is not None
