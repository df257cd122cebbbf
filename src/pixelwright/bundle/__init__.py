"""Model bundles: a folder with `bundle.json`, the files it lists, and a card. Read, checked and written here."""

from pixelwright.bundle.faults import spec_faults
from pixelwright.bundle.read import ModelBundle, Verify, parse_spec, read_bundle
from pixelwright.bundle.write import write_bundle

__all__ = ["ModelBundle", "Verify", "parse_spec", "read_bundle", "spec_faults", "write_bundle"]
