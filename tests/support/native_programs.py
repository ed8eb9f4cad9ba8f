"""Fixtures: the native worker, built: what lies beside its source where it is of this source, else built here."""

import fcntl
import os
import platform
import sys
from pathlib import Path

import pytest

from harness.native.build import TARGETS, build_all
from harness.native.programs import ABIS, PROGRAMS, NoProgramError, find_program
from tests.support.native_worker import LIBRARY, Worker


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> Path:
    """The folder of the built programs; processes that share the tests build them once."""
    if are_built(PROGRAMS):
        return PROGRAMS
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "native-programs"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not are_built(folder):
            build_all(folder)
    return folder


def are_built(folder: Path) -> bool:
    try:
        return all(find_program(target.system, target.abi, folder) for target in TARGETS)
    except NoProgramError:
        return False


@pytest.fixture(scope="session")
def worker(programs) -> Worker:
    """The worker for this computer, with the wheel's LiteRT."""
    if not LIBRARY.is_file():
        pytest.skip("this runtime has no LiteRT library")
    if sys.platform != "linux":
        pytest.skip("the worker runs on Linux")
    return Worker([str(programs / f"harness-worker-linux-{ABIS[platform.machine()]}")])
