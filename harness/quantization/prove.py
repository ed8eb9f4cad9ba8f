"""A model file is good when LiteRT has loaded it and run it; only then does it get its name.

`python -m harness.quantization.prove FILE` does so in a process of its own: a model that crashes the runtime takes
nothing with it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import atomic
from harness.errors import JobError, OutputError, UsageError

TIMEOUT_S = 120.0


def check_output(sources: tuple[Path, ...], output: Path) -> None:
    """Refuse a place that cannot be written to, before minutes are spent.

    Raises:
        UsageError: The output is the input.
        OutputError: It is a folder, or its folder cannot be written to.
    """
    from harness.workspace import ensure_writable

    for source in sources:
        if output.exists() and source.exists() and output.samefile(source):
            raise UsageError(
                f"{output}: is the input itself, which is never changed: name another file with -o"
            )
    if output.is_dir():
        raise OutputError(f"{output}: is a folder, expected the name of a file")
    ensure_writable(output.parent)


def save(data: bytes, output: Path, what: str) -> None:
    """Write a model that LiteRT can load and run; otherwise write nothing.

    Raises:
        JobError: LiteRT refuses it or crashes on it; says how.
        OutputError: The file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        trial = Path(folder) / "model.tflite"
        trial.write_bytes(data)
        prove(trial, what)
    atomic.write_bytes(output, data)


def prove(file: Path, what: str) -> None:
    """Load and run a model once in a process of its own.

    Raises:
        JobError: It cannot be loaded or run; says how.
    """
    from harness.drivers.local import LocalDevice

    done = LocalDevice().run(
        [sys.executable, "-m", "harness.quantization.prove", str(file)], timeout_s=TIMEOUT_S
    )
    if done.timed_out:
        raise JobError(f"{what}: LiteRT did not run it within {TIMEOUT_S:.0f} s; nothing was written")
    code = done.exit_code
    if code != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        crash = f"crashed (signal {-code})" if code is not None and code < 0 else "refused it"
        raise JobError(f"{what}: made, but LiteRT {crash}: {last}; nothing was written")


def run_once(file: str) -> None:
    """Load a model and run it on zeros."""
    import numpy as np

    from harness.runtime import load_runtime, make_interpreter

    interpreter: Any = make_interpreter(load_runtime(), file, "cpu", 1)
    for entry in interpreter.get_input_details():
        interpreter.set_tensor(entry["index"], np.zeros(entry["shape"], entry["dtype"]))
    interpreter.invoke()
    for entry in interpreter.get_output_details():
        values = interpreter.get_tensor(entry["index"])
        if not np.isfinite(np.asarray(values, np.float64)).all():
            raise ValueError(f"output {entry['name']!r} is not finite for an input of zeros")


if __name__ == "__main__":
    run_once(sys.argv[1])
