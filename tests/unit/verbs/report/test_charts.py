"""Charts: sound SVG with their numbers in words, whatever the numbers are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelwright.verbs.report import charts
from pixelwright.verbs.report.axes import Axis, Frame, number
from pixelwright.verbs.report.charts import Bar, Series
from pixelwright.verbs.report.matrix import confusion, heatmap


def _svg(figure: str) -> ElementTree.Element:
    """The drawing, parsed as XML, which is stricter than a browser."""
    return ElementTree.fromstring(figure[figure.index("<svg") : figure.index("</svg>") + 6])


def _points(figure: str, css: str = "curve") -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]  # type: ignore[misc]
        for line in _svg(figure).iter("polyline")
        if css in line.get("class", "")
    ]


def test_a_curve_goes_from_the_left_of_its_axis_to_the_right_and_more_is_higher() -> None:
    figure = charts.lines("Loss", [Series("train", [0, 1, 2], [0.0, 0.5, 1.0])], x=Axis("Epoch"), y=Axis("Loss", 0, 1))
    ((first, middle, last),) = _points(figure)
    assert first[0] < middle[0] < last[0]
    assert first[1] > middle[1] > last[1]


def test_a_gap_in_the_values_is_a_gap_in_the_curve() -> None:
    figure = charts.lines("x", [Series("a", range(5), [1, 2, np.nan, 3, 4])], x=Axis(""), y=Axis(""))
    assert [len(run) for run in _points(figure)] == [2, 2]


def test_a_single_value_between_gaps_is_a_point() -> None:
    figure = charts.lines("x", [Series("a", range(3), [np.nan, 1, np.nan])], x=Axis(""), y=Axis(""))
    assert _points(figure) == [] and len(list(_svg(figure).iter("circle"))) == 1


def test_a_long_curve_keeps_its_extremes() -> None:
    y = np.zeros(50_000)
    y[31_234] = 1.0
    figure = charts.lines("x", [Series("a", np.arange(50_000), y)], x=Axis(""), y=Axis("", 0, 1))
    (points,) = _points(figure)
    assert len(points) < 2000
    assert min(place for _, place in points) == pytest.approx(Frame(Axis(""), Axis("")).top)


def test_what_a_chart_shows_stands_in_its_label() -> None:
    figure = charts.lines("Loss", [Series("train", [0, 1], [2.0, 0.5])], x=Axis(""), y=Axis(""))
    assert _svg(figure).get("aria-label") == "Loss: train from 2 to 0.5, between 0.5 and 2"
    bars = charts.bars("F1", [Bar("a", 0.25), Bar("b", 1)], axis=Axis("F1", 0, 1))
    assert _svg(bars).get("aria-label") == "F1: a 0.25; b 1"


def test_names_are_text_and_no_markup() -> None:
    name = '<script>"&'
    for figure in (
        charts.lines(name, [Series(name, [0, 1], [0, 1]), Series("b", [0, 1], [1, 0])], x=Axis(name), y=Axis(name)),
        charts.bars(name, [Bar(name, 1, (0, 2), name)], axis=Axis(name)),
        confusion(name, np.array([[1, 2], [0, 1]]), [name, "b"]),
    ):
        _svg(figure)
        assert "<script>" not in figure


def test_a_bar_says_its_value_and_shows_its_interval() -> None:
    figure = charts.bars("F1", [Bar("cat", 0.5, (0.4, 0.7)), Bar("none", float("nan"))], axis=Axis("F1", 0, 1))
    assert ">0.5<" in figure and "no value" in figure
    assert len([one for one in _svg(figure).iter("path") if one.get("class") == "whisker"]) == 1


def test_an_empty_bin_of_a_reliability_diagram_is_not_drawn() -> None:
    nan = float("nan")
    figure = charts.reliability("R", [nan, 0.75], [nan, 0.5], [0, 4])
    assert len([one for one in _svg(figure).iter("rect") if one.get("class") == "bar"]) == 1
    assert "50% right at 75%" in (_svg(figure).get("aria-label") or "")


def test_the_columns_of_a_histogram_have_the_heights_of_their_counts() -> None:
    figure = charts.histogram("H", [1, 3, 0], [0, 1, 2, 3], x=Axis("x"), y=Axis("n", 0.0))
    heights = [float(one.get("height", 0)) for one in _svg(figure).iter("rect")]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01) and len(heights) == 2


def test_empty_cells_of_a_large_matrix_are_not_drawn() -> None:
    matrix = np.eye(43) * 7
    matrix[3, 4] = 1
    figure = confusion("C", matrix, [f"sign {one}" for one in range(43)])
    cells = [one for one in _svg(figure).iter("rect") if "cell" in one.get("class", "")]
    assert len(cells) == 44 and sum("off" in one.get("class", "") for one in cells) == 1
    assert "sign 3 taken for sign 4 1 times" in (_svg(figure).get("aria-label") or "")


def test_of_too_many_classes_those_with_most_mistakes_are_shown() -> None:
    matrix = np.eye(500) * 5
    matrix[400, 2] = 9
    figure = confusion("C", matrix, [f"class {one}" for one in range(500)])
    assert "The 120 classes with most mistakes of 500." in figure and "class 400 → class 400" in figure


def test_the_most_frequent_mistakes_are_listed() -> None:
    rows = re.findall(r'<th scope="row">(\w)</th><td>(\w)</td><td class="number">(\d+)</td>', confusion(
        "C", np.array([[9, 2, 0], [0, 9, 5], [0, 0, 9]]), ["a", "b", "c"]
    ))  # fmt: skip
    assert rows == [("b", "c", "5"), ("a", "b", "2")]


def test_a_heatmap_writes_its_numbers() -> None:
    assert ">0.25<" in heatmap("H", np.array([[0.25, 1.0]]), ["noise"], ["1", "2"])


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
@example(360287970.8671875, 5.960464477539063e-08)
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    axis = Axis("").over([low, low + span])
    ticks = axis.ticks()
    ends = axis.ends
    slack = 1e-6 * (ends[1] - ends[0]) + 1e-9 * abs(low)
    assert 2 <= len(ticks) <= 12
    assert all(ends[0] - slack <= tick <= ends[1] + slack for tick in ticks)


def test_a_logarithmic_axis_gives_each_factor_the_same_length() -> None:
    axis = Axis("", log=True).over([0.001, 10.0])
    assert [axis.place(value) for value in (0.001, 0.1, 10.0)] == pytest.approx([0, 0.5, 1])
    assert axis.ticks() == pytest.approx([0.001, 0.01, 0.1, 1, 10])


@pytest.mark.parametrize(
    ("value", "words"),
    [(12, "12"), (-3.0, "−3"), (12345, "12\u202f345"), (0.123456, "0.123"), (float("nan"), "no value")],
)
def test_numbers_are_written_as_people_read_them(value: float, words: str) -> None:
    assert number(value) == words
