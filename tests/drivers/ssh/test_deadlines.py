"""Nothing hangs beyond its limit, whatever a board does: silence, a trickle before or after the log-in, a flood."""

import os
import time
from contextlib import closing

import pytest

from harness.drivers import pace, shell
from harness.drivers.ssh import link, target
from harness.drivers.ssh.device import SshDevice
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from tests.support.bad_adb import floods, peer, silent, trickles

LIMIT_S, BEYOND_S = 3.0, 25.0  # 5 s at rest; a busy machine says nothing of the limits
BAD_BANNERS = {
    "silent": silent,
    "trickle": trickles(b"SSH-2.0-OpenSSH_9.2p1 Debian-2"),
    "trickle of lines": trickles(b"Welcome to this board\r\n"),
    "flood": floods(b"0123456789abcdef" * 4096),
    "flood of lines": floods(b"0123456789abcdef\r\n" * 4096),
}


@pytest.mark.parametrize("behaviour", BAD_BANNERS)
def test_a_bad_greeting_ends_in_time(behaviour, sshd, monkeypatch):
    monkeypatch.setattr(link, "HELLO_S", LIMIT_S)
    monkeypatch.setattr(target, "CONNECT_S", int(LIMIT_S))
    begin = time.monotonic()
    with peer(BAD_BANNERS[behaviour]) as port, closing(SshDevice("b", host="127.0.0.1", port=port)) as device:  # noqa: SIM117
        with pytest.raises((DeviceTimeoutError, DeviceLostError)):
            device.describe()
    assert time.monotonic() - begin < LIMIT_S + BEYOND_S


@pytest.mark.parametrize("script", ["yes", "yes >&2", "while :; do echo x; sleep 0.1; done", "sleep 60"])
def test_a_command_ends_in_time_whatever_comes(ssh_device, script):
    ssh_device.run(["true"], timeout_s=60)
    begin = time.monotonic()
    assert ssh_device.run(["sh", "-c", script], timeout_s=1).timed_out
    assert time.monotonic() - begin < 1 + BEYOND_S
    assert ssh_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


@pytest.mark.parametrize("script", ["yes", "yes >&2"])
def test_a_command_that_prints_without_end_is_ended_before_memory_is(ssh_device, script, monkeypatch):
    monkeypatch.setattr(shell, "MOST_OUTPUT", 3_000_000)
    with pytest.raises(DeviceError, match=r"it printed more than 3\.0 MB and was ended"):
        ssh_device.run(["sh", "-c", script], timeout_s=60)
    assert ssh_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


def test_a_file_that_does_not_end_is_not_pulled(ssh_device, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "MOST_BYTES", 3_000_000)
    with pytest.raises(DeviceError, match="/dev/zero: it does not end"):
        ssh_device.pull("/dev/zero", tmp_path / "local")
    assert not list(tmp_path.glob("*local*"))
    assert ssh_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


def short_pace(monkeypatch):
    monkeypatch.setattr(pace.Pace.__init__, "__defaults__", (1.0,))


def test_a_file_that_stands_still_is_given_up(ssh_device, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    short_pace(monkeypatch)
    begin = time.monotonic()
    with pytest.raises(DeviceTimeoutError, match="comes too slowly, or not at all"):
        ssh_device.pull(str(tmp_path / "fifo"), tmp_path / "local")
    assert time.monotonic() - begin < 1 + BEYOND_S


def test_a_board_that_unpacks_nothing_is_given_up(ssh_device, sshd, tmp_path, monkeypatch):
    sshd.offer("tar", "sleep 60")
    file = tmp_path / "big.bin"
    file.write_bytes(bytes(8_000_000))
    ssh_device.run(["true"], timeout_s=60)
    short_pace(monkeypatch)
    begin = time.monotonic()
    with pytest.raises(DeviceLostError):
        ssh_device.send([(file, str(tmp_path / "there.bin"))])
    assert time.monotonic() - begin < 2 + BEYOND_S
