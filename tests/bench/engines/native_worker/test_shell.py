"""The shell around the worker: what it tells of the machine, and whose folders it removes."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from harness.bench.engines.native.scripts import GAUGE_S, new_token
from harness.bench.engines.native_worker.shell import around, with_machine
from harness.records.telemetry import MachineState, Telemetry
from tests.support.battery_service import CHARGE_UAH, UNTIL_READ, battery_service
from tests.support.processes import until

SHELLS = [
    shell for shell in ("sh", "dash", "bash --posix", "busybox sh", "mksh") if shutil.which(shell.split()[0])
]
"""Android's shell is mksh, that of most boards BusyBox; as many as are installed."""


@pytest.fixture(params=SHELLS)
def start(request, tmp_path):
    """Start a command in a folder `runs/NAME`, with a stand-in for the battery service."""
    services = battery_service(tmp_path / "bin")

    def begin(name, *command, token="", libraries=(), **env):
        _, *rest = around(str(tmp_path / "runs" / name), token, libraries, command)
        return subprocess.Popen(
            [*request.param.split(), *rest],
            env={"PATH": f"{services}:{os.environ['PATH']}", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def test_a_command_ends_as_it_would_and_its_folder_is_gone(start, tmp_path):
    process = start("a", "sh", "-c", 'read x; echo "$x $TMPDIR" "$(ls lib)"; exit 3', libraries=["/b/l.so"])
    said, errors = process.communicate("word\n", timeout=60)
    assert (said, errors, process.returncode) == (f"word {tmp_path}/runs/a l.so\n", "", 3)
    assert not list((tmp_path / "runs").iterdir())


def test_the_machine_is_told_around_the_command_in_marked_lines(start):
    token = new_token()
    process = start("a", "sh", "-c", f"echo of LiteRT >&2; {UNTIL_READ}", token=token, **{GAUGE_S: "0.01"})
    _, log = process.communicate(timeout=60)
    assert [line for line in log.splitlines() if not line.startswith("ondevice-harness: ")] == ["of LiteRT"]
    told = with_machine(Telemetry(before=MachineState(probe_ns=5), after=MachineState(mhz=7.0)), log, token)
    assert (told.before.probe_ns, told.after.mhz) == (5, 7.0)
    assert told.power and all(one.charge_uah == CHARGE_UAH and one.discharging for one in told.power)


def test_a_log_that_was_cut_tells_what_is_left(start):
    own = Telemetry(before=MachineState(probe_ns=5))
    assert with_machine(own, "no line of ours", new_token()) == own


def test_a_folder_stays_while_its_shell_lives_and_goes_with_the_next_run_after_it(start, tmp_path):
    runs = tmp_path / "runs"
    long, killed = start("long", "cat"), start("killed", "cat")
    until(lambda: (runs / "long" / "pid").exists() and (runs / "killed" / "pid").exists(), "no folder")
    for name in ("long", "killed", "made"):
        (runs / name).mkdir(exist_ok=True)
    killed.kill()
    killed.communicate()
    two_days_ago = time.time() - 2 * 86400
    os.utime(runs / "long", (two_days_ago, two_days_ago))
    start("next", "true").communicate(timeout=60)
    assert sorted(path.name for path in runs.iterdir()) == ["long", "made"]
    os.utime(runs / "made", (two_days_ago, two_days_ago))
    start("next", "true").communicate(timeout=60)
    assert [path.name for path in runs.iterdir()] == ["long"]
    long.communicate(timeout=60)
    assert not list(runs.iterdir())


def test_a_shell_that_is_hung_up_on_removes_its_folder_once_the_command_has_ended(start, tmp_path):
    process = start("a", "cat")
    until((tmp_path / "runs" / "a" / "pid").exists, "no folder")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    until(lambda: not list((tmp_path / "runs").iterdir()), "the folder stays")
