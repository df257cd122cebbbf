"""Foreign model files to bundles."""
