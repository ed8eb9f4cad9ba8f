"""Byte transports to an adbd: adb-shell's, with their faults cured.

adb-shell 0.4.4 sends once and ignores how much went out, takes no notice of a peer that has gone, leaves Nagle's
algorithm on, and over USB never sends the zero-length packet that ends a transfer of full packets.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Protocol

from adb_shell.exceptions import TcpTimeoutException
from adb_shell.transport.tcp_transport import TcpTransport

KEEPALIVE = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 4000}
"""A phone that leaves the network without a word is noticed after 4 s (TCP_USER_TIMEOUT is in ms)."""


class Transport(Protocol):
    """What a connection needs of its transport."""

    def connect(self, transport_timeout_s: float | None) -> None:
        """Connect, or raise OSError."""

    def close(self) -> None:
        """Close; calling it again does nothing."""

    def bulk_read(self, numbytes: int, transport_timeout_s: float | None) -> bytes:
        """Return at least one byte, or raise."""

    def bulk_write(self, data: bytes, transport_timeout_s: float | None) -> int:
        """Send all of `data`, or raise."""

    def gone(self) -> bool:
        """Whether the peer is known to have closed the connection; asked while nothing is under way."""


class TcpConnection(TcpTransport):  # type: ignore[misc]
    """TCP that sends everything, without delay, and raises when the peer has gone."""

    _connection: socket.socket | None

    def connect(self, transport_timeout_s: float | None) -> None:
        """Connect and set the socket's options.

        Raises:
            OSError: Nobody answers there.
        """
        self._connection = socket.create_connection((self._host, self._port), timeout=transport_timeout_s)
        set_options(self._connection)

    def bulk_read(self, numbytes: int, transport_timeout_s: float | None) -> bytes:
        """Receive up to `numbytes` bytes.

        Raises:
            ConnectionError: The peer closed the connection.
            TcpTimeoutException: Nothing came in time.
        """
        connection = self._open_socket(transport_timeout_s)
        try:
            data = connection.recv(numbytes)
        except TimeoutError as error:
            raise TcpTimeoutException(f"nothing came within {transport_timeout_s} s") from error
        if not data:
            raise ConnectionResetError("the device closed the connection")
        return data

    def bulk_write(self, data: bytes, transport_timeout_s: float | None) -> int:
        """Send all of `data`.

        Raises:
            OSError: The peer has gone.
            TcpTimeoutException: The peer did not take the data in time; what it took of it is unknown.
        """
        connection = self._open_socket(transport_timeout_s)
        try:
            connection.sendall(data)
        except TimeoutError as error:
            raise TcpTimeoutException(f"nothing was taken within {transport_timeout_s} s") from error
        return len(data)

    def gone(self) -> bool:
        """Look whether the peer has hung up, without taking data out of the socket."""
        if self._connection is None:
            return True
        self._connection.settimeout(0)
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def _open_socket(self, timeout_s: float | None) -> socket.socket:
        if self._connection is None:
            raise ConnectionError("the connection is closed")
        self._connection.settimeout(None if timeout_s is None else max(timeout_s, 0.001))
        return self._connection


def set_options(connection: socket.socket) -> None:
    """Send without delay, and notice a peer that has vanished; options that a system lacks are left out."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def is_timeout(error: BaseException) -> bool:
    """Whether an error of a lower library means that time ran out."""
    from adb_shell.exceptions import AdbTimeoutError

    if isinstance(error, (TcpTimeoutException, AdbTimeoutError, TimeoutError)):
        return True
    usb_error = getattr(error, "usb_error", None)
    return type(usb_error).__name__ == "USBErrorTimeout"
