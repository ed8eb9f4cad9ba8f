"""The battery's gauge is read beside the tool, by the phone's own shell, where a run is a sustained load."""

import os
import subprocess

import pytest

from harness.bench.engines.native.scripts import GAUGE_S, ONE_RUN, new_token, read_report

TOOL = 'for i in $(seq 1000); do [ "$(grep -c voltage battery.txt)" -ge 2 ] && exit; sleep 0.05; done; exit 9'
"""A tool that runs until the gauge was read twice, and fails where it never is."""
DUMPSYS = """#!/bin/sh
[ "$1" = battery ] || exit 1
printf '  USB powered: false\\n  Charge counter: 2781000\\n  status: 3\\n  voltage: 4187\\n'
"""


@pytest.fixture
def run(tmp_path):
    """Run the script with a stand-in for the battery service and a tool."""
    (tmp_path / "bin").mkdir()
    dumpsys = tmp_path / "bin" / "dumpsys"
    dumpsys.write_text(DUMPSYS)
    dumpsys.chmod(0o755)

    def script(*tool, **env):
        token = new_token()
        done = subprocess.run(
            ["sh", "-c", ONE_RUN, "sh", token, str(tmp_path / token), "", "", "0", *tool],
            env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", **env},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return read_report(done.stdout, token)

    return script


def test_its_samples_come_back_with_the_run(run):
    report = run("sh", "-c", TOOL, **{GAUGE_S: "0.01"})
    assert report.exit_code == 0
    assert len(report.telemetry.power) >= 2
    assert all(one.charge_uah == 2781000 and one.discharging for one in report.telemetry.power)


def test_it_is_left_alone_where_nobody_asks(run):
    assert run("true").telemetry.power == ()
