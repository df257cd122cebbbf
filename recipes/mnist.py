"""The MNIST files as arrays, and which images are held out. Needs no PyTorch."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 2000  # the last of the 20,000 training images: for choosing, never for training


def read_mnist(data: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Images `(N, 1, 28, 28)`, 0..1, white on black, and their labels; `name` is train20k or t10k."""
    images = read_idx(data / "mnist" / f"{name}-images-idx3-ubyte.gz")
    labels = read_idx(data / "mnist" / f"{name}-labels-idx1-ubyte.gz")
    return images[:, None].astype(np.float32) / np.float32(255), labels


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a gzip-compressed IDX file of bytes."""
    payload = gzip.decompress(path.read_bytes())
    if payload[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: expected IDX of unsigned bytes (00 00 08), got {payload[:3].hex(' ')}")
    shape = np.frombuffer(payload, ">u4", count=payload[3], offset=4)
    return np.frombuffer(payload, np.uint8, offset=4 + 4 * payload[3]).reshape(shape)
