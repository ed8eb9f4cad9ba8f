"""Rows of large tables: the same text as rich's Table gives."""

import pytest
from rich.cells import cell_len

from harness.report import console
from harness.report.consoles import make_console
from harness.rows import frame


def text_of(rows, width):
    target = make_console(width=width, color_system=None)
    with target.capture() as capture:
        target.print(console.ResultTable(rows, ["results/run"]), crop=False)
    lines = capture.get().splitlines()
    assert max(map(cell_len, lines)) <= width
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_large_table_reads_like_a_small_one(make_run, monkeypatch, width):
    run = make_run()
    run.example()
    run.cell("a-model-whose-name-is-far-too-long-for-its-column", "external:libqnn_delegate_of_somebody.so")
    run.cell("shapes-noisy", spread=0.9, n_samples=60)
    run.cell(delegate="gpu", status="fallback", reasons=("the driver refused the graph because " * 6, "more"))
    run.cell("日本語のモデル", "nnapi", status="failed", median_ms=None, map_=None)
    rows = frame.to_rows(frame.read_results([run.folder]).records)
    expected = text_of(rows, width)
    monkeypatch.setattr(console, "MANY", 1)
    assert text_of(rows, width) == expected
