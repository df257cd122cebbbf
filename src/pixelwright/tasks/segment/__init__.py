"""Which class each pixel is of."""
