"""Every view and export of a run with cells that are not ok: none of their figures stands without the word for it."""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UsageError
from harness.records import records
from harness.records.records import OperatorFacts, OperatorProfile, OperatorTime
from harness.report.notebook import Run
from harness.vocabulary import CUT_SHORT, FAILURES, MEASURED, Status
from tests.support.runs_on_disk import RunFactory

STATES = {
    # delegate: what became of it
    "cpu:1": "ok",
    "cpu:2": "partial-data",
    "gpu:fp16": "fallback",
    "gpu:fp32": "partial",
    "hexagon": "failed",
    "nnapi": "incorrect",
    "qnn": "timeout",
}
BASE, NEW = "20261121-090000-aaaa", "20261122-090000-bbbb"
FLOAT, INTEGER = "net-float32", "net-int8"
OPERATORS = tuple(
    OperatorTime(kind=kind, name=f"{kind}:0", delegated=kind == "CONV_2D", time_ns=time)
    for kind, time in (("CONV_2D", 3_100_000), ("RESHAPE", 41_000))
)


def add_cells(run, pace):
    """Two versions of a model on every delegate, with operators and as a run under sustained load."""
    for at, (delegate, status) in enumerate(STATES.items(), 1):
        for quantization, model, factor in (("float32", FLOAT, 1.0), ("full-integer", INTEGER, 0.5)):
            actual = {"fallback": "xnnpack", "failed": "unknown"}.get(status, delegate.partition(":")[0])
            kept = {"actual": actual, "status": status, "reasons": () if status == "ok" else ("as it was",)}
            figures = {"median_ms": pace * (3.1 + at) * factor, "map_": 0.31 + at / 100, "n_samples": 90}
            folder = run.cell(
                model, delegate, quantization=quantization, device="phone", runtime="tool", **kept, **figures
            )
            records.save(folder / "operators.json", OperatorProfile(operators=OPERATORS))
            path = folder / "record.json"
            facts = OperatorFacts(status="ok", runtime="tool", n_inferences=50, operators="operators.json")
            record = records.load(path, records.Record)
            changed = {"operators": facts, "settings": {"sustained": 60.0}}
            if status in CUT_SHORT:  # in timing: where only the accuracy failed, the times stand
                failed = msgspec.structs.replace(record.processes[-1], status=status, reasons=("it died",))
                changed["processes"] = (*record.processes[:-1], failed)
            records.save(path, msgspec.structs.replace(record, **changed))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "results"
    base, new = RunFactory(folder / BASE), RunFactory(folder / NEW)
    add_cells(base, 1.0)
    add_cells(new, 1.3)
    return base, new


@pytest.fixture(scope="module")
def harness():
    def run(*words, width=120, statuses=(0,)):
        env = {"COLUMNS": str(width), "NO_COLOR": "1"}
        ended = CliRunner().invoke(cli, list(words), env=env, catch_exceptions=False)
        assert ended.exit_code in statuses, ended.stderr
        return ended

    return run


def delegate_in(text):
    found = [d for d in STATES if re.search(rf"(?<![\w:-]){re.escape(d)}(?![\w:-])", text)]
    return found[0] if len(found) == 1 else None


def check(units, *, least=len(STATES)):  # noqa: B008 - a number
    """Check parts of a view, each with all that stands together with one delegate's name."""
    seen = set()
    for unit in units:
        delegate = delegate_in(unit)
        if delegate is None:
            continue
        seen.add(delegate)
        for known in (delegate, FLOAT, INTEGER, BASE, NEW, "int8", "float32"):
            unit = unit.replace(known, "")
        if re.search(r"\d", unit):
            assert STATES[delegate] == "ok" or STATES[delegate] in unit, f"{delegate}: {unit}"
    assert len(seen) >= least, seen


def check_rows(rows, names=("status",)):
    assert {row["delegate_requested"] for row in rows} == set(STATES)
    for row in rows:
        assert {row[name] for name in names} == {STATES[row["delegate_requested"]]}


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("further", [(), ("--sort", "latency_median_ms"), ("--with-published",)])
def test_the_table_has_the_word_beside_each_figure(runs, harness, width, further):
    text = harness("report", str(runs[0].folder), *further, width=width).stdout
    table, _, _ = text.partition("records: ")  # what follows of a long run has a test of its own
    check(table.partition("published")[0].splitlines())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_of_one_status_keeps_the_word_in_every_row(make_run, harness, width):
    run = make_run()
    for index in range(4):
        run.cell(f"model-{index}", "gpu:fp32", actual="gpu", status="partial", reasons=("a node",))
    text = harness("report", str(run.folder), width=width).stdout
    check(text.splitlines(), least=1)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("format", ["table", "markdown"])
def test_chosen_columns_bring_the_status_along(runs, harness, width, format):
    words = ("--columns", "model,delegate_requested,latency_median_ms,map", "--format", format)
    check(harness("report", str(runs[0].folder), *words, width=width).stdout.splitlines())


@pytest.mark.parametrize("format", ["json", "csv"])
def test_chosen_columns_for_a_program_are_kept_and_a_remark_names_the_status(runs, harness, format):
    words = ("--columns", "delegate_requested,latency_median_ms", "--format", format)
    ended = harness("report", str(runs[0].folder), *words)
    assert "add `status` to --columns" in ended.stderr
    assert "status" not in ended.stdout
    told = harness("report", str(runs[0].folder), "--columns", "status,map", "--format", format)
    assert "--columns" not in told.stderr


@pytest.mark.parametrize("view", [(), ("--operators",)])
def test_rows_for_programs_have_the_status_of_their_cell(runs, harness, view):
    folder = str(runs[0].folder)
    rows = json.loads(harness("report", folder, *view, "--format", "json").stdout)
    cells = csv.DictReader(io.StringIO(harness("report", folder, *view, "--format", "csv").stdout))
    for found in (rows, list(cells)):
        shown = {row["delegate_requested"] for row in found}
        assert all(row["status"] == STATES[row["delegate_requested"]] for row in found)
        assert set(STATES) - shown <= {d for d, s in STATES.items() if s not in MEASURED}
    check(harness("report", folder, *view, "--format", "markdown").stdout.splitlines(), least=4)


def test_no_figure_of_another_delegate_stands_in_a_row(runs, harness):
    rows = json.loads(harness("report", str(runs[0].folder), "--format", "json").stdout)
    check_rows(rows)
    for row in rows:
        if row["status"] not in MEASURED:
            assert not any(row[name] is not None for name in row if name.startswith("latency_"))
            assert row["fps"] is row["peak_memory_mb"] is row["init_ms"] is None
        if row["status"] in {Status.FALLBACK}:
            assert row["map"] is row["map_low"] is row["images_per_second"] is None


@pytest.mark.parametrize("by", ["device", "delegate_requested", "model", "runtime"])
@pytest.mark.parametrize("format", ["table", "markdown"])
def test_a_pivot_has_the_word_in_the_cell(runs, harness, by, format):
    text = harness("report", str(runs[0].folder), "--group-by", by, "--format", format, width=250).stdout
    for delegate, status in STATES.items():
        if by == "delegate_requested":
            (block,) = (part for part in re.split(r"delegate_requested: ", text) if part.startswith(delegate))
            cells = [line for line in block.splitlines() if "net-" in line]
        else:
            cells = [line for line in text.splitlines() if "net-" in line and ": net-" not in line]
        assert all(status == "ok" or status in line for line in cells)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_operators_stand_under_what_became_of_their_cell(runs, harness, width):
    ended = harness("report", str(runs[0].folder), "--operators", width=width)
    blocks = ended.stdout.split("\n\n")
    check(blocks, least=len(STATES) - 1)
    assert not any("gpu:fp16" in block for block in blocks)
    assert "gpu:fp16: fallback: xnnpack ran" in ended.stderr


@pytest.mark.parametrize("format", ["table", "markdown", "json", "csv"])
def test_a_comparison_has_the_words_of_both_sides(runs, harness, format):
    ended = harness("compare", *(str(run.folder) for run in runs), "--format", format)
    if format in {"json", "csv"}:
        reader = json.loads if format == "json" else lambda text: list(csv.DictReader(io.StringIO(text)))
        check_rows(reader(ended.stdout), ("base_status", "new_status"))
    else:
        check([*ended.stdout.splitlines(), *ended.stderr.splitlines()])


CONDITIONS = ("latency_median_ms > 5%", "map < -0.5", "size_bytes > 0", "delegated_nodes < 0")


def test_a_gate_has_the_word_in_every_finding_with_a_figure(runs, harness, tmp_path):
    file = tmp_path / "gate.xml"
    words = [word for condition in CONDITIONS for word in ("--fail-if", condition)]
    folders = [str(run.folder) for run in runs]
    ended = harness("compare", *folders, *words, "--junit", str(file), "--format", "json", statuses=(1, 3))
    for row in json.loads(ended.stdout):
        for finding in row["gate_findings"]:
            _, _, text = finding.split(": ", 2)
            said = STATES[row["delegate_requested"]]
            assert said == "ok" or said in text or not re.search(r"[-+]\d", text), finding
    cases = list(ET.parse(file).getroot().iter("testcase"))
    assert len(cases) == 2 * len(STATES) * len(CONDITIONS)
    for case in cases:
        status = STATES[delegate_in(case.get("classname"))]
        told = "".join(part.get("message") or part.text or "" for part in case)
        assert status == "ok" or status in told or not re.search(r"[-+]\d", told), told


def test_a_page_carries_no_figure_without_its_word(runs, harness, tmp_path):
    """What the page is made of; what its scripts make of that is looked at in a browser."""
    file = tmp_path / "page.html"
    harness("report", str(runs[0].folder), "--group-by", "delegate_requested", "-o", str(file))
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', file.read_text("utf-8"), re.DOTALL)
    data = json.loads(found[1])
    columns = {column["name"]: column for column in data["columns"]}

    def text(name, row):
        coded = columns[name]["text"]
        return coded["values"][coded["at"][row] if coded["at"] else 0]

    for row in range(data["n"]):
        status = text("status", row)
        assert status == STATES[text("delegate_requested", row)]
        assert (status in data["ranked"]) == (status in MEASURED)
        assert ("missing" in data["details"][str(row)]["operators"]) == (status == Status.FALLBACK)
        if status not in MEASURED:
            assert columns["latency_median_ms"]["raw"][row] is None
            assert str(row) not in data["curves"]
            assert str(row) not in data["worst"]
    for table in data["pivots"]["tables"]:
        status = STATES[table["title"].removeprefix("delegate_requested: ")]
        assert all(status == "ok" or status in cell for cells in table["rows"] for cell in cells[1:])


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_long_run_is_shown_with_its_word(runs, harness, width):
    text = harness("report", str(runs[0].folder), width=width).stdout
    _, _, below = text.partition("records: ")
    rows = re.split(r"(?m)^(?=net-)", below)[1:]  # a narrow terminal folds names, and never the word
    assert len(rows) == 2 * sum(status in MEASURED for status in STATES.values())
    check(rows, least=2)
    words = [word for row in rows for word in re.findall(r"\bpartial(?:-data)?\b", row)]
    assert sorted(words) == ["partial", "partial", "partial-data", "partial-data"]


def test_a_notebook_gives_no_samples_of_a_delegate_that_did_not_run(runs):
    run = Run(runs[0].folder)
    for delegate, status in STATES.items():
        if status in MEASURED:
            assert run.samples(FLOAT, delegate)
            continue
        with pytest.raises(UsageError, match=f"{delegate} has no latencies of its own: {status}"):
            run.samples(FLOAT, delegate)
    check(re.sub(r"<[^>]+>", "", run._repr_html_()).splitlines())


def test_every_status_is_walked():
    assert {*STATES.values(), "skipped"} == set(Status)
    assert set(STATES.values()) >= FAILURES
