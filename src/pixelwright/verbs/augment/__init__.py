"""Augment: a data set written out with variants of its pictures, labels and all."""

from pixelwright.verbs.augment.forms import form_of
from pixelwright.verbs.augment.write import AugmentRequest, Written, augment_dataset, write_preview

__all__ = ["AugmentRequest", "Written", "augment_dataset", "form_of", "write_preview"]
