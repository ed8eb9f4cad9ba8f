"""Nothing hangs beyond its limit, whatever an adb server or an adbd does: silence, trickles, floods, absurd lengths."""

import logging
import time
from contextlib import closing

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.drivers import pace, shell, shell_device
from harness.drivers.adb import device as adb_device
from harness.drivers.adb import link, server, sync
from harness.drivers.adb.device import AdbDevice
from harness.drivers.adb.server import server_phones
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from tests.support.bad_adb import (
    BREATH_S,
    CONNECT,
    OKAY,
    WRITE,
    adbd,
    floods,
    frame,
    message,
    peer,
    says,
    silent,
    trickles,
)

LIMIT_S, BEYOND_S = 1.0, 25.0  # 5 s at rest; a busy machine says nothing of the limits
KILL_S = shell_device.KILL_S
ENDLESS = b"0123456789abcdef" * 4096


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    """The limits are constants; their sizes are not what is tested."""
    monkeypatch.setattr(server, "ANSWER_S", LIMIT_S)
    monkeypatch.setattr(link, "HANDSHAKE_S", LIMIT_S)
    monkeypatch.setattr(adb_device, "DESCRIBE_S", LIMIT_S)
    monkeypatch.setattr(shell_device, "KILL_S", LIMIT_S)


@pytest.fixture
def ends_in_time():
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < LIMIT_S + BEYOND_S


def phone_at(port):
    return closing(AdbDevice("phone", host="127.0.0.1", port=port))


def trickle_after_okay(connection):
    connection.sendall(b"OKAYffff")
    trickles(b"serial\tdevice\n")(connection)


BAD_SERVERS = {
    "silent": silent,
    "trickle": trickles(b"OKAY0010abcdefghijklmnop"),
    "trickle of its list": trickle_after_okay,
    "flood": floods(ENDLESS, b"OKAYffff"),
    "flood without a length": floods(b"OKAY"),
    "negative length": says(b"OKAY-001"),
    "spaces for a length": says(b"OKAY  1f"),
    "length of what never comes": says(b"OKAYffffabc"),
    "no adb": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "refusal of absurd length": says(b"FAIL0x1f"),
}


@pytest.mark.parametrize("behaviour", BAD_SERVERS)
def test_a_bad_server_has_no_phones_and_that_is_said(monkeypatch, behaviour, ends_in_time, caplog):
    with peer(BAD_SERVERS[behaviour]) as port:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        with caplog.at_level(logging.WARNING):
            phones = server_phones()
    assert phones == [] or behaviour == "flood"
    assert behaviour == "flood" or f"127.0.0.1:{port} cannot be asked for its phones" in caplog.text


def test_no_server_is_nothing_to_speak_of(monkeypatch, caplog):
    with peer(silent) as port:
        pass
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    assert server_phones() == [] and not caplog.text


def write(connection, stream, data):
    connection.sendall(message(WRITE, 2, stream, data))


def write_flood(data):
    def behave(connection, stream):
        while True:
            write(connection, stream, data)
            time.sleep(BREATH_S)

    return behave


def write_trickle(data):
    def behave(connection, stream):
        for byte in data * 100:
            write(connection, stream, bytes([byte]))
            time.sleep(0.1)

    return behave


BAD_HANDSHAKES = {
    "silent": silent,
    "trickle": trickles(message(CONNECT, 0x01000001, 1 << 20, b"device::")),
    "flood of other messages": floods(message(WRITE, 1, 1, ENDLESS)),
    "absurd length": says(message(CONNECT, 0x01000001, 1 << 20, length=0xFFFFFFFF)),
    "no adb": says(b"SSH-2.0-OpenSSH_9.2\r\n" * 4),
}


@pytest.mark.parametrize("behaviour", BAD_HANDSHAKES)
def test_a_bad_handshake_ends_in_time(behaviour, ends_in_time):
    with peer(BAD_HANDSHAKES[behaviour]) as port, phone_at(port) as device, pytest.raises(DeviceError):
        device.run(["true"], timeout_s=LIMIT_S)


BAD_SERVICES = {
    "silent": lambda connection, stream: silent(connection),
    "trickle": write_trickle(frame(1, b"x")),
    "flood": write_flood(frame(1, ENDLESS)),
    "flood for another stream": lambda connection, stream: floods(message(WRITE, 9, 9, ENDLESS))(connection),
    "absurd message": lambda connection, stream: says(message(WRITE, 2, stream, length=0xFFFFFFF0))(
        connection
    ),
    "absurd frame": lambda connection, stream: write(connection, stream, frame(1, b"x", length=0xFFFFFFF0)),
    "half a frame": lambda connection, stream: write(connection, stream, frame(1, b"x", length=1000)),
}


@pytest.mark.parametrize("behaviour", BAD_SERVICES)
def test_a_command_ends_in_time_whatever_comes(behaviour, ends_in_time, monkeypatch):
    monkeypatch.setattr(shell_device, "KILL_S", KILL_S)
    with peer(adbd(BAD_SERVICES[behaviour])) as port, phone_at(port) as device:  # noqa: SIM117
        with pytest.raises(DeviceError) as raised:
            device.run(["true"], timeout_s=LIMIT_S)
    in_time = isinstance(raised.value, (DeviceTimeoutError, DeviceLostError))
    assert in_time or "printed more than" in str(raised.value)


@pytest.mark.parametrize("behaviour", BAD_SERVICES)
def test_the_facts_of_a_phone_come_in_time_or_not_at_all(behaviour, ends_in_time):
    with peer(adbd(BAD_SERVICES[behaviour])) as port, phone_at(port) as device, pytest.raises(DeviceError):
        device.describe()


def test_a_command_that_prints_without_end_is_ended_before_memory_is(monkeypatch, adb_device):
    monkeypatch.setattr(shell, "MOST_OUTPUT", 3_000_000)
    with pytest.raises(DeviceError, match=r"run 'yes': it printed more than 3\.0 MB and was ended"):
        adb_device.run(["yes"], timeout_s=60)
    with pytest.raises(DeviceError, match="printed more than"):
        adb_device.run(["sh", "-c", "yes >&2"], timeout_s=60)
    assert adb_device.run(["echo", "well"], timeout_s=60).stdout == "well\n"


DATA = b"DATA\x00\x00\x01\x00" + bytes(65536)
BAD_FILES = {
    "silent": lambda connection, stream: silent(connection),
    "trickle": write_trickle(DATA),
    "absurd part": lambda connection, stream: write(connection, stream, b"DATA\xf0\xff\xff\xff"),
    "absurd reason": lambda connection, stream: write(connection, stream, b"FAIL\xf0\xff\xff\xff"),
    "nonsense": lambda connection, stream: write(connection, stream, b"WHAT\0\0\0\0"),
    "flood": write_flood(DATA),
}


@pytest.mark.parametrize("behaviour", BAD_FILES)
@pytest.mark.parametrize("action", ["pull", "send"])
def test_a_file_comes_in_time_or_not_at_all(behaviour, action, tmp_path, monkeypatch, ends_in_time):
    monkeypatch.setattr(pace, "MOST_BYTES", 20_000_000)
    monkeypatch.setattr(sync.Pace.__init__, "__defaults__", (LIMIT_S,))
    monkeypatch.setattr(sync.receive, "__defaults__", (LIMIT_S,))
    monkeypatch.setattr(sync.send, "__defaults__", (LIMIT_S,))
    local = tmp_path / "local.bin"
    local.write_bytes(b"precious")

    def answered(connection, stream):
        connection.sendall(message(OKAY, 2, stream))
        BAD_FILES[behaviour](connection, stream)

    with peer(adbd(answered)) as port, phone_at(port) as device, pytest.raises(DeviceError):
        device.pull("/x", local) if action == "pull" else device.send([(local, "/x")])
    assert local.read_bytes() == b"precious"


def test_the_slowest_that_a_transfer_may_be(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    it = pace.Pace(30.0)
    assert it.deadline == 30
    now[0] = 20.0
    it.moved(1)
    assert it.deadline == pytest.approx(30 + 1 / pace.LEAST_BYTES_PER_S), "a byte in 20 s is no movement"
    it.moved(10_000_000)
    assert it.deadline == 50


COMMANDS = {
    "devices": ["devices", "--format", "json"],
    "doctor": ["doctor", "--device", "adb:127.0.0.1:{port}", "--format", "json"],
    "run": [
        "run",
        "shapes-float32",
        "--no-accuracy",
        "--device",
        "adb:127.0.0.1:{port}",
        "--output",
        "{folder}",
    ],
}


@pytest.mark.parametrize("behaviour", ["silent", "trickle", "flood"])
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_end_in_time(command, behaviour, tmp_path, monkeypatch, repository):
    bad = {"silent": silent, "trickle": BAD_SERVERS["trickle"], "flood": floods(ENDLESS)}[behaviour]
    begin = time.monotonic()
    with peer(bad) as server_port, peer(adbd(BAD_SERVICES[behaviour])) as port:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server_port))
        words = [word.format(port=port, folder=tmp_path / "results") for word in COMMANDS[command]]
        done = CliRunner().invoke(cli, ["--workspace", str(repository), *words])
    # a server that is asked, a handshake, facts, and the end of what prints them
    assert time.monotonic() - begin < 3 * LIMIT_S + BEYOND_S + 10
    assert done.exit_code == {"devices": 0, "doctor": 1, "run": 1}[command], done.output
