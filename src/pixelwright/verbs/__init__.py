"""Verbs: what can be done with any task."""
