"""Commands over the `shell` service: the script, the frames, and the marker of older phones.

Since Android 7 `shell,v2,raw:` separates stdout from stderr and ends with the exit code: frames of
`<id: u8><length: u32>` (AOSP, packages/modules/adb/shell_protocol.h). Before, `exec:` gives bare bytes, so the script
itself keeps stderr apart and prints a marker with the exit code. In both a missing end means a lost connection.
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Callable, Mapping, Sequence

from harness.drivers.shell import prelude

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = 0, 1, 2, 3, 4
MOST_FRAME = 1 << 24
"""A frame is at most a packet long, a megabyte; a length beyond this is none."""
_FRAME = struct.Struct("<BI")


def marked_script(argv: Sequence[str], env: Mapping[str, str] | None, marker: str, folder: str) -> str:
    """Write the script for phones without exit codes: stderr by way of a file, the exit code after a marker."""
    errors = shlex.quote(f"{folder}/.stderr-{marker.rpartition(':')[2]}")
    return "\n".join(
        [
            f"mkdir -p {shlex.quote(folder)}",
            f"( {chr(10).join([*prelude(argv, env, marker), shlex.join(argv)])} ) </dev/null 2>{errors}",
            f"c=$?; echo {shlex.quote(marker)}:$c; cat {errors}; rm -f {errors}; echo {shlex.quote(marker)}:end",
        ]
    )


def input_frame(data: bytes, kind: int = STDIN) -> bytes:
    """Return bytes for the standard input of a command, or the news that there are no more, as a frame."""
    return _FRAME.pack(kind, len(data)) + data


class FrameParser:
    """Parser of shell v2: cuts bytes into frames, keeps stderr and the exit code."""

    def __init__(self, on_stdout: Callable[[bytes], None]) -> None:
        self._buffer = bytearray()
        self._on_stdout = on_stdout
        self._errors: list[bytes] = []
        self.exit_code: int | None = None

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data
        begin = 0
        while len(self._buffer) - begin >= _FRAME.size:
            kind, size = _FRAME.unpack_from(self._buffer, begin)
            if size > MOST_FRAME:
                raise ConnectionAbortedError(f"the device announced a frame of {size:,} bytes")
            end = begin + _FRAME.size + size
            if len(self._buffer) < end:
                break
            self._take(kind, bytes(self._buffer[begin + _FRAME.size : end]))
            begin = end
        del self._buffer[:begin]

    def _take(self, kind: int, data: bytes) -> None:
        if kind == STDOUT:
            self._on_stdout(data)
        elif kind == STDERR:
            self._errors.append(data)
        elif kind == EXIT and data:
            self.exit_code = data[0]

    def finish(self) -> None:
        """Take the end of the output."""

    def stderr(self) -> bytes:
        """Return standard error so far."""
        return b"".join(self._errors)


class MarkerParser:
    """Parser of bare bytes: output, marker with the exit code, stderr, end marker."""

    def __init__(self, on_stdout: Callable[[bytes], None], marker: str) -> None:
        self._on_stdout = on_stdout
        self._sign = f"{marker}:".encode()
        self._held = b""
        self._after: bytes | None = None
        self.exit_code: int | None = None

    def add(self, data: bytes) -> None:
        """Take the next bytes; an end that may be the beginning of the marker is held back."""
        if self._after is not None:
            self._after += data
        else:
            self._held += data
            at = self._held.find(self._sign)
            if at >= 0:
                self._after = self._held[at + len(self._sign) :]
            self._release(at if at >= 0 else self._harmless())
        self._look_for_end()

    def _harmless(self) -> int:
        longest = min(len(self._sign) - 1, len(self._held))
        held = next((n for n in range(longest, 0, -1) if self._held.endswith(self._sign[:n])), 0)
        return len(self._held) - held

    def _release(self, size: int) -> None:
        self._on_stdout(self._held[:size])
        self._held = self._held[size:] if self._after is None else b""

    def finish(self) -> None:
        """Take the end of the output: what was held back was no marker."""
        self._release(len(self._held))

    def _look_for_end(self) -> None:
        end = self._sign + b"end\n"
        if self._after is not None and self._after.endswith(end):
            code, _, errors = self._after[: -len(end)].partition(b"\n")
            if code.isdigit():
                self.exit_code = int(code)
                self._after = errors

    def stderr(self) -> bytes:
        """Return standard error, known only at the end."""
        return self._after or b""
