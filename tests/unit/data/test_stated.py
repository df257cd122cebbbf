"""What names say: splits, and lists of classes."""

from __future__ import annotations

import pytest

from pixelwright.data.stated import parse_labels, split_of, split_of_path, split_within
from pixelwright.errors import DataError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train20k-images-idx3-ubyte", "train"),
        ("instances_val2017", "validation"),
        ("X_TEST", "test"),
        ("emnist-letters-test-images", "test"),
        ("training", "train"),
        ("trainer", None),
        ("latest", None),
        ("contest_1", None),
        ("", None),
    ],
)
def test_a_split_is_a_word_of_a_name(name: str, split: str | None) -> None:
    assert split_within(name) == split


def test_a_split_is_a_folder_on_the_way() -> None:
    assert split_of_path("images/Val/a/b") == "validation"
    assert split_of_path("trains/a") == ""
    assert split_of("trainval") is None


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("a.txt", "cat\n\n dog \n", ("cat", "dog")),
        ("a.txt", "1 dog\n0 cat\n", ("cat", "dog")),
        ("a.txt", "0: cat\n2: wild boar\n", ("cat", "1", "wild boar")),
        ("a.txt", "1 euro\n2 euro\n", ("1 euro", "2 euro")),
        ("a.txt", "1 cent\neuro\n", ("1 cent", "euro")),
        ("a.json", '["cat", "dog"]', ("cat", "dog")),
        ("a.json", '{"0": "cat", "1": "dog"}', ("cat", "dog")),
        ("a.json", '{"dog": 1, "cat": 0}', ("cat", "dog")),
    ],
)
def test_lists_of_classes_are_read_in_every_form(name: str, text: str, labels: tuple[str, ...]) -> None:
    assert parse_labels(text, name) == labels


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", ""),
        ("a.txt", "cat\ncat\n"),
        ("a.json", "5"),
        ("a.json", '{"3": "cat"}'),
        ("a.json", "["),
        ("a.json", "[1]"),
    ],
)
def test_lists_that_are_none_are_one_clear_error(name: str, text: str) -> None:
    with pytest.raises(DataError, match=f"{name}: "):
        parse_labels(text, name)
