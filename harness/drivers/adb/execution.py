"""Execution of one command on a phone: started, listened to, and given up when its time is up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.drivers.adb.link import AdbLink
from harness.drivers.adb.shell_protocol import FrameParser, MarkerParser, marked_script
from harness.drivers.adb.transport import is_timeout
from harness.drivers.base import OnLine
from harness.drivers.shell import OutputLines, command_script, guard_callback

OPEN_S = 5.0
"""A device that takes longer to open a service is not well."""


@dataclass(frozen=True)
class Command:
    """A command for a phone.

    Attributes:
        argv: The command.
        env: Added to the environment.
        marker: Identifies it on the device if it outlives us.
        folder: A folder on the device for the stderr of phones that cannot send it apart.
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None
    marker: str
    folder: str


class AdbExecution:
    """A running command and its output so far; `taken` once the device has accepted it."""

    def __init__(self, link: AdbLink, command: Command, on_line: OnLine | None) -> None:
        self._lines = OutputLines(command.marker, guard_callback(on_line) if on_line else None)
        separate = "shell_v2" in link.features
        self._parser = (
            FrameParser(self._lines.add) if separate else MarkerParser(self._lines.add, command.marker)
        )
        self._service = _service(command, separate)
        self._link = link
        self.taken = False

    def wait(self, deadline: float) -> bool:
        """Listen to the end; return False when the time was up first.

        Raises:
            ConnectionError: The device went away: the end came without an exit code.
            TimeoutError: The device does not even open the service.
        """
        stream = self._link.open(self._service, max(deadline, time.monotonic() + OPEN_S))
        self.taken = True
        try:
            while data := stream.read(deadline):
                self._parser.add(data)
        except Exception as error:
            if is_timeout(error) and time.monotonic() >= deadline - 0.1:
                return False
            raise
        finally:
            stream.close()
        if self._parser.exit_code is None:
            raise ConnectionAbortedError("the connection ended before the exit code came")
        return True

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
        return "shell,v2,raw:" + command_script(command.argv, command.env, command.marker)
    return "exec:" + marked_script(command.argv, command.env, command.marker, command.folder)
