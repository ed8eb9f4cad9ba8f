"""Phones over ADB against a real adbd, on a network with packets of 1,500 bytes: every fault of adb-shell, cured."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.drivers.adb.link import ServiceRefusedError
from harness.errors import DeviceError, DeviceLostError
from tests.support.processes import that_name, until
from tests.support.random_files import sha256, write
from tests.support.small_disk import small_disk

NOTICED_S = 10.0


@pytest.mark.parametrize("size", [1, 5_000_000, 100_000_000], ids=["1B", "5MB", "100MB"])
def test_pushed_files_have_the_same_hash_there(adb_device, tmp_path, size):
    path = write(tmp_path / "file.bin", size)
    (remote,) = adb_device.push([path])
    assert sha256(remote) == sha256(path)
    assert Path(remote).stat().st_mode & 0o777 == 0o755


def test_a_known_file_costs_one_round_trip_and_a_new_one_three(adb_device, tmp_path):
    adb_device.run(["true"], timeout_s=60)
    paths = [write(tmp_path / f"{n}.bin", 1000 + n) for n in range(30)]
    costs = []
    for _ in range(2):
        before = adb_device.round_trips
        adb_device.push(paths)
        costs.append(adb_device.round_trips - before)
    assert costs == [3, 1]


def test_a_command_costs_one_round_trip(adb_device):
    adb_device.run(["true"], timeout_s=60)
    before = adb_device.round_trips
    adb_device.run(["true"], timeout_s=60)
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


def test_a_refused_service_is_said_at_once(adb_device):
    adb_device.run(["true"], timeout_s=60)
    begin = time.monotonic()
    with pytest.raises(ServiceRefusedError, match="no-such-service"):
        # private: no command of a device asks for a service that there is not
        adb_device._link.open("no-such-service:", begin + 10)
    assert time.monotonic() - begin < NOTICED_S
    assert adb_device.run(["true"], timeout_s=60).exit_code == 0


def test_no_space_is_found_before_anything_is_sent(adb_device, adbd, tmp_path):
    with small_disk(Path(adbd.root), "3m"):
        with pytest.raises(DeviceError, match=r"no space left on .*: needs 6\.0 MB, has .*--clean"):
            adb_device.push([write(tmp_path / "big.bin", 5_000_000)])
        assert adb_device.push([write(tmp_path / "small.bin", 1000)])


def test_a_disk_that_fills_up_meanwhile_gives_the_device_s_own_reason(adb_device, tmp_path):
    with small_disk(tmp_path / "disk", "3m"):
        begin = time.monotonic()
        with pytest.raises(DeviceError, match="No space left on device"):
            adb_device.send([(write(tmp_path / "big.bin", 60_000_000), str(tmp_path / "disk" / "x"))])
        assert time.monotonic() - begin < 20
    assert adb_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


def test_a_folder_that_cannot_be_made_is_said_with_its_reason(adbd, tmp_path):
    device = adbd.device(root="/proc/no/store")
    with pytest.raises(DeviceError, match="/proc/no/store"):
        device.push([write(tmp_path / "x.bin", 10)])
    device.close()


def test_room_is_made_by_removing_what_was_unused_for_longest(adb_device, adbd, tmp_path):
    with small_disk(Path(adbd.root), "12m"):
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
        assert adb_device.run(["sh", "-c", script], timeout_s=60).exit_code == theirs


def test_android_before_7_refuses_a_stream_and_says_why(old_adb_device):
    with (
        pytest.raises(DeviceError, match="Android 7 or later"),
        old_adb_device.converse(["cat"]),
    ):
        raise AssertionError("it began")


def test_a_phone_that_goes_away_in_a_conversation_is_lost_and_what_ran_there_is_killed(
    adb_device, adbd, tmp_path
):
    followed = write(tmp_path / "followed", 0)
    script = 'echo begun; cat >/dev/null; tail -f "$1"; exit'

    def speak():
        with adb_device.converse(["sh", "-c", script, "sh", str(followed)]) as conversation:
            assert conversation.receive(20) == b"begun\n"
            adbd.kill()
            while conversation.receive(20) != b"":
                pass

    with pytest.raises(DeviceLostError):
        speak()
    assert that_name(followed), "its connection is gone, and it runs on"
    adbd.start()
    assert adb_device.run(["true"], timeout_s=20).exit_code == 0
    until(lambda: not that_name(followed), "it lives on")
