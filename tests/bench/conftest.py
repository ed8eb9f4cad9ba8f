"""Real pieces to plan and run with, small enough to be quick."""

from pathlib import Path

import pytest

from harness.bench.request import Request
from harness.records.records import DelegateFacts, ProcessFacts
from harness.session import prepare
from harness.settings import Settings


class Recorder:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.total, self.tasks, self.finished, self.images_done = 0, [], [], 0

    def begin(self, n_tasks):
        self.total += n_tasks

    def more(self, n_tasks):
        self.total += n_tasks

    def task(self, task):
        self.tasks.append((task.cell.model.name, str(task.cell.delegate), task.kind, task.repetition))

    def images(self, task, done, total):
        self.images_done = done

    def done(self, task, record):
        self.finished.append(record)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def quick():
    """Settings of a run that takes a second or two."""
    return Settings(repetitions=2, min_runs=2, min_seconds=0.02, accuracy=False)


@pytest.fixture
def prepared(tmp_path: Path, repository: Path, quick):
    """A prepared run of two bundled models on `cpu:1` and `cpu-reference`."""

    def make(**changes):
        request = {
            "models": ("shapes-float32", "shapes-full-integer"),
            "delegates": ("cpu:1", "cpu-reference"),
            "workspace": str(repository),
            "output": str(tmp_path / "results"),
            "settings": quick,
            "repetitions": 2,
            **changes,
        }
        return prepare(Request(**request))

    return make


@pytest.fixture
def ok_process():
    def make(index=0, **changes):
        facts = {
            "index": index,
            "started_at": "2026-11-21T00:00:00Z",
            "status": "ok",
            "delegate": DelegateFacts(requested="cpu:1", actual="xnnpack", delegated_nodes=3, total_nodes=4),
            "runtime": "ai-edge-litert 2.3.0",
            "steady_from": 1,
            **changes,
        }
        return ProcessFacts(**facts)

    return make
