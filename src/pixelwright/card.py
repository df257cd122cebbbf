"""The model card of a bundle."""

from __future__ import annotations

from pixelwright.structures.spec import BundleSpec


def render_card(spec: BundleSpec) -> str:
    """The card as Markdown with the hub's YAML front matter."""
    return f"# {spec.name}\n"
