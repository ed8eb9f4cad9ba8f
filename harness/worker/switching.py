"""What it costs to switch models: the inference of one model right after another ran on the same delegate.

An accelerator that keeps parameters on its chip, such as the Edge TPU, loads them anew when another model has taken
their place (Coral, «Edge TPU Compiler», Parameter data caching); models compiled together share the memory. On a CPU
the same shows what is left of its caches.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import JobError, ModelError, blamed_on_model
from harness.runtime import Runtime
from harness.worker import library
from harness.worker.check import Feed
from harness.worker.events import Stage, emit
from harness.worker.feeds import make_feeds
from harness.worker.jobs import LatencyJob

N_SWITCHES = 20


def after_other(
    job: LatencyJob, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]
) -> tuple[list[int], str]:
    """Alternate with the other model and time this one each time; what is odd about the other is no fault of this one.

    Args:
        job: With the other model, or without one: then nothing is measured.
        runtime: Runs both.
        interpreter: The model that was timed.
        feeds: Its inputs.

    Returns:
        Durations in ns of `invoke()` right after the other model's, and why there are none.
    """
    if job.other_model is None:
        return [], ""
    name = Path(job.other_model).name
    emit(Stage(f"{name} was running in between (--switch-models)"))
    try:
        with blamed_on_model("the runtime refuses it"):
            return _alternate(job, runtime, interpreter, feeds), ""
    except (ModelError, JobError) as error:
        return [], f"no switch was timed: {name} cannot be used here ({error})"
    finally:
        emit(Stage(""))


def _alternate(job: LatencyJob, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> list[int]:
    assert job.other_model is not None
    other = library.make(runtime, replace(job, model=job.other_model)).interpreter
    (first, *_) = make_feeds(other, replace(job, inputs=None))
    other.set_tensor(*first)
    durations = [0] * N_SWITCHES
    gc.collect()
    gc.disable()
    try:
        for k in range(N_SWITCHES):
            interpreter.set_tensor(*feeds[k % len(feeds)])
            other.invoke()
            begin = time.perf_counter_ns()
            interpreter.invoke()
            durations[k] = time.perf_counter_ns() - begin
    finally:
        gc.enable()
    return durations
