"""Keep interpreters on this computer for the models that are diagnosed, a few at a time, each used by one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from harness.accuracy.interpreters import InterpreterEngine, Pool, make_here, map_in_order
from harness.delegates import Delegate, available_cores, parse_delegate
from harness.records.records import DelegateFacts
from harness.runtime import load_runtime
from harness.worker import evidence

A = TypeVar("A")
B = TypeVar("B")
MOST_MODELS = 2
"""Models whose interpreters are kept: those of the pair. Each has an interpreter a core, which takes its memory."""


@dataclass(frozen=True)
class _Runner:
    """The interpreters of one model, and the delegate that was asked for."""

    interpreters: Pool[InterpreterEngine]
    asked: Delegate

    @cached_property
    def delegate(self) -> DelegateFacts:
        """The delegate that ran in them, read where it is asked for: to list an interpreter's nodes takes its time."""
        with self.interpreters.lend() as engine:
            delegation = evidence.read_delegation(engine.interpreter)
        execution = evidence.describe(self.asked.kind, delegation)
        return DelegateFacts(
            requested=str(self.asked),
            actual=execution.actual,
            delegated_nodes=execution.delegated_nodes,
            total_nodes=execution.total_nodes,
            evidence=execution.evidence,
        )


@dataclass
class Engines:
    """Interpreters by file and delegate, one for each core."""

    threads: int = field(default_factory=available_cores)
    _runners: dict[tuple[Path, str, int], _Runner] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    @contextmanager
    def borrow(self, file: Path, delegate: str) -> Iterator[InterpreterEngine]:
        """Lend an interpreter to one thread.

        Raises:
            JobError: There is no runtime, or it refuses the model.
        """
        with self._runner(file, delegate).interpreters.lend() as engine:
            yield engine

    def facts(self, file: Path, delegate: str) -> tuple[DelegateFacts, str]:
        """Return the delegate that runs a model, with the evidence for it, and the runtime."""
        runner = self._runner(file, delegate)
        return runner.delegate, str(load_runtime())

    def map(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Map with threads, in order, with a bounded number of items under way."""
        return map_in_order(work, items, self.threads)

    def _runner(self, file: Path, delegate: str) -> _Runner:
        with self._lock:
            key = (file, delegate, file.stat().st_mtime_ns)
            if key not in self._runners:
                while len(self._runners) >= MOST_MODELS:
                    self._runners.pop(next(iter(self._runners)))
                self._runners[key] = _make_runner(file, delegate, self.threads)
            return self._runners[key]


def _make_runner(file: Path, delegate: str, n: int) -> _Runner:
    kind = parse_delegate(delegate)
    threads = kind.threads or 1

    def make() -> InterpreterEngine:
        return InterpreterEngine(make_here(file, kind.kind, threads))

    return _Runner(Pool([make()], make=make, most=max(1, n // threads)), kind)
