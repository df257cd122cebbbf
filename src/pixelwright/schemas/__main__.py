"""Writes the schema files next to this one."""

from pixelwright.schemas import BUNDLE_SCHEMA, bundle_schema

if __name__ == "__main__":
    BUNDLE_SCHEMA.write_bytes(bundle_schema())
