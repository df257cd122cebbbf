"""Licenses as a user says them."""

from __future__ import annotations

import pytest

from pixelwright.errors import UsageError
from pixelwright.structures.spec import Terms
from pixelwright.verbs.train.settings.config import BundleConfig
from pixelwright.verbs.train.settings.terms import license_of


def test_what_nobody_said_is_unknown_and_allows_nothing() -> None:
    terms = license_of(BundleConfig(), "cells")
    assert (terms.weights.license, terms.weights.commercial) == ("unknown", "unknown")
    assert terms.data == [Terms("unknown", "unknown", name="cells")]
    assert terms.commercial == "unknown"


@pytest.mark.parametrize(
    ("spdx", "said", "commercial"),
    [
        ("MIT", "unknown", "yes"),
        ("cc-by-4.0", "unknown", "yes"),
        ("CC-BY-NC-SA-4.0", "yes", "no"),
        ("LicenseRef-Hospital", "unknown", "unknown"),
        ("LicenseRef-Hospital", "yes", "yes"),
        ("LicenseRef-Hospital", "no", "no"),
        ("", "no", "no"),
    ],
)
def test_commercial_use_is_what_the_licenses_name_says_else_what_the_user_does(
    spdx: str, said: str, commercial: str
) -> None:
    config = BundleConfig(data_license=spdx, commercial=said)  # pyright: ignore[reportArgumentType]
    assert license_of(config, "cells").data[0].commercial == commercial


def test_an_address_stands_behind_an_equals_sign() -> None:
    terms = license_of(BundleConfig(license="CC0-1.0=https://example.org/a=b"), "cells").weights
    assert (terms.license, terms.url) == ("CC0-1.0", "https://example.org/a=b")


@pytest.mark.parametrize("said", ["=https://example.org", "MIT=example.org"])
def test_an_address_without_license_and_a_license_with_no_address_are_refused(said: str) -> None:
    with pytest.raises(UsageError, match="expected SPDX or SPDX=URL"):
        license_of(BundleConfig(data_license=said), "cells")


def test_terms_of_earlier_data_stay() -> None:
    earlier = Terms("CC-BY-NC-4.0", "no", name="photos")
    terms = license_of(BundleConfig(license="MIT", data_license="MIT"), "cells", [earlier])
    assert terms.data[1] is earlier
    assert terms.commercial == "no"
