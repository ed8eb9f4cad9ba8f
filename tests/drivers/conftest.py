"""A real adbd in a network of its own, where loopback has the packet size of a real network.

Plain loopback takes a whole megabyte in one send, which hides short writes; with 1,500 bytes a packet it does not.
Needs root (for the network namespace) and Debian's `adbd`; .ci/adb installs both.
"""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.device import AdbDevice
from harness.drivers.fake import FakeDevice
from harness.drivers.local import LocalDevice

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU, IFF_UP = 0x8913, 0x8914, 0x8922, 1
MTU = 1500


class Network:
    """A network namespace with nothing but loopback; only this thread and what it starts are in it."""

    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._call("unshare", CLONE_NEWNET)
        self._inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self._set_up_loopback()
        finally:
            self._call("setns", self._outside, CLONE_NEWNET)

    def _call(self, name, *arguments):
        if getattr(self._libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)

    @staticmethod
    def _set_up_loopback():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, SIOCSIFMTU, struct.pack("16si12x", b"lo", MTU))
        Network.set_up(True)

    @staticmethod
    def set_up(up):
        """Switch the network on or off, without a word to those who are connected."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            answer = fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
            flags = struct.unpack("16sH14x", answer)[1]
            flags = flags | IFF_UP if up else flags & ~IFF_UP
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))

    @contextmanager
    def entered(self):
        self._call("setns", self._inside, CLONE_NEWNET)
        try:
            yield self
        finally:
            self._call("setns", self._outside, CLONE_NEWNET)

    def close(self):
        os.close(self._inside)
        os.close(self._outside)


class Adbd:
    """A running adbd; its folder stands for a phone's storage."""

    def __init__(self, port, folder):
        self.port, self.folder, self.process = port, folder, None
        self.root = str(folder / "store")
        self._log = folder / "adbd.log"
        self.start()

    def start(self):
        """Start it; Debian's adbd now and then dies at its very first connection, and is started again."""
        for _ in range(5):
            self._launch()
            if self._answers():
                return
        raise AssertionError(self._log.read_text(errors="replace"))

    def _launch(self):
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("adbd", path=f"{os.environ['PATH']}:/usr/sbin")],
                env={**os.environ, "ADBD_PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connect(Address(host="127.0.0.1", port=self.port)).close()
                return self.process.poll() is None
            except Exception:
                time.sleep(0.02)
        self.kill()
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def device(self, name="phone", **settings):
        return AdbDevice(name, **{"host": "127.0.0.1", "port": self.port, "root": self.root, **settings})


@pytest.fixture(scope="session")
def own_network():
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network of its own needs root on Linux")
    try:
        network = Network()
    except OSError as error:
        pytest.skip(f"a network namespace is refused here: {error}")
    yield network
    network.close()


@pytest.fixture
def network(own_network):
    with own_network.entered():
        yield own_network


@pytest.fixture
def start_adbd(network, tmp_path):
    """Start any number of daemons; they end with the test."""
    if shutil.which("adbd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("adbd is not installed (.ci/adb installs it)")
    with ExitStack() as stack:

        def start(port=15555):
            folder = tmp_path / f"phone-{port}"
            folder.mkdir()
            daemon = Adbd(port, folder)
            stack.callback(daemon.kill)
            return daemon

        yield start


@pytest.fixture
def adbd(start_adbd):
    return start_adbd()


@pytest.fixture
def adb_device(adbd):
    device = adbd.device()
    yield device
    device.close()


@pytest.fixture
def adb_server(network, tmp_path, monkeypatch):
    """Debian's adb server, in the same network, with a home of its own."""
    if shutil.which("adb") is None:
        pytest.skip("adb is not installed (.ci/adb installs it)")
    monkeypatch.setenv("HOME", str(tmp_path))

    def adb(*arguments, check=True):
        return subprocess.run(["adb", *arguments], check=check, capture_output=True, text=True, timeout=60)

    adb("start-server")
    yield adb
    adb("kill-server", check=False)


@pytest.fixture
def adb_server_device(adbd, adb_server):
    """A phone that an adb server holds."""
    serial = f"127.0.0.1:{adbd.port}"
    adb_server("connect", serial)
    adb_server("-s", serial, "wait-for-device")
    return AdbDevice("held", serial=serial, root=adbd.root)


@pytest.fixture
def old_adb_device(adbd):
    """A phone before Android 7: no exit codes, no separate stderr."""

    def open_link():
        link = connect(Address(host="127.0.0.1", port=adbd.port))
        link.features = frozenset()
        return link

    device = adbd.device("old", open_link=open_link)
    yield device
    device.close()


@pytest.fixture
def local_device():
    return LocalDevice()


@pytest.fixture
def fake_device():
    device = FakeDevice()
    yield device
    device.close()


@pytest.fixture
def ssh_device(sshd):
    device = sshd.device()
    yield device
    device.close()


@pytest.fixture(scope="session")
def lasting_ssh(lasting_sshd):
    device = lasting_sshd.device()
    yield device
    device.close()


@pytest.fixture
def lasting_ssh_device(lasting_ssh, lasting_sshd, monkeypatch):
    """A board whose connection lasts from test to test, as it does from cell to cell."""
    monkeypatch.setenv("HARNESS_SSH_CONFIG", str(lasting_sshd.config))
    return lasting_ssh


@pytest.fixture(params=["local", "fake", "adb", "old_adb", "adb_server", "lasting_ssh"])
def device(request):
    """Every kind of device, for the conformance suite; a new kind adds `KIND_device` and its name."""
    return request.getfixturevalue(f"{request.param}_device")
