"""The flow keeps order, stays bounded, and lets one bad item fail alone."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.pipeline import Budget, flow


def run(items, prepare=lambda x: x, predict=list, **options):  # type: ignore[no-untyped-def]
    options = {"key": lambda ready: 0, "workers": 2, **options}
    return list(flow(items, prepare, predict, **options))


@settings(max_examples=40, deadline=None)
@given(
    items=st.lists(st.integers(0, 9), max_size=60),
    workers=st.integers(1, 4),
    batch_size=st.integers(1, 5),
)
def test_results_come_in_order_each_once(items: list[int], workers: int, batch_size: int) -> None:
    done = run(
        items,
        lambda x: x * 10,
        lambda batch: [x + 1 for x in batch],
        key=lambda ready: ready % 3,
        workers=workers,
        batch_size=batch_size,
    )
    assert [one.item for one in done] == items
    assert [one.result for one in done] == [x * 10 + 1 for x in items]


def test_an_empty_source_ends_at_once() -> None:
    assert run([]) == []


def test_a_batch_holds_one_kind_and_no_more_than_its_size() -> None:
    seen: list[list[int]] = []

    def predict(batch: list[int]) -> list[int]:
        seen.append(list(batch))
        return batch

    run(range(30), predict=predict, key=lambda x: x % 2, batch_size=4, workers=1)
    assert all(len(batch) <= 4 and len({x % 2 for x in batch}) == 1 for batch in seen)
    assert max(map(len, seen)) == 4


def test_a_bad_item_fails_alone_in_either_step() -> None:
    def prepare(x: int) -> int:
        if x == 3:
            raise ValueError("three")
        return x

    def predict(batch: list[int]) -> list[int]:
        if 5 in batch:
            raise ValueError("five")
        return batch

    done = run(range(8), prepare, predict, batch_size=4)
    assert {one.item: str(one.error) for one in done if one.error} == {3: "three", 5: "five"}
    assert [one.result for one in done if not one.error] == [0, 1, 2, 4, 6, 7]


def test_no_more_than_two_batches_a_thread_are_taken_before_the_first_is_collected() -> None:
    taken = []

    def source():  # type: ignore[no-untyped-def]
        for item in range(1000):
            taken.append(item)
            yield item

    results = flow(source(), lambda x: x, list, key=lambda ready: 0, workers=2, batch_size=2)
    next(results)
    assert len(taken) <= 8
    results.close()


def test_both_threads_work_on_predictions_when_nothing_is_left_to_prepare() -> None:
    together = threading.Barrier(2, timeout=10)

    def predict(batch: list[int]) -> list[int]:
        together.wait()  # breaks unless a second thread predicts at the same time
        return batch

    assert [one.error for one in run([1, 2], predict=predict, batch_size=1)] == [None, None]


def test_closing_early_stops_the_threads() -> None:
    results = flow(range(100), lambda x: x, list, key=lambda ready: 0, workers=2)
    next(results)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("pixelwright")]


def test_a_source_that_raises_is_not_hidden() -> None:
    def source():  # type: ignore[no-untyped-def]
        yield 1
        raise RuntimeError("disk gone")

    with pytest.raises(RuntimeError, match="disk gone"):
        run(source())


def test_a_budget_lets_the_oversized_pass_alone() -> None:
    budget, order = Budget(10), []

    def work(amount: int) -> int:
        with budget.hold(amount):
            order.append(amount)
            return budget._held

    held = [one.result for one in run([4, 25, 4, 6, 25, 1], work, workers=3)]
    assert held[1] == held[4] == 25
    assert max(held) == 25 and sorted(order) == [1, 4, 4, 6, 25, 25]
