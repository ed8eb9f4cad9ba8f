"""The curves of an evaluation: large ones are computed in a process of their own, and refused where they cannot fit.

The engines are native code: short of memory they do not fail, they end their process. What is small enough that this
cannot happen is computed here, as a process costs half a second.
"""

from __future__ import annotations

import math
import resource
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.accuracy import coco_engines
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco_engines import Curves, Engine
from harness.accuracy.detections import DetectionTable
from harness.errors import DatasetError, JobError

if TYPE_CHECKING:  # needed only where a process of its own is
    from harness.accuracy.engine_job import Job
    from harness.child_process import Answer

BYTES_PER_CATEGORY = 10 * 101 * 4 * 3 * 8 * 2
"""Precision and scores, each float64 [T, R, 1, A, M]."""
LARGE_BYTES, LARGE_ROWS = 256_000_000, 3_000_000
"""Curves of 1,300 categories, and six times the detections of COCO's validation images, 100 each."""
SMALL_BYTES = 32_000_000
"""So little that nobody need be asked whether it is there; curves of twice COCO's categories."""
LIMIT_S, LIMIT_PER_ROW_S, LIMIT_PER_PAIR_S = 600.0, 1e-3, 2e-4
"""Ten times what pycocotools takes for a row, and for an image and a category."""


def run(engine: Engine, truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> Curves:
    """Compute the curves with one of the engines.

    Args:
        engine: Which one.
        truth: The ground truth.
        table: Detections of images and categories that are in the ground truth.
        image_ids: The images to evaluate; at least one.

    Raises:
        DatasetError: The curves of so many categories do not fit into this computer's memory.
        JobError: The engine crashed, was ended for its memory, or found no end.
    """
    _refuse_too_many(truth)
    if not _is_large(truth, table):
        with _panics_named(truth):
            return coco_engines.compute(engine, truth, table, image_ids)
    from harness.accuracy import engine_job

    with tempfile.TemporaryDirectory(prefix="harness-evaluation-") as name:
        _in_a_process(Path(name), engine_job.Job(engine, truth, table, list(image_ids)))
        return engine_job.read_curves(Path(name))


def tide(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> dict[str, Any]:
    """Sort the errors at IoU 0.5 into TIDE's kinds, with hotcoco: `counts` and `delta_ap` by kind.

    Raises:
        DatasetError: So many categories do not fit into this computer's memory.
        JobError: The engine crashed, was ended for its memory, or found no end.
    """
    _refuse_too_many(truth)
    if not _is_large(truth, table):
        with _panics_named(truth):
            return coco_engines.compute_tide(truth, table, image_ids)
    from harness.accuracy import engine_job

    with tempfile.TemporaryDirectory(prefix="harness-evaluation-") as name:
        job = engine_job.Job("hotcoco", truth, table, list(image_ids), wants_tide=True)
        answer = _in_a_process(Path(name), job)
    return dict(answer.events["tide"]["found"])


def room_bytes() -> float:
    """Return the memory that this process may still take."""
    import psutil

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = psutil.Process().memory_info().vms
    free = float(psutil.virtual_memory().available)
    return free if limit == resource.RLIM_INFINITY else min(free, float(limit - used))


def _refuse_too_many(truth: GroundTruth) -> None:
    """Refuse what is sure not to fit, before a minute is spent on it."""
    needed = len(truth.categories) * BYTES_PER_CATEGORY
    room = room_bytes() if needed > SMALL_BYTES else math.inf
    if needed > room:
        raise DatasetError(
            f"{truth.path}: found {len(truth.categories):,} categories, whose curves take {needed / 1e9:.1f} GB, and "
            f"{room / 1e9:.1f} GB of memory are free: leave out the categories that have no annotations"
        )


def _is_large(truth: GroundTruth, table: DetectionTable) -> bool:
    return len(truth.categories) * BYTES_PER_CATEGORY > LARGE_BYTES or len(truth) + len(table) > LARGE_ROWS


@contextmanager
def _panics_named(truth: GroundTruth) -> Iterator[None]:
    """Map a panic of Rust, which is no `Exception` and would end the whole program."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise JobError(f"{truth.path}: the evaluation failed inside the engine: {error}") from error


def _in_a_process(folder: Path, job: Job) -> Answer:
    """Let a process of its own do a job, and hear what came of it."""
    from harness import child_process
    from harness.accuracy import engine_job

    engine_job.write(folder, job)
    limit_s = _limit_s(job)
    answer = child_process.ask("harness.accuracy.engine_process", folder, timeout_s=limit_s)
    if answer.ended.timed_out or answer.ended.exit_code != 0:
        raise JobError(_what_happened(job, answer, limit_s))
    return answer


def _limit_s(job: Job) -> float:
    pairs = len(job.truth.categories) * len(job.image_ids)
    rows = len(job.truth) + len(job.table)
    return LIMIT_S + rows * LIMIT_PER_ROW_S + pairs * LIMIT_PER_PAIR_S


def _what_happened(job: Job, answer: Answer, limit_s: float) -> str:
    ended = answer.ended
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()] or [""]
    words = lines[-1 if ended.signal is None else 0]  # Python says the reason last, what aborts says it first
    if ended.timed_out:
        how = f"found no end within {limit_s:,.0f} s and was ended"
    elif ended.signal == signal.SIGKILL:
        how = "was killed, as the system does where memory is short"
    elif ended.signal is not None:
        how = f"died of {signal.Signals(ended.signal).name}" + (f" ({words})" if words else "")
    else:
        how = f"failed with exit code {ended.exit_code}" + (f" ({words})" if words else "")
    return (
        f"{job.truth.path}: the evaluation with {job.engine} of {len(job.truth.categories):,} categories and "
        f"{len(job.table):,} detections {how}; {room_bytes() / 1e9:.1f} GB of memory are free: leave out categories "
        "without annotations and detections of the lowest scores, or evaluate on a computer with more memory"
    )
