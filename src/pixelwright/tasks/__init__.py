"""Tasks: each a folder with what it needs of `task`, `predict`, `train`, `evaluate` and `draw`."""
