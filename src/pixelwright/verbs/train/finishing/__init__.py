"""The end of a training: an export that was compared, calibrated and measured, its bundle, and a page about it."""
