"""Phones over ADB that die, hang, fall silent or leave the network in the middle of something: a real adbd."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from tests.support.later import LASTS_S, NOTICED_S, later
from tests.support.random_files import sha256, write

DEATHS = int(os.environ.get("HARNESS_DEATHS", "40"))
"""More: HARNESS_DEATHS=500 pytest tests/drivers/adb/test_device_losses.py"""


def test_a_silent_command_of_twelve_seconds_is_waited_for(adb_device):
    done = adb_device.run(["sh", "-c", "sleep 12; echo done"], timeout_s=60)
    assert (done.exit_code, done.stdout, done.timed_out) == (0, "done\n", False)


def test_the_death_of_the_device_during_a_push_is_noticed_and_nothing_half_is_used(
    adb_device, adbd, tmp_path
):
    path = write(tmp_path / "big.bin", 20_000_000)
    adb_device.run(["true"], timeout_s=20)
    with later(0.5, adbd.kill) as killed, pytest.raises(DeviceLostError):  # noqa: PT012
        for n in range(100):
            path.write_bytes(n.to_bytes(4, "big") + path.read_bytes()[4:])
            adb_device.push([path])
    assert time.monotonic() - killed[0] < NOTICED_S
    for stored in Path(adbd.root).glob("[0-9a-f]*/*"):
        assert sha256(stored)[:16] == stored.parent.name
    adbd.start()
    (remote,) = adb_device.push([path])
    assert sha256(remote) == sha256(path)
    assert not list((Path(adbd.root) / ".incoming").iterdir())


def test_the_death_of_the_device_during_a_command_is_noticed(adb_device, adbd):
    adb_device.run(["true"], timeout_s=20)
    with later(0.5, adbd.kill) as killed, pytest.raises(DeviceLostError, match="run 'sleep'"):
        adb_device.run(["sleep", f"{LASTS_S}"], timeout_s=LASTS_S)
    assert time.monotonic() - killed[0] < NOTICED_S


def test_the_death_of_the_device_during_a_pull_is_noticed_and_the_local_file_untouched(
    adb_device, adbd, tmp_path
):
    big, local = write(tmp_path / "big.bin", 100_000_000), tmp_path / "local.bin"
    local.write_text("precious")
    adb_device.run(["true"], timeout_s=60)
    with later(0.2, adbd.kill) as killed, pytest.raises(DeviceLostError):  # noqa: PT012
        for _ in range(100):
            adb_device.pull(str(big), tmp_path / "other.bin")
    assert time.monotonic() - killed[0] < NOTICED_S
    assert local.read_text() == "precious"
    assert not list(tmp_path.glob(".*.tmp"))


def test_the_loss_of_the_exit_code_is_never_taken_for_success(adb_device, adbd):
    with pytest.raises(DeviceLostError):
        adb_device.run(["sh", "-c", f"echo all is well; kill -9 {adbd.process.pid}; sleep 5"], timeout_s=20)


def test_the_device_is_used_again_when_it_is_back(adb_device, adbd):
    adb_device.run(["true"], timeout_s=60)
    adbd.kill()
    with pytest.raises(DeviceError):
        adb_device.run(["true"], timeout_s=60)
    adbd.start()
    assert adb_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_device_that_was_away_between_two_commands_is_not_missed(adb_device, adbd):
    adb_device.run(["true"], timeout_s=60)
    adbd.kill()
    adbd.start()
    assert adb_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_device_that_hangs_does_not_hang_us(adb_device, adbd):
    adb_device.run(["true"], timeout_s=60)
    adbd.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with pytest.raises(DeviceTimeoutError):
            adb_device.run(["true"], timeout_s=1)
        assert time.monotonic() - begin < NOTICED_S
    finally:
        adbd.process.send_signal(signal.SIGCONT)
    assert adb_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_phone_that_takes_no_data_for_six_seconds_is_waited_for(adb_device, adbd, tmp_path):
    path = write(tmp_path / "big.bin", 100_000_000)
    adb_device.run(["true"], timeout_s=60)
    stop = later(0.1, lambda: adbd.process.send_signal(signal.SIGSTOP))
    go_on = later(6.1, lambda: adbd.process.send_signal(signal.SIGCONT))
    begin = time.monotonic()
    with stop, go_on:
        adb_device.send([(path, str(tmp_path / "there.bin"))])
    assert time.monotonic() - begin > 5
    assert sha256(tmp_path / "there.bin") == sha256(path)


def test_a_device_that_leaves_the_network_without_a_word_is_noticed(adb_device, network):
    adb_device.run(["true"], timeout_s=60)
    try:
        with later(0.5, lambda: network.set_up(False)) as gone, pytest.raises(DeviceLostError):
            adb_device.run(["sleep", f"{LASTS_S}"], timeout_s=LASTS_S)
        assert time.monotonic() - gone[0] < NOTICED_S
    finally:
        network.set_up(True)
    assert adb_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_phone_that_its_adb_server_loses_is_lost(adb_server_device, adbd):
    adb_server_device.run(["true"], timeout_s=60)
    with later(0.5, adbd.kill) as killed, pytest.raises(DeviceLostError):
        adb_server_device.run(["sleep", f"{LASTS_S}"], timeout_s=LASTS_S)
    assert time.monotonic() - killed[0] < NOTICED_S
    with pytest.raises(DeviceError):
        adb_server_device.run(["true"], timeout_s=60)


@pytest.mark.timeout(600)
def test_deaths_at_random_instants_leave_nothing_hanging_and_nothing_half(adb_device, adbd, tmp_path):
    chance = random.Random(4)
    path, finished = tmp_path / "file.bin", []

    def cell(n):
        path.write_bytes(n.to_bytes(4, "big") + os.urandom(400_000))
        (remote,) = adb_device.push([path])
        done = adb_device.run(["sh", "-c", 'sleep 0.02; cat "$1" | wc -c', "sh", remote], timeout_s=20)
        adb_device.pull(remote, tmp_path / "back.bin")
        assert done.stdout.strip() == "400004"
        assert sha256(tmp_path / "back.bin") == sha256(path)

    begin = time.monotonic()
    cell(0)
    pace = time.monotonic() - begin  # a busy machine needs longer for a cell
    for n in range(DEATHS):
        with later(chance.uniform(0.0, max(0.2, 3 * pace)), adbd.kill) as killed:
            try:
                while True:
                    cell(n)
                    finished.append(n)
            except DeviceError:
                assert killed or adbd.process.poll() is not None
                assert not killed or time.monotonic() - killed[0] < NOTICED_S
        adbd.start()
    for stored in Path(adbd.root).glob("[0-9a-f]*/*"):
        assert sha256(stored)[:16] == stored.parent.name
    assert len(finished) > 5
