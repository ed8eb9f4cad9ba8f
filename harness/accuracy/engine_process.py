"""The process that computes the curves of a large evaluation: native code that dies of it takes nothing else with it.

`coco_engines` starts it (`python -m harness.accuracy.engine_process FOLDER`). Both sides exchange arrays in a folder.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from harness.accuracy import engine_job
from harness.accuracy.coco_engines import compute, compute_tide
from harness.child_process import emit


def main(folder: Path) -> int:
    """Compute what the job in the folder asks for, and leave it there."""
    _go_first()
    job = engine_job.read(folder)
    if job.wants_tide:
        emit("tide", found=compute_tide(job.truth, job.table, job.image_ids))
    else:
        engine_job.write_curves(folder, compute(job.engine, job.truth, job.table, job.image_ids))
    return 0


def _go_first() -> None:
    """Be what the system ends when memory is short: never who waits for the answer."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
