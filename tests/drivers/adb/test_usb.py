"""USB's rules at the boundary of libusb: a double that holds to them and carries the bytes to a real adbd."""

import socket
import sys
import types

import pytest

from harness.drivers.adb import sync as adb_sync
from harness.drivers.adb import usb as adb_usb
from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.device import AdbDevice
from harness.drivers.adb.link import DirectLink
from harness.errors import DeviceError, DeviceLostError, MissingExtraError

PACKET = 512


class Wire:
    """One phone on the bus. A transfer of full packets that is not ended by an empty one breaks it, as on a phone."""

    def __init__(self, library, port=None, serial="0A1B", refuse=None):
        self._library, self._port, self.serial, self._refuse = library, port, serial, refuse
        self.written: list[bytes] = []
        self.stale: list[bytes] = []
        self.unplugged, self.claimed, self.socket = False, False, None
        self._owes_end = False

    def getSerialNumber(self):
        if self._refuse == "access":
            raise self._library.USBErrorAccess
        return self.serial

    def iterSettings(self):
        return [self]

    def iterEndpoints(self):
        return [Endpoint(0x81), Endpoint(0x01)]

    def getClass(self):
        return 0xFF

    def getSubClass(self):
        return 0x42

    def getProtocol(self):
        return 1

    def getNumber(self):
        return 0

    def open(self):
        if self._port is not None:
            self.socket = socket.create_connection(("127.0.0.1", self._port))
        return self

    def kernelDriverActive(self, number):
        raise self._library.USBErrorNotSupported

    def claimInterface(self, number):
        if self._refuse == "busy":
            raise self._library.USBErrorBusy
        self.claimed = True

    def releaseInterface(self, number):
        self.claimed = False

    def close(self):
        if self.socket is not None:
            self.socket.close()

    def bulkWrite(self, endpoint, data, timeout=0):
        assert endpoint == 0x01
        if self.unplugged:
            raise self._library.USBErrorNoDevice
        if self._owes_end and data:
            raise self._library.USBErrorIO("the phone waited for the end of a transfer")
        self._owes_end = bool(data) and len(data) % PACKET == 0
        self.written.append(bytes(data))
        if self.socket is not None:
            self.socket.sendall(data)
        return len(data)

    def bulkRead(self, endpoint, size, timeout=0):
        assert endpoint == 0x81
        if self.unplugged:
            raise self._library.USBErrorNoDevice
        if self.stale:
            return bytearray(self.stale.pop())
        if self.socket is None:
            raise self._library.USBErrorTimeout
        self.socket.settimeout(timeout / 1000)
        try:
            return bytearray(self.socket.recv(size))
        except TimeoutError:
            raise self._library.USBErrorTimeout from None


class Endpoint:
    def __init__(self, address):
        self._address = address

    def getAddress(self):
        return self._address

    def getMaxPacketSize(self):
        return PACKET


@pytest.fixture
def libusb(monkeypatch):
    library = types.ModuleType("usb1")
    library.USBError = type("USBError", (Exception,), {})
    for name in ("Timeout", "Busy", "Access", "NoDevice", "IO", "NotSupported", "NotFound", "Pipe"):
        setattr(library, f"USBError{name}", type(f"USBError{name}", (library.USBError,), {}))
    library.bus = []

    class Context:
        def open(self):
            return self

        def close(self):
            pass

        def getDeviceIterator(self, skip_on_error=False):
            return iter(library.bus)

    library.USBContext = Context
    monkeypatch.setitem(sys.modules, "usb1", library)
    monkeypatch.setattr("harness.drivers.adb.connect.server_phones", list)
    return library


@pytest.fixture
def connection(libusb):
    wire = Wire(libusb)
    transport = adb_usb.UsbConnection(wire, wire)
    transport.connect(1.0)
    return transport, wire


@pytest.mark.parametrize("size", [512, 1024, 15_872, 16_384, 65_536])
def test_a_transfer_of_full_packets_is_ended_by_an_empty_one(connection, size):
    transport, wire = connection
    assert transport.bulk_write(bytes(size), 1.0) == size
    assert [len(part) for part in wire.written] == [size, 0]


@pytest.mark.parametrize("size", [1, 24, 511, 513])
def test_a_transfer_that_ends_in_a_short_packet_needs_no_end(connection, size):
    transport, wire = connection
    transport.bulk_write(bytes(size), 1.0)
    assert [len(part) for part in wire.written] == [size]


def test_a_phone_on_usb_does_what_every_phone_does(libusb, adbd, tmp_path):
    wire = Wire(libusb, adbd.port)
    libusb.bus.append(wire)
    device = AdbDevice("phone", serial="0A1B", root=adbd.root)
    for size in (0, 1, 488, 512 - 8, 4096, 100_000, 3_000_000):
        (tmp_path / "x.bin").write_bytes(bytes(range(256)) * (size // 256 + 1))
        (remote,) = device.push([tmp_path / "x.bin"])
        device.pull(remote, tmp_path / "y.bin")
        assert (tmp_path / "x.bin").read_bytes() == (tmp_path / "y.bin").read_bytes()
    remote = f"{adbd.root}/full"
    overhead = len(f"SEND....{remote},{adb_sync.MODE}") + len("DATA....DONE....")
    (tmp_path / "full.bin").write_bytes(bytes(4096 - overhead))
    device.send([(tmp_path / "full.bin", remote)])
    assert b"" in wire.written
    assert device.run(["sh", "-c", "sleep 2; exit 3"], timeout_s=60).exit_code == 3
    device.close()
    assert not wire.claimed


def test_a_phone_that_is_unplugged_is_lost(libusb, adbd):
    wire = Wire(libusb, adbd.port)
    libusb.bus.append(wire)
    device = AdbDevice("phone", serial="0A1B", root=adbd.root)

    def unplug(line):
        wire.unplugged = True

    with pytest.raises(DeviceLostError, match="the phone was unplugged"):
        device.run(["sh", "-c", "echo x; sleep 20"], timeout_s=60, on_line=unplug)
    wire.unplugged = False
    assert device.run(["echo", "back"], timeout_s=60).stdout == "back\n"
    device.close()


def test_what_a_former_connection_left_on_the_wire_does_not_disturb(libusb, adbd):
    wire = Wire(libusb, adbd.port)
    wire.stale = [b"WRTE" + bytes(20), b"half a message"]
    libusb.bus.append(wire)
    device = AdbDevice("phone", serial="0A1B", root=adbd.root)
    assert device.run(["echo", "x"], timeout_s=60).stdout == "x\n"
    device.close()


def test_a_phone_that_another_program_holds_is_busy_and_the_remedy_is_said(libusb):
    libusb.bus.append(Wire(libusb, refuse="busy"))
    with pytest.raises(DeviceError, match="run `adb kill-server`"):
        AdbDevice("phone", serial="0A1B").run(["true"], timeout_s=60)


def test_a_phone_that_may_not_be_opened_names_the_rule_that_is_missing(libusb):
    libusb.bus.append(Wire(libusb, refuse="access"))
    with pytest.raises(DeviceError, match="udev rules"):
        AdbDevice("phone", serial="0A1B").run(["true"], timeout_s=60)


def test_a_phone_that_is_not_attached_is_said(libusb):
    with pytest.raises(DeviceError, match="no phone of serial 0A1B is attached"):
        AdbDevice("phone", serial="0A1B").run(["true"], timeout_s=60)


def test_nothing_is_lost_when_a_read_takes_longer_than_a_slice(libusb, adbd, monkeypatch):
    monkeypatch.setattr(adb_usb, "SLICE_S", 0.02)
    wire = Wire(libusb, adbd.port)
    transport = adb_usb.UsbConnection(wire, wire)
    link = DirectLink(transport)
    device = AdbDevice("phone", serial="0A1B", root=adbd.root, open_link=lambda: link)
    script = "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done"
    assert device.run(["sh", "-c", script], timeout_s=20).stdout == "1\n2\n3\n4\n5\n"
    device.close()


def test_without_libusb_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "usb1", None)
    monkeypatch.setattr("harness.drivers.adb.connect.server_phones", list)
    with pytest.raises(MissingExtraError, match=r"\[usb\]"):
        connect(Address(serial="0A1B"))
