"""Interpreters of this computer, each used by one thread at a time, and work that keeps all cores busy with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from harness.delegates import CPU
from harness.errors import JobError, ModelError, blamed_on_model
from harness.runtime import load_runtime, make_interpreter, without_chatter

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
IN_FLIGHT_PER_THREAD = 3


class Engine(Protocol):
    """Runs a model on one prepared input. One thread at a time."""

    def infer(self, tensor: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
        """Return the output tensors in the order of the model's output list."""


class InterpreterEngine:
    """A TFLite interpreter as an engine."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        with blamed_on_model("the runtime cannot describe its inputs and outputs"):
            inputs = interpreter.get_input_details()
            self._outputs = [detail["index"] for detail in interpreter.get_output_details()]
        if not inputs:
            raise ModelError("the model has no input, expected an image input")
        self._input = inputs[0]["index"]

    def infer(self, tensor: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
        """Set the input, invoke, return copies of the outputs."""
        self.interpreter.set_tensor(self._input, tensor)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self._outputs]


class Pool(Generic[T]):
    """Things that one thread may use at a time.

    Args:
        items: Those that are there.
        make: Makes another one where all are in use.
        most: There are never more than so many.
    """

    def __init__(self, items: Iterable[T], make: Callable[[], T] | None = None, most: int = 0) -> None:
        self._idle: SimpleQueue[T] = SimpleQueue()
        self._made = 0
        for item in items:
            self._idle.put(item)
            self._made += 1
        self._make, self._most, self._lock = make, most, Lock()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend one that nobody uses, waiting for it where all are in use and no more may be made."""
        item = self._take()
        try:
            yield item
        finally:
            self._idle.put(item)

    def _take(self) -> T:
        with self._lock:
            if self._make is not None and self._idle.empty() and self._made < self._most:
                made = self._make()
                self._made += 1
                return made
        return self._idle.get()


def make_here(file: Path, delegate: str = CPU, threads: int = 1) -> Any:
    """Make an interpreter of a model with the runtime of this computer.

    Raises:
        JobError: There is no runtime, or it refuses the model.
    """
    try:
        with without_chatter():
            return make_interpreter(load_runtime(), str(file), delegate, threads)
    except Exception as error:  # of whatever kind the runtime's own is
        raise JobError(f"{file}: cannot be run: {error}") from error


def map_in_order(work: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """Map with threads, in order, with a bounded number of items under way."""
    with ThreadPoolExecutor(threads, thread_name_prefix="image") as executor:
        under_way: deque[Future[B]] = deque()
        try:
            for item in items:
                under_way.append(executor.submit(work, item))
                if len(under_way) >= threads * IN_FLIGHT_PER_THREAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
