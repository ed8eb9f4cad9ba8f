"""Phones that an adb server holds, through the server's own socket.

Nothing is started and nothing killed: a server that runs is used, because it has claimed its phones and only it speaks
to "wireless debugging". The protocol is described in AOSP, packages/modules/adb/SERVICES.TXT: four hexadecimal digits
of length, the request, then OKAY or FAIL with a reason; `host:transport:SERIAL` turns the socket over to the phone.
"""

from __future__ import annotations

import logging
import os
import re
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from harness.drivers.adb.link import ServiceRefusedError, Stream
from harness.drivers.adb.transport import set_options
from harness.drivers.base import DeviceState

_LOG = logging.getLogger(__name__)
_LENGTH = re.compile(rb"[0-9A-Fa-f]{4}")
STATES = (
    "device", "offline", "unauthorized", "authorizing", "connecting", "bootloader", "recovery", "rescue", "sideload",
    "host", "detached", "unknown", "no permissions",
)  # fmt: skip
"""Connection states of adb (`to_string(ConnectionState)` in AOSP, packages/modules/adb/adb.cpp)."""
_LINE = re.compile(
    rf"(?P<serial>.*?\S)\s+(?P<state>{'|'.join(STATES)})(?P<rest>(?:\s+\S+:\S*)*|(?<=no permissions)\W.*)"
)
_NO_SERIAL = {"????????????", "(no serial number)", "no serial number"}
ANSWER_S = 5.0
"""For one question to the server and its whole answer."""


@dataclass(frozen=True)
class ServerPhone:
    """A line of `adb devices -l`."""

    serial: str
    state: str
    model: str | None


def server_address() -> tuple[str, int]:
    """Return where the adb server listens, by adb's own environment variables."""
    text = os.environ.get("ADB_SERVER_SOCKET", "")
    if text.startswith("tcp:"):
        host, _, port = text[4:].rpartition(":")
        if port.isdigit():
            return host or "127.0.0.1", int(port)
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", "")
    host = os.environ.get("ANDROID_ADB_SERVER_ADDRESS", "") or "127.0.0.1"
    return host, int(port) if port.isdigit() else 5037


def server_phones() -> list[ServerPhone]:
    """Return the phones of a running adb server; an empty list when none runs."""
    deadline = time.monotonic() + ANSWER_S
    try:
        with _request("host:devices-l", deadline) as connection:
            text = _take_text(connection, deadline)
    except ConnectionRefusedError:
        return []
    except (OSError, ServiceRefusedError) as error:
        _LOG.warning("the adb server at %s:%d cannot be asked for its phones: %s", *server_address(), error)
        return []
    return [parse_phone(line) for line in text.splitlines() if line.strip()]


def parse_phone(line: str) -> ServerPhone:
    """Read one line of the server's list; where no state that adb knows can be told, the phone is offline.

    A serial is the phone's own text, and may hold blanks. One without a serial is named by its place on USB, by which
    the server finds it as well.
    """
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return ServerPhone(line.strip(), DeviceState.OFFLINE, None)
    serial, state, rest = found["serial"], found["state"], found["rest"].split()
    if serial in _NO_SERIAL:
        serial = next((word for word in rest if word.startswith("usb:")), serial)
    model = next((word[6:].replace("_", " ") for word in rest if word.startswith("model:")), None)
    return ServerPhone(serial, state, model)


def _request(request: str, deadline: float) -> socket.socket:
    connection = socket.create_connection(server_address(), timeout=_left(deadline))
    try:
        set_options(connection)
        _ask(connection, request, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def _left(deadline: float) -> float:
    """Return the seconds that are left, for a socket.

    Raises:
        TimeoutError: None are.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the adb server gave no whole answer in time")
    return left


def _ask(connection: socket.socket, request: str, deadline: float) -> None:
    data = request.encode("utf-8", "surrogateescape")
    if len(data) > 0xFFFF:
        raise ServiceRefusedError(
            f"a command of {len(data):,} bytes (at most {0xFFFF:,} go through the adb server)"
        )
    connection.settimeout(_left(deadline))
    connection.sendall(f"{len(data):04x}".encode() + data)
    answer = _take(connection, 4, deadline)
    if answer == b"FAIL":
        raise ServiceRefusedError(_take_text(connection, deadline))
    if answer != b"OKAY":
        raise ConnectionError(f"no adb server: it answered {answer!r}")


def _take(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(_left(deadline))
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError("the adb server closed the connection")
        data += part
    return data


def _take_text(connection: socket.socket, deadline: float) -> str:
    length = _take(connection, 4, deadline)
    if not _LENGTH.fullmatch(length):
        raise ConnectionError(f"no adb server: its answer has no length, but {length!r}")
    return _take(connection, int(length, 16), deadline).decode("utf-8", "replace")


class ServerLink:
    """A phone that an adb server holds.

    Raises:
        ServiceRefusedError: The server does not know the phone, or it is offline or unauthorized.
        OSError: No server runs.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.opened = 0
        deadline = time.monotonic() + ANSWER_S
        with _request(f"host-serial:{serial}:features", deadline) as connection:
            self.features = frozenset(filter(None, _take_text(connection, deadline).split(",")))

    def open(self, service: str, deadline: float) -> Stream:
        """Open a service on the phone."""
        connection = _request(f"host:transport:{self.serial}", min(deadline, time.monotonic() + ANSWER_S))
        self.opened += 1
        try:
            _ask(connection, service, deadline)
        except BaseException:
            connection.close()
            raise
        return ServerStream(connection)

    def gone(self) -> bool:
        """Return False: every service has a connection of its own."""
        return False

    def close(self) -> None:
        """Do nothing: nothing is held between two services."""


class ServerStream:
    """One service: a socket of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._inbox: list[bytes] = []

    def read(self, deadline: float) -> bytes:
        """Return the next bytes; `b""` when the stream was closed."""
        if self._inbox:
            return self._inbox.pop(0)
        self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
        return self._connection.recv(1 << 18)

    def write(self, data: bytes, deadline: float) -> None:
        """Send bytes; what comes meanwhile is kept, or two that only write would wait for each other."""
        self._connection.settimeout(0)
        left = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            try:
                while left:
                    events = self._wait(selector, deadline)
                    if events & selectors.EVENT_READ:
                        self._keep()
                    if events & selectors.EVENT_WRITE:
                        left = left[self._connection.send(left) :]
            except (BrokenPipeError, ConnectionResetError) as error:
                raise ConnectionAbortedError("the device closed the stream") from error

    @staticmethod
    def _wait(selector: selectors.BaseSelector, deadline: float) -> int:
        ready = selector.select(max(deadline - time.monotonic(), 0.0))
        if not ready:
            raise TimeoutError("nothing was taken in time")
        return ready[0][1]

    def _keep(self) -> None:
        data = self._connection.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        self._inbox.append(data)

    def pending(self) -> bytes:
        """Return what has come already, without waiting."""
        self._connection.settimeout(0)
        data, self._inbox = b"".join(self._inbox), []
        with suppress(BlockingIOError):
            return data + self._connection.recv(1 << 16)
        return data

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()
