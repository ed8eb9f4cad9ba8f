"""The engine of the worker in C, on this computer, and the bundled example as a cell."""

import pytest

from harness.accuracy.dataset import find_dataset
from harness.bench.engines.native_worker.engine import NativeWorkerEngine
from harness.bench.engines.native_worker.place import PlacedWorker
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.drivers.local import LocalDevice
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.worker_files import files, programs

__all__ = ["files", "programs"]

SETTINGS = Settings(repetitions=1, min_runs=10, min_seconds=0.01, cores=2)


@pytest.fixture(scope="module")
def shapes(repository):
    """The bundled example as a cell, with the first images of its dataset."""

    def make(delegate="cpu:1", model="shapes-float32", n_images=6, settings=SETTINGS):
        found = find_model(model, find_workspace(repository))
        dataset = find_dataset(found.dataset_path).limited(n_images) if n_images else None
        return Cell(1, found, describe(found.file), "local", parse_delegate(delegate), settings, dataset)

    return make


@pytest.fixture
def engine(files):
    return NativeWorkerEngine(PlacedWorker(LocalDevice(), files))


@pytest.fixture
def new_scratch(tmp_path):
    """Make empty folders for calls of one run."""

    def make(name="call"):
        folder = tmp_path / "run" / ".scratch" / name
        folder.mkdir(parents=True)
        return folder

    return make
