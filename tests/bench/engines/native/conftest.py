"""The native engine with the stand-in for its tool, and the bundled example as a cell."""

import pytest

from harness.accuracy.dataset import find_dataset
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.local import LocalDevice
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher

SETTINGS = Settings(repetitions=1, min_runs=3, min_seconds=0.01)


@pytest.fixture(scope="module")
def shapes(repository):
    """The bundled example as a cell, with the first images of its dataset."""

    def make(delegate="cpu:1", model="shapes-float32", n_images=2, settings=SETTINGS):
        found = find_model(model, find_workspace(repository))
        dataset = find_dataset(found.dataset_path).limited(n_images) if n_images else None
        facts = describe(found.file)
        return Cell(1, found, facts, "local", parse_delegate(delegate), settings, dataset)

    return make


@pytest.fixture
def native(tmp_path):
    """Make an engine whose tool plays what is given."""

    def make(device=None, **plays):
        folder = tmp_path / "tool"
        folder.mkdir(exist_ok=True)
        return NativeEngine(
            NativeTool(device or LocalDevice(), tool_from_file(make_launcher(folder, **plays)))
        )

    return make


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "run" / ".scratch" / "cell-0"
    folder.mkdir(parents=True)
    return folder
