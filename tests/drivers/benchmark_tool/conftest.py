"""Real logs of benchmark_model and its evaluation tools."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tool_logs import Log, split_log


@pytest.fixture(scope="session")
def tool_log(shared_data: Path) -> Callable[[str], Log]:
    """Return a log of benchmark_model by its name."""
    folder = shared_data / "benchmark_model_logs"
    return lambda name: split_log((folder / f"{name}.txt").read_text(encoding="utf-8", errors="replace"))


@pytest.fixture(scope="session")
def eval_log(shared_data: Path) -> Callable[[str], Log]:
    """Return a log of an evaluation tool by its name."""
    folder = shared_data / "eval_tool_logs"
    return lambda name: split_log((folder / f"{name}.txt").read_text(encoding="utf-8", errors="replace"))


@pytest.fixture(scope="session")
def tool_file(shared_data: Path) -> Callable[[str], bytes]:
    """Return a file that benchmark_model wrote."""
    return lambda name: (shared_data / "benchmark_model_logs" / name).read_bytes()
