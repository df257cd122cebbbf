"""What is in the picture: one label, or several."""
