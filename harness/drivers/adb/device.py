"""Android phones over ADB: TCP, USB, or an adb server that runs already."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.drivers import orphans
from harness.drivers.adb import sync as adb_sync
from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.errors import translated
from harness.drivers.adb.link import Link
from harness.drivers.adb.run import Command, Execution
from harness.drivers.adb.transport import is_timeout
from harness.drivers.base import Completed, DeviceInfo, OnLine
from harness.drivers.content import ContentStore
from harness.drivers.shell import NOT_STARTED, CallbackError, output_of
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

ROOT = "/data/local/tmp/ondevice-harness"
"""The folder that adb may write to, and run programs from, on every phone."""
DESCRIBE_S = 20.0
KILL_S = 5.0


class AdbDevice:
    """A phone behind the device protocol. One object has one connection and does one thing at a time.

    It connects when it is first used, and again after the connection was lost.

    Args:
        name: How the user names it.
        serial: Serial of a phone on USB or at an adb server.
        host: Host of an adbd that listens on TCP (instead of a serial).
        port: Its port.
        root: Folder on the device for everything that is pushed.
        keys: RSA signers; None for the user's own key.
        auth_timeout_s: How long somebody may take to tap "Allow".
        open_link: How to connect; for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        serial: str = "",
        host: str = "",
        port: int = 5555,
        root: str = ROOT,
        keys: Sequence[Any] | None = None,
        auth_timeout_s: float = 30.0,
        open_link: Callable[[], Link] | None = None,
    ) -> None:
        self.name = name
        self.address = Address(serial, host, port)
        self.root = root
        self._open_link = open_link or (lambda: connect(self.address, keys, auth_timeout_s))
        self._link: Link | None = None
        self._lock = threading.RLock()
        self._store = ContentStore(self, root)
        self._left_over: set[str] = set()
        self._trips = 0

    @property
    def round_trips(self) -> int:
        """Services opened so far: what a slow link makes one wait for, not counting data."""
        with self._lock:
            return self._trips + (self._link.opened if self._link else 0)

    def describe(self) -> DeviceInfo:
        """Return what the phone tells of itself, in one round trip.

        Raises:
            DeviceError: It cannot be reached.
        """
        from harness.drivers.adb import facts as phone
        from harness.drivers.adb.describe import info

        facts = phone.parse(self.shell(phone.SCRIPT, DESCRIBE_S))
        return info(self.name, str(self.address), facts)

    def push(self, files: Sequence[Path]) -> tuple[str, ...]:
        """Make files available by content and return their paths there; all of them executable.

        One round trip when everything is there already, three when not.

        Raises:
            DeviceError: The reason given by the device (no space, read-only, gone).
        """
        with self._lock:
            return self._store.push(files)

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
        command = Command(tuple(argv), env, orphans.new_marker(), self.root)
        try:
            with self._lock:
                execution, in_time = self._execute(command, on_line, begin + timeout_s)
                stdout, stderr = execution.output()
        except CallbackError as error:
            raise error.__cause__ or error from None
        if execution.exit_code == 127 and stderr.startswith(NOT_STARTED):
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: no such program there", argv, 127)
        exit_code = execution.exit_code if in_time else -9
        return Completed(tuple(argv), exit_code, stdout, stderr, time.monotonic() - begin, not in_time)

    def _execute(self, command: Command, on_line: OnLine | None, deadline: float) -> tuple[Execution, bool]:
        """Run a command; once more where the connection turns out to have been dead before it was taken."""
        used_before = self._link is not None
        execution: Execution | None = None
        try:
            with self._using(f"run {command.argv[0]!r}", command.argv) as link:
                execution = Execution(link, command, on_line)
                return execution, self._wait(execution, command, deadline)
        except DeviceLostError:
            if not used_before or execution is None or execution.taken:
                raise
        with self._using(f"run {command.argv[0]!r}", command.argv) as link:
            execution = Execution(link, command, on_line)
            return execution, self._wait(execution, command, deadline)

    def _wait(self, execution: Execution, command: Command, deadline: float) -> bool:
        """Wait for the end; whatever else happens, the command does not run on unnoticed."""
        self._left_over.add(command.marker)
        try:
            in_time = execution.wait(deadline)
        except BaseException as error:
            if not isinstance(error, OSError) and not is_timeout(error):
                self._kill_quietly(command, execution.pid)
            raise  # where the connection is gone, what was left there is killed with the next one
        if not in_time:
            self._kill([command.marker], [execution.pid] if execution.pid else [])
        self._left_over.discard(command.marker)
        return in_time

    def _kill_quietly(self, command: Command, pid: int | None) -> None:
        try:
            self._kill([command.marker], [pid] if pid else [])
            self._left_over.discard(command.marker)
        except Exception:
            self._drop()  # it is killed as soon as the device is back

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device; `local` is either whole or untouched.

        Raises:
            DeviceError: There is no such file, or it cannot be read or written.
        """
        self.pull_all([(remote, local)])

    def pull_all(self, files: Sequence[tuple[str, Path]]) -> None:
        """Copy several files, each whole or untouched.

        Raises:
            DeviceError: A file cannot be read or written; those before it are there.
        """
        for remote, local in files:
            temporary = local.with_name(f".{local.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
            try:
                with self._lock, self._using("pull") as link, _local_file(self.name, temporary) as target:
                    adb_sync.receive(link, remote, target)
                temporary.replace(local)
            except OSError as error:
                raise DeviceError(
                    self.name, f"{local}: cannot be written ({error.strerror or error})"
                ) from error
            finally:
                temporary.unlink(missing_ok=True)

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
            adb_sync.send(link, files)

    def forget(self) -> None:
        """Remove everything that was ever pushed to the device."""
        with self._lock:
            self._store.forget()

    def close(self) -> None:
        """Let go of the device."""
        with self._lock:
            self._drop()

    @contextmanager
    def _using(self, what: str, argv: Sequence[str] = ()) -> Iterator[Link]:
        """Give the connection; one that failed is not used again."""
        try:
            with translated(self.name, what, argv):
                yield self._connected()
        except (DeviceLostError, DeviceTimeoutError):
            self._drop()
            raise

    def _connected(self) -> Link:
        if self._link is not None and self._link.gone():
            self._drop()
        if self._link is None:
            self._link = self._open_link()
            self._kill_orphans()
        return self._link

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._trips += link.opened
            with suppress(Exception):
                link.close()

    def _kill_orphans(self) -> None:
        """Kill what an earlier connection or a process that is no more left running there."""
        found = orphans.parse_list(self._script(orphans.LIST_SCRIPT))
        left_over = [marker for marker in found if marker in self._left_over or orphans.is_orphan(marker)]
        if left_over:
            self._kill(left_over, [])
        self._left_over.clear()

    def _kill(self, markers: Sequence[str], pids: Sequence[int]) -> None:
        self._script(orphans.kill_script(markers, pids))

    def _script(self, script: str) -> str:
        """Run a short script on the connection as it is."""
        assert self._link is not None
        execution = Execution(self._link, Command(["sh", "-c", script], None, "own", self.root), None)
        if not execution.wait(time.monotonic() + KILL_S):
            raise TimeoutError("the device does not answer")
        return execution.output()[0]


@contextmanager
def _local_file(device: str, path: Path) -> Iterator[Any]:
    """Open a file of this computer; trouble with it is not mistaken for trouble with the device."""
    try:
        file = path.open("wb")
    except OSError as error:
        raise DeviceError(device, f"{path.parent}: cannot be written ({error.strerror})") from error
    with file:
        yield file
