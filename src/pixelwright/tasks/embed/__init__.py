"""A vector for each picture, near that of pictures like it."""
