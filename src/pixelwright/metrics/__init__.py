"""Scores that can be believed: each has a definition, an interval and a count."""
