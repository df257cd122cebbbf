"""A detector in one stage: which cells answer for which thing, what the loss says of them, and that it learns."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwright import registry
from pixelwright.errors import UsageError
from pixelwright.models import onestage
from pixelwright.models.architecture import Architecture, Problem
from pixelwright.models.batch import Batch
from pixelwright.models.onestage_loss import STRIDES, Truths, assign, boxes_of, giou, grid, iou, loss
from pixelwright.ops import boxes as numpy_boxes

SIZE_HW = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3
PROBLEM = Problem("detect", ("round", "square"), 3, SIZE_HW)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


def batch(boxes: list[list[float]], classes: list[int], ignored: list[bool] | None = None) -> Batch:
    return Batch(
        torch.zeros(1, 3, *SIZE_HW),
        boxes_xyxy=[torch.tensor(boxes).reshape(-1, 4)],
        box_classes=[torch.tensor(classes, dtype=torch.int64)],
        box_ignored=[torch.tensor(ignored or [False] * len(boxes), dtype=torch.bool)],
    )


def nothing_said() -> Tensor:
    """Rows that are sure of there being nothing."""
    rows = torch.zeros(1, CELLS, 4 + len(PROBLEM.labels))
    rows[:, :, 4:] = -20
    return rows


def say(rows: Tensor, cell: int, box: list[float], label: int, logit: float = 20.0) -> None:
    """Let a cell say a box and a class: center = (cell + x, y) * stride, sides = exp(width, height) * stride."""
    places, strides = grid(SIZE_HW, rows.device)
    left, top, right, bottom = box
    stride = float(strides[cell])
    rows[0, cell, 0] = (left + right) / 2 / stride - places[cell, 0]
    rows[0, cell, 1] = (top + bottom) / 2 / stride - places[cell, 1]
    rows[0, cell, 2], rows[0, cell, 3] = math.log((right - left) / stride), math.log((bottom - top) / stride)
    rows[0, cell, 4 + label] = logit


def total(rows: Tensor, truth: Batch) -> Tensor:
    return torch.stack(list(loss({"predictions": rows}, truth, PROBLEM).values())).sum()


def test_the_cells_are_those_of_the_decoder() -> None:
    rows = nothing_said()
    say(rows, 8 * 12 + 7, [20, 18, 60, 40], 1)  # second grid, second row, second column
    config = onestage.fit(onestage.VARIANTS["n"], PROBLEM)
    reading = onestage.reading(config, PROBLEM)
    decoder = registry.get("decoder", reading.decoder)
    found = decoder.run({"predictions": rows.numpy()}, reading.parameters, input_hw=SIZE_HW, threshold=0.5)[0]
    assert found.boxes_xyxy[0].tolist() == pytest.approx([20, 18, 60, 40], abs=1e-4)
    assert found.class_ids.tolist() == [1]
    places, strides = grid(SIZE_HW, torch.device("cpu"))
    decoded = boxes_of(rows[:, :, :4], places, strides)[0, 8 * 12 + 7]
    assert decoded.tolist() == pytest.approx([20, 18, 60, 40], abs=1e-4)


def test_a_perfect_answer_costs_nothing() -> None:
    box = [16.0, 8.0, 56.0, 48.0]
    rows = nothing_said()
    places, strides = grid(SIZE_HW, rows.device)
    centers = (places + 0.5) * strides
    inside = ((centers > torch.tensor(box[:2])) & (centers < torch.tensor(box[2:]))).all(dim=1).nonzero()[:, 0]
    for cell in inside.tolist()[:13]:  # no more cells than these answer for a thing
        say(rows, cell, box, 0)
    assert float(total(rows, batch([box], [0]))) < 1e-4


def test_a_picture_without_things_wants_silence() -> None:
    quiet, loud = nothing_said(), nothing_said()
    say(loud, 5, [0, 0, 9, 9], 1)
    assert float(total(quiet, batch([], []))) < 1e-4
    assert float(total(loud, batch([], []))) == pytest.approx(20, abs=1e-3)


def test_the_loss_leads_the_box_to_the_thing() -> None:
    rows = nothing_said()
    for cell in range(CELLS):
        say(rows, cell, [20, 20, 44, 44], 0, logit=0.0)
    rows.requires_grad_()
    total(rows, batch([[24.0, 20.0, 48.0, 44.0]], [0])).backward()
    assert rows.grad is not None
    moving = rows.grad[0, :, 0]
    assert float(moving.min()) < 0 and float(moving.max()) <= 0  # to the right, for whichever cells answer
    answering = moving < 0
    assert (rows.grad[0, answering, 4] < 0).all()  # and they are to be surer of the class
    assert (rows.grad[0, ~answering, 4] > 0).all() and (rows.grad[0, :, 5] > 0).all()


def test_what_is_to_be_ignored_is_neither_wanted_nor_unwanted() -> None:
    rows = nothing_said()
    say(rows, 2 * 12 + 3, [16, 8, 40, 32], 0)  # its center (28, 20) is in what is ignored
    assert float(total(rows, batch([[16.0, 8.0, 40.0, 32.0]], [0], [True]))) < 1e-4
    assert float(total(nothing_said(), batch([[16.0, 8.0, 40.0, 32.0]], [0], [True]))) < 1e-4


def truths(boxes: list[list[float]], classes: list[int]) -> Truths:
    count = len(boxes)
    return Truths(
        torch.tensor([boxes]),
        torch.tensor([classes]),
        torch.ones(1, count, dtype=torch.bool),
        torch.zeros(1, count, dtype=torch.bool),
    )


def test_a_cell_wanted_twice_answers_for_what_it_overlaps_most() -> None:
    centers, strides = torch.tensor([[10.0, 10.0]]), torch.tensor([[8.0]])
    said = torch.tensor([[[0.0, 0.0, 20.0, 19.0]]])
    made = assign(torch.full((1, 1, 2), 0.5), said, centers, strides, truths([[0, 0, 40, 40], [0, 0, 20, 20]], [0, 1]))
    assert made.boxes_xyxy[0, 0].tolist() == [0, 0, 20, 20]
    assert made.scores[0, 0].tolist() == pytest.approx([0, 0.95])  # as good as its box


def test_the_best_aligned_cell_scores_as_its_box_is_good_and_others_in_proportion() -> None:
    centers, strides = torch.tensor([[8.0, 8.0], [12.0, 12.0]]), torch.full((2, 1), 8.0)
    said = torch.tensor([[[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 20.0, 16.0]]])  # IoU 1 and 0.8
    made = assign(torch.full((1, 2, 1), 0.5), said, centers, strides, truths([[0, 0, 20, 20]], [0]))
    assert made.scores[0, :, 0].tolist() == pytest.approx([1, 0.8**6])
    assert made.shares[0].tolist() == pytest.approx([1, 0.8**6])


def test_things_that_are_hardly_met_yet_are_learned_all_the_same() -> None:
    centers, strides = torch.tensor([[4.0, 4.0], [12.0, 4.0]]), torch.full((2, 1), 8.0)
    said = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [12.0, 4.0, 12.1, 4.1]]])  # IoU 1/128 and 1/12800 with a box of 16 by 8
    made = assign(torch.full((1, 2, 1), 0.01), said, centers, strides, truths([[0, 0, 16, 8]], [0]))
    assert made.shares[0, 0].tolist() == pytest.approx(1 / 128)
    assert made.scores[0, 0, 0].tolist() == pytest.approx(1 / 128)


def test_a_thing_between_the_cells_is_learned_by_the_nearest() -> None:
    centers, strides = torch.tensor([[4.0, 4.0], [12.0, 4.0]]), torch.full((2, 1), 8.0)
    said = torch.tensor([[[0.0, 0.0, 8.0, 8.0], [8.0, 0.0, 16.0, 8.0]]])
    made = assign(torch.full((1, 2, 1), 0.5), said, centers, strides, truths([[9, 1, 11, 3]], [0]))
    assert (made.shares[0] > 0).tolist() == [False, True]


def test_no_more_than_thirteen_cells_answer_for_a_thing() -> None:
    places, strides = grid(SIZE_HW, torch.device("cpu"))
    said = torch.tensor([0.0, 0.0, 96.0, 64.0]).expand(1, CELLS, 4)
    made = assign(
        torch.full((1, CELLS, 1), 0.5), said, (places + 0.5) * strides, strides, truths([[0, 0, 96, 64]], [0])
    )
    assert int((made.shares > 0).sum()) == 13


def test_overlaps_are_those_of_numpy() -> None:
    random = np.random.default_rng(3)
    low = random.uniform(0, 50, (2, 7, 2))
    pairs = np.concatenate((low, low + random.uniform(1, 50, (2, 7, 2))), axis=2).astype(np.float32)
    one, other = torch.from_numpy(pairs)
    expected = numpy_boxes.iou(pairs[0], pairs[1])
    assert np.allclose(iou(one[:, None], other[None]).numpy(), expected, atol=1e-6)


def test_giou_of_boxes_apart_says_how_far() -> None:
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert float(giou(unit, unit)) == pytest.approx(1)
    assert float(giou(unit, unit + torch.tensor([3.0, 0.0, 3.0, 0.0]))) == pytest.approx(-0.5)  # hull 4, union 2


@pytest.mark.parametrize("name", onestage.VARIANTS)
def test_every_variant_gives_a_row_for_every_cell(name: str) -> None:
    net = onestage.build(onestage.fit(onestage.VARIANTS[name], PROBLEM)).eval()
    with torch.no_grad():
        rows = net(torch.zeros(2, 3, *SIZE_HW))
    assert rows.shape == (2, CELLS, 6)
    assert max(STRIDES) == onestage.reading(onestage.VARIANTS[name], PROBLEM).multiple_of


def test_the_small_variant_fits_into_a_megabyte_of_half_precision() -> None:
    net = onestage.build(onestage.fit(onestage.VARIANTS["s"], PROBLEM))
    assert 2 * sum(one.numel() for one in net.state_dict().values()) < 0.8e6


def test_masks_and_keypoints_are_refused() -> None:
    with pytest.raises(UsageError, match="starconvex, or --kind boxes"):
        onestage.fit(onestage.VARIANTS["s"], Problem("detect", ("cell",), 3, SIZE_HW, masks=True))
    with pytest.raises(UsageError, match="17 keypoints"):
        onestage.fit(onestage.VARIANTS["s"], Problem("detect", ("person",), 3, SIZE_HW, keypoints=17))


def discs(count: int) -> Batch:
    """Pictures of bright discs and squares on dark ground."""
    random = np.random.default_rng(5)
    images = random.uniform(0, 0.2, (count, 3, *SIZE_HW)).astype(np.float32)
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]] + 0.5
    boxes, classes = [], []
    for image in images:
        rows = []
        for place in range(3):
            cx, cy, half = 16 + 32 * place + random.uniform(-4, 4), random.uniform(16, 48), random.uniform(6, 13)
            label = int(random.integers(2))
            far = np.hypot(x - cx, y - cy) if label == 0 else np.maximum(abs(x - cx), abs(y - cy))
            image[:, far < half] += 0.7
            rows.append([cx - half, cy - half, cx + half, cy + half, label])
        table = torch.tensor(rows, dtype=torch.float32)
        boxes.append(table[:, :4])
        classes.append(table[:, 4].long())
    return Batch(torch.from_numpy(images), boxes_xyxy=boxes, box_classes=classes)


@pytest.mark.slow
def test_four_pictures_are_learned_by_heart() -> None:
    truth, architecture = discs(4), onestage.ARCHITECTURE
    net = learned(architecture, truth, steps=120)
    reading = architecture.reading(None, PROBLEM)
    with torch.no_grad():
        rows = net((truth.images - 0.5) / 0.25).numpy()
    found = registry.get("decoder", reading.decoder).run(
        {"predictions": rows}, reading.parameters, input_hw=SIZE_HW, threshold=0.3
    )
    assert truth.boxes_xyxy is not None and truth.box_classes is not None
    for one, boxes, classes in zip(found, truth.boxes_xyxy, truth.box_classes, strict=True):
        kept = numpy_boxes.suppress(one.boxes_xyxy, one.scores, one.class_ids, iou_threshold=0.6)
        overlaps = numpy_boxes.iou(one.boxes_xyxy[kept], boxes.numpy())
        assert overlaps.shape == (3, 3)  # each thing once
        assert (overlaps.max(axis=1) > 0.7).all()
        assert one.class_ids[kept].tolist() == classes.numpy()[overlaps.argmax(axis=1)].tolist()


def learned(architecture: Architecture, truth: Batch, *, steps: int) -> torch.nn.Module:
    net = architecture.build(architecture.fit(architecture.variants["n"], PROBLEM))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    assert architecture.loss is not None
    for _ in range(steps):
        rows = net((truth.images - 0.5) / 0.25)
        cost = torch.stack(list(architecture.loss({"predictions": rows}, truth, PROBLEM).values())).sum()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return net.eval()
