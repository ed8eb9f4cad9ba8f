"""Load a model and run it once on zeros, in a process of its own: `python -m harness.tflite.trial FILE`.

A damaged graph can crash an interpreter, which must not crash anything else.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import child_process
from harness.delegates import CPU
from harness.runtime import RuntimeMissingError, load_runtime, make_interpreter


@dataclass(frozen=True)
class Trial:
    """The outcome of a trial run.

    Attributes:
        ran: Whether it was loaded and ran to its end.
        not_finite: Names of the outputs that hold NaN or infinity.
        refused: The runtime's own words, with the kind of error; None where it reported none.
        no_runtime: Whether no runtime is installed.
        ended: The end of the process.
    """

    ran: bool
    not_finite: tuple[str, ...]
    refused: tuple[str, str] | None
    no_runtime: bool
    ended: child_process.Completed


def run_once(file: Path, timeout_s: float) -> Trial:
    """Load a model and run it on zeros, in a process of its own.

    Raises:
        JobError: No process could be started.
    """
    answer = child_process.ask(__name__, file, timeout_s=timeout_s)
    events, refused = answer.events, answer.events.get("refused")
    return Trial(
        ran="ran" in events and answer.ended.exit_code == 0,
        not_finite=tuple(events.get("ran", {}).get("not_finite", ())),
        refused=None if refused is None else (refused["kind"], refused["message"]),
        no_runtime="no-runtime" in events,
        ended=answer.ended,
    )


def main(file: str) -> int:
    """Run a model on zeros and print the outcome; return the exit status."""
    try:
        child_process.emit("ran", not_finite=_run(file))
    except RuntimeMissingError as error:
        child_process.emit("no-runtime", message=str(error))
        return 1
    except (ValueError, RuntimeError) as error:
        child_process.emit("refused", kind=type(error).__name__, message=str(error))
        return 1
    return 0


def _run(file: str) -> list[str]:
    import numpy as np

    interpreter: Any = make_interpreter(load_runtime(), file, CPU, 1)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    outputs = [
        (each["name"], interpreter.get_tensor(each["index"])) for each in interpreter.get_output_details()
    ]
    return [name for name, values in outputs if values.dtype.kind == "f" and not np.isfinite(values).all()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
