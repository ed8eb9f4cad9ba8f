"""Peers that speak ADB and misbehave: silent, a trickle, a flood, absurd lengths. Sockets of this computer, no adbd."""

import itertools
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress

TRICKLE_S = 0.1
FLOOD_BYTES, BREATH_S = 1 << 16, 0.001
"""A flood is some 50 MB a second: without a breath it is a load of two processors, and no other test."""
CONNECT = 0x4E584E43
OPEN, OKAY, WRITE, CLOSE = (int.from_bytes(name, "little") for name in (b"OPEN", b"OKAY", b"WRTE", b"CLSE"))
_MESSAGE = struct.Struct("<6I")
BANNER = b"device::ro.product.name=x;features=shell_v2,cmd"


@contextmanager
def peer(behave):
    """Listen; whoever connects is treated by `behave(connection)`. Yields the port."""
    over, connections = threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with suppress(OSError, ConnectionError), connection:
            behave(connection)
            over.wait(60)

    def listen():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        for one in (listener, *connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def silent(connection):
    """Take everything, and say nothing."""
    while connection.recv(1 << 16):
        pass


def says(data):
    """Say one thing, then nothing."""

    def behave(connection):
        connection.sendall(data)
        silent(connection)

    return behave


def trickles(data):
    """Say something over and over, a byte now and then."""

    def behave(connection):
        for byte in itertools.cycle(data):
            connection.sendall(bytes([byte]))
            threading.Event().wait(TRICKLE_S)

    return behave


def floods(data, head=b""):
    """Say something over and over, without end."""
    much = data * max(1, FLOOD_BYTES // len(data))

    def behave(connection):
        connection.sendall(head)
        while True:
            connection.sendall(much)
            time.sleep(BREATH_S)

    return behave


def message(command, arg0=0, arg1=0, data=b"", length=None):
    """Return one ADB message."""
    size = len(data) if length is None else length
    return _MESSAGE.pack(command, arg0, arg1, size, 0, command ^ 0xFFFFFFFF) + data


def frame(kind, data=b"", length=None):
    """Return one frame of shell v2."""
    return struct.pack("<BI", kind, len(data) if length is None else length) + data


def _receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def _next_message(connection):
    command, arg0, _, size, _, _ = _MESSAGE.unpack(_receive(connection, _MESSAGE.size))
    return command, arg0, _receive(connection, size)


def adbd(behave):
    """A daemon that lets everybody in and does well at its first service, and with later ones as `behave` does.

    Args:
        behave: Called with the connection and the other side's number of the stream.
    """

    def serve(connection):
        _next_message(connection)
        connection.sendall(message(CONNECT, 0x01000001, 1 << 20, BANNER))
        for n in itertools.count():
            command, stream, _ = _next_message(connection)
            while command != OPEN:
                command, stream, _ = _next_message(connection)
            connection.sendall(message(OKAY, n + 1, stream))
            if n:
                behave(connection, stream)
                return
            connection.sendall(message(WRITE, 1, stream, frame(3, b"\0")))
            connection.sendall(message(CLOSE, 1, stream))

    return serve
