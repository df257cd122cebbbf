"""One module per file format; each defines a `FORMAT` that the registry names."""
