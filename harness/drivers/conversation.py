"""Commands that are written to while they are heard: a stream of bytes both ways."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

from harness.drivers.base import Device

READ_BYTES, WRITE_BYTES = 1 << 18, 1 << 16
MOST_ERRORS = 4_000_000
"""What a command prints on standard error beyond so many bytes is dropped: its first words say what matters."""


class Conversation(Protocol):
    """A running command; one thread at a time speaks with it."""

    @property
    def exit_code(self) -> int | None:
        """Its exit code, known once `receive` gave the end of its output."""

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""

    def send(self, data: bytes, timeout_s: float) -> bool:
        """Write to its standard input; what it says meanwhile is kept, and what it can take no more is dropped.

        Returns:
            Whether all was taken in time.

        Raises:
            DeviceLostError: The device went away.
        """

    def receive(self, timeout_s: float) -> bytes | None:
        """Return what it said since: `b""` at the end of its output, None when nothing came in time.

        Raises:
            DeviceLostError: The device went away.
        """

    def finish(self) -> None:
        """End its standard input."""


class StreamDevice(Device, Protocol):
    """A device whose commands can be written to while they are heard."""

    def converse(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Conversation]:
        """Start a command; it is killed, with all its children, where it still runs at the end of the block.

        Raises:
            DeviceError: There is no such program, or the device cannot do this.
        """


class Pipes:
    """The three pipes of a process: written to and read by one thread, so that neither side waits for the other.

    Args:
        process: It was started with all three of them.
        on_output: Is given what comes from standard output.
        on_errors: Is given what comes from standard error.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        on_output: Callable[[bytes], None],
        on_errors: Callable[[bytes], None],
    ) -> None:
        assert process.stdin is not None
        self._input: IO[bytes] = process.stdin
        self._selector = selectors.DefaultSelector()
        for stream, take in ((process.stdout, on_output), (process.stderr, on_errors)):
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ, take)
        os.set_blocking(self._input.fileno(), False)

    @property
    def ended(self) -> bool:
        """Whether both of its outputs are at their end."""
        return not any(key.data is not None for key in self._selector.get_map().values())

    def write(self, data: bytes, deadline: float) -> bool:
        """Write all of `data`, reading what comes; return whether it was taken, or can be taken no more, in time."""
        if self._input.closed:
            return True
        left = memoryview(data)
        self._selector.register(self._input, selectors.EVENT_WRITE, None)
        try:
            while left:
                if time.monotonic() >= deadline:
                    return False
                if self.turn(deadline):
                    left = left[self._written(left) :]
        finally:
            self._selector.unregister(self._input)
        return True

    def turn(self, deadline: float) -> bool:
        """Wait until something can be read or written, and read it; return whether something can be written."""
        writable = False
        for key, _ in self._selector.select(max(deadline - time.monotonic(), 0.0)):
            if key.data is None:
                writable = True
                continue
            data = os.read(key.fd, READ_BYTES)
            key.data(data) if data else self._selector.unregister(key.fileobj)
        return writable

    def _written(self, data: memoryview) -> int:
        """Write what fits; of a pipe that nobody reads any more, everything is dropped."""
        try:
            return os.write(self._input.fileno(), data[:WRITE_BYTES])
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)

    def close_input(self) -> None:
        """End its standard input."""
        self._input.close()

    def close(self) -> None:
        """Let go of the pipes; the process is not touched."""
        self._selector.close()


class ProcessConversation:
    """A conversation with a process of this computer."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._errors = process, bytearray()
        self._said: list[bytes] = []
        self._pipes = Pipes(process, self._said.append, self._take_error)

    @property
    def exit_code(self) -> int | None:
        """Its exit code; negative for a signal."""
        return self._process.returncode

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""
        return self._errors.decode("utf-8", "replace")

    def _take_error(self, data: bytes) -> None:
        self._errors += data[: max(0, MOST_ERRORS - len(self._errors))]

    def send(self, data: bytes, timeout_s: float) -> bool:
        """Write to its standard input."""
        return self._pipes.write(data, time.monotonic() + timeout_s)

    def receive(self, timeout_s: float) -> bytes | None:
        """Return what it said since."""
        deadline = time.monotonic() + timeout_s
        while not self._said:
            if self._pipes.ended:
                self._process.wait()
                return b""
            if time.monotonic() >= deadline:
                return None
            self._pipes.turn(deadline)
        data = b"".join(self._said)
        self._said.clear()
        return data

    def finish(self) -> None:
        """End its standard input."""
        self._pipes.close_input()

    def close(self) -> None:
        """Let go of its pipes."""
        self._pipes.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
