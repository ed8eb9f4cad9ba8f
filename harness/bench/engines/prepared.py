"""Workers of this computer, forked by a process that is ready (`harness.worker.prepared`): on Linux.

One such process serves all threads of the harness, for as long as a run lasts. It ends with the harness, however that
ends: its socket closes.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

from harness.child_process import Completed, OnLine, wait_for
from harness.paths import working_folder
from harness.worker.prepared import READ_AT_START

MODULE = "harness.worker.prepared"
_LOAD_TIMEOUT_S = 60.0


class NotPreparedError(Exception):
    """No prepared process is to be had here: the worker is started in the usual way."""


class PreparedWorkers:
    """A process that forks workers, started when it is first wanted.

    Args:
        environment: Its variables, and its workers'.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._jobs = count(1)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self.environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._requests, self._parent = ours, os.getpid()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has died; it is the process's own to ask, and no fork's."""
        return self._parent == os.getpid() and self._process.poll() is not None

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Whether it lives, is this process's own, and was started with what these variables set at a start."""
        alive = self._parent == os.getpid() and self._process.poll() is None
        return alive and _at_start(environment) == _at_start(self.environment)

    def start(self, job: Path, kind: str, environment: Mapping[str, str]) -> Forked:
        """Fork a worker for a job of some kind.

        Raises:
            NotPreparedError: None came.
        """
        number, (out, child_out), (err, child_err), (fate, child_fate) = (
            next(self._jobs),
            *(os.pipe() for _ in range(3)),
        )
        try:
            request = {
                "job": number,
                "kind": kind,
                "path": str(job),
                "folder": str(working_folder()),
                "variables": dict(environment),
            }
            socket.send_fds(
                self._requests, [json.dumps(request).encode()], [child_out, child_err, child_fate]
            )
        except OSError as error:
            for descriptor in (out, err, fate):
                os.close(descriptor)
            raise NotPreparedError(str(error)) from error
        finally:
            for descriptor in (child_out, child_err, child_fate):
                os.close(descriptor)
        return Forked(self, number, out, err, fate)

    def load(self, kind: str) -> None:
        """Wait until jobs of a kind can be forked, or until this has failed: then it fails again when one is wanted."""
        loaded, told = os.pipe()
        try:
            with suppress(OSError):
                socket.send_fds(self._requests, [json.dumps({"load": kind}).encode()], [told])
            os.close(told)
            poll = select.poll()
            poll.register(loaded, select.POLLIN)
            poll.poll(1000 * _LOAD_TIMEOUT_S)
        finally:
            os.close(loaded)

    def end(self, number: int) -> None:
        """Kill the worker of a job, with whatever it left."""
        with suppress(OSError):  # it has ended, and its workers with it
            self._requests.send(json.dumps({"end": number}).encode())

    def close(self) -> None:
        """End it, and all of its workers."""
        self._requests.close()
        self._process.wait()


class Forked:
    """A worker that was forked, as `child_process.wait_for` takes it."""

    def __init__(self, workers: PreparedWorkers, number: int, out: int, err: int, fate: int) -> None:
        self._workers, self._number, self._fate, self._told = workers, number, fate, b""
        self.stdout: IO[str] | None = _text(out)
        self.stderr: IO[str] | None = _text(err)
        self.returncode: int | None = None
        self._poll = select.poll()
        self._poll.register(fate, select.POLLIN)
        try:
            begun = self._hear(1, time.monotonic() + _LOAD_TIMEOUT_S)
        except BaseException:
            self.kill_group()  # one that is forked after all must not run beside its substitute
            self._close()
            raise
        if not begun:
            self._close()
            raise NotPreparedError("it forked no worker")

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end: its exit status, or None where the process that forked it died, and it with it.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        if self._fate >= 0:
            until = None if timeout is None else time.monotonic() + timeout
            if self._hear(2, until):
                self.returncode = int(self._told.split()[1])
            os.close(self._fate)
            self._fate = -1
        return self.returncode

    def kill_group(self) -> None:
        """Kill it and whatever it left in its group."""
        if self._fate >= 0:
            self._workers.end(self._number)

    def _close(self) -> None:
        for stream in filter(None, (self.stdout, self.stderr)):
            stream.close()
        os.close(self._fate)
        self._fate = -1

    def _hear(self, lines: int, until: float | None) -> bool:
        """Read what is told of its fate until so many lines are there; False when nobody is left to tell."""
        while self._told.count(b"\n") < lines:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._poll.poll(None if left is None else math.ceil(1000 * left)):
                raise subprocess.TimeoutExpired(MODULE, left or 0.0)
            heard = os.read(self._fate, 64)
            if not heard:
                return False
            self._told += heard
        return True


class Shared:
    """The prepared process of this one, how many want it, and the lock under which it is started and ended."""

    lock = threading.Lock()
    workers: PreparedWorkers | None = None
    wanted_by = 0


@contextmanager
def ready(environment: Mapping[str, str]) -> Iterator[None]:
    """Have a process ready that forks workers, from here on; where there can be none, they are started as usual.

    Its loading goes on in the background. It ends when the last who wants it is through, or with this process.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    with Shared.lock:
        Shared.wanted_by += 1
        if Shared.workers is not None and Shared.workers.has_ended:
            Shared.workers.close()
            Shared.workers = None
        if Shared.workers is None:
            with suppress(OSError):
                Shared.workers = PreparedWorkers(environment)
    try:
        yield
    finally:
        with Shared.lock:
            Shared.wanted_by -= 1
            if Shared.workers is not None and not Shared.wanted_by:
                Shared.workers.close()
                Shared.workers = None


def load(kind: str) -> None:
    """Have what jobs of a kind need loaded before the first is wanted, where a process is prepared."""
    workers = Shared.workers
    if workers is not None:
        workers.load(kind)


def run(
    argv: Sequence[str],
    job: Path,
    kind: str,
    environment: Mapping[str, str],
    timeout_s: float,
    on_line: OnLine | None,
) -> Completed:
    """Carry out a job in a worker that is forked.

    Args:
        argv: The command that would start it in the usual way, for messages.
        job: Its file.
        kind: Its kind: what a worker needs for it is loaded before the fork.
        environment: All of its variables.
        timeout_s: Its group is killed after so many seconds.
        on_line: Is given each line of its standard output.

    Raises:
        NotPreparedError: There is no prepared process, or it forks none.
    """
    begin, workers = time.monotonic(), Shared.workers
    if workers is None or not workers.serves(environment):
        raise NotPreparedError("no process is prepared")
    try:
        child = workers.start(job, kind, environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotPreparedError(str(error)) from error
    return wait_for(child, tuple(argv), begin, timeout_s, on_line)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def _text(descriptor: int) -> IO[str]:
    return os.fdopen(descriptor, encoding="utf-8", errors="replace")
