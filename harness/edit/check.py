"""Check an edited model: only what the runtime has loaded and run is written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.errors import ModelError
from harness.tflite import trial
from harness.tflite.model import describe
from harness.tflite.runnable import check_runnable

TIMEOUT_S = 300.0
"""Limit for one run: a large detector on a slow machine takes seconds."""
_LAST_LINES = 3


def run_once(data: bytes, path: Path) -> str | None:
    """Load and run a model that is about to be written.

    Args:
        data: The whole file.
        path: Its future path; named in errors.

    Returns:
        None when it ran; else why it could not be tried here (an operator of a device, no runtime).

    Raises:
        ModelError: It does not load or run.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(data)
        try:
            check_runnable(describe(file))
        except ModelError as error:
            return str(error).partition(": ")[2]
        return _run(file, path)


def _run(file: Path, path: Path) -> str | None:
    tried = trial.run_once(file, TIMEOUT_S)
    if tried.ended.timed_out:
        raise ModelError(f"{path}: the edited model did not run within {TIMEOUT_S:.0f} s; not written")
    if tried.no_runtime:
        return "no TFLite runtime is installed"
    if not tried.ran:
        lines = f"{tried.ended.stderr}\n{tried.refused[1] if tried.refused else ''}".strip().splitlines()
        said = " ".join(lines[-_LAST_LINES:]) or f"exit status {tried.ended.exit_code}"
        raise ModelError(f"{path}: the edited model does not run, so it was not written: {said}")
    return None
