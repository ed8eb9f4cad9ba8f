"""File transfer over the `sync:` service: several files on one stream, one round trip.

The protocol is described in AOSP, packages/modules/adb/SYNC.TXT: little-endian `<id><length>` headers; SEND path,mode
· DATA… · DONE mtime → OKAY or FAIL reason; RECV path → DATA… · DONE or FAIL reason.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from harness.drivers.adb.link import AdbLink, Stream

CHUNK = 64 * 1024
"""The largest DATA that a device takes."""
BATCH = 1024 * 1024 - 8 * 17
"""DATA frames are gathered to about the largest packet; each packet costs a wait for its answer."""
STALL_S = 30.0
"""A transfer may take as long as it moves: so long without any progress is a failure."""
MODE = 0o100755


class RefusedError(Exception):
    """The device said FAIL and why."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


def send(link: AdbLink, files: Sequence[tuple[Path, str]], stall_s: float = STALL_S) -> None:
    """Copy files of this computer to paths on the device, all with mode 0755.

    Raises:
        RefusedError: The device's own reason (no space, permission), as soon as it says so.
    """
    stream = link.open("sync:", time.monotonic() + stall_s)
    try:
        replies = _Replies(stream, stall_s)
        for local, remote in files:
            _send_one(stream, replies, local, remote, stall_s)
        stream.write(struct.pack("<4sI", b"QUIT", 0), time.monotonic() + stall_s)
    finally:
        stream.close()


def _send_one(stream: Stream, replies: _Replies, local: Path, remote: str, stall_s: float) -> None:
    target = remote.encode("utf-8", "surrogateescape") + f",{MODE}".encode()
    batch = bytearray(struct.pack("<4sI", b"SEND", len(target)) + target)
    with local.open("rb") as file:
        mtime = int(local.stat().st_mtime) & 0xFFFFFFFF
        while data := file.read(CHUNK):
            if len(batch) + len(data) + 8 > BATCH:
                _flush(stream, replies, batch, remote, stall_s)
            batch += struct.pack("<4sI", b"DATA", len(data)) + data
    batch += struct.pack("<4sI", b"DONE", mtime)
    _flush(stream, replies, batch, remote, stall_s)
    replies.finish(remote)


def _flush(stream: Stream, replies: _Replies, batch: bytearray, remote: str, stall_s: float) -> None:
    try:
        stream.write(bytes(batch), time.monotonic() + stall_s)
    except ConnectionAbortedError:
        replies.finish(remote)  # the reason is in what came before the end
        raise
    batch.clear()
    replies.look(remote)


class _Replies:
    """Answers of the device, looked at while sending, because a failure comes before the end."""

    def __init__(self, stream: Stream, stall_s: float) -> None:
        self._stream, self._stall_s = stream, stall_s
        self._buffer = bytearray()

    def look(self, path: str) -> None:
        """Raise if the device has already said FAIL."""
        self._buffer += self._stream.pending()
        if self._buffer[:4] == b"FAIL":
            self.finish(path)

    def finish(self, path: str) -> None:
        """Wait for OKAY."""
        answer, size = struct.unpack("<4sI", self.take(8))
        if answer == b"FAIL":
            raise RefusedError(path, self.take(size).decode("utf-8", "replace"))
        if answer != b"OKAY":
            raise ConnectionAbortedError(f"the device answered {answer!r} to a file")

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        while len(self._buffer) < size:
            data = self._stream.read(time.monotonic() + self._stall_s)
            if not data:
                raise ConnectionAbortedError("the device closed the stream in the middle of a file")
            self._buffer += data
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def receive(link: AdbLink, remote: str, target: IO[bytes], stall_s: float = STALL_S) -> None:
    """Copy one file of the device into an open file.

    Raises:
        RefusedError: There is no such file, or it cannot be read.
    """
    path = remote.encode("utf-8", "surrogateescape")
    stream = link.open("sync:", time.monotonic() + stall_s)
    try:
        stream.write(struct.pack("<4sI", b"RECV", len(path)) + path, time.monotonic() + stall_s)
        replies = _Replies(stream, stall_s)
        while True:
            kind, size = struct.unpack("<4sI", replies.take(8))
            if kind == b"DONE":
                return
            data = replies.take(size)
            if kind != b"DATA":
                raise RefusedError(remote, data.decode("utf-8", "replace"))
            target.write(data)
    finally:
        stream.close()
