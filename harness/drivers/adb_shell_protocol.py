"""Running a command over the `shell` service: the script, the frames, and the marker of older phones.

Since Android 7 `shell,v2,raw:` separates stdout from stderr and ends with the exit code: frames of
`<id: u8><length: u32>` (AOSP, packages/modules/adb/shell_protocol.h). Before, `exec:` gives bare bytes, so the script
itself keeps stderr apart and prints a marker with the exit code. In both a missing end means a lost connection.
"""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Callable, Mapping, Sequence

from harness.drivers.base import OnLine
from harness.errors import UsageError

STDOUT, STDERR, EXIT = 1, 2, 3
_FRAME = struct.Struct("<BI")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MARKER = "ONDEVICE_HARNESS_RUN"
"""In the environment of everything started on a device, so that what is left over can be found."""
NOT_STARTED = "harness: cannot start"


def command_script(argv: Sequence[str], env: Mapping[str, str] | None, marker: str) -> str:
    """Write the script that becomes the command: the shell says its pid first and is then replaced.

    Args:
        argv: The command; nothing in it is interpreted by the shell.
        env: Variables added to the environment.
        marker: Unique for this run.
    """
    return "\n".join([*_prelude(argv, env, marker), f"exec {shlex.join(argv)} </dev/null"])


def marked_script(argv: Sequence[str], env: Mapping[str, str] | None, marker: str, folder: str) -> str:
    """Write the script for phones without exit codes: stderr by way of a file, the exit code after a marker."""
    errors = shlex.quote(f"{folder}/.stderr-{marker.rpartition(':')[2]}")
    return "\n".join(
        [
            f"mkdir -p {shlex.quote(folder)}",
            f"( {chr(10).join([*_prelude(argv, env, marker), shlex.join(argv)])} ) </dev/null 2>{errors}",
            f"c=$?; echo {shlex.quote(marker)}:$c; cat {errors}; rm -f {errors}; echo {shlex.quote(marker)}:end",
        ]
    )


def _prelude(argv: Sequence[str], env: Mapping[str, str] | None, marker: str) -> list[str]:
    program = shlex.quote(argv[0])
    test = (
        f"[ -f {program} ] && [ -x {program} ]" if "/" in argv[0] else f"command -v {program} >/dev/null 2>&1"
    )
    return [
        f"export {MARKER}={shlex.quote(marker)}",
        *(f"export {_checked(key)}={shlex.quote(value)}" for key, value in (env or {}).items()),
        f"echo {shlex.quote(marker)} $$",
        f"{{ {test}; }} || {{ echo {shlex.quote(NOT_STARTED)} >&2; exit 127; }}",
    ]


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"environment variable {key!r}: expected letters, digits and _, not beginning with a digit"
        )
    return key


class Lines:
    """Cuts standard output into lines, takes the first one (marker and pid) away, and keeps everything."""

    def __init__(self, marker: str, on_line: OnLine | None) -> None:
        self._marker, self._on_line = marker.encode(), on_line
        self._parts: list[bytes] = []
        self._line: list[bytes] = []
        self._started = False
        self.pid: int | None = None

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._started:
            data = self._start(data)
        self._parts.append(data)
        if self._on_line is not None:
            self._cut(data)

    def _start(self, data: bytes) -> bytes:
        """Hold back what may be the first line; return what follows it."""
        held = b"".join([*self._parts, data])
        self._parts.clear()
        first, end, rest = held.partition(b"\n")
        if not end and self._marker.startswith(held[: len(self._marker)]):
            self._parts.append(held)
            return b""
        self._started = True
        head, _, pid = first.rpartition(b" ")
        if head != self._marker or not pid.isdigit():
            return held
        self.pid = int(pid)
        return rest

    def _cut(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._line.append(first)
        for other in others:
            self._tell()
            self._line.append(other)

    def _tell(self) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if self._on_line is not None and self._started:
            self._on_line(line.decode("utf-8", "replace"))

    def end(self) -> bytes:
        """Return all of it; an unfinished last line is told now."""
        if any(self._line):
            self._tell()
        return b"".join(self._parts)


class Frames:
    """Cuts the bytes of shell v2 into frames; keeps stderr and the exit code."""

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
        """Nothing more will come."""

    def stderr(self) -> bytes:
        """Return what came as standard error so far."""
        return b"".join(self._errors)


class Marked:
    """The same for bare bytes: output, marker with the exit code, stderr, end marker."""

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
        """Nothing more will come: what was held back was no marker."""
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
