"""JSON schemas of our files, generated from the types: `python -m pixelwright.schemas` writes them anew."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pixelwright.structures.spec import SCHEMA_ID, BundleSpec

BUNDLE_SCHEMA = Path(__file__).parent / "bundle.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def bundle_schema() -> bytes:
    """The schema of `bundle.json`, as the file holds it."""
    schema = {"$schema": DIALECT, "title": SCHEMA_ID, **msgspec.json.schema(BundleSpec)}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
