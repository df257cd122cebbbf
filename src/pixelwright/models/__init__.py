"""Network architectures, one file each; importing one needs PyTorch."""
