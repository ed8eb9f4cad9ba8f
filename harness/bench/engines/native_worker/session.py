"""One process of the worker: what it is sent, what it answers, and in words how it ended."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator

from harness.bench.engines.gpu_log import why_refused
from harness.drivers.conversation import Conversation
from harness.errors import MeasurementError
from harness.native.job import END, FORGET, deadline_command
from harness.native.protocol import (
    OWN,
    STAGE,
    Answer,
    Compiled,
    Done,
    Failure,
    FrameReader,
    Hello,
    Samples,
    State,
    Tensor,
    Text,
)
from harness.vocabulary import Status

SEND_S = 120.0
"""For what is sent at once, some megabytes at most."""
GRACE_S = 15
"""The worker ends itself so much later than it is waited for: where nobody is left to end it."""
_DIED = 128


class WorkerSession:
    """A worker that was started.

    Args:
        conversation: With its process.
        where: The device, for messages.
    """

    def __init__(self, conversation: Conversation, where: str) -> None:
        self._conversation, self._where = conversation, where
        self._reader, self._answers = FrameReader(), deque[Answer]()
        self.hello: Hello | None = None

    @property
    def log(self) -> str:
        """What LiteRT printed so far, with the worker's marks between its stages."""
        return self._conversation.errors

    def send(self, data: bytes) -> None:
        """Send commands.

        Raises:
            MeasurementError: The worker does not take them.
            DeviceError: The device went away.
        """
        if not self._conversation.send(data, SEND_S):
            raise self._too_late(SEND_S)

    def deadline(self, seconds: float) -> bytes:
        """Return the command that makes the worker end itself if nobody does."""
        return deadline_command(round(seconds) + GRACE_S)

    def next(self, timeout_s: float) -> Answer:
        """Return the next answer.

        Raises:
            MeasurementError: The worker failed, crashed, or does not answer in time; says which.
            DeviceError: The device went away.
        """
        until = time.monotonic() + timeout_s
        while not self._answers:
            data = self._conversation.receive(max(until - time.monotonic(), 0.0))
            if data is None:
                raise self._too_late(timeout_s)
            if not data:
                raise self._ended()
            self._answers.extend(self._reader.feed(data))
        answer = self._answers.popleft()
        if isinstance(answer, Failure):
            raise self._failed(answer)
        return answer

    @property
    def waiting(self) -> bool:
        """Whether an answer is here already."""
        return bool(self._answers)

    def until_done(self, timeout_s: float) -> Iterator[Answer]:
        """Yield the answers to one command."""
        while not isinstance(answer := self.next(timeout_s), Done):
            yield answer

    def compiled(self, setup: bytes, timeout_s: float) -> tuple[Compiled, tuple[Tensor, ...]]:
        """Send a job's setup, and return the compiled model with its inputs and outputs."""
        self.send(setup)
        found: Compiled | None = None
        tensors: list[Tensor] = []
        for answer in self.until_done(timeout_s):
            match answer:
                case Hello():
                    self.hello = answer
                case Compiled():
                    found = answer
                case Tensor():
                    tensors.append(answer)
        if found is None:
            raise MeasurementError(f"the worker on {self._where} told nothing of the model that it compiled")
        return found, tuple(tensors)

    def timed(self, command: bytes, timeout_s: float) -> tuple[list[State], list[Samples]]:
        """Send a command that times, and return the machine's states and the samples."""
        self.send(command)
        answers = list(self.until_done(timeout_s))
        states = [answer for answer in answers if isinstance(answer, State)]
        return states, [answer for answer in answers if isinstance(answer, Samples)]

    def text(self, command: bytes, timeout_s: float) -> str:
        """Send a command that is answered with a text, and return it."""
        self.send(command)
        return "".join(a.text for a in self.until_done(timeout_s) if isinstance(a, Text))

    def end(self, timeout_s: float = SEND_S) -> None:
        """Let the worker end well, and hear that it did: what is not known to have ended is ended by force."""
        self.send(FORGET + END)
        for _ in self.until_done(timeout_s):
            pass
        while self._conversation.receive(timeout_s):
            pass

    def _too_late(self, seconds: float) -> MeasurementError:
        said = f"the worker on {self._where} gave no answer within {seconds:.0f} s ({self._stage()}) and was killed"
        return MeasurementError(said, status=Status.TIMEOUT)

    def _failed(self, failure: Failure) -> MeasurementError:
        status = Status.TIMEOUT if failure.reason == "timeout" else Status.FAILED
        refused = why_refused(self.log) if failure.reason == "compile" else None
        errors = [line for line in self._said() if line.startswith("ERROR")] if refused is None else []
        what = _REASONS.get(failure.reason, "the worker failed")
        said = "; ".join(filter(None, [refused, failure.message, *dict.fromkeys(errors[-2:])]))
        return MeasurementError(f"{what}: {said}", status=status)

    def _said(self) -> list[str]:
        """Return what LiteRT printed, without our own lines."""
        lines = (line.strip() for line in self.log.splitlines())
        return [line for line in lines if line and not line.startswith(OWN.strip())]

    def _ended(self) -> MeasurementError:
        tail = f": {'; '.join(said[-3:])}" if (said := self._said()) else ""
        how = how_it_ended(self._conversation.exit_code)
        return MeasurementError(f"the worker on {self._where} {how} ({self._stage()}){tail}")

    def _stage(self) -> str:
        """Say how far it came."""
        marks = [line[len(STAGE) :] for line in self.log.splitlines() if line.startswith(STAGE)]
        return _STAGES.get(marks[-1], f"in the stage {marks[-1]!r}") if marks else "before its first word"


_REASONS = {
    "version": "this LiteRT is not one that the worker knows",
    "library": "LiteRT's library cannot be used",
    "symbol": "LiteRT's library cannot be used",
    "environment": "LiteRT cannot be set up",
    "model": "the model cannot be loaded",
    "compile": "the model cannot be compiled",
    "tensor": "the model's inputs and outputs cannot be read",
    "input": "an input cannot be set",
    "run": "the model cannot be run",
    "output": "the outputs cannot be read",
    "memory": "there is not enough memory",
    "timeout": "the worker took too long",
}
_STAGES = {
    "library": "while it loaded LiteRT's library",
    "compile": "while the model was being compiled",
    "compiled": "after the model was compiled",
    "time": "while the model was timed",
    "infer": "while images were inferred",
    "end": "at its end",
}


def how_it_ended(exit_code: int | None) -> str:
    """Say in words how it ended; a signal N is −N on this computer and 128 + N elsewhere."""
    number = -exit_code if exit_code is not None and exit_code < 0 else (exit_code or 0) - _DIED
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit code {exit_code}"
    hint = " (killed from outside; the system does this when memory runs out)" if name == "SIGKILL" else ""
    return f"died of {name}{hint}"
