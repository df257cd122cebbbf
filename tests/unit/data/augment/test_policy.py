"""Limits are checked, presets are what they say, and labels forbid what would make them untrue."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pixelwright.data.augment.policy import LIMITS, PRESETS, Policy, keypoint_swaps, suited, without_forbidden
from pixelwright.data.dataset import Dataset
from pixelwright.errors import UnknownName, UsageError


def test_every_number_has_a_limit() -> None:
    numbers = {one.name for one in fields(Policy) if isinstance(getattr(Policy(), one.name), float)}
    assert numbers == set(LIMITS)


def test_every_wrong_value_is_named_with_its_range() -> None:
    with pytest.raises(UsageError, match=r"mirror: expected 0..1, got 2; hue_rad: expected 0..3.1416, got -1.*nowhere"):
        Policy(mirror=2, hue_rad=-1, outside="nowhere")  # type: ignore[arg-type]


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match=r"noise: expected 0..1, got nan"):
        Policy(noise=float("nan"))


def test_presets_go_from_nothing_to_much() -> None:
    assert PRESETS["none"] == Policy()
    for name in ("rotate_rad", "scale", "brightness", "contrast"):
        limits = [getattr(PRESETS[preset], name) for preset in ("none", "light", "standard", "strong")]
        assert limits == sorted(limits)
        assert limits[0] < limits[1] < limits[3]


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="strong"):
        Policy.named("stronger")


def test_digits_are_not_mirrored_nor_turned_far() -> None:
    policy, remarks = without_forbidden(PRESETS["strong"], "classes", ("0", "1", "2"))
    assert (policy.mirror, policy.rotate_rad) == (0, 0.35)
    assert policy.scale == PRESETS["strong"].scale
    policy, remarks = without_forbidden(Policy(rotate_rad=3, quarter_turns=1), "classes", ("six", "6"))
    assert (policy.quarter_turns, policy.rotate_rad) == (0, 0.35)
    assert remarks == ("nothing is mirrored or turned far: '6' may be a character or a sign",)


@pytest.mark.parametrize("label", ["keep right", "turn_left", "Left lung", "links abbiegen"])
def test_labels_with_a_side_are_not_mirrored(label: str) -> None:
    policy, remarks = without_forbidden(PRESETS["standard"], "classes", ("stop", label))
    assert policy.mirror == 0
    assert policy.rotate_rad == PRESETS["standard"].rotate_rad
    assert label in remarks[0]


def test_names_that_only_contain_a_side_are_mirrored() -> None:
    policy, remarks = without_forbidden(PRESETS["light"], "classes", ("bright", "cleft", "copyright"))
    assert (policy, remarks) == (PRESETS["light"], ())


def test_pairs_are_turned_pixel_for_pixel_and_nothing_else() -> None:
    policy, remarks = without_forbidden(PRESETS["strong"], "pair", ())
    assert policy.mirror == 0.5
    assert not (policy.warps or policy.recolors or policy.mixes or policy.noise or policy.cutout)
    assert len(remarks) == 1
    assert without_forbidden(policy, "pair", ()) == (policy, ())


def test_only_classes_are_mixed() -> None:
    policy, _ = without_forbidden(PRESETS["strong"], "boxes", ("cell",))
    assert not policy.mixes
    assert policy.mirror == 0.5


def test_keypoints_with_a_side_are_swapped_with_their_other() -> None:
    names = ("nose", "left_eye", "right_eye", "Right ear", "left ear", "left_only")
    assert keypoint_swaps(names) == ((1, 2), (3, 4))
    for sides in (("l_eye", "r_eye"), ("eye L", "eye R"), ("LEye", "REye"), ("eyeL", "eyeR"), ("L", "R")):
        assert keypoint_swaps(sides) == ((0, 1),)
    assert keypoint_swaps(("bright", "cleft", "lash", "rash", "wheel", "wheer")) == ()


def _with_keypoints(names: tuple[str, ...], mirrored: tuple[int, ...] = ()) -> Dataset:
    return Dataset(Path("data"), "yolo", "keypoints", ("face",), (), keypoints=names, mirrored=mirrored)


def test_keypoints_whose_sides_nobody_knows_are_not_mirrored() -> None:
    both = Policy(mirror=0.5, vertical=0.5, quarter_turns=0.5)
    policy, remarks = suited(both, _with_keypoints(("point 0", "point 1", "point 2")))
    assert (policy.mirror, policy.vertical, policy.quarter_turns) == (0, 0, 0.5)
    assert len(remarks) == 1 and "flip_idx" in remarks[0]
    assert suited(both, _with_keypoints(("center",))) == (both, ())


def test_the_data_say_which_keypoints_change_places() -> None:
    policy, remarks = suited(Policy(mirror=0.5), _with_keypoints(("point 0", "point 1", "point 2"), (2, 1, 0)))
    assert (policy.mirror, policy.keypoint_swaps, remarks) == (0.5, ((0, 2),), ())
    policy, _ = suited(Policy(mirror=0.5), _with_keypoints(("left", "right"), (0, 1)))
    assert (policy.mirror, policy.keypoint_swaps) == (0.5, ())  # whatever they are called


def test_a_policy_needs_no_torch() -> None:
    check = "import sys, pixelwright.data.augment.policy; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
