"""A command on a phone that is written to while it is heard.

Its input goes in frames of `shell,v2,raw` (Android 7 and later). Nothing watches it there as `orphans.watched_script`
watches other commands, whose input is the harness's sign of life: a command for this must end when its own input does.
"""

from __future__ import annotations

import time
from contextlib import suppress

from harness.drivers.adb.execution import OPEN_AT_MOST_S, Command
from harness.drivers.adb.link import AdbLink, Stream
from harness.drivers.adb.shell_protocol import CLOSE_STDIN, FrameParser, input_frame
from harness.drivers.adb.transport import is_timeout
from harness.drivers.shell import OutputLines, command_script

MOST_SENT = 1 << 18
"""Bytes of one frame: small enough that what the other side says is taken now and then."""


class AdbConversation:
    """A running command; `taken` once the device has accepted it.

    Raises:
        ConnectionError: The device went away.
        ServiceRefusedError: The phone is too old.
    """

    def __init__(self, link: AdbLink, command: Command) -> None:
        self._lines = OutputLines(command.marker, None)
        self._parser = FrameParser(self._lines.add)
        script = command_script(command.argv, command.env, command.marker, empty_input=False)
        self._closed = False
        self._stream: Stream = link.open(f"shell,v2,raw:{script}", time.monotonic() + OPEN_AT_MOST_S)

    @property
    def pid(self) -> int | None:
        """Process id there, which is its process group as well."""
        return self._lines.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code; a signal N is 128 + N."""
        return self._parser.exit_code

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""
        return self._parser.stderr().decode("utf-8", "replace")

    def send(self, data: bytes, deadline: float) -> bool:
        """Write to its standard input; return whether all was taken in time."""
        for begin in range(0, len(data), MOST_SENT):
            if not self._write(input_frame(data[begin : begin + MOST_SENT]), deadline):
                return False
        return True

    def _write(self, frame: bytes, deadline: float) -> bool:
        with suppress(ConnectionAbortedError):  # it has ended, and its last words are still to be read
            try:
                self._stream.write(frame, deadline)
            except Exception as error:
                if not is_timeout(error):
                    raise
                return False
            self._parser.add(self._stream.pending())
        return True

    def receive(self, deadline: float) -> bytes | None:
        """Return what it said since; `b""` at its end, None when nothing came in time."""
        while not (data := self._lines.take()):
            if self._closed:
                return b""
            try:
                got = self._stream.read(deadline)
            except Exception as error:
                if not is_timeout(error):
                    raise
                return None
            self._closed = not got
            if self._closed and self.exit_code is None:
                raise ConnectionAbortedError("the connection ended before the exit code came")
            self._parser.add(got)
        return data

    def finish(self) -> None:
        """End its standard input."""
        with suppress(ConnectionAbortedError):
            self._stream.write(input_frame(b"", CLOSE_STDIN), time.monotonic() + OPEN_AT_MOST_S)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
