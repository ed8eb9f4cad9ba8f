"""Devices that are reached through a shell over a connection: phones and boards."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from harness.drivers import orphans
from harness.drivers.base import Completed, DeviceInfo, OnLine
from harness.drivers.content import LIMIT_BYTES, ContentStore
from harness.drivers.conversation import Conversation
from harness.drivers.shell import NOT_STARTED, CallbackError, TooMuchOutputError, shell_output
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

OWN = "own"
"""Marks what the driver itself runs on a device."""
WORK_FOLDERS = tuple(f"{base}/harness-run-*" for base in ("/data/local/tmp", '"${TMPDIR:-/tmp}"', '"$HOME"'))
"""Folders of runs, as patterns of the shell; one that was killed could not remove its own."""
KILL_S = 4.0
"""How long the device is given to kill what does not end in time."""


class DeviceLink(Protocol):
    """A connection to a device."""

    opened: int
    """Round trips so far, not counting data."""

    def gone(self) -> bool:
        """Return whether the other side is known to have hung up."""

    def close(self) -> None:
        """Let go of the device."""


class Execution(Protocol):
    """A command on a device, and its output so far."""

    @property
    def taken(self) -> bool:
        """Whether the device has begun with it."""

    @property
    def pid(self) -> int | None:
        """Process id there, which is its process group as well."""

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while unknown."""

    def wait(self, deadline: float) -> bool:
        """Listen to the end; return False when the time was up first."""

    def output(self) -> tuple[str, str]:
        """Return stdout and stderr so far."""


class Speech(Protocol):
    """A command that is written to while it is heard, on a connection; see `Conversation`."""

    @property
    def pid(self) -> int | None:
        """Process id there, which is its process group as well."""

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while unknown."""

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""

    def send(self, data: bytes, deadline: float) -> bool:
        """Write to its standard input; return whether all was taken in time."""

    def receive(self, deadline: float) -> bytes | None:
        """Return what it said since; `b""` at its end, None when nothing came in time."""

    def finish(self) -> None:
        """End its standard input."""

    def close(self) -> None:
        """Let go of it; it is not touched."""


L = TypeVar("L", bound=DeviceLink)
Start = Callable[[L, str], Execution]
"""Starts a command on a connection, with the marker that it is found by if it outlives us."""


class ShellDevice(ABC, Generic[L]):
    """A device behind the device protocol. One object has one connection and does one thing at a time.

    It connects when it is first used, and again after the connection was lost. A subclass says how to connect, to
    start a command and to copy files.
    """

    def __init__(self, name: str, keep_bytes: int = LIMIT_BYTES) -> None:
        self.name = name
        self._keep_bytes = keep_bytes
        self._link: L | None = None
        self._lock = threading.RLock()
        self._store: ContentStore | None = None
        self._left_over: set[str] = set()
        self._trips = 0

    @property
    @abstractmethod
    def spelling(self) -> str:
        """How `--device` takes it."""

    @property
    @abstractmethod
    def root(self) -> str:
        """The folder for everything that is pushed, as an absolute path there."""

    @abstractmethod
    def describe(self) -> DeviceInfo:
        """Return the facts about it now."""

    @abstractmethod
    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device; `local` is either whole or untouched."""

    @abstractmethod
    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths on the device, in one round trip."""

    @abstractmethod
    def _connect(self) -> L:
        """Make a connection."""

    @abstractmethod
    def _start(
        self,
        link: L,
        marker: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Execution:
        """Start a command."""

    @abstractmethod
    def _speak(self, link: L, marker: str, argv: Sequence[str], env: Mapping[str, str] | None) -> Speech:
        """Start a command that is written to while it is heard."""

    @abstractmethod
    def _running(self, link: L) -> Sequence[str]:
        """Return the markers of what runs there right after the connection was made."""

    @abstractmethod
    def _translated(self, what: str, argv: Sequence[str]) -> AbstractContextManager[None]:
        """Raise whatever goes wrong with the connection inside as a DeviceError."""

    @abstractmethod
    def _is_lost(self, error: BaseException) -> bool:
        """Return whether an error means that nothing can be done on the connection any more."""

    def _new_marker(self, link: L) -> str:
        """Return the marker of one run."""
        return orphans.new_marker()

    def _hang_up(self, link: L, *, at_once: bool) -> None:
        """Close a connection; with `at_once`, nothing is waited for."""
        link.close()

    @property
    def round_trips(self) -> int:
        """Round trips so far, not counting data: a slow link makes one wait for each."""
        with self._lock:
            return self._trips + (self._link.opened if self._link else 0)

    def push(self, files: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Make files available by content and return their paths there; all of them executable.

        One round trip when everything is there already, three when not.

        Raises:
            DeviceError: The reason given by the device (no space, read-only, gone).
        """
        with self._lock:
            return self._content().push(files, room)

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

        def start(link: L, marker: str) -> Execution:
            return self._start(link, marker, argv, env, on_line)

        try:
            with self._lock:
                execution, in_time = self._execute(start, argv, begin + timeout_s)
                stdout, stderr = execution.output()
        except CallbackError as error:
            raise error.__cause__ or error from None
        except TooMuchOutputError as error:
            raise DeviceError(self.name, f"run {argv[0]!r}: {error}", argv) from error
        if execution.exit_code == 127 and stderr.startswith(NOT_STARTED):
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: no such program there", argv, 127)
        exit_code = execution.exit_code if in_time else -9
        return Completed(tuple(argv), exit_code, stdout, stderr, time.monotonic() - begin, not in_time)

    @contextmanager
    def converse(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Iterator[Conversation]:
        """Start a command that is written to while it is heard; what still runs at the end of the block is killed.

        Raises:
            DeviceLostError: The device went away.
            DeviceError: There is no such program there, or the device is too old.
        """
        with self._lock:
            marker, speech = self._begun(argv, env)
            try:
                yield GuardedConversation(self, speech, argv)
            finally:
                self._part(marker, speech)

    def _begun(self, argv: Sequence[str], env: Mapping[str, str] | None) -> tuple[str, Speech]:
        with self._using(f"run {argv[0]!r}", argv) as link:
            marker = self._new_marker(link)
            self._left_over.add(marker)
            return marker, self._speak(link, marker, argv, env)

    def _part(self, marker: str, speech: Speech) -> None:
        """Close a conversation; where the connection is lost, what runs on is killed with the next one."""
        with suppress(Exception):
            speech.close()
        if self._link is None:
            return
        if speech.exit_code is None:
            self._kill_quietly(marker, speech.pid)
        else:
            self._left_over.discard(marker)

    def shell(self, script: str, timeout_s: float = 60.0) -> str:
        """Run a script of the device's shell and return its standard output.

        Raises:
            DeviceError: It did not end with 0 in time.
        """
        return shell_output(self, script, timeout_s)

    def clean(self) -> int:
        """Remove everything that the harness keeps or left on the device, and return the bytes that it took.

        Raises:
            DeviceError: Something is being measured there.
        """
        with self._lock:
            mine = orphans.new_marker().rpartition(":")[0]
            running = orphans.parse_list(self.shell(f"{orphans.LIST_SCRIPT}; exit 0"))
            others = [one for one in running if one != OWN and not one.startswith(f"{mine}:")]
            if others:
                raise DeviceError(
                    self.name,
                    "another harness is measuring on it: what it needs is not removed, wait for its end",
                )
            return self._content().clean(WORK_FOLDERS)

    def forget(self) -> None:
        """Remove everything that was ever pushed to the device."""
        with self._lock:
            self._content().forget()

    def close(self) -> None:
        """Let go of the device."""
        with self._lock:
            self._drop()

    def _content(self) -> ContentStore:
        if self._store is None:
            self._store = ContentStore(self, self.root, self._keep_bytes)
        return self._store

    def _execute(self, start: Start[L], argv: Sequence[str], deadline: float) -> tuple[Execution, bool]:
        """Run a command; once more where the connection turns out to have been dead before it was taken.

        Returns:
            The execution, and whether it came to its end in time.
        """
        for attempt in (1, 2):
            used_before = self._link is not None
            execution: Execution | None = None
            try:
                with self._using(f"run {argv[0]!r}", argv) as link:
                    marker = self._new_marker(link)
                    execution = start(link, marker)
                    return execution, self._wait(execution, marker, deadline)
            except DeviceLostError:
                if attempt == 2 or not used_before or execution is None or execution.taken:
                    raise
        raise AssertionError("unreachable")

    def _wait(self, execution: Execution, marker: str, deadline: float) -> bool:
        """Wait for the end; whatever else happens, the command does not run on unnoticed."""
        self._left_over.add(marker)
        try:
            in_time = execution.wait(deadline)
        except BaseException as error:
            if not self._is_lost(error):
                self._kill_quietly(marker, execution.pid)
            raise  # where the connection is gone, what was left there is killed with the next one
        if not in_time:
            self._kill([marker], execution.pid)
        self._left_over.discard(marker)
        return in_time

    @contextmanager
    def _using(self, what: str, argv: Sequence[str] = ()) -> Iterator[L]:
        """Give the connection; one that failed is not used again."""
        with self.guarded(what, argv):
            yield self._connected()

    @contextmanager
    def guarded(self, what: str, argv: Sequence[str] = ()) -> Iterator[None]:
        """Raise whatever goes wrong with the connection as a DeviceError, and drop the connection then."""
        try:
            with self._translated(what, argv):
                yield
        except (DeviceLostError, DeviceTimeoutError):
            self._drop(at_once=True)
            raise

    def _connected(self) -> L:
        if self._link is not None and self._link.gone():
            self._drop()
        if self._link is None:
            self._link = self._connect()
            self._kill_orphans(self._link)
        return self._link

    def _drop(self, *, at_once: bool = False) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._trips += link.opened
            with suppress(Exception):
                self._hang_up(link, at_once=at_once)

    def _kill_orphans(self, link: L) -> None:
        """Kill what an earlier connection or a process that is no more left running there."""
        running = self._running(link)
        left_over = [marker for marker in running if marker in self._left_over or orphans.is_orphan(marker)]
        if left_over:
            self._kill(left_over, None)
        self._left_over.clear()

    def _kill(self, markers: Sequence[str], pid: int | None) -> None:
        self._script(orphans.kill_script(markers, [pid] if pid else []))

    def _kill_quietly(self, marker: str, pid: int | None) -> None:
        try:
            self._kill([marker], pid)
            self._left_over.discard(marker)
        except Exception:
            self._drop(at_once=True)  # it is killed as soon as the device is back

    def _script(self, script: str) -> str:
        """Run a short script on the connection as it is.

        Raises:
            DeviceTimeoutError: The device does not answer.
        """
        assert self._link is not None
        execution = self._start(self._link, OWN, ["sh", "-c", script])
        if not execution.wait(time.monotonic() + KILL_S):
            raise DeviceTimeoutError(self.name, "the device does not answer any more")
        return execution.output()[0]


class GuardedConversation:
    """A conversation whose errors are the device's."""

    def __init__(self, device: ShellDevice[L], speech: Speech, argv: Sequence[str]) -> None:
        self._device, self._speech, self._argv = device, speech, argv
        self._what = f"speak with {argv[0]!r}"

    @property
    def exit_code(self) -> int | None:
        """Exit code; a signal N is 128 + N."""
        return self._speech.exit_code

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""
        return self._speech.errors

    def send(self, data: bytes, timeout_s: float) -> bool:
        """Write to its standard input."""
        with self._device.guarded(self._what, self._argv):
            return self._speech.send(data, time.monotonic() + timeout_s)

    def receive(self, timeout_s: float) -> bytes | None:
        """Return what it said since.

        Raises:
            DeviceError: There is no such program there.
        """
        with self._device.guarded(self._what, self._argv):
            data = self._speech.receive(time.monotonic() + timeout_s)
        if data == b"" and self.exit_code == 127 and self.errors.startswith(NOT_STARTED):
            message = f"cannot start {self._argv[0]!r}: no such program there"
            raise DeviceError(self._device.name, message, self._argv, 127)
        return data

    def finish(self) -> None:
        """End its standard input."""
        with self._device.guarded(self._what, self._argv):
            self._speech.finish()
