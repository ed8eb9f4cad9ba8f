"""The battery's gauge is read beside the tool, by the phone's own shell, where a run is a sustained load."""

import os
import subprocess

import pytest

from harness.bench.engines.native.scripts import GAUGE_S, ONE_RUN, new_token, read_report
from tests.support.battery_service import CHARGE_UAH, UNTIL_READ, battery_service


@pytest.fixture
def run(tmp_path):
    """Run the script with a stand-in for the battery service and a tool."""
    services = battery_service(tmp_path / "bin")

    def script(*tool, **env):
        token = new_token()
        done = subprocess.run(
            ["sh", "-c", ONE_RUN, "sh", token, str(tmp_path / token), "", "", "0", *tool],
            env={"PATH": f"{services}:{os.environ['PATH']}", **env},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return read_report(done.stdout, token)

    return script


def test_its_samples_come_back_with_the_run(run):
    report = run("sh", "-c", UNTIL_READ, **{GAUGE_S: "0.01"})
    assert report.exit_code == 0
    assert len(report.telemetry.power) >= 2
    assert all(one.charge_uah == CHARGE_UAH and one.discharging for one in report.telemetry.power)


def test_it_is_left_alone_where_nobody_asks(run):
    assert run("true").telemetry.power == ()
