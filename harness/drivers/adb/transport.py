"""Byte transports to an adbd: adb-shell's, with their faults cured.

adb-shell 0.4.4 sends once and ignores how much went out, takes no notice of a peer that has gone, leaves Nagle's
algorithm on, and over USB never sends the zero-length packet that ends a transfer of full packets.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Protocol

from adb_shell.exceptions import TcpTimeoutException
from adb_shell.transport.tcp_transport import TcpTransport

KEEPALIVE = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 2}
READ_PATIENCE_MS, WRITE_PATIENCE_MS = 4_000, 15_000
"""After so long without a sign of the phone's network a connection is given up (TCP_USER_TIMEOUT, which also takes the
place of TCP_KEEPCNT). Longer while data is sent: a phone that writes to its flash may take none for some seconds."""

SMALL = 1024
"""Messages up to this size are no data: the phone's network takes them at any time."""


class Transport(Protocol):
    """Byte transport of a connection."""

    def connect(self, transport_timeout_s: float | None) -> None:
        """Connect, or raise OSError."""

    def close(self) -> None:
        """Close; calling it again does nothing."""

    def bulk_read(self, numbytes: int, transport_timeout_s: float | None) -> bytes:
        """Return at least one byte, or raise."""

    def bulk_write(self, data: bytes, transport_timeout_s: float | None) -> int:
        """Send all of `data`, or raise."""

    def gone(self) -> bool:
        """Return whether the peer is known to have closed the connection; asked while nothing is under way."""


class TcpConnection(TcpTransport):  # type: ignore[misc]
    """TCP that sends everything, without delay, and raises when the peer has gone."""

    _connection: socket.socket | None
    _patience_ms = 0

    def connect(self, transport_timeout_s: float | None) -> None:
        """Connect and set the socket's options.

        Raises:
            OSError: Nobody answers there.
        """
        self._connection = socket.create_connection((self._host, self._port), timeout=transport_timeout_s)
        set_options(self._connection)
        self._patience_ms = 0

    def bulk_read(self, numbytes: int, transport_timeout_s: float | None) -> bytes:
        """Receive up to `numbytes` bytes.

        Raises:
            ConnectionError: The peer closed the connection.
            TcpTimeoutException: Nothing came in time.
        """
        # what was sent may be still on its way: patience ends with the first answer to it
        connection = self._open_socket(transport_timeout_s, self._patience_ms or READ_PATIENCE_MS)
        try:
            data = connection.recv(numbytes)
        except TimeoutError as error:
            raise _timeout(error, f"nothing came within {transport_timeout_s} s") from error
        if not data:
            raise ConnectionResetError("the device closed the connection")
        self._be_patient(connection, READ_PATIENCE_MS)
        return data

    def bulk_write(self, data: bytes, transport_timeout_s: float | None) -> int:
        """Send all of `data`.

        Raises:
            OSError: The peer has gone.
            TcpTimeoutException: The peer did not take the data in time; what it took of it is unknown.
        """
        patience = WRITE_PATIENCE_MS if len(data) > SMALL else (self._patience_ms or READ_PATIENCE_MS)
        connection = self._open_socket(transport_timeout_s, patience)
        try:
            connection.sendall(data)
        except TimeoutError as error:
            raise _timeout(error, f"nothing was taken within {transport_timeout_s} s") from error
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

    def _open_socket(self, timeout_s: float | None, patience_ms: int) -> socket.socket:
        if self._connection is None:
            raise ConnectionError("the connection is closed")
        self._be_patient(self._connection, patience_ms)
        self._connection.settimeout(None if timeout_s is None else max(timeout_s, 0.001))
        return self._connection

    def _be_patient(self, connection: socket.socket, milliseconds: int) -> None:
        if milliseconds != self._patience_ms:
            set_patience(connection, milliseconds)
            self._patience_ms = milliseconds


def set_options(connection: socket.socket) -> None:
    """Send without delay, and notice a peer that has vanished; options that a system lacks are left out."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def set_patience(connection: socket.socket, milliseconds: int) -> None:
    """Say how long the other side's network may be silent, where the system lets one say it."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _timeout(error: TimeoutError, message: str) -> Exception:
    """Tell our own timeout from the network's (ETIMEDOUT): Python has one class for both."""
    if error.errno == errno.ETIMEDOUT:
        return ConnectionAbortedError("the device has left the network")
    timeout: Exception = TcpTimeoutException(message)
    return timeout


def is_timeout(error: BaseException) -> bool:
    """Return whether an error of a lower library means that time ran out."""
    from adb_shell.exceptions import AdbTimeoutError

    if isinstance(error, (TcpTimeoutException, AdbTimeoutError)):
        return True
    if isinstance(error, TimeoutError):
        return error.errno != errno.ETIMEDOUT
    usb_error = getattr(error, "usb_error", None)
    return type(usb_error).__name__ == "USBErrorTimeout"
