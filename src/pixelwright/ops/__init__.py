"""Pure functions on arrays and images."""
