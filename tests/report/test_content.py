"""One place decides which form of what a command shows fits a format."""

import csv
import io
import json
from pathlib import Path

import pytest

from harness.errors import OutputError, UsageError
from harness.report.consoles import to_text
from harness.report.content import ENDINGS, FORMATS, Content, format_for, nested, render

ROWS = [{"a": 1, "b": "x", "hidden": 2}, {"a": None, "b": "y"}]
PLAIN = Content(ROWS, ("a", "b"), in_table=("b",))


def test_every_format_can_be_made_of_rows():
    assert json.loads(render(PLAIN, "json")) == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    assert render(PLAIN, "csv") == "a,b\n1,x\n,y\n"
    assert render(PLAIN, "markdown").splitlines()[0] == "| a | b |"
    assert to_text(render(PLAIN, "table")).split() == ["b", "─", "x", "y"]


def test_a_form_of_its_own_is_made_only_when_it_is_asked_for():
    def refuse():
        raise UsageError("not with this")

    content = Content(ROWS, ("a",), own={"table": lambda: "a sheet", "html": refuse})
    assert render(content, "table") == "a sheet"
    assert render(content, "csv") == 'a\n1\n""\n'
    with pytest.raises(UsageError, match="not with this"):
        render(content, "html")


def test_the_form_of_a_format_may_be_content_again():
    content = Content(ROWS, ("a",), own={"csv": lambda: Content([{"z": 1}], ("z",))})
    assert render(content, "csv") == "z\n1\n"


def test_objects_are_texts_where_a_format_has_cells():
    content = nested([{"o": {"k": [1]}, "l": [{"m": 2}], "p": ["q"]}], ("o", "l", "p"))
    assert json.loads(render(content, "json")) == [{"o": {"k": [1]}, "l": [{"m": 2}], "p": ["q"]}]
    (row,) = csv.DictReader(io.StringIO(render(content, "csv")))
    assert json.loads(row["o"]) == {"k": [1]} and json.loads(row["l"]) == [{"m": 2}]


@pytest.mark.parametrize(("ending", "format"), ENDINGS.items())
def test_a_file_says_its_format_by_its_ending_unless_one_is_given(ending, format):
    assert format_for(Path(f"rows{ending}"), None, ENDINGS.values()) == format
    assert format_for(Path(f"rows{ending}"), "csv") == "csv"


@pytest.mark.parametrize("ending", [".parquet", ".html", ".xlsx"])
def test_a_file_of_a_format_that_there_is_not_is_refused_by_its_ending(ending):
    with pytest.raises(OutputError, match=r"known: \.json, \.csv, \.md, \.txt"):
        format_for(Path(f"rows{ending}"), None)


def test_without_a_file_or_a_known_ending_a_table_is_shown():
    assert format_for(None, None) == format_for(Path("rows.txt"), None) == FORMATS[0] == "table"
