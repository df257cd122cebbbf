"""What augmentation does to pictures, and that what is true of them stays true."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import ProjectiveTransform, warp

from pixelwright.data.augment.apply import augment
from pixelwright.data.augment.geometry import Motion, draw_motion, move_ids, move_pictures, move_points
from pixelwright.data.augment.policy import OUTSIDE, PRESETS, Outside, Policy
from pixelwright.data.augment.truth import cover_truth, extents, move_boxes
from pixelwright.errors import ShapeError
from pixelwright.models.batch import VOID, Batch

GEOMETRY = Policy(rotate_rad=0.4, scale=0.3, aspect=0.2, shift=0.1, shear_rad=0.2)
SEEDS = st.integers(0, 2**31)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(count: int = 4, size_hw: tuple[int, int] = (40, 56)) -> Batch:
    """Two ellipses in each picture with all that may be true of them."""
    height, width = size_hw
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    instances = torch.zeros(count, height, width, dtype=torch.int32)
    for one, (left, top, right, bottom) in enumerate(((6, 8, 24, 20), (30, 14, 46, 34)), 1):
        within = ((2 * x - left - right) / (right - left)) ** 2 + ((2 * y - top - bottom) / (bottom - top)) ** 2 <= 1
        instances[:, within] = one
    boxes = torch.tensor([[6.0, 8, 24, 20], [30, 14, 46, 34]])
    keypoints = torch.tensor([[[7.0, 14, 2], [23, 14, 1]], [[38, 15, 2], [0, 0, 0]]])
    return Batch(
        (instances[:, None] / 2).repeat(1, 3, 1, 1),
        boxes_xyxy=[boxes] * count,
        box_classes=[torch.tensor([3, 5])] * count,
        keypoints=[keypoints] * count,
        instances=instances,
        maps=instances.long(),
        ids=tuple(map(str, range(count))),
    )


def columns(batch: Batch) -> dict[str, torch.Tensor]:
    """All tensors by name."""
    found = {}
    for name in batch.__slots__:
        value = getattr(batch, name)
        if isinstance(value, torch.Tensor):
            found[name] = value
        elif isinstance(value, list):
            found |= {f"{name} {row}": one for row, one in enumerate(value)}
    return found


def same(one: Batch, other: Batch) -> bool:
    first, second = columns(one), columns(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_no_policy_changes_no_bit() -> None:
    batch = replace(scene(), clean=torch.rand(4, 3, 80, 112), images=torch.rand(4, 3, 40, 56) * 1.5)
    assert same(augment(batch, Policy(), seeded()), batch)


def test_a_share_of_none_changes_no_bit() -> None:
    policy = replace(PRESETS["strong"], share=0.0, mirror=0.0, mixup_alpha=0.0, cutmix_alpha=0.0)
    batch = scene()
    after = augment(batch, policy, seeded())
    assert same(after, batch)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_batch_given_stays_as_it_is(seed: int) -> None:
    batch, same_again = scene(), scene()
    augment(batch, PRESETS["strong"], seeded(seed))
    assert same(batch, same_again)


@given(seed=SEEDS, name=st.sampled_from(["light", "standard", "strong"]))
@settings(max_examples=20, deadline=None)
def test_one_seed_gives_one_batch(seed: int, name: str) -> None:
    assert same(augment(scene(), PRESETS[name], seeded(seed)), augment(scene(), PRESETS[name], seeded(seed)))


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_values_stay_between_black_and_white_and_carry_no_gradient(seed: int) -> None:
    policy = replace(PRESETS["strong"], invert=0.5, stroke_px=1.0, brightness=1.0, contrast=3.0)
    images = torch.rand(4, 3, 17, 9, requires_grad=True)
    after = augment(Batch(images, classes=torch.eye(4)), policy, seeded(seed)).images
    assert after.shape == images.shape
    assert float(after.min()) >= 0
    assert float(after.max()) <= 1
    assert not after.requires_grad


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 1, 7), (3, 4, 5, 3), (0, 3, 8, 8)])
def test_any_size_and_number_of_channels_is_varied(shape: tuple[int, ...]) -> None:
    policy = replace(PRESETS["strong"], quarter_turns=1.0, stroke_px=1.0)
    after = augment(Batch(torch.full(shape, 0.5)), policy, seeded(3))
    assert after.images.shape == shape
    assert bool(torch.isfinite(after.images).all())


def test_pictures_without_rows_or_floats_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"got \(2, 3\) torch.float32"):
        augment(Batch(torch.zeros(2, 3)), Policy(), seeded())
    with pytest.raises(ShapeError, match=r"torch\.uint8"):
        augment(Batch(torch.zeros((1, 1, 2, 2), dtype=torch.uint8)), Policy(), seeded())


@pytest.mark.parametrize("policy", [Policy(mirror=1.0), Policy(vertical=1.0), Policy(quarter_turns=1.0)], ids=str)
@pytest.mark.parametrize("size_hw", [(40, 56), (56, 56)])
def test_after_exact_turns_a_box_is_that_of_its_mask(policy: Policy, size_hw: tuple[int, int]) -> None:
    after = augment(scene(6, size_hw), policy, seeded(1))
    assert after.instances is not None
    assert after.boxes_xyxy is not None
    assert not same(after, scene(6, size_hw))
    for row in range(6):
        _, boxes = extents(after.instances[row], 2)
        assert torch.equal(after.boxes_xyxy[row].double(), boxes)
        assert torch.equal(after.images[row, 0], after.instances[row] / 2)


def test_a_quarter_turn_goes_to_the_left_with_everything() -> None:
    motion = draw_motion(64, (4, 4), Policy(quarter_turns=1.0), seeded())
    once = int((motion.quarters == 1).nonzero()[0])
    picture = torch.arange(16.0).view(1, 1, 4, 4).expand(64, 1, 4, 4)
    turned = move_pictures(picture, motion, "edge")[once, 0]
    assert turned[0].tolist() == [3.0, 7.0, 11.0, 15.0]  # what was the right column is the first row
    assert move_points(torch.tensor([[[3.5, 1.5]]]), motion, torch.tensor([once])).tolist() == [[[1.5, 0.5]]]


def test_pictures_that_are_not_square_turn_upside_down_only() -> None:
    motion = draw_motion(64, (4, 6), Policy(quarter_turns=1.0), seeded())
    assert set(motion.quarters.tolist()) == {2}


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_boxes_of_ellipses_follow_any_affine_motion(seed: int) -> None:
    batch = scene(1, (120, 168))
    y, x = torch.meshgrid(torch.arange(120) + 0.5, torch.arange(168) + 0.5, indexing="ij")
    batch.instances = (((x - 84) / 36) ** 2 + ((y - 60) / 20) ** 2 <= 1).int()[None]
    motion = draw_motion(1, (120, 168), replace(GEOMETRY, shift=0.0, scale=0.2), seeded(seed))
    box = move_boxes(torch.tensor([[48.0, 40, 120, 80]]), motion, torch.tensor([0]))
    _, of_mask = extents(move_ids(batch.instances, motion, 0)[0], 1)
    # A pixel for the mask's own edge, before and after.
    assert float((box - of_mask).abs().max()) < 1.5


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_masks_of_rendered_things_follow_their_pictures(seed: int) -> None:
    policy = replace(GEOMETRY, perspective=0.3, elastic=0.01, mirror=0.5, vertical=0.5, outside="black")
    batch = replace(scene(2, (96, 96)), boxes_xyxy=None)
    batch.images = batch.images.ceil()
    after = augment(batch, policy, seeded(seed))
    assert after.maps is not None
    assert after.instances is not None
    seen, said = after.images[:, 0] > 0.5, after.instances > 0
    assert float((seen & said).sum() / (seen | said).sum().clamp(min=1)) > 0.95
    assert torch.equal(after.maps == VOID, (after.maps != after.instances))


@pytest.mark.parametrize("outside", OUTSIDE)
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_things_go_on_beyond_the_edge_as_their_pictures_do(outside: Outside, seed: int) -> None:
    instances = torch.zeros(2, 120, 120, dtype=torch.int32)
    instances[:, :50, 20:60], instances[:, 60:, 70:] = 1, 2  # at the edge, and in a corner
    batch = Batch(
        (instances > 0).float()[:, None],
        boxes_xyxy=[torch.tensor([[20.0, 0, 60, 50], [70, 60, 120, 120]])] * 2,
        box_ignored=[torch.zeros(2, dtype=torch.bool)] * 2,
        instances=instances,
    )
    after = augment(batch, replace(GEOMETRY, shift=0.2, perspective=0.2, mirror=0.5, outside=outside), seeded(seed))
    assert after.instances is not None
    seen, said = after.images[:, 0] > 0.5, after.instances > 0
    assert float((seen & said).sum() / (seen | said).sum()) > 0.97


@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_thing_is_no_larger_for_what_is_beyond_the_edge(outside: Outside) -> None:
    instances = torch.zeros(64, 40, 40, dtype=torch.int32)
    instances[:, 10:30, :10] = 1
    batch = Batch(
        (instances > 0).float()[:, None],
        boxes_xyxy=[torch.tensor([[0.0, 10, 10, 30]])] * 64,
        box_ignored=[torch.tensor([False])] * 64,
        instances=instances,
    )
    policy = Policy(shift=0.9, least_left=0.9, outside=outside)
    after = augment(batch, policy, seeded(2))
    alone = augment(replace(batch, instances=None), policy, seeded(2))
    assert after.boxes_xyxy is not None and after.box_ignored is not None and after.instances is not None
    assert alone.boxes_xyxy is not None and alone.box_ignored is not None
    learned = 0
    for row in range(64):
        if not len(alone.boxes_xyxy[row]):
            assert after.box_ignored[row].all()  # nothing of it, or what is drawn out or mirrored alone
            continue
        if len(after.boxes_xyxy[row]):  # less than a pixel of it may have none
            assert float((after.boxes_xyxy[row] - alone.boxes_xyxy[row]).abs().max()) <= 1
        if (alone.boxes_xyxy[row][:, 2:] - alone.boxes_xyxy[row][:, :2]).prod() < 140:
            assert after.box_ignored[row].all()
        learned += int((~after.box_ignored[row]).sum())
    assert learned > 5


def test_a_cutout_leaves_boxes_where_they_were_beyond_the_edge() -> None:
    instances = torch.zeros(16, 40, 40, dtype=torch.int32)
    instances[:, 10:30, :10] = 1
    batch = Batch(torch.zeros(16, 1, 40, 40), boxes_xyxy=[torch.tensor([[0.0, 10, 10, 30]])] * 16, instances=instances)
    policy = Policy(shift=0.5, outside="reflect")
    moved, covered = (augment(batch, replace(policy, cutout=one), seeded()) for one in (0.0, 1e-6))
    assert same(moved, covered)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_pixels_go_where_points_go(seed: int) -> None:
    policy = replace(GEOMETRY, perspective=0.2, elastic=0.02, mirror=0.5, quarter_turns=0.5)
    motion = draw_motion(1, (60, 60), policy, seeded(seed))
    y, x = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(60) + 0.5, indexing="ij")
    places = torch.stack((x, y))
    origins = move_pictures(places[None], motion, "edge")[0]  # pixels that say where they come from
    inner = ((origins > 1) & (origins < 59)).all(dim=0)
    found = move_points(origins.movedim(0, -1)[inner][None], motion, torch.tensor([0]))[0]
    assert float((found - places.movedim(0, -1)[inner]).abs().max()) < 0.05


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_resampling_agrees_with_scikit_image(seed: int) -> None:
    motion = draw_motion(1, (33, 47), replace(GEOMETRY, perspective=0.2), seeded(seed))
    picture = torch.rand(1, 1, 33, 47, generator=seeded(seed))
    ours = move_pictures(picture, motion, "black")[0, 0].numpy()
    # scikit-image counts from the middle of the first pixel.
    middle = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    matrix = middle @ motion.matrix[0].numpy() @ np.linalg.inv(middle)
    theirs = warp(picture[0, 0].numpy(), ProjectiveTransform(matrix).inverse, order=1, mode="constant", cval=0)
    assert np.abs(ours - theirs)[2:-2, 2:-2].max() < 1e-4


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_better_picture_follows_in_its_own_size_and_keeps_its_values(seed: int) -> None:
    y, x = torch.meshgrid((torch.arange(96) + 0.5) / 96, (torch.arange(96) + 0.5) / 96, indexing="ij")
    clean = (0.2 + 0.3 * x + 0.3 * y)[None, None]
    images = torch.nn.functional.interpolate(clean, scale_factor=0.5, mode="area")
    policy = replace(GEOMETRY, mirror=0.5)
    motion_only = augment(Batch(images, clean=clean), policy, seeded(seed))
    recolored = augment(Batch(images, clean=clean), replace(policy, brightness=0.4, noise=0.2), seeded(seed))
    assert motion_only.clean is not None
    assert recolored.clean is not None
    assert torch.equal(motion_only.clean, recolored.clean)
    small = torch.nn.functional.interpolate(motion_only.clean, scale_factor=0.5, mode="area")
    assert float((small - motion_only.images)[..., 4:-4, 4:-4].abs().max()) < 0.01


def test_things_that_leave_the_picture_are_let_go() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [30, 10, 50, 30]])
    batch = Batch(torch.zeros(64, 1, 40, 56), boxes_xyxy=[boxes] * 64, box_classes=[torch.tensor([0, 1])] * 64)
    after = augment(batch, Policy(shift=0.5, least_left=0.5), seeded())
    assert after.boxes_xyxy is not None
    assert after.box_classes is not None
    lengths = [len(one) for one in after.boxes_xyxy]
    assert set(lengths) > {1, 2}
    for left, classes in zip(after.boxes_xyxy, after.box_classes, strict=True):
        assert len(left) == len(classes)
        areas = (left[:, 2:] - left[:, :2]).prod(dim=1)
        assert bool((areas >= 0.499 * torch.tensor([16.0, 400.0])[classes]).all())
        assert bool((left >= 0).all() and (left <= torch.tensor([56.0, 40, 56, 40])).all())


def test_what_is_hardly_in_view_is_to_be_ignored_where_that_can_be_said() -> None:
    boxes = torch.tensor([[10.0, 10, 20, 20]])
    batch = Batch(torch.zeros(64, 1, 30, 30), boxes_xyxy=[boxes] * 64, box_ignored=[torch.tensor([False])] * 64)
    after = augment(batch, Policy(shift=1.0, least_left=0.9), seeded())
    assert after.boxes_xyxy is not None
    assert after.box_ignored is not None
    seen = set()
    for left, ignored in zip(after.boxes_xyxy, after.box_ignored, strict=True):
        assert len(left) == len(ignored)
        areas = (left[:, 2:] - left[:, :2]).prod(dim=1)
        assert (areas < 89.9).tolist() == ignored.tolist()
        seen.add(tuple(ignored.tolist()))
    assert seen == {(), (True,), (False,)}


def test_instances_are_numbered_anew_when_one_has_left() -> None:
    after = augment(scene(64), Policy(shift=0.9), seeded())
    assert after.instances is not None
    assert after.boxes_xyxy is not None
    assert {len(one) for one in after.boxes_xyxy} == {0, 1, 2}
    for ids, boxes in zip(after.instances, after.boxes_xyxy, strict=True):
        pixels, of_masks = extents(ids, len(boxes))
        assert int(ids.max()) == len(boxes)
        assert bool((pixels > 0).all())
        assert torch.equal(boxes.double(), of_masks)


def test_keypoints_outside_are_not_labeled_and_sides_change_in_a_mirror() -> None:
    batch = scene(2)
    after = augment(batch, Policy(mirror=1.0, keypoint_swaps=((0, 1),)), seeded())
    assert after.keypoints is not None
    assert after.keypoints[0][0].tolist() == [[56 - 23, 14, 1], [56 - 7, 14, 2]]
    shifted = augment(batch, Policy(shift=1.0, least_left=0.0), seeded(2))
    assert shifted.keypoints is not None
    for points in torch.cat(shifted.keypoints).view(-1, 3):
        assert float(points[2]) > 0 or points.tolist() == [0, 0, 0]


def test_a_half_turn_of_mirror_and_flip_keeps_sides() -> None:
    after = augment(scene(1), Policy(mirror=1.0, vertical=1.0, keypoint_swaps=((0, 1),)), seeded())
    assert after.keypoints is not None
    assert after.keypoints[0][0].tolist() == [[56 - 7, 40 - 14, 2], [56 - 23, 40 - 14, 1]]


@given(seed=SEEDS, mixup=st.sampled_from([0.0, 0.3]), cutmix=st.sampled_from([0.0, 1.0]))
@settings(max_examples=25, deadline=None)
def test_classes_are_mixed_as_much_as_the_pictures_are(seed: int, mixup: float, cutmix: float) -> None:
    # Picture i is all i / 7, so that a picture's mean says how much of which class is in it.
    values = torch.arange(8.0) / 7
    images = values[:, None, None, None].expand(8, 1, 16, 20).clone()
    after = augment(Batch(images, classes=torch.eye(8)), Policy(mixup_alpha=mixup, cutmix_alpha=cutmix), seeded(seed))
    assert after.classes is not None
    assert torch.allclose(after.classes.sum(dim=1), torch.ones(8), atol=1e-6)
    assert torch.allclose(after.classes @ values, after.images.mean(dim=(1, 2, 3)), atol=1e-5)


def test_boxes_are_never_mixed() -> None:
    batch = scene()
    assert same(augment(batch, Policy(mixup_alpha=1.0, cutmix_alpha=1.0), seeded()), batch)


def test_cutout_hides_what_it_covers_from_the_truth() -> None:
    batch = replace(scene(64), boxes_xyxy=None, box_classes=None, keypoints=None, instances=None)
    batch.images = torch.rand(64, 1, 40, 56, generator=seeded(5))
    after = augment(batch, Policy(cutout=0.5), seeded())
    assert after.maps is not None
    painted = (after.images != batch.images)[:, 0]
    assert torch.equal(painted, after.maps == VOID)
    assert 0.3 < float(painted.flatten(1).any(dim=1).float().mean()) < 0.6
    for row in painted.flatten(1).any(dim=1).nonzero()[:, 0].tolist():
        assert after.images[row, 0][painted[row]].unique().tolist() == pytest.approx([float(batch.images[row].mean())])


def test_things_under_a_cutout_are_let_go() -> None:
    after = augment(scene(64), Policy(cutout=0.9), seeded())
    assert after.boxes_xyxy is not None
    assert after.instances is not None
    assert {len(one) for one in after.boxes_xyxy} == {0, 1, 2}
    for ids, boxes in zip(after.instances, after.boxes_xyxy, strict=True):
        assert torch.equal(extents(ids, len(boxes))[1], boxes.double())


def test_gray_keeps_gray_under_hue_and_saturation() -> None:
    images = torch.rand(8, 1, 5, 5, generator=seeded()).expand(8, 3, 5, 5)
    after = augment(Batch(images), Policy(hue_rad=3.0, saturation=3.0), seeded()).images
    assert torch.allclose(after, images, atol=1e-5)


def test_a_turn_of_hue_by_a_third_exchanges_the_channels() -> None:
    from pixelwright.data.augment.values import _hue_turn

    turned = _hue_turn(torch.tensor([2 * math.pi / 3], dtype=torch.float64))[0]
    assert torch.allclose(turned, torch.eye(3, dtype=torch.float64).roll(1, 0), atol=1e-12)


def test_a_negative_is_one_minus_the_picture() -> None:
    images = torch.rand(3, 3, 4, 4, generator=seeded())
    assert torch.allclose(augment(Batch(images), Policy(invert=1.0), seeded()).images, 1 - images, atol=1e-6)


def test_blur_equals_a_gaussian_of_its_width() -> None:
    from skimage.filters import gaussian

    from pixelwright.data.augment.values import _blur

    image = torch.rand(1, 1, 20, 24, generator=seeded(), dtype=torch.float64)
    ours = _blur(image, torch.tensor([1.3], dtype=torch.float64), 2.0)
    theirs = gaussian(image[0, 0].numpy(), 1.3, mode="nearest", truncate=6 / 1.3)  # 6 pixels, as ours for up to 2.0
    assert np.abs(ours[0, 0].numpy() - theirs).max() < 1e-12


def test_blocks_lose_what_a_jpeg_of_that_quality_loses() -> None:
    from io import BytesIO

    from PIL import Image as PillowImage

    from pixelwright.data.augment.values import _blocks

    smooth = torch.nn.functional.interpolate(torch.rand(1, 1, 9, 9, generator=seeded()), (43, 50), mode="bicubic")
    stored = (smooth[0, 0].clamp(0, 1) * 255).round().byte().numpy()
    buffer = BytesIO()
    PillowImage.fromarray(stored).save(buffer, "JPEG", quality=28)
    theirs = np.asarray(PillowImage.open(buffer)).astype(float)
    ours = _blocks(torch.from_numpy(stored / 255)[None, None].float(), torch.tensor([0.8]))[0, 0].numpy() * 255
    assert np.abs(stored - theirs).mean() > 2
    assert np.abs(ours - theirs).mean() < 0.6  # their transform is in whole numbers, and rounds at the end


def test_strokes_grow_by_a_pixel_at_most() -> None:
    images = torch.zeros(32, 1, 7, 7)
    images[:, :, 3, 3] = 1.0
    after = augment(Batch(images), Policy(stroke_px=1.0), seeded()).images
    assert float(after[:, :, 3, 3].min()) < 0.5  # dark grew over it
    assert 0.5 < float(after[:, :, 2, 2].max()) <= 1
    assert float(after[:, :, 0].max()) == 0


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_sequences_are_varied_within_their_valid_steps(seed: int) -> None:
    lengths = torch.tensor([0, 1, 5, 9])
    values = torch.rand(4, 9, 3, generator=seeded(seed)) + 1
    after = augment(Batch(values, lengths=lengths), Policy(gain=0.5, jitter=0.1, mask=0.5), seeded(seed)).images
    padding = torch.arange(9) >= lengths[:, None]
    assert torch.equal(after[padding], values[padding])
    zeros = ((after == 0).all(dim=-1) & ~padding).sum(dim=1)
    assert bool((zeros <= lengths * 0.5).all())


def test_sequences_keep_their_classes_and_change() -> None:
    batch = Batch(torch.rand(4, 9, 3), classes=torch.eye(4))
    after = augment(batch, replace(PRESETS["standard"], share=1.0), seeded())
    assert after.classes is batch.classes
    assert bool((after.images != batch.images).flatten(1).any(dim=1).all())


@pytest.mark.parametrize("outside", ["edge", "black", "reflect"])
def test_in_a_batch_each_picture_and_each_thing_follows_its_own_motion(outside: Outside) -> None:
    policy = replace(GEOMETRY, share=0.5, mirror=0.5, vertical=0.5, quarter_turns=0.5, outside=outside, elastic=0.02)
    counts = [0, 1, 3, 2, 0, 4, 1, 2]
    motion = draw_motion(len(counts), (48, 48), policy, seeded(4))
    assert 0 < int(motion.warped.sum()) < len(counts)
    pictures = torch.rand(len(counts), 3, 48, 48, generator=seeded(1))
    ids = torch.randint(0, 5, (len(counts), 48, 48), generator=seeded(2))
    boxes = [torch.rand(count, 4, generator=seeded(3)) * 20 + torch.tensor([0.0, 0, 20, 20]) for count in counts]
    samples = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    moved = move_boxes(torch.cat(boxes), motion, samples).split(counts)
    shown, named = move_pictures(pictures, motion, outside), move_ids(ids, motion, 9, outside)
    for row in range(len(counts)):
        alone = _of_one(motion, row)
        here = torch.zeros(counts[row], dtype=torch.long)
        assert torch.allclose(shown[row], move_pictures(pictures[row : row + 1], alone, outside)[0], atol=1e-5)
        assert torch.equal(named[row], move_ids(ids[row : row + 1], alone, 9, outside)[0])
        assert torch.allclose(moved[row], move_boxes(boxes[row], alone, here))


def _of_one(motion: Motion, row: int) -> Motion:
    columns = {field.name: getattr(motion, field.name) for field in fields(motion) if field.name != "size_hw"}
    return Motion(motion.size_hw, **{name: value[row : row + 1] for name, value in columns.items()})


def test_what_is_left_of_a_thing_as_a_streak_beyond_its_box_is_not_learned() -> None:
    batch = scene(1, (40, 40))
    streak = torch.zeros(1, 40, 40, dtype=torch.int32)
    streak[0, 10:30, 0:30] = 1  # drawn out to the left of its box
    batch = replace(
        batch,
        instances=streak,
        boxes_xyxy=[torch.tensor([[20.0, 10, 30, 30]])],
        box_classes=[torch.tensor([1])],
        keypoints=None,
        maps=None,
        box_ignored=[torch.tensor([False])],
    )
    left = cover_truth(batch, torch.tensor([[18, 8, 32, 32]]), Policy())
    assert left.box_ignored is not None and left.box_ignored[0].tolist() == [True]
