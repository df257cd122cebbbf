"""Where things are in the picture: boxes, and where a model gives them masks and keypoints."""
