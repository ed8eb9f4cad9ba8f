"""A run as an object for notebooks."""

from html.parser import HTMLParser

import pytest

import harness
from harness.errors import UnknownNameError
from harness.rows.columns import NAMES


@pytest.fixture
def run(make_run, repository):
    made = make_run()
    (
        made.cell("a", median_ms=4.0),
        made.cell("a", "cpu:4", median_ms=2.0),
        made.cell("<script>alert(1)</script>"),
    )
    return harness.Run(made.folder, workspace=repository)


def test_a_run_has_its_rows_and_says_what_it_is(run):
    assert tuple(run.frame.columns) == NAMES and len(run.frame) == 3
    assert repr(run) == f"<Run {run.folder.name}: 3 cells>"


def test_the_samples_are_those_of_the_cell_in_ms_one_array_a_process(run):
    first, second = run.samples("a"), run.samples("a", "cpu:4")
    assert len(first) == len(second) == 5
    assert first[0].mean() == pytest.approx(4.0, rel=0.05) and second[0].mean() == pytest.approx(
        2.0, rel=0.05
    )


def test_a_cell_that_is_not_there_says_what_is_near(run):
    with pytest.raises(UnknownNameError, match="Did you mean a cpu:4"):
        run.samples("a", "cpu:5")


def test_a_notebook_shows_the_table_and_names_are_text(run):
    page = run._repr_html_()
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)
    parser.feed(page)
    assert set(tags) <= {"pre", "span"}
    assert "median" in page and "&lt;script&gt;" in page
