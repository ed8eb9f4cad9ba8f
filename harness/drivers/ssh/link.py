"""A connection over SSH, shared by all that is done on a board, and the watch that stands there while it lasts.

The connection is a client of OpenSSH that waits for further sessions (ControlMaster). Its own session runs a script
which reads its standard input, a pipe that this process holds: when this process dies, however, or the connection
breaks, the input ends there, and the script kills everything that was started through this connection.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from harness.drivers import orphans
from harness.drivers.base import OnLine
from harness.drivers.pace import Pace
from harness.drivers.shell import MARKER
from harness.drivers.ssh.conversation import SshConversation
from harness.drivers.ssh.errors import MISSING, connection_error
from harness.drivers.ssh.session import SHELL, Session, end, start
from harness.drivers.ssh.target import Target, client_argv, session_argv
from harness.errors import DeviceError, DeviceTimeoutError

HELLO_S = 40.0
"""For the connection, the log-in and the first words; ssh itself gives an address up sooner."""
KEPT_LINES, LONGEST_LINE = 400, 1 << 16
CLEAR_UP_S = 2.0
"""The watch's time to clear up before the connection is cut."""
MOST_LETTERS = 80
PREFIX, SOCKET = "harness-ssh-", "s"
COPY = 64 << 10
_UNPACK = "exec /bin/sh -c 'tar -xof - -C /; echo {marker}:$? >&2'"
"""Nothing in it needs quoting in any login shell. `o`: files belong to who unpacks them."""


def watch_script(token: str, mine: str) -> str:
    """Write the script of the first session: it prints where home is and what runs, waits, and clears up.

    Args:
        token: Begins each of its lines.
        mine: What the markers of everything started through this connection begin with.
    """
    return f"""watch() {{
echo "{token} home $HOME"
{orphans.LIST_SCRIPT} | while read -r line; do echo "{token} runs $line"; done
echo "{token} ready"
while read -r line; do :; done
{orphans.kill_script([mine])}
}}
watch
"""


class SshLink:
    """A standing connection to a board.

    Args:
        device: The device's name, for errors.
        target: The host to reach.

    Raises:
        DeviceError: It cannot be reached or does not let us in; says why and what to do.
    """

    def __init__(self, device: str, target: Target) -> None:
        target.check()
        self._device, self._target = device, target
        self.mine = orphans.new_marker()
        self.opened, self._count = 1, 0
        self._first = _FirstSession(f"harness-{secrets.token_hex(8)}")
        folder = _short_folder()
        self.socket = str(folder / SOCKET)
        try:
            self._client = start(client_argv(target, self.socket), SHELL, subprocess.PIPE)
        except FileNotFoundError as error:
            folder.rmdir()
            raise DeviceError(self._device, MISSING) from error
        # Also where nobody closes it, and at the end of this process.
        self._hang_up = weakref.finalize(self, _hang_up, self._client, folder)
        self._connect()

    def _connect(self) -> None:
        for listen in (self._first.keep_log, self._first.read):
            threading.Thread(target=listen, args=(self._client,), daemon=True).start()
        with suppress(OSError):  # where it has ended already, its log says why
            assert self._client.stdin is not None
            self._client.stdin.write(watch_script(self._first.token, self.mine).encode())
            self._client.stdin.flush()
        said = self._first.said.wait(HELLO_S)
        if not self.home:
            error = self._why(timed_out=not said)
            self._hang_up()
            raise error

    @property
    def home(self) -> str:
        """The home there."""
        return self._first.home

    @property
    def running(self) -> tuple[str, ...]:
        """Markers of what ran there when the connection was made."""
        return self._first.running

    def _why(self, *, timed_out: bool) -> DeviceError:
        with suppress(subprocess.TimeoutExpired):
            self._client.wait(0.0 if timed_out else CLEAR_UP_S)
        end(self._client)
        self._first.logged.wait(CLEAR_UP_S)
        if timed_out:
            return DeviceTimeoutError(
                self._device, f"{self._target} was reached, but did not let us in within {HELLO_S:.0f} s"
            )
        return connection_error(self._device, self._target, list(self._first.log))

    def gone(self) -> bool:
        """Return whether the connection is known to have ended."""
        return self._client.poll() is not None

    def why_gone(self) -> DeviceError:
        """Return the error that says how the connection ended."""
        self._client.wait(CLEAR_UP_S)
        self._first.logged.wait(CLEAR_UP_S)
        return connection_error(self._device, self._target, list(self._first.log))

    def new_marker(self) -> str:
        """Return a marker for one run through this connection."""
        self._count += 1
        return f"{self.mine}-{self._count}"

    def session(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        marker: str,
        on_line: OnLine | None = None,
        target: IO[bytes] | None = None,
    ) -> Session:
        """Start a command on the board; one round trip."""
        self.opened += 1
        return Session(self.socket, argv, env, marker, on_line, target)

    def conversation(
        self, argv: Sequence[str], env: Mapping[str, str] | None, marker: str
    ) -> SshConversation:
        """Start a command that is written to while it is heard; one round trip."""
        self.opened += 1
        return SshConversation(self.socket, argv, env, marker)

    def unpack(self, write: Callable[[IO[bytes]], None]) -> tuple[int | None, str]:
        """Unpack a tar stream below / on the board; one round trip.

        Args:
            write: Writes the stream to the file it is given.

        Returns:
            tar's exit code (None when the connection was lost) and what it complained of.
        """
        self.opened += 1
        marker = f"harness-{secrets.token_hex(8)}"
        client = start(session_argv(self.socket), _UNPACK.format(marker=marker), subprocess.PIPE)
        errors: list[bytes] = []
        readers = [
            threading.Thread(target=_drain, args=(stream, found), daemon=True)
            for stream, found in ((client.stdout, []), (client.stderr, errors))
        ]
        for reader in readers:
            reader.start()
        try:
            assert client.stdin is not None
            # the board has given up where the pipe breaks; why is what it writes
            with suppress(BrokenPipeError), _ended_when_still(self._client) as pace:
                write(cast("IO[bytes]", _Counted(client.stdin, pace)))
                client.stdin.close()
            with _ended_when_still(self._client):
                for reader in readers:
                    reader.join()
        finally:
            end(client)
        said, _, code = b"".join(errors).decode("utf-8", "replace").rpartition(f"{marker}:")
        return (int(code), said) if code.strip().isdigit() and _ else (None, code)

    def close(self, *, at_once: bool = False) -> None:
        """End the connection; the watch on the board then clears up, and is not waited for with `at_once`."""
        if at_once:
            end(self._client)
        self._hang_up()


class _FirstSession:
    """Output of the first session, and ssh's own log; read by threads of their own, which never keep the link alive.

    Attributes:
        token: Begins each line that is ours.
        home: The home there; empty until it is known.
        running: Markers of what ran there.
        said: Set when all is known, or nothing more will come.
        log: The last lines of the log.
        logged: Set when the log is at its end.
    """

    def __init__(self, token: str) -> None:
        self.token, self.home = token, ""
        self.running: tuple[str, ...] = ()
        self.said, self.logged = threading.Event(), threading.Event()
        self.log: deque[str] = deque(maxlen=KEPT_LINES)

    def keep_log(self, client: subprocess.Popen[bytes]) -> None:
        """Read what ssh logs, to its end."""
        assert client.stderr is not None
        with suppress(OSError, ValueError):  # closed meanwhile
            while line := client.stderr.readline(LONGEST_LINE):
                self.log.append(line.decode("utf-8", "replace").rstrip("\r\n"))
        self.logged.set()

    def read(self, client: subprocess.Popen[bytes]) -> None:
        """Read until the board says that it is ready, then go on so that it never waits for a reader."""
        assert client.stdout is not None
        running, home = [], ""
        with suppress(OSError, ValueError):
            while line := client.stdout.readline(LONGEST_LINE):
                mark, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(" ")
                word, _, value = rest.partition(" ")
                if mark != self.token:
                    continue
                if word == "home":
                    home = value
                elif word == "runs":
                    running.append(value.removeprefix(f"{MARKER}="))
                elif word == "ready":
                    self.running, self.home = tuple(running), home or "/"
                    self.said.set()
        self.said.set()


def _hang_up(client: subprocess.Popen[bytes], folder: Path) -> None:
    """End a connection: its input ends, the watch clears up, then it is cut."""
    with suppress(OSError, ValueError, subprocess.TimeoutExpired):
        assert client.stdin is not None
        client.stdin.close()
        client.wait(CLEAR_UP_S)
    end(client)
    shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> Path:
    """Make a folder for the control socket: its path must be short (sun_path of unix(7), and ssh adds 17 letters)."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if len(str(folder)) > MOST_LETTERS:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    for other in folder.parent.glob(f"{PREFIX}*"):
        if _is_left_over(other):
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _is_left_over(folder: Path) -> bool:
    """Return whether a folder's harness was killed: its socket is gone, or nobody listens at it any more."""
    try:
        if not (folder / SOCKET).exists():
            return time.time() - folder.stat().st_mtime > 2 * HELLO_S  # else it is being connected
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / SOCKET))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # somebody else's
    return False


class _Counted:
    """A file for writing that counts what was written."""

    def __init__(self, file: IO[bytes], pace: Pace) -> None:
        self._file, self._pace = file, pace

    def write(self, data: bytes) -> int:
        """Write bytes."""
        written = self._file.write(data)
        self._pace.moved(len(data))
        return written


@contextmanager
def _ended_when_still(client: subprocess.Popen[bytes]) -> Iterator[Pace]:
    """Give a pace to count with, and end a connection when that falls behind.

    Its first client is killed: that one holds the pipes of all its sessions.
    """
    pace, over = Pace(), threading.Event()

    def watch() -> None:
        while not over.wait(max(0.0, pace.deadline - time.monotonic())):
            if time.monotonic() >= pace.deadline:
                with suppress(OSError):
                    os.killpg(client.pid, signal.SIGKILL)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield pace
    finally:
        over.set()


def _drain(stream: IO[bytes], into: list[bytes]) -> None:
    while data := stream.read(COPY):
        into.append(data)
