"""Pixelwright: from pixels to decisions."""

__version__ = "0.1.0"
