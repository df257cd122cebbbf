"""Plain YAML against PyYAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.data.plain_yaml import parse
from pixelwright.data.yolo import data_yaml
from pixelwright.errors import DataError


@given(st.lists(st.text(max_size=8), max_size=6))
@settings(deadline=None)
def test_what_we_write_is_read_as_pyyaml_reads_it(labels: list[str]) -> None:
    text = data_yaml(labels, ("left eye", "right eye"))
    assert parse(text.replace("\r", ""), "data.yaml") == yaml.safe_load(text.replace("\r", ""))


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: two words\nc: 3.5\nd: true\ne: null\nf:\n",
        "a: [1, two, 'th,ree', \"fo:ur\"]  # comment\n",
        "a: {0: cat, 1: 'dog''s', x: [1, 2]}\n",
        "a:\n  - cat\n  - 'dog: x'\nb:\n- 1\n- -2\n",
        "# head\n---\na:\n  0: cat # one\n  1: dog#2\n\n  10: it's\n",
        "path: ../datasets/coco8  # dataset root dir\ntrain: images/train\n",
        "a: 'x # y'\nb: x#y\nurl: http://a.b/c\n",
        "a: []\nb: {}\n'quoted key': 1\n\"other\": 2\n",
    ],
)
def test_plain_files_are_read_as_pyyaml_reads_them(text: str) -> None:
    assert parse(text, "data.yaml") == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text", ["names: &a [x]", "names: *a", "names: !!python/object:os.system [x]", "names: |\n  x"]
)
def test_more_than_plain_is_refused_where_it_matters(text: str) -> None:
    with pytest.raises(DataError, match=r"data\.yaml line \d"):
        parse(text, "data.yaml")


def test_more_than_plain_is_passed_over_elsewhere() -> None:
    text = "download: |\n  import os\n  x: [\nother:\n  a:\n    b: 1\nnames: [cat]\n"
    assert parse(text, "data.yaml") == {"names": ["cat"]}


@pytest.mark.parametrize("text", ["names", "  names: [a]", "names: [a", "names: {a}", "\x00", "- a", "names: 'a"])
def test_what_is_no_yaml_is_one_clear_error(text: str) -> None:
    with pytest.raises(DataError, match=r"data\.yaml line \d"):
        parse(text, "data.yaml")


@given(st.text(alphabet="ab:[]{},'\"# \n-&*|\\0", max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found: Any = parse(text, "data.yaml")
    except DataError:
        return
    assert isinstance(found, dict)


def test_a_number_of_thousands_of_digits_is_no_whole_one() -> None:
    assert parse(f"nc: {'9' * 5000}\n", "data.yaml") == {"nc": float("inf")}
