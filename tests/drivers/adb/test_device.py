"""Phones over ADB against a real adbd, on a network with packets of 1,500 bytes: every fault of adb-shell, cured."""

import hashlib
import os
import random
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.drivers.adb.link import ServiceRefusedError
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

NOTICED_S = 10.0


def write(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def sha256(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextmanager
def later(seconds, action):
    """Do something while the test goes on; gives the time it was done at."""
    done: list[float] = []

    def act():
        done.append(time.monotonic())
        action()

    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield done
    finally:
        timer.join()


@contextmanager
def small_disk(folder: Path, megabytes: int):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("size", [1, 5_000_000, 100_000_000], ids=["1B", "5MB", "100MB"])
def test_pushed_files_have_the_same_hash_there(adb_device, tmp_path, size):
    path = write(tmp_path / "file.bin", size)
    (remote,) = adb_device.push([path])
    assert sha256(remote) == sha256(path)
    assert Path(remote).stat().st_mode & 0o777 == 0o755


def test_a_known_file_costs_one_round_trip_and_a_new_one_three(adb_device, tmp_path):
    adb_device.run(["true"], timeout_s=5)
    paths = [write(tmp_path / f"{n}.bin", 1000 + n) for n in range(30)]
    costs = []
    for _ in range(2):
        before = adb_device.round_trips
        adb_device.push(paths)
        costs.append(adb_device.round_trips - before)
    assert costs == [3, 1]


def test_a_command_costs_one_round_trip(adb_device):
    adb_device.run(["true"], timeout_s=5)
    before = adb_device.round_trips
    adb_device.run(["true"], timeout_s=5)
    assert adb_device.round_trips - before == 1


def test_more_files_than_one_command_line_holds_are_pushed(adb_device, tmp_path):
    paths = [write(tmp_path / f"{'a-long-name' * 8}-{n}.bin", 10 + n) for n in range(900)]
    remote = adb_device.push(paths)
    assert [Path(r).stat().st_size for r in remote] == [10 + n for n in range(900)]


def test_a_file_that_was_damaged_there_is_sent_again(adb_device, tmp_path):
    path = write(tmp_path / "file.bin", 5000)
    (remote,) = adb_device.push([path])
    Path(remote).write_bytes(bytes(5000))
    adb_device.push([path])
    assert sha256(remote) == sha256(path)


def test_a_silent_command_of_half_a_minute_is_waited_for(adb_device):
    done = adb_device.run(["sh", "-c", "sleep 30; echo done"], timeout_s=60)
    assert (done.exit_code, done.stdout, done.timed_out) == (0, "done\n", False)


def test_a_refused_service_is_said_at_once(adb_device):
    adb_device.run(["true"], timeout_s=5)
    begin = time.monotonic()
    with pytest.raises(ServiceRefusedError, match="no-such-service"):
        # private: no command of a device asks for a service that there is not
        adb_device._link.open("no-such-service:", begin + 10)
    assert time.monotonic() - begin < NOTICED_S
    assert adb_device.run(["true"], timeout_s=5).exit_code == 0


def test_no_space_is_found_before_anything_is_sent(adb_device, adbd, tmp_path):
    with small_disk(Path(adbd.root), 3):
        with pytest.raises(DeviceError, match=r"no space left on .*: needs 6\.0 MB, has .*--clean"):
            adb_device.push([write(tmp_path / "big.bin", 5_000_000)])
        assert adb_device.push([write(tmp_path / "small.bin", 1000)])


def test_a_disk_that_fills_up_meanwhile_gives_the_device_s_own_reason(adb_device, tmp_path):
    with small_disk(tmp_path / "disk", 3):
        begin = time.monotonic()
        with pytest.raises(DeviceError, match="No space left on device"):
            adb_device.send([(write(tmp_path / "big.bin", 60_000_000), str(tmp_path / "disk" / "x"))])
        assert time.monotonic() - begin < 20
    assert adb_device.run(["echo", "well"], timeout_s=5).stdout == "well\n"


def test_a_folder_that_cannot_be_made_is_said_with_its_reason(adbd, tmp_path):
    device = adbd.device(root="/proc/no/store")
    with pytest.raises(DeviceError, match="/proc/no/store"):
        device.push([write(tmp_path / "x.bin", 10)])
    device.close()


def test_room_is_made_by_removing_what_was_unused_for_longest(adb_device, adbd, tmp_path):
    with small_disk(Path(adbd.root), 12):
        old, new = (
            adb_device.push([write(tmp_path / name, 4_000_000)])[0] for name in ("old.bin", "new.bin")
        )
        an_hour_ago = time.time() - 4000
        os.utime(old, (an_hour_ago, an_hour_ago))
        another_run = adbd.device()  # nothing of a run that goes on is removed
        (third,) = another_run.push([write(tmp_path / "third.bin", 4_000_000)])
        another_run.close()
        assert not Path(old).exists()
        assert Path(new).exists()
        assert Path(third).exists()


def test_forgetting_removes_what_was_pushed_and_nothing_else(adb_device, adbd, tmp_path):
    adb_device.push([write(tmp_path / "x.bin", 10)])
    (Path(adbd.root) / "mine").write_text("mine")
    adb_device.forget()
    assert [path.name for path in Path(adbd.root).iterdir()] == ["mine"]
    (Path(adbd.root) / "mine").unlink()
    adb_device.forget()
    adb_device.forget()
    assert not Path(adbd.root).exists()


def test_the_death_of_the_device_during_a_push_is_noticed_and_nothing_half_is_used(
    adb_device, adbd, tmp_path
):
    path = write(tmp_path / "big.bin", 100_000_000)
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
    with later(0.5, adbd.kill) as killed, pytest.raises(DeviceLostError, match="run 'sleep'"):
        adb_device.run(["sleep", "30"], timeout_s=60)
    assert time.monotonic() - killed[0] < NOTICED_S


def test_the_death_of_the_device_during_a_pull_is_noticed_and_the_local_file_untouched(
    adb_device, adbd, tmp_path
):
    big, local = write(tmp_path / "big.bin", 300_000_000), tmp_path / "local.bin"
    local.write_text("precious")
    adb_device.run(["true"], timeout_s=5)
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
    adb_device.run(["true"], timeout_s=5)
    adbd.kill()
    with pytest.raises(DeviceError):
        adb_device.run(["true"], timeout_s=5)
    adbd.start()
    assert adb_device.run(["echo", "back"], timeout_s=5).stdout == "back\n"


def test_a_device_that_was_away_between_two_commands_is_not_missed(adb_device, adbd):
    adb_device.run(["true"], timeout_s=5)
    adbd.kill()
    adbd.start()
    assert adb_device.run(["echo", "back"], timeout_s=5).stdout == "back\n"


def test_a_device_that_hangs_does_not_hang_us(adb_device, adbd):
    adb_device.run(["true"], timeout_s=5)
    adbd.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with pytest.raises(DeviceTimeoutError):
            adb_device.run(["true"], timeout_s=1)
        assert time.monotonic() - begin < 7
    finally:
        adbd.process.send_signal(signal.SIGCONT)
    assert adb_device.run(["echo", "back"], timeout_s=5).stdout == "back\n"


def test_a_phone_that_takes_no_data_for_six_seconds_is_waited_for(adb_device, adbd, tmp_path):
    path = write(tmp_path / "big.bin", 100_000_000)
    adb_device.run(["true"], timeout_s=5)
    stop = later(0.1, lambda: adbd.process.send_signal(signal.SIGSTOP))
    go_on = later(6.1, lambda: adbd.process.send_signal(signal.SIGCONT))
    begin = time.monotonic()
    with stop, go_on:
        adb_device.send([(path, str(tmp_path / "there.bin"))])
    assert time.monotonic() - begin > 5
    assert sha256(tmp_path / "there.bin") == sha256(path)


def test_a_device_that_leaves_the_network_without_a_word_is_noticed(adb_device, network):
    adb_device.run(["true"], timeout_s=5)
    try:
        with later(0.5, lambda: network.set_up(False)) as gone, pytest.raises(DeviceLostError):
            adb_device.run(["sleep", "60"], timeout_s=100)
        assert time.monotonic() - gone[0] < 6
    finally:
        network.set_up(True)
    assert adb_device.run(["echo", "back"], timeout_s=5).stdout == "back\n"


def test_two_devices_work_at_the_same_time(start_adbd, tmp_path):
    daemons = [start_adbd(15555), start_adbd(15556)]
    paths = [write(tmp_path / f"{n}.bin", 20_000_000) for n in range(2)]

    def work(n):
        device = daemons[n].device(f"phone-{n}")
        begin = time.monotonic()
        (remote,) = device.push([paths[n]])
        device.run(["sleep", "2"], timeout_s=20)
        device.close()
        return remote, begin, time.monotonic()

    with ThreadPoolExecutor(2) as pool:
        (one, begin_1, end_1), (two, begin_2, end_2) = pool.map(work, range(2))
    assert (sha256(one), sha256(two)) == (sha256(paths[0]), sha256(paths[1]))
    assert max(begin_1, begin_2) < min(end_1, end_2)


def test_two_threads_may_share_a_device(adb_device):
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda n: adb_device.run(["echo", str(n)], timeout_s=20).stdout, range(20)))
    assert outputs == [f"{n}\n" for n in range(20)]


def test_nobody_at_the_address_is_said_at_once(network):
    from harness.drivers.adb.device import AdbDevice

    begin = time.monotonic()
    with pytest.raises(DeviceLostError, match="Connection refused"):
        AdbDevice("phone", host="127.0.0.1", port=1).describe()
    assert time.monotonic() - begin < NOTICED_S


def test_the_adb_tool_sees_the_same_files_and_exit_codes(adb_device, adbd, adb_server, tmp_path):
    serial = f"127.0.0.1:{adbd.port}"
    adb_server("connect", serial)
    path = write(tmp_path / "file.bin", 3_000_000)
    (remote,) = adb_device.push([path])
    adb_server("-s", serial, "pull", remote, str(tmp_path / "theirs.bin"))
    assert sha256(tmp_path / "theirs.bin") == sha256(path)
    for script in ("exit 3", "kill -9 $$", "no-such-thing"):
        theirs = adb_server("-s", serial, "shell", script, check=False).returncode
        assert adb_device.run(["sh", "-c", script], timeout_s=5).exit_code == theirs


def test_a_phone_that_its_adb_server_loses_is_lost(adb_server_device, adbd):
    adb_server_device.run(["true"], timeout_s=5)
    with later(0.5, adbd.kill) as killed, pytest.raises(DeviceLostError):
        adb_server_device.run(["sleep", "30"], timeout_s=60)
    assert time.monotonic() - killed[0] < NOTICED_S
    with pytest.raises(DeviceError):
        adb_server_device.run(["true"], timeout_s=5)


@pytest.mark.timeout(600)
def test_two_hundred_deaths_at_random_instants_leave_nothing_hanging_and_nothing_half(
    adb_device, adbd, tmp_path
):
    chance = random.Random(4)
    path, finished = tmp_path / "file.bin", []

    def cell(n):
        path.write_bytes(n.to_bytes(4, "big") + os.urandom(400_000))
        (remote,) = adb_device.push([path])
        done = adb_device.run(["sh", "-c", 'sleep 0.02; cat "$1" | wc -c', "sh", remote], timeout_s=20)
        adb_device.pull(remote, tmp_path / "back.bin")
        assert done.stdout.strip() == "400004"
        assert sha256(tmp_path / "back.bin") == sha256(path)

    for n in range(200):
        with later(chance.uniform(0.0, 0.2), adbd.kill) as killed:
            try:
                while True:
                    cell(n)
                    finished.append(n)
            except DeviceError:
                assert killed or adbd.process.poll() is not None
                assert not killed or time.monotonic() - killed[0] < 20
        adbd.start()
    for stored in Path(adbd.root).glob("[0-9a-f]*/*"):
        assert sha256(stored)[:16] == stored.parent.name
    assert len(finished) > 5
