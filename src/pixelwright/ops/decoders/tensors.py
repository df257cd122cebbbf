"""Outputs as they are, for whoever knows what they mean."""

from __future__ import annotations

from pixelwright.ops.decoders.decoder import Decoder, Outputs


def tensors(outputs: Outputs) -> Outputs:
    """All outputs by name, untouched."""
    return outputs


DECODER = Decoder("tensors", "tensors", tensors)
