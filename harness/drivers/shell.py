"""Commands and scripts in the shell of a phone or a board."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from harness import units
from harness.drivers.base import Device, OnLine
from harness.errors import DeviceError, DeviceTimeoutError, UsageError

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


MARKER = "ONDEVICE_HARNESS_RUN"
"""In the environment of everything started on a device, so that what is left over can be found."""


NOT_STARTED = "harness: cannot start"
MOST_OUTPUT = 256_000_000
"""A command that prints more bytes than this is ended: what we run prints some megabytes at most."""


def command_script(
    argv: Sequence[str], env: Mapping[str, str] | None, marker: str, *, empty_input: bool = True
) -> str:
    """Write the script that becomes the command: the shell says its pid first and is then replaced.

    Args:
        argv: The command; nothing in it is interpreted by the shell.
        env: Variables added to the environment.
        marker: Unique for this run.
        empty_input: Whether it has nothing to read; else it has the shell's standard input.
    """
    redirection = " </dev/null" if empty_input else ""
    return "\n".join([*prelude(argv, env, marker), f"exec {shlex.join(argv)}{redirection}"])


def prelude(argv: Sequence[str], env: Mapping[str, str] | None, marker: str) -> list[str]:
    """Write the lines of a script before the command itself: its environment, its pid, whether it can be started."""
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


class OutputLines:
    """Standard output, cut into lines; the first one (marker and pid) is taken away."""

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
            self._report()
            self._line.append(other)

    def _report(self) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if self._on_line is not None and self._started:
            self._on_line(line.decode("utf-8", "replace"))

    def take(self) -> bytes:
        """Return the output since it was taken last, and keep it no longer."""
        if not self._started:
            return b""
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def end(self) -> bytes:
        """Return the whole output; an unfinished last line is reported now."""
        if any(self._line):
            self._report()
        return b"".join(self._parts)


class TooMuchOutputError(Exception):
    """A command printed more than anything that is run here prints."""

    def __init__(self) -> None:
        super().__init__(f"it printed more than {units.size(MOST_OUTPUT)} and was ended")


class CallbackError(Exception):
    """An error of the caller's `on_line`, kept apart from errors of the device."""


def guard_callback(on_line: OnLine) -> OnLine:
    """Return a callback whose own errors are raised as CallbackError."""

    def call(line: str) -> None:
        try:
            on_line(line)
        except Exception as error:
            raise CallbackError from error

    return call


def shell_output(device: Device, script: str, timeout_s: float) -> str:
    """Run a script of the device's shell and return its standard output.

    Raises:
        DeviceError: It did not end with 0 in time.
    """
    done = device.run(["sh", "-c", script], timeout_s=timeout_s)
    if done.timed_out:
        raise DeviceTimeoutError(device.name, f"a shell script took longer than {timeout_s:.0f} s", done.argv)
    if done.exit_code != 0:
        message = f"a shell script ended with {done.exit_code}"
        raise DeviceError(device.name, message, done.argv, done.exit_code, done.stdout, done.stderr)
    return done.stdout
