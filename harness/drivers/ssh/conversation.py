"""A command on a board that is written to while it is heard.

As for any session the script comes on standard input, where it has no limit of length and no login shell reads it; but
what follows it there is the command's. So its length comes first, and the shell takes exactly that much: `read` takes
a line and no more, and `dd` a byte at a time.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence

from harness.drivers.conversation import Pipes
from harness.drivers.ssh.session import Session, start
from harness.drivers.ssh.target import session_argv

TAKE_SCRIPT = "exec /bin/sh -c 'read -r n; s=$(dd bs=1 count=$n 2>/dev/null); eval \"$s\"'"
"""Nothing in it needs further quoting in any login shell: sh, bash, zsh, fish, csh."""
BEGIN_S = 20.0
LEAST_HELD = 8
"""Bytes of the end's word that are held back: no answer ends in so many of them by chance, and a frame begins with more
than are given on."""


class SshConversation(Session):
    """A running command; `taken` once the board has begun with it."""

    def __init__(self, socket: str, argv: Sequence[str], env: Mapping[str, str] | None, marker: str) -> None:
        super().__init__(socket, argv, env, marker, empty_input=False, least_held=LEAST_HELD)
        self._pipes = Pipes(self._client, self._take, self._take_error)
        self._pipes.write(self._first, time.monotonic() + BEGIN_S)

    def _launch(self, socket: str, script: bytes) -> subprocess.Popen[bytes]:
        self._first = f"{len(script)}\n".encode() + script
        return start(session_argv(socket), TAKE_SCRIPT, subprocess.PIPE)

    def _count(self, data: bytes) -> None:
        """Set no limit: a stream is as long as it must be."""

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""
        return self._stderr()

    def send(self, data: bytes, deadline: float) -> bool:
        """Write to its standard input; return whether all was taken in time."""
        return self._pipes.write(data, deadline)

    def receive(self, deadline: float) -> bytes | None:
        """Return what it said since; `b""` at its end, None when nothing came in time."""
        while not (data := self._lines.take()):
            if self._complete:
                return b""
            if self._pipes.ended:
                said = self._stderr().strip()
                raise ConnectionAbortedError(said or "the connection ended before the exit code came")
            if time.monotonic() >= deadline:
                return None
            self._pipes.turn(deadline)
        return data

    def finish(self) -> None:
        """End its standard input."""
        self._pipes.close_input()

    def close(self) -> None:
        """End the session here; what runs there is not touched."""
        self._pipes.close()
        super().close()
