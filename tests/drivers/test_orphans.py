"""What must not run on unnoticed on a device: commands whose connection, or whose harness, is no more."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.drivers import orphans
from harness.errors import DeviceLostError


def marked_processes() -> list[str]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = environ.read_bytes()
        except OSError:
            continue
        if b"\0HARNESS_TEST_LEFT_OVER=" in b"\0" + text:
            found.append(environ.parent.name)
    return found


def test_what_outlives_the_connection_is_killed_as_soon_as_the_device_is_back(adb_device, adbd):
    environment = {"HARNESS_TEST_LEFT_OVER": "1"}
    script = "sleep 100 & sleep 0.3; echo begun; sleep 100"
    with pytest.raises(DeviceLostError):
        adb_device.run(["sh", "-c", script], timeout_s=60, env=environment, on_line=lambda _: adbd.kill())
    assert marked_processes()
    adbd.start()
    adb_device.run(["true"], timeout_s=5)
    assert not marked_processes()


def test_what_a_harness_that_was_killed_left_behind_is_killed_by_the_next_one(adbd, tmp_path):
    script = (
        "from harness.drivers.adb.device import AdbDevice\n"
        f"d = AdbDevice('x', host='127.0.0.1', port={adbd.port}, root={adbd.root!r})\n"
        "print('begun', flush=True)\n"
        "d.run(['sh', '-c', 'trap \"\" HUP; sleep 100; true'], timeout_s=99, env={'HARNESS_TEST_LEFT_OVER': '1'})\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        deadline = time.monotonic() + 10
        while not marked_processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        bystander = adbd.device()
        bystander.run(["true"], timeout_s=5)
        assert marked_processes(), "what a living harness measures must not be touched"
        other.kill()
    assert marked_processes()
    successor = adbd.device()
    successor.run(["true"], timeout_s=5)
    assert not marked_processes()
    bystander.close()
    successor.close()


def test_an_interruption_kills_what_runs(adb_device):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adb_device.run(
            ["sh", "-c", "echo x; sleep 100"],
            timeout_s=60,
            on_line=interrupt,
            env={"HARNESS_TEST_LEFT_OVER": "1"},
        )
    assert not marked_processes()
    assert adb_device.run(["true"], timeout_s=5).exit_code == 0


def test_an_error_in_the_listener_is_its_own_and_not_the_device_s(adb_device):
    def fail(line):
        raise OSError("disk full here")

    with pytest.raises(OSError, match="disk full here"):
        adb_device.run(
            ["sh", "-c", "echo x; sleep 100"], timeout_s=60, on_line=fail, env={"HARNESS_TEST_LEFT_OVER": "1"}
        )
    assert not marked_processes()


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
