"""Time one model: init, first inference, then inferences until enough of them are steady.

Only `invoke()` is timed, with the input already set. Between two timed inferences nothing is printed,
converted or reported, and the garbage collector is off; the clock is `time.perf_counter_ns`
(CLOCK_MONOTONIC).
"""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.ma  # NumPy loads these two late: here they are in the memory from before the model
import numpy.random
import numpy.typing as npt

from harness import atomic
from harness.records.samples import make_samples, to_bytes
from harness.runtime import Runtime
from harness.worker import check, library, switching
from harness.worker.events import ModelLoaded, emit
from harness.worker.feeds import make_feeds
from harness.worker.jobs import LatencyJob
from harness.worker.memory import peak_memory_bytes
from harness.worker.results import LatencyResult, write_result
from harness.worker.stopping import MAX_SAMPLES, Durations, Wanted, steady_from_of
from harness.worker.telemetry import TelemetryReader

CHUNK_SECONDS = 0.1
"""How long the loop runs before it looks whether it may stop; looking costs some µs, between two inferences."""


def run(job: LatencyJob, runtime: Runtime) -> None:
    """Carry out a latency job and leave `samples.npy` and `result.json` in its output folder."""
    before = peak_memory_bytes()
    begin = time.perf_counter_ns()
    applied = library.make(runtime, job)
    interpreter = applied.interpreter
    init_ns = time.perf_counter_ns() - begin
    feeds = make_feeds(interpreter, job)
    emit(ModelLoaded(init_ns))
    reader = TelemetryReader()
    starts, durations, steady_from = _measure(interpreter, feeds, job)
    telemetry, peak = reader.read(), peak_memory_bytes()
    after_other, problem = switching.after_other(job, runtime, interpreter, feeds)
    samples = make_samples(starts, durations, durations.size if steady_from is None else steady_from)
    atomic.write_scratch(Path(job.output) / "samples.npy", to_bytes(samples))
    checked = check.check_outputs(job, runtime, interpreter, feeds)
    result = LatencyResult(
        runtime=str(runtime),
        execution=library.describe(job, applied),
        check=checked,
        init_ns=init_ns,
        first_inference_ns=int(durations[0]),
        steady_from=steady_from,
        telemetry=telemetry,
        peak_memory_bytes=peak,
        memory_before_load_bytes=before,
        after_other_ns=tuple(after_other),
        after_other_problem=problem,
    )
    write_result(result, job.output)


def _measure(
    interpreter: Any, feeds: list[tuple[int, npt.NDArray[np.generic]]], job: LatencyJob
) -> tuple[Durations, Durations, int | None]:
    """Run until enough inferences are steady and were watched for long enough, or until the time is up.

    Returns:
        Start times and durations in ns of all inferences, the first one included, and the index of the first
        steady one (None when the trace never settles).
    """
    starts, durations = np.zeros(MAX_SAMPLES, np.int64), np.zeros(MAX_SAMPLES, np.int64)
    done = _chunk(interpreter, feeds, starts, durations, 0, 1)
    deadline, watch_ns = round(job.max_seconds * 1e9), 0.0
    wanted = Wanted(job.min_runs, job.min_seconds, job.watch_seconds)
    steady_from: int | None = None
    gc.collect()
    gc.disable()
    try:
        while True:
            stop = _next_stop(starts, durations, done, job, watch_ns)
            done = _chunk(interpreter, feeds, starts, durations, done, stop)
            elapsed = time.perf_counter_ns() - int(starts[0])
            out_of_time = elapsed >= deadline or done >= MAX_SAMPLES
            if out_of_time or wanted.may_be_enough(durations[:done]):
                steady_from = steady_from_of(durations[:done])
                watch_ns = wanted.watch_ns(starts, steady_from)
                enough = wanted.is_enough(durations[:done], steady_from)
                if (enough and elapsed >= watch_ns) or (out_of_time and not enough) or done >= MAX_SAMPLES:
                    return starts[:done], durations[:done], steady_from
    finally:
        gc.enable()


def _chunk(
    interpreter: Any,
    feeds: list[tuple[int, npt.NDArray[np.generic]]],
    starts: Durations,
    durations: Durations,
    begin: int,
    end: int,
) -> int:
    """Measure, and nothing else: this is the measuring loop."""
    now, invoke, set_tensor, n_feeds = (
        time.perf_counter_ns,
        interpreter.invoke,
        interpreter.set_tensor,
        len(feeds),
    )
    for k in range(begin, end):
        index, value = feeds[k % n_feeds]
        set_tensor(index, value)
        t0 = now()
        invoke()
        t1 = now()
        starts[k] = t0
        durations[k] = t1 - t0
    return end


def _next_stop(starts: Durations, durations: Durations, done: int, job: LatencyJob, watch_ns: float) -> int:
    """Return how far to go: what fits into a chunk of time, at least one inference, at most what is still wanted."""
    typical = max(float(np.median(durations[max(0, done - 20) : done])), 1.0)
    chunk = max(1, int(CHUNK_SECONDS * 1e9 / typical))
    missing_runs = job.min_runs + 1 - done
    missing_time = job.min_seconds * 1e9 - float(durations[1:done].sum())
    to_watch = watch_ns - float(starts[done - 1] + durations[done - 1] - starts[0])
    wanted = max(missing_runs, int(np.ceil(max(missing_time, to_watch) / typical)), 1)
    return min(done + min(chunk, wanted), MAX_SAMPLES)
