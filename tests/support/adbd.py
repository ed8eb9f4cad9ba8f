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
from contextlib import contextmanager

import pytest

from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.device import AdbDevice

ADBD = shutil.which("adbd", path=f"{os.environ['PATH']}:/usr/sbin")
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
                [ADBD],
                env={**os.environ, "ADBD_PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self):
        deadline = time.monotonic() + 60
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


def open_network():
    """Make a network of one's own; skip where none can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network of its own needs root on Linux")
    try:
        return Network()
    except OSError as error:
        pytest.skip(f"a network namespace is refused here: {error}")


def require_adbd():
    """Skip where no daemon is installed."""
    if ADBD is None:
        pytest.skip("adbd is not installed (.ci/adb installs it)")
