"""From a graph's raw outputs to numbers with a meaning: pure functions that a bundle names, one module each."""
