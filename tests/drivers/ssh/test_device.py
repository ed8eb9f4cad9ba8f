"""Boards over SSH against a real sshd: what may happen on the way, in the order of a connection's life."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from tests.support.later import LASTS_S, NOTICED_S, later
from tests.support.left_over import MARK, marked_processes, none_left, some_begun
from tests.support.random_files import sha256, write
from tests.support.small_disk import small_disk


@pytest.fixture
def far_sshd(network, sshd_module, tmp_path, monkeypatch):
    """A board on a network with packets of 1,500 bytes, which can be cut."""
    server = sshd_module.Sshd(tmp_path / "far")
    monkeypatch.setenv("HARNESS_SSH_CONFIG", str(server.config))
    yield server
    server.kill()


@pytest.fixture
def far_device(far_sshd):
    device = far_sshd.device()
    yield device
    device.close()


def store(sshd) -> Path:
    return sshd.home / ".cache" / "ondevice-harness"


# Files


@pytest.mark.parametrize("size", [1, 5_000_000, 100_000_000], ids=["1B", "5MB", "100MB"])
def test_pushed_files_have_the_same_hash_there(far_device, tmp_path, size):
    path = write(tmp_path / "file.bin", size)
    (remote,) = far_device.push([path])
    assert sha256(remote) == sha256(path)
    assert Path(remote).stat().st_mode & 0o777 == 0o755
    far_device.pull(remote, tmp_path / "back.bin")
    assert sha256(tmp_path / "back.bin") == sha256(path)


def test_a_known_file_costs_one_round_trip_and_a_new_one_three(ssh_device, tmp_path):
    ssh_device.run(["true"], timeout_s=60)
    paths = [write(tmp_path / f"{n}.bin", 1000 + n) for n in range(30)]
    costs = []
    for _ in range(2):
        before = ssh_device.round_trips
        ssh_device.push(paths)
        costs.append(ssh_device.round_trips - before)
    assert costs == [3, 1]


def test_a_round_trip_is_one_session_as_sshd_itself_counts_them(sshd, ssh_device, tmp_path):
    sshd.kill()
    sshd.configure(["LogLevel DEBUG1"])
    sshd.start()
    path = write(tmp_path / "x.bin", 100)
    ssh_device.push([path])
    ssh_device.run(["true"], timeout_s=60)
    ssh_device.pull(str(path), tmp_path / "y.bin")
    log = (sshd.folder / "sshd.log").read_text()
    assert log.count("reply 1") >= 1
    assert ssh_device.round_trips == log.count("server_input_channel_req: channel") - log.count(
        "request env "
    )


def test_files_of_any_number_are_pushed_in_one_stream(ssh_device, tmp_path):
    paths = [write(tmp_path / f"{'a-long-name' * 8}-{n}.bin", 10 + n) for n in range(300)]
    remote = ssh_device.push(paths)
    assert [Path(r).stat().st_size for r in remote] == [10 + n for n in range(300)]


def test_a_file_that_was_damaged_there_is_sent_again(ssh_device, tmp_path):
    path = write(tmp_path / "file.bin", 5000)
    (remote,) = ssh_device.push([path])
    Path(remote).write_bytes(bytes(5000))
    ssh_device.push([path])
    assert sha256(remote) == sha256(path)


def test_no_space_is_found_before_anything_is_sent(ssh_device, sshd, tmp_path):
    with small_disk(store(sshd), "3m"):
        with pytest.raises(DeviceError, match=r"no space left on .*: needs 6\.0 MB, has .*--clean"):
            ssh_device.push([write(tmp_path / "big.bin", 5_000_000)])
        assert ssh_device.push([write(tmp_path / "small.bin", 1000)])


def test_a_disk_that_fills_up_meanwhile_gives_the_device_s_own_reason(ssh_device, tmp_path):
    with small_disk(tmp_path / "disk", "3m"):
        begin = time.monotonic()
        with pytest.raises(DeviceError, match="No space left on device"):
            ssh_device.send([(write(tmp_path / "big.bin", 60_000_000), str(tmp_path / "disk" / "x"))])
        assert time.monotonic() - begin < NOTICED_S
    assert ssh_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


def test_a_folder_that_cannot_be_written_gives_the_device_s_own_reason(sshd, tmp_path):
    with small_disk(tmp_path / "disk", "3m", "ro"):
        device = sshd.device(root=str(tmp_path / "disk" / "store"))
        with pytest.raises(DeviceError, match="Read-only file system"):
            device.push([write(tmp_path / "x.bin", 10)])
        device.close()


def test_a_file_here_that_goes_away_is_not_mistaken_for_trouble_there(ssh_device, tmp_path):
    with pytest.raises(DeviceError, match=r"gone\.bin: cannot be read"):
        ssh_device.send([(tmp_path / "gone.bin", str(tmp_path / "x"))])
    assert ssh_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


def test_forgetting_removes_what_was_pushed(ssh_device, sshd, tmp_path):
    ssh_device.push([write(tmp_path / "x.bin", 10)])
    assert store(sshd).exists()
    ssh_device.forget()
    assert not store(sshd).exists()


# Commands


def test_a_command_costs_one_round_trip(ssh_device):
    ssh_device.run(["true"], timeout_s=60)
    before = ssh_device.round_trips
    ssh_device.run(["true"], timeout_s=60)
    assert ssh_device.round_trips - before == 1


def test_what_a_login_script_prints_is_not_taken_for_output(sshd, ssh_device, tmp_path):
    for name in (".bashrc", ".profile", ".zshenv"):
        (sshd.home / name).write_text("echo welcome to this board; echo and to its errors >&2\n")
    (sshd.home / ".ssh").mkdir()
    path = write(tmp_path / "x.bin", 100_000)
    (remote,) = ssh_device.push([path])
    assert ssh_device.run(["echo", "x"], timeout_s=60).stdout == "x\n"
    ssh_device.pull(remote, tmp_path / "back.bin")
    assert sha256(tmp_path / "back.bin") == sha256(path)


def test_what_a_command_leaves_in_the_background_neither_holds_us_nor_lives_on(ssh_device):
    begin = time.monotonic()
    done = ssh_device.run(["sh", "-c", "sleep 60 & echo x; exit 4"], timeout_s=30, env=MARK)
    assert (done.exit_code, done.stdout) == (4, "x\n")
    assert time.monotonic() - begin < NOTICED_S
    assert none_left()


def test_a_line_like_our_own_in_the_output_is_output(ssh_device):
    text = ssh_device.run(["sh", "-c", "echo $ONDEVICE_HARNESS_RUN:0; echo x"], timeout_s=60).stdout
    assert text.endswith(":0\nx\n")


def test_two_threads_may_share_a_device(ssh_device):
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda n: ssh_device.run(["echo", str(n)], timeout_s=20).stdout, range(12)))
    assert outputs == [f"{n}\n" for n in range(12)]


def test_two_boards_work_at_the_same_time(sshd, sshd_module, tmp_path):
    other = sshd_module.Sshd(tmp_path / "other")
    try:
        sshd.known_hosts.write_text(sshd.known_hosts.read_text() + other.known_hosts.read_text())
        shutil.copy(sshd.key.with_suffix(".pub"), other.folder / "authorized_keys")

        def work(server):
            device = server.device()
            device.run(["true"], timeout_s=60)
            begin = time.monotonic()
            device.run(["sleep", "1"], timeout_s=20)
            device.close()
            return begin, time.monotonic()

        with ThreadPoolExecutor(2) as pool:
            spans = list(pool.map(work, [sshd, other]))
        assert max(begin for begin, _ in spans) < min(end for _, end in spans)
    finally:
        other.kill()


# The end of a connection


def test_the_death_of_the_board_during_a_push_is_noticed_and_nothing_half_is_used(ssh_device, sshd, tmp_path):
    path = write(tmp_path / "big.bin", 50_000_000)
    ssh_device.run(["true"], timeout_s=20)
    with later(0.7, sshd.kill) as killed, pytest.raises(DeviceLostError):  # noqa: PT012
        for n in range(100):
            path.write_bytes(n.to_bytes(4, "big") + path.read_bytes()[4:])
            ssh_device.push([path])
    assert time.monotonic() - killed[0] < NOTICED_S
    for stored in store(sshd).glob("[0-9a-f]*/*"):
        assert sha256(stored)[:16] == stored.parent.name
    sshd.start()
    (remote,) = ssh_device.push([path])
    assert sha256(remote) == sha256(path)


def test_the_death_of_the_board_during_a_command_is_noticed(ssh_device, sshd):
    ssh_device.run(["true"], timeout_s=20)
    with later(0.7, sshd.kill) as killed, pytest.raises(DeviceLostError, match="run 'sleep'"):
        ssh_device.run(["sleep", f"{LASTS_S}"], timeout_s=LASTS_S)
    assert time.monotonic() - killed[0] < NOTICED_S


def test_the_death_of_the_board_during_a_pull_is_noticed_and_the_local_file_untouched(
    ssh_device, sshd, tmp_path
):
    big, local = write(tmp_path / "big.bin", 100_000_000), tmp_path / "local.bin"
    local.write_text("precious")
    ssh_device.run(["true"], timeout_s=60)
    with later(0.2, sshd.kill) as killed, pytest.raises(DeviceLostError):  # noqa: PT012
        for _ in range(100):
            ssh_device.pull(str(big), tmp_path / "other.bin")
    assert time.monotonic() - killed[0] < NOTICED_S
    assert local.read_text() == "precious"
    assert not list(tmp_path.glob(".*.tmp"))


def test_the_loss_of_the_exit_code_is_never_taken_for_success_nor_for_the_command_s(ssh_device, sshd):
    assert ssh_device.run(["sh", "-c", "exit 255"], timeout_s=60).exit_code == 255
    kill = " ".join(["kill -9", *(str(p.pid) for p in sshd.daemons())])
    with pytest.raises(DeviceLostError):
        ssh_device.run(["sh", "-c", f"echo all is well; {kill}; sleep 5"], timeout_s=20)


def test_a_board_that_was_away_between_two_commands_is_not_missed(ssh_device, sshd):
    ssh_device.run(["true"], timeout_s=60)
    sshd.kill()
    sshd.start()
    assert ssh_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_board_that_hangs_does_not_hang_us_and_is_used_again_when_it_is_back(ssh_device, sshd):
    ssh_device.run(["true"], timeout_s=60)
    sshd.signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with pytest.raises(DeviceTimeoutError, match="does not answer"):
            ssh_device.run(["true"], timeout_s=1)
        assert time.monotonic() - begin < NOTICED_S
    finally:
        sshd.signal(signal.SIGCONT)
    assert ssh_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"


def test_a_board_that_takes_no_data_for_six_seconds_is_waited_for(ssh_device, sshd, tmp_path):
    path = write(tmp_path / "big.bin", 100_000_000)
    ssh_device.run(["true"], timeout_s=60)
    stop = later(0.2, lambda: sshd.signal(signal.SIGSTOP))
    go_on = later(6.2, lambda: sshd.signal(signal.SIGCONT))
    begin = time.monotonic()
    with stop, go_on:
        ssh_device.send([(path, str(tmp_path / "there.bin"))])
    assert time.monotonic() - begin > 5
    assert sha256(tmp_path / "there.bin") == sha256(path)


def test_a_board_that_leaves_the_network_without_a_word_is_noticed(far_device, network):
    far_device.run(["true"], timeout_s=60)
    try:
        with (
            later(0.5, lambda: network.set_up(False)) as gone,
            pytest.raises(DeviceLostError, match="not responding"),
        ):
            far_device.run(["sh", "-c", f"sleep {LASTS_S}"], timeout_s=LASTS_S, env=MARK)
        assert time.monotonic() - gone[0] < NOTICED_S
    finally:
        network.set_up(True)
    assert far_device.run(["echo", "back"], timeout_s=60).stdout == "back\n"
    assert none_left(), "what the lost connection left there is killed with the next one"


@pytest.mark.timeout(600)
def test_fifteen_deaths_at_random_instants_leave_nothing_hanging_and_nothing_half(ssh_device, sshd, tmp_path):
    chance = random.Random(8)
    path = tmp_path / "file.bin"

    def cell(n):
        path.write_bytes(n.to_bytes(4, "big") + os.urandom(400_000))
        (remote,) = ssh_device.push([path])
        done = ssh_device.run(
            ["sh", "-c", 'sleep 0.02; cat "$1" | wc -c', "sh", remote], timeout_s=20, env=MARK
        )
        ssh_device.pull(remote, tmp_path / "back.bin")
        assert done.stdout.strip() == "400004"
        assert sha256(tmp_path / "back.bin") == sha256(path)

    cell(100)  # it works as long as nobody dies
    for n in range(15):
        with later(chance.uniform(0.0, 0.8), sshd.kill) as killed:
            try:
                while True:
                    cell(n)
            except DeviceError:
                assert not killed or time.monotonic() - killed[0] < NOTICED_S
        sshd.start()
    assert none_left()
    for stored in store(sshd).glob("[0-9a-f]*/*"):
        assert sha256(stored)[:16] == stored.parent.name
    cell(101)


# What must not run on


def test_the_end_of_a_connection_kills_what_it_started_without_another_one(ssh_device, sshd):
    script = "sleep 100 & (trap '' HUP TERM; setsid sleep 100 & sleep 100) & echo begun; sleep 100"
    with pytest.raises(DeviceLostError):
        ssh_device.run(["sh", "-c", script], timeout_s=60, env=MARK, on_line=lambda _: sshd.kill())
    assert none_left()


def test_the_death_of_the_harness_kills_what_it_started_and_nothing_of_a_living_one(sshd):
    script = (
        "from harness.drivers.ssh.device import SshDevice\n"
        f"d = SshDevice('x', host='127.0.0.1', port={sshd.port}, user={sshd.user!r})\n"
        "print('begun', flush=True)\n"
        f"d.run(['sh', '-c', 'trap \"\" HUP; sleep 100; true'], timeout_s=99, env={MARK!r})\n"
    )
    bystander = sshd.device()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert some_begun()
        bystander.run(["true"], timeout_s=60)
        assert marked_processes(), "what a living harness measures must not be touched"
        other.kill()
    assert none_left()
    assert bystander.run(["echo", "well"], timeout_s=60).stdout == "well\n"
    bystander.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_kills_what_runs_and_an_error_of_the_listener_is_its_own(ssh_device, error):
    def interrupt(line):
        raise error

    with pytest.raises(error):
        ssh_device.run(["sh", "-c", "echo x; sleep 100"], timeout_s=60, on_line=interrupt, env=MARK)
    assert none_left()
    assert ssh_device.run(["true"], timeout_s=60).exit_code == 0


def test_nothing_of_a_connection_is_left_on_this_computer(sshd, request, monkeypatch):
    temporary = Path(
        f"/tmp/%h {os.getpid()}"
    )  # ssh replaces %h in the paths it is given, and sockets want short ones
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    temporary.mkdir()
    request.addfinalizer(lambda: shutil.rmtree(temporary))
    killed = temporary / "harness-ssh-killed"  # as a harness leaves it that was killed
    killed.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(killed / "s"))
    empty = temporary / "harness-ssh-empty"
    empty.mkdir()
    os.utime(empty, (0, 0))
    device = sshd.device()
    device.run(["true"], timeout_s=60)
    client = device._link._client  # private: nobody else knows which process it is
    device.close()
    assert client.poll() is not None
    assert not list(temporary.iterdir())
