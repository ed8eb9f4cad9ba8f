"""The streams of the process, whatever they lead to: closed by a daemon, a full disk, a pipe that nobody reads.

Data that cannot be written is an error. A remark that cannot be written is none: the work goes on without it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO, cast

from harness.errors import OutputError


class _Stream:
    """A text stream whose writing fails in another manner; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Data(_Stream):
    """Standard output: what cannot be written is an `OutputError`; a reader that has gone stays a BrokenPipeError."""

    def write(self, text: str) -> int:
        """Write data; nothing at all is no try: click probes a stream that way, and passes over the error."""
        if text == "":
            return 0
        try:
            return self._stream.write(text)
        except OSError as error:
            raise self._failed(error) from error

    def flush(self) -> None:
        """Pass on what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):  # `main` ends quietly
            return error
        discard(self._stream)
        return OutputError(f"the standard output cannot be written ({error.strerror or error})")


class Remarks(_Stream):
    """Standard error: what cannot be written is left out."""

    def write(self, text: str) -> int:
        """Write a remark."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Nowhere(io.TextIOBase):
    """What stands for a stream that there is not."""

    def write(self, text: str) -> int:
        """Forget it."""
        return len(text)


def prepare() -> None:
    """Make the streams fit to be written to; done once, before anything is."""
    _open_closed()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, _Nowhere())
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if (
            reconfigure is not None
        ):  # what a terminal's encoding lacks is no reason to fail after the work is done
            reconfigure(errors="backslashreplace")
    if not isinstance(sys.stdout, Data):
        sys.stdout = cast(TextIO, Data(sys.stdout))
    if not isinstance(sys.stderr, Remarks):
        sys.stderr = cast(TextIO, Remarks(sys.stderr))


def discard(stream: TextIO) -> None:
    """Let nothing more be written to a stream, not even what is left in its buffer when the program ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _open_closed() -> None:
    """Put the null device where a standard stream is closed: else the next file that is opened takes its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
