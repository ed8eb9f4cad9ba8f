"""Rows of plain values as JSON, CSV and Markdown."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import plain

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.lists(st.text(), max_size=3),
)


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}), max_size=5))
def test_json_is_an_array_of_flat_objects_with_unknown_as_null(rows):
    read = json.loads(plain.to_json(rows, ["b", "a", "missing"]))
    assert [list(row) for row in read] == [["b", "a", "missing"]] * len(rows)
    for row, original in zip(read, rows, strict=True):
        expected = None if original["a"] in (float("inf"), float("-inf")) else original["a"]
        assert row["a"] == expected
        assert row["missing"] is None


def test_a_number_that_is_not_finite_is_null():
    assert plain.to_json([{"a": float("nan"), "b": float("inf")}], ["a", "b"]) == '[{"a": null, "b": null}]\n'


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_csv_keeps_every_text(rows):
    text = plain.to_csv([{"a": a, "b": [b]} for a, b in rows], ["a", "b"])
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0] == ["a", "b"]
    expected = rows if plain.CSV_TAKES_NUL else [[a.replace("\0", "\ufffd"), b] for a, b in rows]
    assert [[a, json.loads(b)[0]] for a, b in lines[1:]] == expected


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_markdown_has_one_line_a_row_and_as_many_cells_as_columns(texts):
    lines = plain.to_markdown([{"a": text, "b": 1.5} for text in texts], ["a", "b"]).split("\n")
    assert lines.pop() == ""
    assert len(lines) == 2 + len(texts)
    assert lines[1] == "| --- | ---: |"
    assert all(line.replace("\\\\", "").replace("\\|", "").count("|") == 3 for line in lines)


def test_markdown_escapes_html_and_leaves_unknown_cells_empty():
    assert plain.to_markdown([{"a": "<b>x</b>", "b": None}], ["a", "b"]).endswith("| &lt;b>x&lt;/b> |  |\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (True, "yes"), (0.25, "0.25"), (3, "3"), (["a", "b"], "a, b"), (float("nan"), "–")],
)
def test_a_cell_of_a_table_is_what_a_person_reads(value, shown):
    assert plain.cell(value) == shown


def test_numbers_of_numpy_are_numbers():
    row = {"a": np.float64(0.5), "b": np.int64(3), "c": np.bool_(True)}
    assert json.loads(plain.to_json([row], list(row))) == [{"a": 0.5, "b": 3, "c": True}]
    assert plain.to_csv([row], list(row)) == "a,b,c\n0.5,3,true\n"
