"""Scores in tables: of all pictures, and of single classes folded away."""

from __future__ import annotations

from pixelwright.metrics.score import Score
from pixelwright.verbs.report.scores import score_tables


def score(metric: str, value: float) -> Score:
    return Score(metric, value, (value - 0.1, value + 0.1), 20, "f1")


def test_classes_have_a_row_each_the_worst_first() -> None:
    found = [score("f1_macro", 0.6), score("f1/cat", 0.9), score("f1/dog", 0.3), score("recall/cat", 0.8)]
    overall, classes = score_tables(found)
    assert "f1_macro" in overall and "0.5000 to 0.7000" in overall and "cat" not in overall
    assert classes.startswith("<details") and "Scores of each of 2 classes" in classes
    assert classes.index("dog") < classes.index("cat")
    assert "–" in classes  # the recall of dogs, of which nothing is known


def test_without_classes_there_is_one_table() -> None:
    assert len(score_tables([score("f1_macro", 0.6)])) == 1
