"""`harness run --check-engines`: what it refuses, and that a failure of one engine is one of the command."""

import pytest

from harness.cli.main import main
from harness.records.records import load_records
from tests.support.npu import install_stand_in

SHORT = [
    "--no-accuracy",
    "--repetitions",
    "1",
    "--min-runs",
    "1",
    "--min-seconds",
    "0.01",
    "--delegate",
    "cpu:1",
]


def status_of(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_an_emulator_has_no_second_engine_and_nothing_is_measured(tmp_path, monkeypatch, capsys):
    install_stand_in(tmp_path / "packages", monkeypatch)
    asked = ["run", "shapes-full-integer", "-d", "emulator:qualcomm-SM8650", "--check-engines"]
    assert status_of([*asked, "--output", str(tmp_path / "runs")]) == 2
    assert "has one engine" in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))


def test_an_engine_that_fails_is_a_failure_of_the_command(tmp_path):
    tool = tmp_path / "benchmark_model"
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    asked = ["run", "shapes-full-integer", *SHORT, "--check-engines", "--benchmark-binary", str(tool)]
    assert status_of([*asked, "--output", str(tmp_path / "runs")]) == 1
    runs = [load_records(folder) for folder in (tmp_path / "runs").iterdir()]
    assert sorted(one.record.status for (one,) in runs) == ["failed", "ok"], (
        "the other engine measured all the same"
    )
