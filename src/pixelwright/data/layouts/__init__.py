"""The layouts that are read, one module each."""
