"""Execution of one command on a phone: started, listened to, and given up when its time is up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from harness.drivers import shell
from harness.drivers.adb.link import AdbLink, Stream
from harness.drivers.adb.shell_protocol import FrameParser, MarkerParser, input_frame, marked_script
from harness.drivers.adb.transport import is_timeout
from harness.drivers.base import OnLine
from harness.drivers.orphans import BEAT_S, SILENCE_S, watched_script
from harness.drivers.shell import OutputLines, TooMuchOutputError, command_script, guard_callback

OPEN_S, OPEN_AT_MOST_S = 4.0, 15.0
"""How long a device may take to open a service: at least the first, however short the command, at most the second."""
KILLED = 128 + 9
"""Exit code of what was ended with SIGKILL, the watch's among others."""


@dataclass(frozen=True)
class Command:
    """A command for a phone.

    Attributes:
        argv: The command.
        env: Added to the environment.
        marker: Identifies it on the device if it outlives us.
        folder: A folder on the device for the stderr of phones that cannot send it apart.
        watched: Whether it ends by itself when nothing more is heard of this computer.
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None
    marker: str
    folder: str
    watched: bool = True


class AdbExecution:
    """A running command and its output so far; `taken` once the device has accepted it."""

    def __init__(self, link: AdbLink, command: Command, on_line: OnLine | None) -> None:
        self._lines = OutputLines(command.marker, guard_callback(on_line) if on_line else None)
        separate = "shell_v2" in link.features
        self._parser = (
            FrameParser(self._lines.add) if separate else MarkerParser(self._lines.add, command.marker)
        )
        self._service = _service(command, separate)
        self._beat = (input_frame(b"\n") if separate else b"\n") if command.watched else b""
        self._silent_s, self._received = 0.0, 0
        self._link = link
        self.taken = False

    def wait(self, deadline: float) -> bool:
        """Listen to the end; return False when the time was up first.

        Raises:
            ConnectionError: The device went away: the end came without an exit code.
            TimeoutError: The device does not even open the service.
        """
        now = time.monotonic()
        stream = self._link.open(self._service, min(max(deadline, now + OPEN_S), now + OPEN_AT_MOST_S))
        self.taken = True
        try:
            if not self._listen(stream, deadline):
                return False
        finally:
            stream.close()
        if self._parser.exit_code is None:
            raise ConnectionAbortedError("the connection ended before the exit code came")
        if self._parser.exit_code == KILLED and self._silent_s > SILENCE_S:
            raise ConnectionAbortedError(
                f"this computer said nothing for {self._silent_s:.0f} s, so the device ended the command"
            )
        return True

    def _listen(self, stream: Stream, deadline: float) -> bool:
        """Read to the end, and say now and then that somebody listens; return False when the time was up first."""
        due, said_at = time.monotonic() + BEAT_S, time.time()
        while (now := time.monotonic()) < deadline:
            if now >= due:
                # the time of day: the other clock stands still while a computer sleeps
                self._silent_s = max(self._silent_s, time.time() - said_at)
                self._say_something(stream, deadline)
                due, said_at = time.monotonic() + BEAT_S, time.time()
            try:
                data = stream.read(min(deadline, due))
            except Exception as error:
                if not is_timeout(error):
                    raise
                continue
            if not data:
                return True
            self._received += len(data)
            if self._received > shell.MOST_OUTPUT:
                raise TooMuchOutputError
            self._parser.add(data)
        return False

    def _say_something(self, stream: Stream, deadline: float) -> None:
        if self._beat:
            with suppress(ConnectionAbortedError):  # it has ended, and its last words are still to be read
                stream.write(self._beat, deadline)

    @property
    def pid(self) -> int | None:
        """Process id there, which is its process group as well."""
        return self._lines.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while unknown."""
        return self._parser.exit_code

    def output(self) -> tuple[str, str]:
        """Return stdout and stderr so far."""
        self._parser.finish()
        return self._lines.end().decode("utf-8", "replace"), self._parser.stderr().decode("utf-8", "replace")


def _service(command: Command, separate: bool) -> str:
    if separate:
        script = command_script(command.argv, command.env, command.marker)
    else:
        script = marked_script(command.argv, command.env, command.marker, command.folder)
    if command.watched:
        script = watched_script(script, command.marker)
    return f"{'shell,v2,raw' if separate else 'exec'}:{script}"
