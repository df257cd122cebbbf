"""A better picture: denoised, larger, repaired."""
