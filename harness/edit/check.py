"""Load a model and run it once, in a process of its own: `python -m harness.edit.check FILE`.

A damaged graph can take an interpreter down, which must not take the command down.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import ModelError
from harness.tflite.model import describe
from harness.tflite.runnable import check_runnable

TIMEOUT_S = 300.0
"""A large detector on a slow machine takes seconds."""
NO_RUNTIME = 4
"""Exit status without a TFLite runtime."""
_LAST_LINES = 3


def run_once(data: bytes, path: Path) -> str | None:
    """Load and run a model that is about to be written.

    Args:
        data: The whole file.
        path: Where it is going to be; named in errors.

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
    argv = [sys.executable, "-m", "harness.edit.check", str(file)]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{path}: the edited model did not run within {TIMEOUT_S:.0f} s; not written"
        ) from error
    if done.returncode == NO_RUNTIME:
        return "no TFLite runtime is installed"
    if done.returncode != 0:
        said = " ".join(done.stderr.strip().splitlines()[-_LAST_LINES:]) or f"exit status {done.returncode}"
        raise ModelError(f"{path}: the edited model does not run, so it was not written: {said}")
    return None


def main() -> int:
    """Run the model of the command line on zeros."""
    import numpy as np

    from harness.runtime import RuntimeMissingError, load_runtime, make_interpreter

    try:
        runtime = load_runtime()
    except RuntimeMissingError:
        return NO_RUNTIME
    try:
        interpreter = make_interpreter(runtime, sys.argv[1], "cpu", 1)
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
