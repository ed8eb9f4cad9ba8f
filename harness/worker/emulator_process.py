"""The emulator in a process for each core: in one process, sessions of Qualcomm's HTP backend wait for each other.

Each process stays on its core. The backend's dozen threads wait by yielding: free to move, they take turns ten thousand
times an inference, and up to twice the processor's time. A process is asked over a pipe, and ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.interpreters import InterpreterEngine
from harness.child_process import environment
from harness.errors import JobError
from harness.runtime import load_runtime
from harness.worker.jobs import COMPILED, Job
from harness.worker.parent import PARENT, end_with_parent

MODULE = "harness.worker.emulator_process"
DIED = "a process of the emulator has died"
_END_TIMEOUT_S = 5.0


class EmulatorProcess:
    """An engine in a process of its own: `EmulatorProcess(model, compiled).infer(tensor)` → the outputs.

    Args:
        model: The file from before the compiler.
        compiled: The compiled file.
        core: It stays on; None for any.
    """

    def __init__(self, model: str, compiled: str, core: int | None = None) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(theirs.fileno()), model, compiled, *_words(core)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **environment(), PARENT: str(os.getpid())},
                pass_fds=[theirs.fileno()],
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait until it has loaded the model.

        Raises:
            JobError: It cannot; says why.
        """
        self._answer()

    def infer(self, tensor: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
        """Return the outputs for one prepared input, in the order of the model's.

        Raises:
            JobError: It cannot, or the process has died.
        """
        try:
            self._pipe.send(tensor)
        except OSError as error:
            raise JobError(DIED) from error
        return list(self._answer())

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise JobError(DIED) from error
        if isinstance(answer, str):
            raise JobError(answer)
        return answer


@contextmanager
def emulator_processes(job: Job, wanted: int) -> Iterator[list[EmulatorProcess]]:
    """Give so many processes for a job, for as long as the block lasts; fewer where not all of them can be started."""
    with ExitStack() as stack:
        started: list[EmulatorProcess] = []
        for core, _ in zip(cycle(_cores()), range(wanted), strict=False):
            started.append(EmulatorProcess(job.model, job.delegate_options[COMPILED], core))
            stack.callback(started[-1].close)
        yield [one for one in started if _is_ready(one)]


def _cores() -> list[int | None]:
    """Return the cores that this process may run on, where the system says."""
    affinity = getattr(os, "sched_getaffinity", None)
    return [None] if affinity is None else sorted(affinity(0))


def _words(core: int | None) -> list[str]:
    return [] if core is None else [str(core)]


def _is_ready(process: EmulatorProcess) -> bool:
    try:
        process.wait_until_ready()
    except JobError:
        return False
    return True


def main() -> None:
    """Answer each input that comes over the pipe until it is closed."""
    end_with_parent()
    descriptor, model, compiled, *core = sys.argv[1:]
    if core:
        os.sched_setaffinity(0, {int(core[0])})
    with Connection(int(descriptor)) as pipe, suppress(EOFError, OSError):  # closed: nobody asks any more
        for answer in _answers(pipe, model, compiled):
            pipe.send(answer)


def _answers(pipe: Connection, model: str, compiled: str) -> Iterator[list[npt.NDArray[np.generic]] | str]:
    """Yield nothing when the model is loaded, then the outputs for each input; at a failure what it is, and end."""
    try:
        engine = _engine(model, compiled)
        yield []
        while True:
            yield engine.infer(pipe.recv())
    except EOFError:
        return
    except Exception as error:  # whatever a foreign library raises, the one who asked says it
        yield " ".join(str(error).split())


def _engine(model: str, compiled: str) -> InterpreterEngine:
    from harness.worker.emulated import EmulatedInterpreter  # late: what it imports need not be there to ask

    return InterpreterEngine(EmulatedInterpreter(load_runtime(), model, compiled))


if __name__ == "__main__":
    main()
