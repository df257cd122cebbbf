"""Parity: how a difference is measured, and what a stored probe may be."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

import bundles
from pixelwright.bundle import ModelBundle, write_bundle
from pixelwright.errors import BundleError, DamagedModel, ParityError
from pixelwright.runtimes.parity import ParityCheck, difference, require_parity, verify
from pixelwright.runtimes.probe import Case, read_probe, write_probe
from pixelwright.structures.spec import Parity, Precision


def out(*values: float) -> dict[str, np.ndarray]:
    return {"out": np.array(values, np.float32)}


@pytest.mark.parametrize(
    ("reference", "outputs", "expected"),
    [
        (out(1, -4), out(1, -4), 0.0),
        (out(1, -4), out(1.5, -4), 0.125),  # 0.5 of 4
        (out(0, 0), out(0, 0), 0.0),
        (out(0, 0), out(0, 1), math.inf),
        (out(1, 2), out(1, math.nan), math.inf),
        (out(1, math.nan), out(1, math.nan), math.inf),
        (out(1, math.inf), out(1, math.inf), math.inf),
        (out(1, 2), out(1), math.inf),
        (out(1, 2), {}, math.inf),
        ({}, {}, math.inf),
        ({"out": np.array([5, 5, 9, 9])}, {"out": np.array([5, 6, 9, 0])}, 0.5),  # two of four classes
        ({"out": np.array([250], np.uint8)}, {"out": np.array([255], np.uint8)}, 0.02),
    ],
)
def test_the_difference_is_relative_to_the_largest_value(reference, outputs, expected: float) -> None:
    assert difference(reference, outputs) == pytest.approx(expected)


REFERENCE: Sequence[tuple[str, Precision]] = (("onnxruntime", "f32"),)


def probed(folder: Path, *, spoil: float = 0.0, rows: Sequence[tuple[str, Precision]] = REFERENCE) -> ModelBundle:
    """A blur with its probe, the stored answer made wrong by `spoil`."""
    bundle = bundles.blur(folder / "plain")
    image = np.random.default_rng(0).random((1, 3, 12, 9), np.float32)
    padded = np.pad(image, ((0, 0), (0, 0), (2, 2), (2, 2)))
    answer = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3)).mean(axis=(4, 5), dtype=np.float32)
    write_probe(folder / "probe.npz", [Case({"in": image}, {"out": answer + np.float32(spoil)})])
    parity = [Parity(name, precision, 20, 0.0, 1e-3) for name, precision in rows]
    spec = msgspec.structs.replace(bundle.spec, parity=parity)
    return write_bundle(folder / "b", spec, {"model": bundle.file("model"), "probe": folder / "probe.npz"})


def test_a_runtime_that_agrees_is_verified(tmp_path: Path) -> None:
    (check,) = verify(probed(tmp_path), threads=1)
    assert check.holds and check.n == 1 and check.largest_difference < 1e-5
    require_parity("blur", [check])


def test_a_runtime_that_differs_is_told_with_numbers(tmp_path: Path) -> None:
    (check,) = verify(probed(tmp_path, spoil=0.5), threads=1)
    assert not check.holds
    with pytest.raises(ParityError, match=r"model blur: onnxruntime f32 differs by 0\.\d+, allowed 0\.001"):
        require_parity("blur", [check])


def test_what_cannot_be_tried_here_is_skipped_with_its_reason(tmp_path: Path) -> None:
    bundle = probed(tmp_path, rows=[("onnxruntime", "int8"), ("abacus", "f32")])
    reference, *others = verify(bundle)
    assert (reference.runtime, reference.precision) == ("onnxruntime", "f32") and reference.holds
    reasons = [check.skipped or "" for check in others]
    assert "no precision int8" in reasons[0] and "'abacus'" in reasons[1]
    require_parity("blur", verify(bundle))


def test_what_the_record_does_not_vouch_for_is_skipped(tmp_path: Path) -> None:
    bundle = probed(tmp_path)
    row = Parity("openvino", "bf16", 20, 0.2, 1e-3)
    bundle = write_bundle(
        tmp_path / "other",
        msgspec.structs.replace(bundle.spec, parity=[*bundle.spec.parity, row]),
        {role: bundle.file(role) for role in ("model", "probe")},
    )
    _, known = verify(bundle, threads=1)
    assert "differed by 0.2 when the bundle was made" in (known.skipped or "")


def test_a_bundle_without_a_probe_says_so(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "b", parity=[Parity("onnxruntime", "f32", 20, 0.0, 1e-3)])
    assert [check.skipped for check in verify(bundle)] == ["the bundle stores no inputs to compare on"]


def test_a_bundle_without_a_record_is_still_held_to_the_reference(tmp_path: Path) -> None:
    (check,) = verify(probed(tmp_path, rows=[], spoil=0.5), threads=1)
    assert check.runtime == "onnxruntime" and check.n == 1 and not check.holds


def test_a_probe_that_does_not_fit_the_graph_fails(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "plain", parity=[Parity("onnxruntime", "f32", 20, 0.0, 1e-3)])
    write_probe(tmp_path / "probe.npz", [Case({"other": np.zeros(1)}, {"out": np.zeros(1)})])
    bundle = write_bundle(tmp_path / "b", bundle.spec, {"model": bundle.file("model"), "probe": tmp_path / "probe.npz"})
    (check,) = verify(bundle)
    assert not check.holds and "'other' is no input" in check.verdict


def test_infinity_never_holds() -> None:
    assert not ParityCheck("onnxruntime", "f32", 1e12).holds


def test_a_probe_comes_back_as_it_was(tmp_path: Path) -> None:
    cases = [Case({"in": np.arange(i, dtype=np.uint8)}, {"a/b": np.eye(2), "c": np.float16([i])}) for i in range(12)]
    write_probe(tmp_path / "probe.npz", cases)
    found = read_probe(tmp_path / "probe.npz")
    for case, again in zip(cases, found, strict=True):
        for side in ("inputs", "outputs"):
            np.testing.assert_equal(dict(getattr(again, side)), dict(getattr(case, side)))
    first = (tmp_path / "probe.npz").read_bytes()
    write_probe(tmp_path / "probe.npz", cases)
    assert (tmp_path / "probe.npz").read_bytes() == first


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    raw = io.BytesIO()
    np.save(raw, array, allow_pickle=allow_pickle)
    return raw.getvalue()


class Bomb:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> tuple:
        return (pytest.fail, ("the pickle was opened",))


HOSTILE = {
    "a pickle": {"0/input/in.npy": npy(np.array([Bomb()], object), allow_pickle=True)},
    "a huge claim": {"0/input/in.npy": npy(np.zeros(10)).replace(b"(10,)", b"(99,)")},
    "a cut-off array": {"0/input/in.npy": npy(np.zeros(10))[:-3]},
    "no array": {"0/input/in.npy": b"hello"},
    "another name": {"in.npy": npy(np.zeros(1))},
    "a path": {"../../x.npy": npy(np.zeros(1))},
    "nothing": {},
    "too much": {"0/input/in.npy": bytes(65 * 2**20)},
    "open brackets": {"0/input/in.npy": npy(np.zeros(10)).replace(b"(10,), }", b"((((((((")},
    "a header of nothing": {"0/input/in.npy": npy(np.zeros(10)).replace(b"{", b" ").replace(b"}", b" ")},
    "text": {"0/input/in.npy": npy(np.array(["a"]))},
    "dates": {"0/output/out.npy": npy(np.zeros(1, "M8[s]"))},
    "a number without end": {f"{'9' * 5000}/input/in.npy": npy(np.zeros(1))},
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_probe_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = tmp_path / "probe.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    with pytest.raises(DamagedModel, match=r"probe\.npz"):
        read_probe(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("place", [0, 4, 9, 40])
def test_a_damaged_member_is_refused_however_it_is_packed(tmp_path: Path, method: int, place: int) -> None:
    path = tmp_path / "probe.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("0/input/in.npy", npy(np.arange(99)))
    raw = bytearray(path.read_bytes())
    raw[30 + len("0/input/in.npy") + place] ^= 0xFF  # 30 bytes of header and the name stand before the member
    path.write_bytes(raw)
    with pytest.raises(DamagedModel, match=r"probe\.npz") as caught:
        read_probe(path)
    assert "\n" not in str(caught.value)


def test_a_probe_that_is_no_archive_is_a_fault_of_the_bundle(tmp_path: Path) -> None:
    bundle = bundles.blur(tmp_path / "plain", parity=[Parity("onnxruntime", "f32", 20, 0.0, 1e-3)])
    (tmp_path / "probe.npz").write_bytes(b"not a zip file")
    bundle = write_bundle(tmp_path / "b", bundle.spec, {"model": bundle.file("model"), "probe": tmp_path / "probe.npz"})
    with pytest.raises(BundleError, match=r"probe\.npz"):
        verify(bundle)
