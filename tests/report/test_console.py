"""The table, as a person sees it."""

import io
import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from harness.report import console, notes
from harness.rows import columns, frame


def render(rows, width=100, sources=(), all_notes=False, **settings_):
    file = io.StringIO()
    terminal = Console(file=file, width=width, markup=False, emoji=False, highlight=False, **settings_)
    terminal.print(console.ResultTable(rows, sources, all_notes=all_notes))
    return file.getvalue()


def rows_of(run):
    return frame.to_rows(frame.read_results([run.folder]).records)


def line_of(text, *words):
    (found,) = [line for line in text.splitlines() if all(word in line.split() for word in words)]
    return found


@pytest.fixture
def example(make_run):
    run = make_run()
    run.example()
    return run


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_every_line_fits_the_terminal(example, width):
    text = render(rows_of(example), width)
    assert max(map(cell_len, text.splitlines())) <= width


def test_100_columns_show_all_that_decides(example):
    text = render(rows_of(example))
    titles = " ".join(text.splitlines()[1].split())
    assert titles == "model delegate size median 95 % int. p90 FPS peak mAP AP50 Δ mAP"
    assert text.splitlines()[2].split() == ["ms", "ms", "ms", "1/s", "MiB", "0…1", "0…1", "vs", "f32"]
    cells = line_of(text, "shapes-full-integer", "cpu:1").split()
    assert cells[2:4] == ["360", "kB"]
    assert cells[8:] == ["44", "0.770", "0.970", "-0.030"]


def test_80_columns_keep_what_decides_and_drop_the_rest(example):
    text = render(rows_of(example), 80)
    for title in ("model", "delegate", "size", "median", "95 %", "p90", "mAP", "Δ mAP"):
        assert title in text
    for title in ("FPS", "peak", "AP50"):
        assert title not in text
    assert "±0.1%" in line_of(text, "shapes-float32", "cpu:1"), (
        "half the width takes less room than two bounds"
    )


def test_the_interval_of_the_median_is_explained_where_it_is_shown_and_only_there(example):
    rows = rows_of(example)
    without = [{**row, **{name: None for name in row if name.startswith("latency_")}} for row in rows]
    for width in (80, 120):
        assert "of the median, from process" in " ".join(render(rows, width).split())
        assert "of the median, from process" not in " ".join(render(without, width).split())


def test_a_wide_terminal_shows_the_speed_against_float32(example):
    text = render(rows_of(example), 140)
    assert "speed" in text
    assert line_of(text, "shapes-full-integer", "cpu:1").split()[-1] == "2.0×"


def test_pareto_optimal_rows_carry_a_sign_that_needs_no_colour(example):
    text = render(rows_of(example), no_color=True)
    marked = {
        tuple(line.split()[:3]) for line in text.splitlines() if line.startswith(("★", "☆")) and "cpu" in line
    }
    assert marked == {
        ("★", "shapes-full-integer", "cpu:4"),  # faster than all with its whole interval
        ("☆", "shapes-dynamic-range", "cpu:4"),  # more accurate by its figure only
        ("☆", "shapes-float32", "cpu:4"),
    }
    assert "★ Pareto-optimal:" in text and "☆ so by its figures, but not shown" in text


def test_no_color_leaves_no_colour_and_a_file_no_escapes(example, monkeypatch):
    assert "\x1b" not in render(rows_of(example))
    monkeypatch.setenv("NO_COLOR", "1")
    text = render(rows_of(example), force_terminal=True)
    assert not re.search(r"\x1b\[[\d;]*3\d", text)


def test_the_float32_version_is_the_reference(example):
    assert line_of(render(rows_of(example)), "shapes-float32", "cpu:1").split()[-1] == "ref"


@pytest.mark.parametrize("status", ["fallback", "incorrect", "failed", "timeout", "skipped"])
def test_rows_without_figures_show_status_and_reason_and_no_number(make_run, status):
    run = make_run()
    run.cell()
    run.cell("shapes-int8", "edgetpu", status=status, reasons=("the reason",), median_ms=77.7, map_=0.654)
    line = line_of(render(rows_of(run)), "edgetpu")
    assert line.split()[:3] == ["shapes-int8", "edgetpu", status]
    assert "the reason" in line
    assert "0.654" not in line
    assert "0.654" not in render(rows_of(run))


def test_only_rows_without_figures_are_a_table_too(make_run):
    run = make_run()
    run.cell("m", "edgetpu", status="skipped", median_ms=None, map_=None, reasons=("no Edge TPU",))
    text = render(rows_of(run))
    assert "reason" in text
    assert "no Edge TPU" in text
    assert "Pareto" not in text


def test_columns_that_were_not_measured_are_left_out(make_run):
    run = make_run("latency-only")
    run.cell(map_=None)
    text = render(rows_of(run))
    assert "median" in text
    assert not re.search("mAP|AP50|Pareto|vs f32", text)
    run = make_run("accuracy-only")
    run.cell(median_ms=None)
    text = render(rows_of(run))
    assert "mAP" in text
    assert not re.search("median|FPS|p90|peak", text)


def test_devices_and_runs_stand_in_blocks_of_their_own(make_run):
    for name in ("run-1", "run-2"):
        run = make_run(name)
        run.cell(device="pixel")
        run.cell(device="local")
    rows = frame.to_rows(frame.read_results([run.folder.parent]).records)
    titles = [line for line in render(rows).splitlines() if "mAP on" in line]
    assert [title.split(" · ")[:2] for title in titles] == [
        ["pixel (local)", "run-1"],
        ["local", "run-1"],
        ["pixel (local)", "run-2"],
        ["local", "run-2"],
    ]


def test_a_row_that_is_not_trusted_says_so_and_its_footnote_why(make_run):
    run = make_run()
    run.cell("steady")
    run.cell("wild", spread=0.9, n_processes=3, n_samples=30)
    run.cell("unproven", actual="unknown")
    text = render(rows_of(run))
    assert line_of(text, "steady").split()[-1] == "-" or "[" not in line_of(text, "steady")
    label = line_of(text, "unproven").split()
    assert label[-2:] == ["unverified", "[1]"], "the gravest reason comes first"
    assert "\n[1] unverified: what ran is not proven" in text
    assert re.search(r"noisy \[2[\d,]*\]$", line_of(text, "wild", "noisy").rstrip())
    assert "\n[2] " in text


def test_what_holds_of_all_rows_is_said_once(make_run):
    run = make_run()
    for index in range(4):
        run.cell(f"model-{index}", n_processes=1)
    text = render(rows_of(run))
    assert text.count("few samples") == 0
    assert text.count("too-few-samples: all 4 rows") == 1


def test_what_holds_of_some_rows_only_keeps_its_number(make_run):
    run = make_run()
    for index in range(3):
        reasons = ("all of them", *(["just this"] if index == 1 else []))
        run.cell(f"model-{index}", status="partial", reasons=reasons)
    text = render(rows_of(run))
    assert "partial: all 3 rows: all of them\n" in text
    assert "\n[1] just this\n" in text
    ends = [line.split("partial")[1].strip() for line in text.splitlines() if "model-" in line]
    assert ends == ["", "[1]", ""]


def test_footnotes_are_bounded_and_the_rest_is_counted(make_run):
    run = make_run()
    run.cell("steady")
    for index in range(9):
        run.cell(f"m{index}", status="partial", reasons=(f"reason {'abcdefghi'[index]}",))
    text = render(rows_of(run))
    below = text.partition("\n\n")[2].splitlines()
    assert text.count("reason ") == 5 and len(below) == 6 + 2  # below the legend
    assert "… and 4 more notes: --verbose shows them" in text
    assert render(rows_of(run), all_notes=True).count("reason ") == 9


def test_the_table_says_where_the_records_are(example):
    assert render(rows_of(example), sources=["results/x"]).rstrip().endswith("records: results/x")


EVIL = "[red]x[/] :smile: \x1b[31mred\x1b]0;title\x07\x9b2J\r\nnext\x00\u202e"


def test_text_from_outside_is_neither_markup_nor_terminal_control(make_run):
    run = make_run()
    run.cell(EVIL, EVIL, device=EVIL, runtime=EVIL, dataset=EVIL, status="partial", reasons=(EVIL,))
    run.cell(EVIL, EVIL, device=EVIL, status="failed", reasons=(EVIL,))
    text = render(rows_of(run), 200, sources=[EVIL])
    assert "[red]x[/] :smile:" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


NAMES = st.text(min_size=1, max_size=80)


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=3), delegate=NAMES, reason=NAMES, width=st.integers(60, 160)
)
def test_whatever_the_names_the_table_fits_and_nothing_steers_the_terminal(names, delegate, reason, width):
    empty = dict.fromkeys(columns.NAMES)
    rows = [
        {
            **empty,
            "run_id": "r",
            "device": "d",
            "device_kind": "local",
            "model": name,
            "delegate_requested": delegate,
        }
        | {
            "status": status,
            "reasons": [reason],
            "latency_median_ms": 1.5,
            "map": 0.5,
            "n_images": 3,
            "dataset": "s",
        }
        for name in names
        for status in ("ok", "failed")
    ]
    text = render(rows, width)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


@pytest.mark.parametrize("column", columns.COLUMNS, ids=lambda column: column.name)
def test_a_chosen_column_is_printed_in_the_form_of_its_unit(make_run, column):
    run = make_run()
    run.cell(median_ms=1234.5)
    file = io.StringIO()
    Console(file=file, width=200).print(console.ChosenColumns(rows_of(run), [column.name]))
    header, _, *cells = (line.strip() for line in file.getvalue().splitlines())
    assert header == column.name
    if column.unit == "ms" and column.name not in {"init_ms", "latency_std_ms"}:
        assert re.fullmatch(r"\d,\d{3}|–", cells[0])
    if column.unit == "0…1":
        assert re.fullmatch(r"\d\.\d{3}|–", cells[0])
    assert not column.unit or column.unit in console.FORMS


def test_notes_that_differ_in_numbers_only_are_one():
    rows = [{"status": "ok", "verdict": "noisy", "reasons": [f"known to ±{k}.5%"]} for k in (7, 8)] + [
        {"status": "partial", "verdict": "noisy", "reasons": ["3 nodes"]}
    ]
    assert notes.gather(rows) == [
        notes.Note("partial", "3 nodes", (2,)),
        notes.Note("noisy", "known to ±7.5%", (0, 1), varies=True),
    ]


@pytest.mark.parametrize(
    ("evaluated", "known", "words"),
    [
        (6, 6, "220 images, 6 classes"),
        (80, 81, "80 of 81 classes"),
        (1, 1, ", 1 class"),
        (None, None, "220 images"),
    ],
)
def test_the_title_says_over_how_many_classes_the_map_is_an_average(evaluated, known, words):
    row = {"dataset": "d", "n_images": 220, "classes_evaluated": evaluated, "classes_in_dataset": known}
    assert console.measured_on(SimpleNamespace(row=row)).endswith(words)


def test_tables_of_phones_and_boards_say_how_long_they_were_watched_and_what_shows_more():
    row = dict.fromkeys(columns.NAMES) | {
        "run_id": "r", "model": "m", "delegate_requested": "cpu:1", "status": "ok", "latency_median_ms": 1.5,
        "reasons": [],
    }  # fmt: skip
    texts = [
        render([row | {"device": kind, "device_kind": kind, "watched_s": seconds}], 100)
        for kind, seconds in (("adb", 1.2), ("local", 1.2), ("adb", 600.0), ("ssh", None))
    ]
    found = ["watched for at least 1.2 s" in " ".join(text.split()) for text in texts]
    assert found == [True, False, False, False]
    assert "--sustained 10m" in texts[0]
