"""Augmentation of whole batches: what is true of the pictures follows them. Needs torch."""
