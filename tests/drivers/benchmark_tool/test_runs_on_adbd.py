"""`harness run` with the stand-in for benchmark_model through a real adbd: what ran and what the rows say."""

import json
import re

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UsageError
from harness.records.records import load_records
from harness.rows.frame import read_results
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
