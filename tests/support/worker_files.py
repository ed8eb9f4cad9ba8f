"""Fixtures: the native worker for this computer with the library of its own runtime, as the engine takes both."""

import pytest

from harness.bench.engines.native_worker.program import WorkerFiles, files_with, own_library
from harness.native.programs import find_program
from tests.support.native_programs import programs

__all__ = ["files", "programs"]


@pytest.fixture(scope="session")
def files(programs) -> WorkerFiles:
    """The worker for Linux on x86-64, with the wheel's LiteRT."""
    library = own_library()
    if library is None:
        pytest.skip("this runtime has no LiteRT library")
    return files_with(find_program("linux", "x86_64", programs), library)
