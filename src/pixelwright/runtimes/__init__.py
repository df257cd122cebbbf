"""Runtimes: a small protocol and its implementations, the choice among them, and parity."""
