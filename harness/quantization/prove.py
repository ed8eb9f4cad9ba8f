"""A model file is good when LiteRT has loaded it and run it; only then does it get its name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import outputs
from harness.errors import JobError
from harness.tflite import trial

TIMEOUT_S = 120.0


def check_output(sources: tuple[Path, ...], output: Path) -> None:
    """Refuse a place that cannot be written to, before minutes are spent.

    Raises:
        OutputError: It is the input, a folder, has another ending, or its folder cannot be written to.
    """
    from harness.workspace import ensure_writable

    outputs.check(output, outputs.MODEL_ENDINGS)
    outputs.refuse_inputs(output, sources)
    folder = outputs.folder_of(output)
    if folder is not None:
        ensure_writable(folder)


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
    outputs.write(output, data)


@contextmanager
def readable(output: Path) -> Iterator[Path]:
    """Give the file that a model is saved to and measured from: the output, or one of ours that goes there at the end.

    What was written to a device or a pipe cannot be read again.
    """
    if not outputs.is_stream(output):
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder) / "output.tflite"
        yield file
        outputs.write(output, file.read_bytes())


def prove(file: Path, what: str) -> None:
    """Load and run a model once in a process of its own.

    Raises:
        JobError: It cannot be loaded or run, or gives no finite numbers; says how.
    """
    tried = trial.run_once(file, TIMEOUT_S)
    if tried.ended.timed_out:
        raise JobError(f"{what}: LiteRT did not run it within {TIMEOUT_S:.0f} s; nothing was written")
    if not tried.ran or tried.not_finite:
        signal = tried.ended.signal
        how = "refused it" if signal is None else f"crashed (signal {signal})"
        raise JobError(f"{what}: made, but LiteRT {how}: {_why(tried)}; nothing was written")


def _why(tried: trial.Trial) -> str:
    """Return the last line of what was said."""
    if tried.not_finite:
        return f"output {tried.not_finite[0]!r} is not finite for an input of zeros"
    if tried.refused is not None:
        return ": ".join(tried.refused).splitlines()[-1]
    return (tried.ended.stderr.strip() or "no message").splitlines()[-1]
