"""What must not run on unnoticed on a device: commands whose connection, or whose harness, is no more."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.drivers import orphans
from harness.drivers.adb import execution
from harness.drivers.shell import command_script
from harness.errors import DeviceLostError
from tests.support.left_over import MARK, marked_processes, none_left, some_begun


def kill_the_watch(pid: int) -> None:
    """Kill the processes of a command's group that have no marker: the shell around it, and its watch."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            group = int(stat.read_text().rpartition(")")[2].split()[2])
        except OSError:
            continue
        if group == pid and stat.parent.name not in marked_processes():
            os.kill(int(stat.parent.name), signal.SIGKILL)


def test_what_outlives_the_connection_is_killed_as_soon_as_the_device_is_back(adb_device, adbd):
    def end(line: str) -> None:
        kill_the_watch(int(line))
        adbd.kill()

    script = 'sleep 100 & sleep 0.3; ps -o pgid= -p $$ || cut -d" " -f5 /proc/$$/stat; sleep 100'
    with pytest.raises(DeviceLostError):
        adb_device.run(["sh", "-c", script], timeout_s=60, env=MARK, on_line=end)
    assert marked_processes()
    adbd.start()
    adb_device.run(["true"], timeout_s=60)
    assert none_left()


def test_what_a_lost_connection_left_behind_ends_by_itself(adb_device, adbd):
    script = "(trap '' HUP; setsid sleep 100 & sleep 100) & trap '' HUP; echo begun; sleep 100; true"
    with pytest.raises(DeviceLostError):
        adb_device.run(["sh", "-c", script], timeout_s=60, env=MARK, on_line=lambda _: adbd.kill())
    assert none_left()


@pytest.mark.parametrize("separate", [True, False], ids=["shell v2", "before Android 7"])
def test_what_a_harness_that_was_killed_left_behind_ends_by_itself(adbd, separate):
    script = (
        "from harness.drivers.adb.connect import Address, connect\n"
        "from harness.drivers.adb.device import AdbDevice\n"
        "def link():\n"
        f"    found = connect(Address(host='127.0.0.1', port={adbd.port}))\n"
        f"    found.features = found.features if {separate} else frozenset()\n"
        "    return found\n"
        f"d = AdbDevice('x', root={adbd.root!r}, open_link=link)\n"
        "print('begun', flush=True)\n"
        f"d.run(['sh', '-c', 'trap \"\" HUP; sleep 100; true'], timeout_s=99, env={MARK})\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert some_begun()
        bystander = adbd.device()
        bystander.run(["true"], timeout_s=60)
        assert marked_processes(), "what a living harness measures must not be touched"
        other.kill()
    assert none_left()
    assert bystander.run(["echo", "well"], timeout_s=60).stdout == "well\n"
    bystander.close()


SHELLS = [["sh"], *([name] for name in ("bash", "mksh") if shutil.which(name))]
SHELLS += [["busybox", "sh"]] if shutil.which("busybox") else []


def start_watched(shell: list[str], argv: list[str]) -> subprocess.Popen:
    marker = orphans.new_marker()
    script = orphans.watched_script(command_script(argv, MARK, marker), marker)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*shell, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_watched_command_is_as_it_would_be_without(shell):
    for ending, code in (("exit 3", 3), ("kill -9 $$", 137), ("kill -11 $$", 139)):
        with start_watched(shell, ["sh", "-c", f"cat; echo out; echo err >&2; {ending}"]) as process:
            out, errors = process.stdout.read(), process.stderr.read()
            assert (process.wait(), out.partition(b"\n")[2], errors) == (code, b"out\n", b"err\n")


def tells_time(shell: list[str]) -> bool:
    """Whether a shell can wait for input for a limited time; dash cannot."""
    script = "(read -t 1 x) 2>/dev/null"
    return subprocess.run([*shell, "-c", script], stdin=subprocess.DEVNULL, check=False).returncode != 2


ENDINGS = [
    (shell, how) for how in ("ends", "falls silent") for shell in SHELLS if how == "ends" or tells_time(shell)
]


@pytest.mark.parametrize(("shell", "how"), ENDINGS, ids=lambda one: one if isinstance(one, str) else one[0])
def test_a_watched_command_ends_with_its_children_when_its_input(shell, how):
    script = "trap '' HUP TERM; setsid sleep 100 & sleep 100; true"
    with start_watched(shell, ["sh", "-c", script]) as process:
        assert some_begun()
        if how == "ends":
            process.stdin.close()
        assert none_left()


def test_a_command_that_ends_because_this_computer_slept_is_no_failure_of_its_own(adb_device, monkeypatch):
    """The harness is stopped, as with Ctrl-Z, and the device ends what it runs for want of a word from it."""
    hours = itertools.count(0, 3600)
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: next(hours))
    monkeypatch.setattr(execution, "time", clock)
    with pytest.raises(DeviceLostError, match="said nothing for 3600 s"):
        adb_device.run(["sh", "-c", "sleep 3; kill -9 $$"], timeout_s=60)
    assert adb_device.run(["sh", "-c", "kill -9 $$"], timeout_s=60).exit_code == 137


def test_an_interruption_kills_what_runs(adb_device):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adb_device.run(
            ["sh", "-c", "echo x; sleep 100"],
            timeout_s=60,
            on_line=interrupt,
            env=MARK,
        )
    assert none_left()
    assert adb_device.run(["true"], timeout_s=60).exit_code == 0


def test_an_error_in_the_listener_is_its_own_and_not_the_device_s(adb_device):
    def fail(line):
        raise OSError("disk full here")

    with pytest.raises(OSError, match="disk full here"):
        adb_device.run(["sh", "-c", "echo x; sleep 100"], timeout_s=60, on_line=fail, env=MARK)
    assert none_left()


def test_a_marker_of_a_living_process_or_another_computer_is_no_orphan():
    mine = orphans.new_marker()
    computer = mine.partition(":")[0]
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert not orphans.is_orphan(mine)
    assert not orphans.is_orphan(f"{computer}:{os.getppid()}:x")
    assert orphans.is_orphan(f"{computer}:{gone.pid}:x")
    assert not orphans.is_orphan(f"elsewhere:{gone.pid}:x")
    assert not orphans.is_orphan("")
    assert not orphans.is_orphan(f"{computer}:x:y")
