"""Interpreters on this computer for the models that are diagnosed, a few at a time, each used by one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

from harness.accuracy.pipeline import IN_FLIGHT_PER_THREAD, InterpreterEngine
from harness.delegates import available_cores, parse_delegate
from harness.errors import JobError
from harness.records.records import DelegateFacts
from harness.worker import evidence

A = TypeVar("A")
B = TypeVar("B")
MOST_MODELS = 2
"""Models whose interpreters are kept: both sides. Each has an interpreter a core, which takes its memory."""


@dataclass
class _Pool:
    """The interpreters of one model: as many as are used at once, and at most `most`."""

    make: Callable[[], Any]
    most: int
    ran: DelegateFacts
    runtime: str
    idle: SimpleQueue[InterpreterEngine] = field(default_factory=SimpleQueue)
    made: int = 0
    lock: Any = field(default_factory=Lock)

    def take(self) -> InterpreterEngine:
        """Return an interpreter that nobody uses; a new one where all are used and more are allowed."""
        with self.lock:
            if self.idle.empty() and self.made < self.most:
                self.made += 1
                return InterpreterEngine(self.make())
        return self.idle.get()


@dataclass
class Engines:
    """Interpreters by file and delegate, one for each core."""

    threads: int = field(default_factory=available_cores)
    _pools: dict[tuple[Path, str, int], _Pool] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    @contextmanager
    def borrow(self, file: Path, delegate: str) -> Iterator[InterpreterEngine]:
        """Lend an interpreter to one thread.

        Raises:
            JobError: There is no runtime, or it refuses the model.
        """
        pool = self._pool(file, delegate)
        engine = pool.take()
        try:
            yield engine
        finally:
            pool.idle.put(engine)

    def facts(self, file: Path, delegate: str) -> tuple[DelegateFacts, str]:
        """Return what runs a model: the delegate with the evidence for it, and the runtime."""
        pool = self._pool(file, delegate)
        return pool.ran, pool.runtime

    def map(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Map with threads, in order, with a bounded number of items under way."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="diagnosis") as executor:
            under_way: deque[Future[B]] = deque()
            try:
                for item in items:
                    under_way.append(executor.submit(work, item))
                    if len(under_way) >= self.threads * IN_FLIGHT_PER_THREAD:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()

    def _pool(self, file: Path, delegate: str) -> _Pool:
        with self._lock:
            key = (file, delegate, file.stat().st_mtime_ns)
            if key not in self._pools:
                while len(self._pools) >= MOST_MODELS:
                    self._pools.pop(next(iter(self._pools)))
                self._pools[key] = _make_pool(file, delegate, self.threads)
            return self._pools[key]


def _make_pool(file: Path, delegate: str, n: int) -> _Pool:
    from harness.runtime import RuntimeMissingError, load_runtime, make_interpreter

    kind = parse_delegate(delegate)
    threads = kind.threads or 1
    try:
        runtime = load_runtime()
        first = make_interpreter(runtime, str(file), kind.kind, threads)
    except (RuntimeMissingError, RuntimeError, ValueError) as error:
        raise JobError(f"{file}: cannot be run: {error}") from error
    facts = evidence.describe(kind.kind, evidence.read_delegation(first))
    ran = DelegateFacts(
        requested=str(kind),
        actual=facts["actual"],
        delegated_nodes=facts["delegated_nodes"],
        total_nodes=facts["total_nodes"],
        evidence=tuple(facts["evidence"]),
    )
    pool = _Pool(
        make=lambda: make_interpreter(runtime, str(file), kind.kind, threads),
        most=max(1, n // threads),
        ran=ran,
        runtime=str(runtime),
        made=1,
    )
    pool.idle.put(InterpreterEngine(first))
    return pool
