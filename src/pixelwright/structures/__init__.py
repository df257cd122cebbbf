"""The nouns: images, rasters, results and what a bundle says. NumPy only."""
