"""Carry out one job: `python -m harness.worker JOB.json`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.errors import HarnessError, is_host_fault
from harness.runtime import load_runtime
from harness.worker.events import Failed, Finished, HostFault, emit
from harness.worker.jobs import AccuracyJob, Job, OperatorsJob, PreparationsJob, load_job
from harness.worker.library import LibraryError
from harness.worker.memory import limit_memory
from harness.worker.parent import end_with_parent

FAILED = 3
"""Exit status of a job whose failure was understood and is an event."""


def main() -> int:
    """Read the job, do it, say how it ended."""
    end_with_parent()
    return carry_out(Path(sys.argv[1]))


def carry_out(path: Path) -> int:
    """Do the job in a file, say how it ended, and return the exit status."""
    try:
        job = load_job(path)
    except OSError as error:  # the harness wrote it a moment ago
        emit(HostFault(f"{path}: cannot be read ({error.strerror or error})"))
        return FAILED
    try:
        _do(job)
    except MemoryError:
        emit(Failed(f"out of memory (limit {job.memory_limit_mb or 'of the machine'} MiB)"))
        return FAILED
    except LibraryError as error:
        emit(Failed(str(error)))
        # A delegate that was never created is destroyed on the way out, which crashes some libraries.
        os._exit(FAILED)
    except HarnessError as error:
        emit(HostFault(str(error)) if is_host_fault(error) else Failed(str(error)))
        return FAILED
    except Exception as error:
        # Whatever the runtime and its libraries raise over an odd model: one failed cell, with the reason in a line.
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if job.memory_limit_mb is not None:  # XNNPACK does not say that it was refused memory
            said = f"{said} (with a memory limit of {job.memory_limit_mb} MiB)"
        emit(HostFault(said) if is_host_fault(error) else Failed(said))
        return FAILED
    emit(Finished())
    return 0


def _do(job: Job) -> None:
    runtime = load_runtime()
    if job.memory_limit_mb is not None:
        # Only now: a runtime that cannot even be loaded would look like one that is not installed.
        limit_memory(job.memory_limit_mb)
    if isinstance(job, AccuracyJob):
        from harness.worker import accuracy

        accuracy.run(job, runtime)
    elif isinstance(job, OperatorsJob):
        from harness.worker import operators

        operators.run(job, runtime)
    elif isinstance(job, PreparationsJob):
        from harness.worker import preparations

        preparations.run(job, runtime)
    else:
        from harness.worker import latency

        latency.run(job, runtime)


if __name__ == "__main__":
    sys.exit(main())
