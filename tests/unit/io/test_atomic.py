"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwright.io.atomic import whole_file


def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), whole_file(path) as out:
        out.write(b"half")
        raise OSError("full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
