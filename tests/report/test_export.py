"""Results as files, and back."""

import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MissingExtraError, UnknownNameError
from harness.report import export
from harness.rows import columns, frame
from tests.support.exported import read_back

ENDINGS = {"json": ".json", "csv": ".csv", "parquet": ".parquet"}
KINDS = {
    columns.TEXT: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    columns.INTEGER: st.integers(-(2**63), 2**63 - 1),
    columns.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    columns.LIST: st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
}
ROWS = st.fixed_dictionaries(
    {
        c.name: KINDS[c.dtype] if c.dtype == columns.LIST else st.none() | KINDS[c.dtype]
        for c in columns.COLUMNS
    }
)


@pytest.mark.parametrize("format_", ENDINGS)
@settings(max_examples=15, deadline=None)
@given(rows=st.lists(ROWS, max_size=3))
def test_what_is_exported_reads_back_as_the_same_frame(tmp_path_factory, format_, rows):
    path = tmp_path_factory.mktemp("export") / f"x{ENDINGS[format_]}"
    path.write_bytes(export.to_bytes(rows, columns.NAMES, format_))
    pd.testing.assert_frame_equal(read_back(path), frame.rows_to_frame(rows), check_exact=True)


@pytest.mark.parametrize("format_", ENDINGS)
def test_real_rows_and_chosen_columns_read_back(make_run, tmp_path, format_):
    run = make_run()
    run.example()
    run.cell(status="fallback", reasons=("a; b", 'say "no", then\nstop'))
    rows = frame.to_rows(frame.read_results([run.folder]).records)
    names = ["model", "reasons", "map", "n_samples"]
    path = tmp_path / f"x{ENDINGS[format_]}"
    path.write_bytes(export.to_bytes(rows, names, format_))
    pd.testing.assert_frame_equal(read_back(path), frame.rows_to_frame(rows, names), check_exact=True)


@pytest.mark.parametrize("text", ["NA", "nan", "1e5", "007", "True", "=1+1", " x ", "null", "-"])
def test_csv_keeps_texts_that_look_like_something_else(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_bytes(export.to_bytes([{"model": text}], ["model"], "csv"))
    assert read_back(path)["model"][0] == text


def test_markdown_is_text(make_run):
    assert (
        export.to_bytes([{"model": "é", "map": 0.5}], ["model", "map"], "markdown").decode().splitlines()[2]
        == "| é | 0.5 |"
    )


def test_unknown_columns_are_errors():
    with pytest.raises(UnknownNameError, match="Did you mean model"):
        export.to_bytes([], ["modell"], "json")


def test_parquet_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"\[report\]"):
        export.to_bytes([], columns.NAMES, "parquet")
