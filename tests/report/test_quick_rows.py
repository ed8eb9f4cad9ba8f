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


LONG = "a-model-whose-name-is-far-too-long-for-its-column"
LIBRARY = "external:libqnn_delegate_of_somebody.so"


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_name_is_never_broken_inside_and_moves_no_column(make_run, width):
    run = make_run()
    run.example()
    run.cell(LONG, LIBRARY)
    run.cell(delegate="gpu", status="fallback", reasons=("the driver refused the graph because " * 6, "more"))
    run.cell("日本語のモデル", "nnapi", status="failed", median_ms=None, map_=None)
    lines = text_of(frame.to_rows(frame.read_results([run.folder]).records), width)
    assert any(LONG in line for line in lines) and any(LIBRARY in line for line in lines)
    heading = next(line for line in lines if line.split()[:2] == ["model", "delegate"])
    end = heading.index("median") + len("median")
    figures = [
        line for line in lines if line.split()[1:2] == ["cpu:1"] or ("shapes" in line and "kB" in line)
    ]
    assert figures and all(line[end - 1].isdigit() for line in figures)
    assert not any(line.endswith(" ") for line in lines)
