"""File transfer over the `sync:` service: several files on one stream, one round trip.

The protocol is described in AOSP, packages/modules/adb/SYNC.TXT: little-endian `<id><length>` headers; SEND path,mode
· DATA… · DONE mtime → OKAY or FAIL reason; RECV path → DATA… · DONE or FAIL reason.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from harness import units
from harness.drivers.adb.link import AdbLink, Stream
from harness.drivers.pace import MOST_BYTES, STALL_S, Pace

CHUNK = 64 * 1024
"""The largest DATA that a device takes."""
BATCH = 1024 * 1024 - 8 * 17
"""DATA frames are gathered to about the largest packet; each packet costs a wait for its answer."""
MOST_REASON = 64 * 1024
"""What a device says why is shorter."""
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
        TimeoutError: It takes the files too slowly.
    """
    pace = Pace(stall_s)
    stream = link.open("sync:", pace.deadline)
    try:
        replies = _Replies(stream, pace)
        for local, remote in files:
            _send_one(stream, replies, local, remote)
        stream.write(struct.pack("<4sI", b"QUIT", 0), pace.deadline)
    finally:
        stream.close()


def _send_one(stream: Stream, replies: _Replies, local: Path, remote: str) -> None:
    target = remote.encode("utf-8", "surrogateescape") + f",{MODE}".encode()
    batch = bytearray(struct.pack("<4sI", b"SEND", len(target)) + target)
    with local.open("rb") as file:
        mtime = int(local.stat().st_mtime) & 0xFFFFFFFF
        while data := file.read(CHUNK):
            if len(batch) + len(data) + 8 > BATCH:
                _flush(stream, replies, batch, remote)
            batch += struct.pack("<4sI", b"DATA", len(data)) + data
    batch += struct.pack("<4sI", b"DONE", mtime)
    _flush(stream, replies, batch, remote)
    replies.finish(remote)


def _flush(stream: Stream, replies: _Replies, batch: bytearray, remote: str) -> None:
    try:
        stream.write(bytes(batch), replies.pace.deadline)
    except ConnectionAbortedError:
        replies.finish(remote)  # the reason is in what came before the end
        raise
    replies.pace.moved(len(batch))
    batch.clear()
    replies.look(remote)


class _Replies:
    """Answers of the device, looked at while sending, because a failure comes before the end."""

    def __init__(self, stream: Stream, pace: Pace) -> None:
        self._stream, self.pace = stream, pace
        self._buffer = bytearray()

    def look(self, path: str) -> None:
        """Raise if the device has already said FAIL."""
        self._buffer += self._stream.pending()
        if self._buffer[:4] == b"FAIL":
            self.finish(path)

    def finish(self, path: str) -> None:
        """Wait for OKAY."""
        # what was sent may be still on its way to the flash: its time counts anew
        answer, size = self.header(Pace(self.pace.stall_s).deadline)
        if answer == b"FAIL":
            raise RefusedError(path, self.reason(size))
        if answer != b"OKAY":
            raise ConnectionAbortedError(f"the device answered {answer!r} to a file")

    def header(self, deadline: float) -> tuple[bytes, int]:
        """Return the kind of an answer and its length."""
        kind, size = struct.unpack("<4sI", self.take(8, deadline))
        return kind, size

    def reason(self, size: int) -> str:
        """Return why the device says FAIL."""
        if size > MOST_REASON:
            raise ConnectionAbortedError(f"the device announced a reason of {size:,} bytes")
        return self.take(size, self.pace.deadline).decode("utf-8", "replace")

    def take(self, size: int, deadline: float) -> bytes:
        """Return exactly `size` bytes."""
        while len(self._buffer) < size:
            data = self._stream.read(deadline)
            if not data:
                raise ConnectionAbortedError("the device closed the stream in the middle of a file")
            self._buffer += data
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def receive(link: AdbLink, remote: str, target: IO[bytes], stall_s: float = STALL_S) -> None:
    """Copy one file of the device into an open file.

    Raises:
        RefusedError: There is no such file, it cannot be read, or it does not end.
        TimeoutError: It comes too slowly.
    """
    pace = Pace(stall_s)
    path = remote.encode("utf-8", "surrogateescape")
    stream = link.open("sync:", pace.deadline)
    try:
        stream.write(struct.pack("<4sI", b"RECV", len(path)) + path, pace.deadline)
        replies = _Replies(stream, pace)
        while (data := _next_part(replies, remote)) is not None:
            target.write(data)
            pace.moved(len(data))
            if pace.too_long:
                raise RefusedError(remote, f"it is longer than {units.size(MOST_BYTES)}")
    finally:
        stream.close()


def _next_part(replies: _Replies, remote: str) -> bytes | None:
    """Return the next part of a file; None at its end."""
    kind, size = replies.header(replies.pace.deadline)
    if kind == b"DONE":
        return None
    if kind == b"FAIL":
        raise RefusedError(remote, replies.reason(size))
    if kind != b"DATA" or size > CHUNK:
        raise ConnectionAbortedError(
            f"the device answered {kind!r} and {size:,} bytes to the wish for a file"
        )
    return replies.take(size, replies.pace.deadline)
