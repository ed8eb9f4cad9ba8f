"""Real logs of benchmark_model and its evaluation tools."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Log:
    """A log of the collection: the first line is the command, the last line `exit=N`."""

    command: str
    stdout: str
    stderr: str
    exit_code: int


def split_log(text: str) -> Log:
    command, _, rest = text.partition("\n")
    body, _, code = rest.rstrip("\n").rpartition("exit=")
    out, _, err = body.removeprefix("##### stdout\n").partition("##### stderr\n")
    return Log(command, out, err, int(code))


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
