"""One command in a session of its own on a standing connection: started, listened to, given up in time.

The script reaches the board's /bin/sh on its standard input, so neither the user's login shell nor the length of a
command line matters. Its output begins behind a line with the run's marker (whatever a login script prints before is
dropped). Output and errors both end with a secret of the session and the exit code: ssh's own exit code 255 would be
the command's as well as a lost connection's, and a connection that breaks between the two streams' last bytes would
leave an output that is cut short beside errors that say that all went well.
"""

from __future__ import annotations

import os
import re
import secrets
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from harness.drivers import shell
from harness.drivers.base import OnLine
from harness.drivers.pace import Pace
from harness.drivers.shell import OutputLines, TooMuchOutputError, command_script, guard_callback
from harness.drivers.ssh.target import environment, session_argv

SHELL = "exec /bin/sh -s"
"""Every login shell understands it: sh, bash, zsh, fish, csh."""
LINGER_S = 1.0
"""How long output is waited for after the command has ended: what it left in the background may hold it open."""
READ_BYTES = 1 << 17


def run_script(
    argv: Sequence[str], env: Mapping[str, str] | None, marker: str, end: str, *, empty_input: bool = True
) -> str:
    """Write the script that runs a command, prints its exit code, and kills what it leaves in its process group."""
    return f"""exec 3>&2 2>/dev/null
( {command_script(argv, env, marker, empty_input=empty_input)} ) 2>&3 3>&-
c=$?
echo {end}:$c
echo {end}:$c >&3
kill -9 -$$
exit 0
"""


class MarkerFinder:
    """Drops what comes before the line with the marker; gives on that line, when it is whole, and all that follows."""

    def __init__(self, marker: str) -> None:
        self._sign = f"{marker} ".encode()
        self._held = b""
        self.found = False

    def add(self, data: bytes) -> bytes:
        """Return the bytes so far that belong to the command."""
        if self.found:
            return data
        self._held += data
        at = self._held.find(self._sign)
        if at < 0:
            self._held = self._held[-len(self._sign) :]
            return b""
        self._held = self._held[at:]
        self.found = b"\n" in self._held
        return self._held if self.found else b""


class EndFinder:
    """Gives on what comes before the secret word of the end; what may be that word's beginning is held back.

    Args:
        end: The word.
        least_held: Less of a beginning is given on, in place of being held back until more comes: who answers before
            more is said would wait for ever for a last byte that is the word's first. Where the word itself comes in
            two pieces, fewer bytes than this of it are given on at the end.
    """

    def __init__(self, end: str, least_held: int = 1) -> None:
        self._sign, self._least_held = f"{end}:".encode(), least_held
        self._begun, self._given = b"", 0
        self.found = False

    def add(self, data: bytes) -> bytes:
        """Return the bytes so far that are known to belong to the command, or are too few to wait for."""
        if self.found:
            return b""
        data = self._begun + data
        at = data.find(self._sign)
        self.found = at >= 0
        if not self.found:
            at = len(data) - self._overlap(data)
        is_held = self.found or len(data) - at >= self._least_held
        until = max(at if is_held else len(data), self._given)
        found = data[self._given : until]
        self._begun, self._given = data[at:], max(until - at, 0)
        return found

    def _overlap(self, data: bytes) -> int:
        for n in range(min(len(self._sign) - 1, len(data)), 0, -1):
            if data.endswith(self._sign[:n]):
                return n
        return 0


class Session:
    """A running command and its output so far; `taken` once the board has begun with it.

    Args:
        socket: The connection's control socket.
        argv: The command.
        env: What its environment has besides.
        marker: What its output begins with; in its environment too.
        on_line: Called with each line of its output.
        target: A file that gets its output as it is, instead of keeping it.
        empty_input: Whether the command has nothing to read.
        least_held: Of `EndFinder`.
    """

    def __init__(
        self,
        socket: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        marker: str,
        on_line: OnLine | None = None,
        target: IO[bytes] | None = None,
        *,
        empty_input: bool = True,
        least_held: int = 1,
    ) -> None:
        # Unlike the marker it is not known to the command, which may print what it knows.
        secret = secrets.token_hex(12)
        self._begin, self._output_end = MarkerFinder(marker), EndFinder(secret, least_held)
        self._lines = OutputLines(marker, guard_callback(on_line) if on_line else None)
        self._end = re.compile(rf"{secret}:(\d+)\n".encode())
        self._target = target
        self._errors = bytearray()
        self._pace, self._received = Pace(), 0
        self.exit_code: int | None = None
        script = run_script(argv, env, marker, secret, empty_input=empty_input)
        self._client = self._launch(socket, script.encode("utf-8", "surrogateescape"))

    def _launch(self, socket: str, script: bytes) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as source:
            source.write(script)
            source.seek(0)
            return start(session_argv(socket), SHELL, source)

    @property
    def taken(self) -> bool:
        """Whether the board has begun with it."""
        return self._begin.found

    @property
    def pid(self) -> int | None:
        """Process id there, which is its process group as well."""
        return self._lines.pid

    def wait(self, deadline: float) -> bool:
        """Listen to the end; return False when the time was up first.

        Raises:
            ConnectionError: The connection went away: the end of a stream came without the exit code.
        """
        try:
            ended = self._listen(deadline)
        finally:
            self.close()
        if not ended and not self._complete:
            return False
        if not self._complete:
            raise ConnectionAbortedError(
                self._stderr().strip() or "the connection ended before the exit code came"
            )
        return True

    @property
    def _complete(self) -> bool:
        return self.exit_code is not None and self._output_end.found

    def _listen(self, deadline: float) -> bool:
        """Read both streams to their ends; return False where the time is up first."""
        with selectors.DefaultSelector() as selector:
            for stream, take in ((self._client.stdout, self._take), (self._client.stderr, self._take_error)):
                assert stream is not None
                selector.register(stream, selectors.EVENT_READ, take)
            while selector.get_map():
                left = min(deadline, self._pace.deadline if self._target else deadline) - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    return False
                for key, _ in ready:
                    data = os.read(key.fd, READ_BYTES)
                    key.data(data) if data else selector.unregister(key.fileobj)
                if self._complete:
                    deadline = min(deadline, time.monotonic() + LINGER_S)
        return True

    def _take(self, data: bytes) -> None:
        begun, data = self._begin.found, self._output_end.add(self._begin.add(data))
        if self._target is None:
            self._count(data)
            self._lines.add(data)
            return
        if not begun and data:
            head, _, data = data.partition(b"\n")
            self._lines.add(head + b"\n")
        self._target.write(data)
        self._pace.moved(len(data))
        if self._pace.too_long:
            raise TooMuchOutputError

    def _count(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > shell.MOST_OUTPUT:
            raise TooMuchOutputError

    def _take_error(self, data: bytes) -> None:
        self._count(data)
        self._errors += data
        if self.exit_code is None and (found := self._end.search(self._errors)):
            self.exit_code = int(found[1])
            del self._errors[found.start() : found.end()]

    def output(self) -> tuple[str, str]:
        """Return stdout and stderr so far."""
        return self._lines.end().decode("utf-8", "replace"), self._stderr()

    def _stderr(self) -> str:
        return self._errors.decode("utf-8", "replace")

    def close(self) -> None:
        """End the session here; what runs there is not touched."""
        end(self._client)


def start(argv: Sequence[str], command: str, source: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start ssh in a session of its own: a Ctrl-C in the terminal is ours to act on, and there is nobody to ask."""
    return subprocess.Popen(
        [*argv, command],
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )


def end(client: subprocess.Popen[bytes]) -> None:
    """Kill a client, with the one that a jump host needs, and let go of its streams."""
    with suppress(OSError):
        if client.returncode is None:
            os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    for stream in (client.stdin, client.stdout, client.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
