"""Files to images and back: the one place that decodes and encodes."""
