"""A process beside this one: its whole group is killed when its time is up, and what it prints is heard at once.

Modules of this package that run so (`python -m harness.…`) say what they have to say in events: one JSON object on a
line of standard output, behind a mark that nothing else prints. They can crash, use all memory or print what they like.
Standard library only: boards import this too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from harness.errors import JobError

OnLine = Callable[[str], None]
"""Called with each line of standard output as it arrives, without its line end."""
OnEvent = Callable[[dict[str, Any]], None]
RECORD_SEPARATOR = "\x1e"
SILENCE_S, MOST_WAITS = 5.0, 24
"""How long the streams of a process that ended may be silent until nothing more is expected, and how often."""


@dataclass(frozen=True)
class Completed:
    """A command that ended.

    Attributes:
        argv: The command.
        exit_code: Its exit code; negative for a signal; None when the connection was lost before it was
            known.
        stdout: Standard output.
        stderr: Standard error.
        duration_s: Wall time in seconds.
        timed_out: True when it was killed because its time was up.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str
    stderr: str
    duration_s: float
    timed_out: bool = False

    @property
    def signal(self) -> int | None:
        """The number of the signal that it died of; None where it ended by itself."""
        return -self.exit_code if self.exit_code is not None and self.exit_code < 0 else None


@dataclass
class Answer:
    """What a module that ran in a process of its own told, and how it ended.

    Attributes:
        ended: Its end.
        events: The last event of each name.
        last: The last event of all; empty without any.
    """

    ended: Completed
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)


def ask(
    module: str, *arguments: str | Path, timeout_s: float, on_event: OnEvent = lambda event: None
) -> Answer:
    """Run a module of this package in a process of its own and hear what it tells.

    Args:
        module: Its dotted name.
        arguments: Of its command line.
        timeout_s: It is killed after so many seconds.
        on_event: Is given each event as it arrives.

    Raises:
        JobError: No process could be started.
    """
    heard: list[dict[str, Any]] = []

    def on_line(line: str) -> None:
        event = parse_event(line)
        if event is not None:
            heard.append(event)
            on_event(event)

    argv = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        ended = run(argv, timeout_s=timeout_s, on_line=on_line, env=environment())
    except (OSError, ValueError) as error:
        raise JobError(f"cannot start {argv[0]!r}: {error}") from error
    return Answer(ended, {str(event["event"]): event for event in heard}, heard[-1] if heard else {})


def emit(event: str, **facts: Any) -> None:
    """Tell the parent something, also where `sys.stdout` was given to a noisy library."""
    stream = sys.__stdout__ or sys.stdout
    stream.write(f"{RECORD_SEPARATOR}{json.dumps({'event': event, **facts})}\n")
    stream.flush()


def parse_event(line: str) -> dict[str, Any] | None:
    """Return the event on a line of a child's output, or None for anything else (a runtime may print there too)."""
    if not line.startswith(RECORD_SEPARATOR):
        return None
    try:
        event = json.loads(line[1:])
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def environment() -> dict[str, str]:
    """Return what makes a child import this very package, whatever the working folder holds."""
    package_parent = str(Path(__file__).resolve().parent.parent)
    paths = [package_parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    on_line: OnLine | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command in a process group of its own; after `timeout_s` seconds the whole group is killed.

    Args:
        argv: The command.
        timeout_s: How long it may take.
        on_line: Is given each line of its standard output.
        env: Added to this process's environment.

    Raises:
        OSError: It could not be started.
        ValueError: Nor can it ever be: an argument holds a NUL.
    """
    begin = time.monotonic()
    child = _GroupLeader(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )
    return wait_for(child, tuple(argv), begin, timeout_s, on_line)


class Child(Protocol):
    """A process that was started, in a group of its own."""

    stdout: IO[str] | None
    stderr: IO[str] | None
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it ended, or raise `subprocess.TimeoutExpired` after so many seconds."""

    def kill_group(self) -> None:
        """Kill it and whatever it left in its group; nothing where there is nothing."""


class _GroupLeader(subprocess.Popen[str]):
    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def wait_for(
    child: Child, argv: tuple[str, ...], begin: float, timeout_s: float, on_line: OnLine | None
) -> Completed:
    """Hear a process to its end, or kill its group when its time is up.

    Args:
        child: The process.
        argv: The command, for the answer.
        begin: When it was started, on the monotonic clock.
        timeout_s: How long it may take from then on.
        on_line: Is given each line of its standard output.
    """
    output: list[str] = []
    errors: list[str] = []
    readers = [
        _reader(child.stdout, output, on_line),
        _reader(child.stderr, errors, None),
    ]
    timed_out = False
    try:
        child.wait(max(0.0, timeout_s - (time.monotonic() - begin)))
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        # Also on Ctrl-C, and also what the command itself left behind: nothing of it may run on.
        child.kill_group()
        child.wait()
        for reader, lines in zip(readers, (output, errors), strict=True):
            hear_out(reader, lines)
    return Completed(
        argv, child.returncode, "".join(output), "".join(errors), time.monotonic() - begin, timed_out
    )


def hear_out(reader: threading.Thread, lines: list[str]) -> None:
    """Wait until all is read that was written; what holds a stream open and says nothing more is not waited for."""
    for _ in range(MOST_WAITS):
        heard = len(lines)
        reader.join(SILENCE_S)
        if not reader.is_alive() or len(lines) == heard:
            return


def _reader(stream: IO[str] | None, lines: list[str], on_line: OnLine | None) -> threading.Thread:
    def read() -> None:
        if stream is None:
            return
        with stream:
            for line in stream:
                lines.append(line)
                if on_line is not None:
                    on_line(line.rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
