"""ONNX Runtime is asked for exact sums where its fast ones could overflow, and takes files of strangers."""

from __future__ import annotations

from pathlib import Path

import pytest

import bundles
from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes import onnx


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "flags : sse4_2 avx2", True),
        ("x86_64", "flags : avx2 avx512_vnni", False),
        ("AMD64", "flags : avx2 avx_vnni", False),
        ("aarch64", "Features : asimddp", False),
    ],
)
def test_exact_sums_are_asked_for_where_products_could_overflow(
    monkeypatch: pytest.MonkeyPatch, machine: str, flags: str, exact: bool
) -> None:
    monkeypatch.setattr(onnx.platform, "machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda self, **how: flags)
    onnx._sums_may_saturate.cache_clear()
    try:
        assert onnx._sums_may_saturate() is exact
    finally:
        onnx._sums_may_saturate.cache_clear()


def test_names_that_are_not_utf8_are_refused_in_a_sentence(tmp_path: Path) -> None:
    model = bundles.blur(tmp_path / "b").file("model")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(model.read_bytes().replace(b"out", b"o\xfft"))
    with pytest.raises(RuntimeFailure, match=r"damaged\.onnx"):
        onnx.RUNTIME.open(damaged, threads=1)
