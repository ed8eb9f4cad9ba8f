"""The HTML report as text and data; what a browser makes of it is in tests/browser."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import pytest
from click.testing import CliRunner

from harness import units
from harness.cli.main import cli
from harness.errors import UsageError
from harness.records import records
from harness.records.records import SummaryFacts
from harness.records.samples import make_samples
from harness.report.html import build, cells, data
from harness.rows import frame

HOSTILE = "</script><script>alert(1)</script>&<!--\u2028"


def page_of(run):
    found = frame.read_results([run.folder])
    return build.render(found, frame.to_rows(found.records))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def texts(document, name):
    column = next(column for column in document["columns"] if column["name"] == name)["text"]
    at = column["at"] if column["at"] else [0] * document["n"]
    return [column["values"][place] for place in at]


def test_every_public_column_is_in_the_page_in_the_form_that_units_gives_it(make_run):
    run = make_run()
    run.example()
    document = data_of(page_of(run))
    rows = frame.to_rows(frame.read_results([run.folder]).records)
    assert [column["name"] for column in document["columns"]] == list(rows[0])
    assert texts(document, "latency_median_ms") == [
        units.milliseconds(row["latency_median_ms"]) for row in rows
    ]
    assert texts(document, "size_bytes") == [units.size(row["size_bytes"]) for row in rows]
    assert texts(document, "ap_small") == [units.MISSING] * len(rows)


def test_a_name_cannot_end_the_script_that_holds_the_data(make_run):
    run = make_run()
    run.cell(HOSTILE, device=HOSTILE, reasons=(HOSTILE,))
    page = page_of(run)
    body = re.search(r'id="data">(.*?)</script>', page, re.S)[1]
    assert not set("<>&\u2028\u2029") & set(body)
    assert "<script>alert" not in page
    assert "alert(1)" in texts(data_of(page), "model")[0]


def test_text_that_is_not_unicode_is_still_a_page():
    assert json.loads(build.to_script_json({"name": "\udc80"})) == {"name": "\udc80"}
    build.to_script_json({"name": "\udc80"}).encode("utf-8")


def test_the_page_names_no_address_and_its_policy_allows_nothing_but_its_own_script_and_style(make_run):
    run = make_run()
    run.cell()
    page = page_of(run)
    assert set(re.findall(r"\w+://[^\s\"'`)]+", page)) == {"http://www.w3.org/2000/svg"}
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind, pattern in (("style", r"<style>(.*?)</style>"), ("script", r"<script>(.*?)</script>")):
        digest = hashlib.sha256(re.search(pattern, page, re.S)[1].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_every_script_of_the_package_is_part_of_the_page():
    found = {entry.name for entry in files("harness.report.html").joinpath("js").iterdir()}
    assert found == {f"{name}.js" for name in build.SCRIPTS}


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(",
                                  "XMLHttpRequest", "WebSocket", "import("])  # fmt: skip
def test_no_script_makes_markup_of_text_or_asks_the_network(word):
    assert word not in build.page_script()


def test_the_evidence_of_every_row_is_in_the_page(make_run):
    run = make_run()
    run.cell()
    run.cell(delegate="gpu", status="fallback")
    document = data_of(page_of(run))
    coded = document["evidence"]
    assert coded == {"values": [[["", "31 nodes"]]], "at": 0}


def test_a_cell_that_fell_back_has_no_figure_of_the_delegate(make_run):
    run = make_run()
    run.cell(delegate="gpu", status="fallback")
    document = data_of(page_of(run))
    assert texts(document, "latency_median_ms") == [units.MISSING] and texts(document, "map") == [
        units.MISSING
    ]
    assert document["details"]["0"]["classes"] == []


def test_only_the_newest_cells_carry_samples(make_run, monkeypatch):
    monkeypatch.setattr(data, "MOST_DETAILS", 3)
    old, new = make_run("20261101-000000-aaaa"), make_run("20261102-000000-bbbb")
    for run in (old, new):
        run.cell(n_processes=1)
        run.cell(n_processes=1)
    found = frame.read_results([old.folder, new.folder])
    document = data_of(build.render(found, frame.to_rows(found.records)))
    assert sorted(document["details"]) == ["0", "2", "3"]


@pytest.mark.parametrize("n", [1, 99, 100, 101, 12_345])
def test_a_trace_is_short_whatever_its_samples_and_covers_them_all(n):
    samples = make_samples(range(0, n * 1000, 1000), [5_000_000] * n, 3)
    process = records.ProcessFacts(index=0, started_at="", status="ok")
    found = cells.trace(process, samples, 100)
    assert len(found["s"]) == len(found["mid"]) <= 100 and found["each"] * len(found["s"]) >= n
    assert set(found["low"]) == set(found["high"]) == {5.0}


def test_a_histogram_counts_every_sample_once():
    durations = [cells.np.arange(1, 1001) / 10]
    found = cells.histogram(durations)
    assert sum(found["counts"]) + int(found["above"]) == 1000 and found["n"] == "1,000"


def test_samples_that_are_lost_hide_no_other_row(make_run):
    run = make_run()
    run.cell()
    (run.cell() / "process-0.npy").unlink()
    document = data_of(page_of(run))
    assert document["n"] == 2 and document["details"]["1"]["traces"] == []


def test_a_tool_that_keeps_its_samples_still_shows_its_processes(make_run):
    run = make_run()
    folder = run.cell(n_processes=1)
    record = records.load(folder / "record.json", records.Record)
    summary = SummaryFacts(count=50, mean_ns=4_000_000, median_ns=4_100_000, p95_ns=5_000_000)
    told = records.ProcessFacts(index=0, started_at="", status="ok", summary=summary)
    records.save(folder / "record.json", records.msgspec.structs.replace(record, processes=(told,)))
    box = data_of(page_of(run))["details"]["0"]["boxes"][0]
    assert box["levels"] == [None, None, 4.1, None, 5.0] and box["median"] == "4.10"


def test_a_page_without_any_row_is_a_page(make_run):
    assert data_of(page_of(make_run()))["n"] == 0


def test_the_command_writes_the_page_by_the_file_s_ending(make_run, tmp_path):
    run = make_run()
    run.cell()
    file = tmp_path / "report.html"
    result = CliRunner().invoke(cli, ["report", str(run.folder), "-o", str(file), "--sort", "-map"])
    assert result.exit_code == 0, result.output
    assert data_of(file.read_text(encoding="utf-8"))["sort"] == "-map"


def test_a_page_that_is_grouped_has_the_pivots_of_the_terminal(make_run, tmp_path):
    run = make_run()
    run.example()
    run.cell("shapes-float32", "gpu", status="fallback")
    file = tmp_path / "report.html"
    args = ["report", str(run.folder), "--group-by", "device", "-o", str(file)]
    assert CliRunner().invoke(cli, args, catch_exceptions=False).exit_code == 0
    (table,) = data_of(file.read_text(encoding="utf-8"))["pivots"]["tables"]
    markdown = CliRunner().invoke(cli, [*args[:-2], "--format", "markdown"]).stdout
    assert table["title"] == "device: local" and table["columns"][0] == "model"
    for row in table["rows"]:
        assert f"| {' | '.join(row).replace('–', '')} |" in markdown.replace("–", "")
    assert "fallback" in table["rows"][0]


def test_published_figures_stand_apart_and_change_no_row_of_the_page(make_run, tmp_path):
    run = make_run()
    run.cell(
        model="mobiledet-edgetpu",
        device="pixel-4",
        delegate="nnapi:google-edgetpu",
        median_ms=13.8,
        quantization="qat-uint8",
    )
    file = tmp_path / "report.html"
    args = ["report", str(run.folder), "--with-published", "-o", str(file)]
    assert CliRunner().invoke(cli, args, catch_exceptions=False).exit_code == 0
    document = data_of(file.read_text(encoding="utf-8"))
    assert document["n"] == 1 and texts(document, "status") == ["ok"]
    columns, found = document["published"]["columns"], document["published"]["rows"]
    pixel = next(row for row in found if row[:3] == ["mobiledet-edgetpu", "qat-uint8", "Pixel 4"])
    assert pixel[columns.index("latency ms") :][:2] == ["6.90", "13.8"]
    assert pixel[columns.index("ratio")].startswith("2") and pixel[-1]


def test_chosen_columns_do_not_go_with_the_page(make_run):
    run = make_run()
    run.cell()
    result = CliRunner().invoke(cli, ["report", str(run.folder), "--format", "html", "--columns", "map"])
    assert isinstance(result.exception, UsageError)
