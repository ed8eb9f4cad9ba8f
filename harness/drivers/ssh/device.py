"""Linux boards over SSH, by way of OpenSSH's own client."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.drivers import orphans
from harness.drivers.base import Completed, DeviceInfo, OnLine
from harness.drivers.content import ContentStore
from harness.drivers.shell import NOT_STARTED, CallbackError, output_of
from harness.drivers.ssh import errors as ssh_errors
from harness.drivers.ssh import facts as board
from harness.drivers.ssh import files as ssh_files
from harness.drivers.ssh.link import Link
from harness.drivers.ssh.run import Session, run_script
from harness.drivers.ssh.target import Target
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

ROOT = "~/.cache/ondevice-harness"
PYTHON = "python3"
OWN = "own"
"""Marks what the driver itself does there."""
DESCRIBE_S, KILL_S, PULL_S, FORGET_S = 60.0, 5.0, 3600.0, 300.0


class SshDevice:
    """A board behind the device protocol. One object has one connection and does one thing at a time.

    It connects when it is first used, and again after the connection was lost.

    Args:
        name: How the user names it.
        host: A name, an address, or a `Host` of ~/.ssh/config.
        user: Who to log in as; empty for what ~/.ssh/config says.
        port: Where its sshd listens; None for what ~/.ssh/config says.
        identity: A file with the private key; empty for what ~/.ssh/config and the agent offer.
        jump: Hosts to go through, as for `ssh -J`.
        root: Folder on the board for everything that is pushed; `~/` is the home there.
        python: The Python on the board that has a TFLite runtime.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        user: str = "",
        port: int | None = None,
        identity: str = "",
        jump: str = "",
        root: str = ROOT,
        python: str = PYTHON,
    ) -> None:
        self.name = name
        self.address = Target(host, user, port, str(Path(identity).expanduser()) if identity else "", jump)
        self._root, self._python = root, python
        self._link: Link | None = None
        self._lock = threading.RLock()
        self._store: ContentStore | None = None
        self._left_over: set[str] = set()
        self._trips = 0
        self._facts: board.BoardFacts | None = None

    @property
    def round_trips(self) -> int:
        """Sessions opened so far, the connection's own included: what a slow link makes one wait for."""
        with self._lock:
            return self._trips + (self._link.opened if self._link else 0)

    @property
    def root(self) -> str:
        """The folder for everything that is pushed, as an absolute path there."""
        return self._at_home(self._root)

    @property
    def python(self) -> str:
        """The Python there, as a path or a name to look for."""
        return self._at_home(self._python)

    def describe(self) -> DeviceInfo:
        """Return what the board tells of itself, in one round trip.

        Raises:
            DeviceError: It cannot be reached.
        """
        self._facts = board.parse(self.shell(board.script(self.root, self.python), DESCRIBE_S))
        return board.info(self.name, str(self.address), self._facts)

    def facts(self) -> board.BoardFacts:
        """Return what the board told of itself when it was described last, or now.

        Raises:
            DeviceError: It cannot be reached.
        """
        if self._facts is None:
            self.describe()
        assert self._facts is not None
        return self._facts

    def push(self, files: Sequence[Path]) -> tuple[str, ...]:
        """Make files available by content and return their paths there; all of them executable.

        One round trip when everything is there already, three when not.

        Raises:
            DeviceError: The reason given by the device (no space, read-only, gone).
        """
        with self._lock:
            return self._content().push(files)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        on_line: OnLine | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command; after `timeout_s` seconds it and all its children are killed. A signal N is 128 + N.

        Raises:
            DeviceLostError: The device went away before the exit code was known.
            DeviceTimeoutError: The time was up, and the device does not answer any more.
            DeviceError: There is no such program there.
        """
        begin = time.monotonic()
        if any("\0" in word for word in (*argv, *(env or {}).values())):
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: no argument can hold a NUL", argv)
        try:
            with self._lock:
                session, in_time = self._execute(argv, env, begin + timeout_s, on_line)
        except CallbackError as error:
            raise error.__cause__ or error from None
        stdout, stderr = session.output(), session.errors()
        if session.exit_code == 127 and stderr.startswith(NOT_STARTED):
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: no such program there", argv, 127)
        exit_code = session.exit_code if in_time else -9
        return Completed(tuple(argv), exit_code, stdout, stderr, time.monotonic() - begin, not in_time)

    def _execute(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        deadline: float,
        on_line: OnLine | None = None,
        target: IO[bytes] | None = None,
    ) -> tuple[Session, bool]:
        """Run a command; once more where the connection turns out to have been dead before it was taken."""
        for attempt in (1, 2):
            used_before = self._link is not None
            session: Session | None = None
            try:
                with self._using(f"run {argv[0]!r}", argv) as link:
                    marker = link.new_marker()
                    session = link.session(run_script(argv, env, marker), marker, on_line, target)
                    return session, self._wait(session, marker, deadline)
            except DeviceLostError:
                if attempt == 2 or not used_before or session is None or session.taken:
                    raise
        raise AssertionError("unreachable")

    def _wait(self, session: Session, marker: str, deadline: float) -> bool:
        """Wait for the end; whatever else happens, the command does not run on unnoticed."""
        self._left_over.add(marker)
        try:
            in_time = session.wait(deadline)
        except ConnectionError:
            raise  # what was left there is killed by the watch, or with the next connection
        except BaseException:
            with suppress(Exception):
                self._kill([marker], session.pid)
                self._left_over.discard(marker)
            raise
        if not in_time:
            self._kill([marker], session.pid)
        self._left_over.discard(marker)
        return in_time

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device; `local` is either whole or untouched.

        Raises:
            DeviceError: There is no such file, or it cannot be read or written.
        """
        with ssh_files.replaced(self.name, local) as temporary, self._lock:
            session, in_time = self._execute(
                ["cat", "--", remote], None, time.monotonic() + PULL_S, target=temporary
            )
            if not in_time:
                raise DeviceTimeoutError(self.name, f"{remote}: pulling it took more than {PULL_S:.0f} s")
            if session.exit_code != 0:
                reason = session.errors().strip().rpartition(": ")[2] or f"exit code {session.exit_code}"
                raise DeviceError(self.name, f"{remote}: cannot be pulled ({reason})")

    def pull_folder(self, remote: str, names: Sequence[str], local: Path) -> None:
        """Copy some files of a folder there into a folder here, in one round trip, and remove the folder there.

        Args:
            remote: The folder there.
            names: Files in it; what is not there is not copied.
            local: The folder here.

        Raises:
            DeviceError: It could not be read or written.
        """
        argv = ["sh", "-c", ssh_files.PACK, "sh", remote, *names]
        with ssh_files.unpacked(self.name, local, names) as archive, self._lock:
            session, in_time = self._execute(argv, None, time.monotonic() + PULL_S, target=archive)
            if not in_time or session.exit_code != 0:
                raise DeviceError(
                    self.name, f"{remote}: its files cannot be pulled ({session.errors().strip()})"
                )

    def shell(self, script: str, timeout_s: float = 60.0) -> str:
        """Run a script of the device's shell and return its standard output.

        Raises:
            DeviceError: It did not end with 0 in time.
        """
        return output_of(self, script, timeout_s)

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths on the device, in one round trip.

        Raises:
            DeviceError: The device's reason.
        """
        with self._lock, self._using("push") as link:
            code, said = link.unpack(lambda stream: ssh_files.write_tar(stream, files, self.name))
            if code is None:
                raise ConnectionAbortedError(said.strip() or "the connection ended during the transfer")
        if code != 0:
            raise DeviceError(self.name, self._why_unwritten(said, files))

    def _why_unwritten(self, said: str, files: Sequence[tuple[Path, str]]) -> str:
        reason = ssh_files.reason(said)
        if "Wrote only" in said:
            tried = self.run(["sh", "-c", ssh_files.TRY, "sh", f"{files[0][1]}.try"], timeout_s=KILL_S)
            reason = ssh_files.reason(tried.stderr) if tried.exit_code != 0 else reason
        return f"{reason} (while {len(files)} file(s) were sent)"

    def forget(self) -> None:
        """Remove everything that was ever pushed to the device."""
        with self._lock:
            self.shell(f"cd {shlex.quote(self.root)} 2>/dev/null && rm -rf images runs; exit 0", FORGET_S)
            self._content().forget()

    def close(self) -> None:
        """Let go of the device."""
        with self._lock:
            self._drop()

    def _content(self) -> ContentStore:
        if self._store is None:
            self._store = ContentStore(self, self.root)
        return self._store

    def _at_home(self, path: str) -> str:
        if not path.startswith("~/"):
            return path
        with self._lock, self._using("connect") as link:
            return f"{link.home.rstrip('/')}/{path[2:]}"

    @contextmanager
    def _using(self, what: str, argv: Sequence[str] = ()) -> Iterator[Link]:
        """Give the connection; one that failed is not used again."""
        try:
            yield self._connected()
        except ConnectionError as error:
            found = self._why_lost(what, str(error), argv)
            self._drop(at_once=True)
            raise found from error
        except (DeviceLostError, DeviceTimeoutError):
            self._drop(at_once=True)
            raise

    def _why_lost(self, what: str, said: str, argv: Sequence[str]) -> DeviceError:
        if "Session open refused by peer" in said:
            return DeviceError(self.name, f"{what}: {ssh_errors.FEW_SESSIONS}", argv)
        detail, text = "", f"{what}: {ssh_errors.last_words(said.splitlines())}"
        if self._link is not None:
            with suppress(Exception):
                detail = str(self._link.why_gone()).removeprefix(f"{self.name}: ")
        return DeviceLostError(self.name, f"{text}{f' ({detail})' if detail else ''}", argv)

    def _connected(self) -> Link:
        if self._link is not None and self._link.gone():
            self._drop()
        if self._link is None:
            self._link = Link(self.name, self.address)
            self._kill_orphans(self._link)
        return self._link

    def _drop(self, *, at_once: bool = False) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._trips += link.opened
            with suppress(Exception):
                link.close(at_once=at_once)

    def _kill_orphans(self, link: Link) -> None:
        """Kill what an earlier connection or a process that is no more left running there."""
        left_over = [m for m in link.running if m in self._left_over or orphans.is_orphan(m)]
        if left_over:
            self._kill(left_over, None)
        self._left_over.clear()

    def _kill(self, markers: Sequence[str], pid: int | None) -> None:
        """Kill by the connection as it is.

        Raises:
            DeviceTimeoutError: The board does not answer.
        """
        assert self._link is not None
        script = orphans.kill_script(markers, [pid] if pid else [])
        session = self._link.session(run_script(["sh", "-c", script], None, OWN), OWN)
        if not session.wait(time.monotonic() + KILL_S):
            raise DeviceTimeoutError(self.name, "the device does not answer any more")
