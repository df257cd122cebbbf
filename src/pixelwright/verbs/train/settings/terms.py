"""Terms: the licenses of what a training made and was made from, as far as the user knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pixelwright.errors import UsageError
from pixelwright.structures.spec import License, Terms
from pixelwright.verbs.train.settings.config import BundleConfig

Commercial = Literal["yes", "no", "unknown"]

OURS = Terms("Apache-2.0", "yes", url="https://www.apache.org/licenses/LICENSE-2.0", name="pixelwright")
# Licenses whose text allows commercial use, by SPDX's names.
ALLOWING = frozenset(
    {"apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"}
    | {"isc", "mit", "odbl-1.0", "odc-by-1.0", "pddl-1.0", "unlicense", "zlib"}
)


def license_of(config: BundleConfig, data: str, inherited: Sequence[Terms] = ()) -> License:
    """The ledger of a bundle: what is not known stands there as unknown, and so does not allow anything.

    Args:
        config: Says `license` and `data_license`, each `SPDX` or `SPDX=URL`.
        data: Name of the data set.
        inherited: Terms of the weights that training started from, and of the data behind them.

    Raises:
        UsageError: A license is said that has no name, or an address that is none.
    """
    weights = _terms(config.license, "license", "", config.commercial)
    return License(OURS, weights, [_terms(config.data_license, "data_license", data, config.commercial), *inherited])


def _terms(said: str, option: str, name: str, commercial: Commercial) -> Terms:
    spdx, _, url = (part.strip() for part in said.partition("="))
    if (url and not url.startswith(("https://", "http://"))) or (url and not spdx):
        raise UsageError(f"{option} {said!r}: expected SPDX or SPDX=URL, as in CC-BY-4.0=https://example.org/terms.")
    if not spdx:
        return Terms("unknown", commercial, name=name)
    return Terms(spdx, _commercial(spdx, commercial), url=url, name=name)


def _commercial(spdx: str, said: Commercial) -> Commercial:
    """What the license's name says, where it says anything; else what the user does."""
    if "-nc" in spdx.lower():
        return "no"
    return "yes" if spdx.lower() in ALLOWING else said
