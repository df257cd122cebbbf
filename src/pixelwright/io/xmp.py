"""XMP packets: kept as they are, but for the orientation, which is 1 once the picture stands upright."""

from __future__ import annotations

import re

MAX_XMP_BYTES = 2**24  # editors write below 1 MiB; compressed text could unfold to anything

_ORIENTATION = re.compile(rb"""(<tiff:Orientation>\s*|tiff:Orientation\s*=\s*["'])([1-8])""")


def reset(packet: bytes | None) -> bytes | None:
    """The packet with `tiff:Orientation` 1; None where there is none or it is absurdly long."""
    if not packet or len(packet) > MAX_XMP_BYTES:
        return None
    return _ORIENTATION.sub(rb"\g<1>1", packet)
