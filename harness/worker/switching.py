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
from typing import Any

from harness.runtime import Runtime
from harness.worker import library
from harness.worker.check import Feed
from harness.worker.feeds import make_feeds
from harness.worker.jobs import LatencyJob

N_SWITCHES = 20


def after_other(job: LatencyJob, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> list[int]:
    """Alternate with the other model and time this one each time.

    Args:
        job: With the other model, or without one: then nothing is measured.
        runtime: Runs both.
        interpreter: The model that was timed.
        feeds: Its inputs.

    Returns:
        Durations in ns of `invoke()` right after the other model's.
    """
    if job.other_model is None:
        return []
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
