"""Runs to compare, written by the code that writes real ones."""

import pytest

from tests.support.changed_runs import change_record, give_detections
from tests.support.paths import DATASET
from tests.support.runs_on_disk import RunFactory


@pytest.fixture
def make_run(tmp_path):
    """A function that begins a run of a given name below `tmp_path`."""
    return lambda name: RunFactory(tmp_path / name)


@pytest.fixture
def edit():
    return change_record


@pytest.fixture
def detect():
    return give_detections


@pytest.fixture
def dataset():
    return DATASET
