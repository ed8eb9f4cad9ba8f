"""`harness run` with the stand-in for benchmark_model through a real adbd: what ran and what the rows say."""

import json
import re

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.delegates import KINDS, parse_delegate
from harness.errors import UsageError
from harness.records.records import load_records
from harness.rows.frame import read_results
from harness.tflite.model import describe
from harness.vocabulary import MEASURED
from tests.support.launcher import make_launcher

QUICK = ("--repetitions", "1", "--min-runs", "2", "--min-seconds", "0.01")


@pytest.fixture
def phone(workspace, adbd, nothing_attached, tmp_path, repository):
    """Run models on a phone; a function of the command's words and of what the tool plays."""
    connection = f'kind = "adb"\nhost = "127.0.0.1"\nport = {adbd.port}\nroot = "{adbd.root}"'
    profile = f'name = "phone"\n[connection]\n{connection}\n'
    (workspace.devices / "phone.toml").write_text(profile, encoding="utf-8")
    (workspace.models / "shapes").symlink_to(repository / "models" / "shapes")
    for card in (repository / "models").glob("shapes-*.toml"):
        (workspace.models / card.name).symlink_to(card)
    (tmp_path / "tool").mkdir()

    def run(*words, **plays):
        tool = make_launcher(tmp_path / "tool", **plays)
        folder = ("--workspace", str(workspace.devices.parent))
        given = ("--device", "phone", "--benchmark-binary", str(tool), "--output", str(tmp_path / "results"))
        line = [*folder, "run", *words, *given]
        return CliRunner().invoke(cli, line, env={"COLUMNS": "200"}, catch_exceptions=False)

    return run


def test_a_sustained_load_is_processes_back_to_back_and_said_to_be(phone, tmp_path):
    words = (
        "shapes-float32",
        "shapes-full-integer",
        "--delegate",
        "cpu:1",
        "--no-accuracy",
        "--sustained",
        "2s",
    )
    text = phone(*words).stdout
    (run,) = (tmp_path / "results").iterdir()
    stored = load_records(run)
    assert [one.record.complete for one in stored] == [True, True]
    spans = []
    for one in stored:
        processes = one.record.processes
        assert len(processes) >= 12
        assert all(p.status == "ok" and p.summary.median_ns and p.telemetry.before for p in processes)
        starts = [p.started_at for p in processes]
        assert starts == sorted(set(starts))
        spans.append((starts[0], starts[-1]))
    (_, first_end), (second_begin, _) = sorted(spans)
    assert first_end < second_begin, "one load is not interrupted by another"
    assert re.search(r"1[2-9] processes +\d → \d", text), "the table of long runs says what its figures are"
    rows = json.loads(CliRunner().invoke(cli, ["report", str(run), "--format", "json"]).stdout)
    for row in rows:
        assert any("processes back to back" in reason for reason in row["reasons"])
        assert row["latency_median_ms"] is not None
        assert row["latency_median_low_ms"] is None, "processes that follow each other are not independent"


def test_a_precision_adds_processes_on_a_phone_too(phone, tmp_path):
    words = ("shapes-full-integer", "--delegate", "cpu:1", "--no-accuracy", *QUICK)
    phone(*words, "--precision", "0.001%", "--max-seconds", "6")
    (run,) = (tmp_path / "results").iterdir()
    (one,) = load_records(run)
    assert len(one.record.processes) > 1
    assert sum(process.duration_s for process in one.record.processes) >= 6
    (row,) = json.loads(CliRunner().invoke(cli, ["report", str(run), "--format", "json"]).stdout)
    assert any("--max-seconds 6 was reached first" in reason for reason in row["reasons"])


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("option", ["--mlperf", "--switch-models"])
def test_what_needs_our_own_worker_is_refused_before_the_run(phone, tmp_path, option, dry):
    words = ("shapes-float32", "shapes-full-integer", "--delegate", "cpu:1", option)
    with pytest.raises(
        UsageError, match=f"{option} needs .*; phone is measured with it. Our own worker can: "
    ):
        phone(*words, *dry)
    assert not (tmp_path / "results").exists()


def test_what_needs_our_own_worker_skips_the_phone_where_others_can(phone, tmp_path):
    plan = tmp_path / "plan.toml"
    rule = 'delegate = "cpu:2"\nset = { mlperf = true }'
    plan.write_text(
        f'models = ["shapes-float32"]\ndelegates = ["cpu:1", "cpu:2"]\naccuracy = false\n[[override]]\n{rule}\n'
    )
    rows = json.loads(phone(str(plan), "--dry-run", "--format", "json").stdout)
    assert [row["skip"] is None for row in rows] == [True, False]
    assert rows[1]["skip"].startswith("--mlperf needs every sample")
    phone(str(plan), *QUICK)
    stored = read_results([tmp_path / "results"]).records
    assert [one.record.status for one in stored] == ["ok", "skipped"]


FELL_BACK, FAILED = ("fallback", None), ("failed", "unknown")
SPELLINGS = {
    # delegate: status and what ran (None: not looked at), with a tool whose GPU works and that has no other accelerator
    "cpu": ("ok", "xnnpack"),
    "cpu:2": ("ok", "xnnpack"),
    "cpu-reference": ("ok", "cpu-reference"),
    "cpu-reference:2": ("ok", "cpu-reference"),
    "gpu": ("ok", "gpu"),
    "gpu:fp16": ("ok", "gpu"),
    "gpu:fp32": ("ok", "gpu"),
    "gpu:cl": ("ok", "gpu"),
    "gpu:fp32:gl": ("ok", "gpu"),
    "nnapi": FELL_BACK,
    "nnapi:google-edgetpu": FELL_BACK,
    "hexagon": FAILED,
    "qnn": FAILED,
    "qnn:htp": FAILED,
    "qnn:gpu": FAILED,
    "npu": FAILED,
    "edgetpu": ("skipped", "unknown"),
    "edgetpu:usb:0": ("skipped", "unknown"),
    "edgetpu:pci:1": ("skipped", "unknown"),
}


def rows_by_delegate(ended):
    return {row["delegate_requested"]: row for row in json.loads(ended.stdout)}


def check_row(row, status, actual):
    assert row["status"] == status, row["reasons"]
    assert actual is None or row["delegate_actual"] == actual
    assert status == "ok" or row["reasons"]
    assert (row["latency_median_ms"] is not None) == (status in MEASURED)


def test_every_spelling_of_a_delegate_gives_what_ran_or_why_not(phone, delegate_library):
    spellings = [*SPELLINGS, f"external:{delegate_library}"]
    words = [word for text in spellings for word in ("--delegate", text)]
    ended = phone("shapes-full-integer", *words, "--no-accuracy", *QUICK, "--format", "json", gpu="works")
    rows = rows_by_delegate(ended)
    external = rows.pop(f"external:{delegate_library}")
    assert list(rows) == [str(parse_delegate(text)) for text in SPELLINGS]
    assert {parse_delegate(text).kind for text in spellings} == set(KINDS)
    for text, (status, actual) in SPELLINGS.items():
        check_row(rows[str(parse_delegate(text))], status, actual)
    assert external["status"] in {"ok", "partial"}
    check_row(external, external["status"], "external")


@pytest.mark.parametrize(
    ("plays", "status", "actual"),
    [
        ({"gpu": "partial"}, "partial", "gpu"),
        ({"gpu": "silent"}, "fallback", "xnnpack"),
        ({"gpu": "refused"}, "fallback", "xnnpack"),
        ({"unknown": ["use_gpu", "gpu_backend", "gpu_precision_loss_allowed"]}, "fallback", "xnnpack"),
        ({"gpu": "crash"}, "failed", None),
        ({"gpu": "badly"}, "incorrect", "gpu"),
    ],
    ids=str,
)
def test_what_became_of_an_accelerator_stands_in_every_part_of_its_cell(phone, plays, status, actual):
    words = ("shapes-float32", "--delegate", "gpu:fp16", "--delegate", "cpu:1", "--limit", "2", "--operators")
    ended = phone(*words, *QUICK, "--format", "json", **plays)
    rows = rows_by_delegate(ended)
    check_row(rows["gpu:fp16"], status, actual)
    check_row(rows["cpu:1"], "ok", "xnnpack")
    assert (rows["gpu:fp16"]["map"] is None) == (status in {"fallback", "failed", "incorrect"})
    assert rows["cpu:1"]["map"] is not None


def test_every_bundled_model_is_fed_by_its_input_s_own_name(phone, repository):
    """All are TF2 exports, whose inputs' names hold a colon."""
    names = sorted(path.stem for path in (repository / "models").glob("shapes-*.toml"))
    rows = json.loads(phone(*names, "--delegate", "cpu:1", "--limit", "1", *QUICK, "--format", "json").stdout)
    assert [row["model"] for row in rows] == names
    for row in rows:
        check_row(row, "ok", "xnnpack")
        assert row["map"] is not None, "it was fed"
        assert not any("random inputs" in reason for reason in row["reasons"])


@pytest.mark.parametrize("name", ["", "no colon"])
def test_every_model_at_hand_is_fed_or_says_why_not(phone, shared_data, repository, name):
    """TF1's names have no colon and TF2's have one; a tool of TF 2.4 refuses the latter."""
    files = sorted((shared_data / "models").glob("*.tflite"))
    assert files
    data = (
        "--dataset",
        str(repository / "models" / "shapes" / "dataset"),
        "--no-accuracy",
        "--delegate",
        "cpu:1",
    )
    plays = {"input_names": name} if name else {}
    rows = json.loads(phone(*map(str, files), *data, *QUICK, "--format", "json", **plays).stdout)
    colons = {describe(file).sha256: ":" in describe(file).inputs[0].name for file in files}
    assert set(colons.values()) == {True, False}
    assert len(rows) == len(files)
    for row in rows:
        check_row(row, "ok", "xnnpack")
        noise = any(
            "random inputs: this benchmark_model refuses its input" in reason for reason in row["reasons"]
        )
        assert noise == (bool(name) and colons[row["model_sha256"]]), row["reasons"]
