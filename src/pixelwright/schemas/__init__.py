"""JSON schemas of our files, generated from the types: `python -m pixelwright.schemas` writes them anew."""

from __future__ import annotations

from inspect import cleandoc
from pathlib import Path
from typing import Any, cast

import msgspec

from pixelwright.structures.spec import SCHEMA_ID, BundleSpec

BUNDLE_SCHEMA = Path(__file__).parent / "bundle.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def bundle_schema() -> bytes:
    """The schema of `bundle.json`, as the file holds it."""
    schema = {"$schema": DIALECT, "title": SCHEMA_ID, **_dedented(msgspec.json.schema(BundleSpec))}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _dedented(part: Any) -> Any:
    """Descriptions come from docstrings, which Python dedents by itself only from 3.13 on."""
    if isinstance(part, dict):
        return {
            name: cleandoc(value) if name == "description" and isinstance(value, str) else _dedented(value)
            for name, value in cast(dict[str, Any], part).items()
        }
    return [_dedented(value) for value in cast(list[Any], part)] if isinstance(part, list) else part
