"""Annotations and results in the layouts other tools read."""
