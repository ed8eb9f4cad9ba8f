"""Who is told how a run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.bench.plan import Task
    from harness.records.records import Record


class Observer(Protocol):
    """Is told how a run goes; called between measurements only, by one thread a device."""

    def begin(self, n_tasks: int) -> None:
        """A device starts with at least so many tasks."""

    def more(self, n_tasks: int) -> None:
        """So many tasks are added, because a precision is not reached yet."""

    def task(self, task: Task) -> None:
        """A task starts."""

    def images(self, task: Task, done: int, total: int) -> None:
        """An accuracy task goes on."""

    def waiting(self, task: Task, seconds: float, limit: float) -> None:
        """The device of a task went away and has been waited for so many seconds, of at most `limit`."""

    def done(self, task: Task, record: Record) -> None:
        """A task ended, and its cell's record is on disk."""


class Silent:
    """An observer that says nothing."""

    def begin(self, n_tasks: int) -> None:
        """A device starts."""

    def more(self, n_tasks: int) -> None:
        """Tasks are added."""

    def task(self, task: Task) -> None:
        """A task starts."""

    def images(self, task: Task, done: int, total: int) -> None:
        """An accuracy task goes on."""

    def waiting(self, task: Task, seconds: float, limit: float) -> None:
        """The device of a task is waited for."""

    def done(self, task: Task, record: Record) -> None:
        """A task ended."""
