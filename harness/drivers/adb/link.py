"""One ADB connection and the streams on it.

adb-shell does the handshake (CNXN, AUTH) and the message headers; the streams are ours: a refused service is an
answer and not a wait, half a packet survives a timeout, and every wait has a deadline of its own.

The protocol is described in AOSP, packages/modules/adb/protocol.txt.
"""

from __future__ import annotations

import itertools
import math
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from adb_shell import constants
from adb_shell.adb_device import AdbDevice as AdbShellDevice
from adb_shell.adb_device import _AdbIOManager
from adb_shell.adb_message import AdbMessage, unpack
from adb_shell.exceptions import AdbTimeoutError
from adb_shell.hidden_helpers import _AdbTransactionInfo

from harness.drivers.adb.transport import Transport

SKIP_CHECKSUM = 0x01000001
"""From this protocol version on nobody looks at a message's checksum (Android 9)."""
HANDSHAKE_S = 10.0
"""For the connection and the first messages altogether, not counting the time to tap "Allow"."""
MOST_UNREAD = 64_000_000
"""A device may send so many bytes while it is written to; nothing that we run does."""


class ServiceRefusedError(Exception):
    """The device does not offer the service."""


class Stream(Protocol):
    """One service of the device: bytes both ways."""

    def read(self, deadline: float) -> bytes:
        """Return the next bytes; `b""` when the device has closed the stream."""

    def write(self, data: bytes, deadline: float) -> None:
        """Send bytes and wait until the device has taken them."""

    def pending(self) -> bytes:
        """Return what has come already, without waiting."""

    def close(self) -> None:
        """Close the stream; never raises."""


class AdbLink(Protocol):
    """A way to open services on a device."""

    features: frozenset[str]
    opened: int
    """Services opened so far: the number of round trips, not counting data."""

    def open(self, service: str, deadline: float) -> Stream:
        """Open a service such as `shell,v2,raw:ls` or `sync:`."""

    def gone(self) -> bool:
        """Return whether the other side is known to have hung up."""

    def close(self) -> None:
        """Let go of the device."""


class Packets(_AdbIOManager):  # type: ignore[misc]
    """adb-shell's packets with a buffer that outlives a timeout and no checksum where none is wanted."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._received = bytearray()
        self.version: int = constants.VERSION
        self.banner = b""
        self.deadline = math.inf

    def reset(self, limit_s: float) -> None:
        """Forget what a former connection left, and give a handshake so long."""
        self._received.clear()
        self.version = constants.VERSION
        self.deadline = time.monotonic() + limit_s

    def _read_packet_from_device(self, adb_info: Any) -> tuple[bytes, int, int, bytes]:
        # adb-shell puts the time that the user may take to tap "Allow" into this field only
        deadline = min(time.monotonic() + adb_info.transport_timeout_s, self.deadline)
        self._fill(constants.MESSAGE_SIZE, deadline)
        command, arg0, arg1, length, _ = unpack(bytes(self._received[: constants.MESSAGE_SIZE]))
        if command not in constants.WIRE_TO_ID:
            raise ConnectionError(_strange(command))
        if length > constants.MAX_ADB_DATA:
            raise ConnectionError(f"the other side announced a message of {length:,} bytes")
        end = constants.MESSAGE_SIZE + length
        self._fill(end, deadline)
        data = bytes(memoryview(self._received)[constants.MESSAGE_SIZE : end])
        del self._received[:end]
        name = constants.WIRE_TO_ID[command]
        if name == constants.CNXN:
            self.version, self.banner = arg0, data
        return name, arg0, arg1, data

    def _fill(self, size: int, deadline: float) -> None:
        while len(self._received) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AdbTimeoutError("the device sent nothing in time")
            self._received += self._transport.bulk_read(size - len(self._received), left)

    def _send(self, msg: Any, adb_info: Any) -> None:
        if msg.command == constants.ID_TO_WIRE[constants.CNXN]:
            msg.arg0 = SKIP_CHECKSUM
        skip = self.version >= SKIP_CHECKSUM
        checksum = 0 if skip else msg.checksum
        header = struct.pack(
            constants.MESSAGE_FORMAT, msg.command, msg.arg0, msg.arg1, len(msg.data), checksum, msg.magic
        )
        self._transport.bulk_write(header, adb_info.transport_timeout_s)
        if msg.data:
            self._transport.bulk_write(msg.data, adb_info.transport_timeout_s)

    def transmit(self, command: bytes, arg0: int, arg1: int, data: bytes, deadline: float) -> None:
        """Send one message."""
        self._send(AdbMessage(command, arg0, arg1, data), _until(deadline))

    def receive(self, deadline: float) -> tuple[bytes, int, int, bytes]:
        """Return the next message of any stream."""
        return self._read_packet_from_device(_until(deadline))


def _until(deadline: float) -> Any:
    left = max(deadline - time.monotonic(), 0.001)
    return _AdbTransactionInfo(None, None, left, left)


def _strange(command: int) -> str:
    name = struct.pack("<I", command)
    if name == b"STLS":
        return (
            "this port speaks TLS (wireless debugging), which is not supported directly: connect once with "
            "`adb connect` and use the phone through the adb server, or switch to `adb tcpip 5555`"
        )
    return f"the other side does not speak ADB (it sent {name!r})"


class DirectLink:
    """A connection to an adbd without an adb server between.

    Args:
        transport: How bytes get there.
        keys: RSA signers, asked for only when the device wants authentication.
        auth_timeout_s: How long somebody may take to tap "Allow" on the phone.
        on_auth: Called when the phone asks its user.
    """

    def __init__(
        self,
        transport: Transport,
        keys: Sequence[Any] = (),
        auth_timeout_s: float = 30.0,
        on_auth: Callable[[], None] | None = None,
    ) -> None:
        self.packets = Packets(transport)
        self._transport = transport
        self._device = AdbShellDevice(transport)
        self._device._io_manager = self.packets
        self._ids = itertools.count(1)
        self.opened = 0
        self.packets.reset(HANDSHAKE_S)

        def on_question(_: object) -> None:
            self.packets.deadline = time.monotonic() + auth_timeout_s
            if on_auth is not None:
                on_auth()

        self._device.connect(
            rsa_keys=keys,
            transport_timeout_s=HANDSHAKE_S,
            read_timeout_s=HANDSHAKE_S,
            auth_timeout_s=auth_timeout_s,
            auth_callback=on_question,
        )
        self.packets.deadline = math.inf
        self.max_data = min(self._device._maxdata, constants.MAX_ADB_DATA)
        self.features = banner_features(self.packets.banner)

    def open(self, service: str, deadline: float) -> Stream:
        """Open a service.

        Raises:
            ServiceRefusedError: The device does not offer it, said at once.
        """
        stream = DirectStream(self.packets, next(self._ids), self.max_data)
        self.opened += 1
        stream.open(service, deadline)
        return stream

    def gone(self) -> bool:
        """Return whether the other side is known to have hung up."""
        return self._transport.gone()

    def close(self) -> None:
        """Close the connection."""
        self._device.close()


class DirectStream:
    """One stream of a `DirectLink`; packets of other, abandoned streams are dropped."""

    def __init__(self, packets: Packets, local_id: int, max_data: int) -> None:
        self._packets, self._local, self._max_data = packets, local_id, max_data
        self._remote = 0
        self._closed = False
        self._inbox: list[bytes] = []
        self._unread = 0

    def open(self, service: str, deadline: float) -> None:
        """Ask for the service and wait for the answer."""
        data = service.encode("utf-8", "surrogateescape") + b"\0"
        if len(data) > self._max_data:
            raise ServiceRefusedError(f"a command of {len(data):,} bytes (at most {self._max_data:,} fit)")
        self._packets.transmit(constants.OPEN, self._local, 0, data, deadline)
        command, remote, _ = self._receive(deadline)
        if command == constants.CLSE:
            raise ServiceRefusedError(service.partition(":")[0])
        self._remote = remote

    def read(self, deadline: float) -> bytes:
        """Return the next bytes; `b""` when the device has closed the stream."""
        while not self._inbox and not self._closed:
            self._step(deadline)
        data = self._inbox.pop(0) if self._inbox else b""
        self._unread -= len(data)
        return data

    def write(self, data: bytes, deadline: float) -> None:
        """Send bytes in packets of the size agreed on; each is answered before the next."""
        for begin in range(0, len(data), self._max_data):
            if self._closed:
                raise ConnectionAbortedError("the device closed the stream")
            part = data[begin : begin + self._max_data]
            self._packets.transmit(constants.WRTE, self._local, self._remote, part, deadline)
            while not self._closed and self._step(deadline) != constants.OKAY:
                pass

    def pending(self) -> bytes:
        """Return what has come already, without waiting."""
        data, self._inbox, self._unread = b"".join(self._inbox), [], 0
        return data

    def close(self) -> None:
        """Tell the device that nobody listens any more; its answer is dropped when it comes."""
        if self._closed:
            return
        self._closed = True
        try:
            deadline = time.monotonic() + 1.0
            self._packets.transmit(constants.CLSE, self._local, self._remote, b"", deadline)
        except Exception:  # noqa: S110 - a dead connection is noticed by whoever uses it next
            pass

    def _step(self, deadline: float) -> bytes:
        command, _, data = self._receive(deadline)
        if command == constants.WRTE:
            self._packets.transmit(constants.OKAY, self._local, self._remote, b"", deadline)
            self._inbox.append(data)
            self._unread += len(data)
            if self._unread > MOST_UNREAD:
                raise ConnectionError("the device sends without end while it is written to")
        elif command == constants.CLSE:
            self._packets.transmit(constants.CLSE, self._local, self._remote, b"", deadline)
            self._closed = True
        return command

    def _receive(self, deadline: float) -> tuple[bytes, int, bytes]:
        while True:
            command, remote, local, data = self._packets.receive(deadline)
            if local == self._local:
                return command, remote, data


def banner_features(banner: bytes) -> frozenset[str]:
    """Return the features in a device's banner `device::key=value;…;features=a,b`."""
    fields = banner.rstrip(b"\0").decode("utf-8", "replace").partition("::")[2].split(";")
    features = next((field[9:] for field in fields if field.startswith("features=")), "")
    return frozenset(filter(None, features.split(",")))
