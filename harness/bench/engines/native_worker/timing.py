"""A process that times a model: the rules of the worker in Python, with the inferences on the device.

The worker measures in stretches and goes on while this side decides, so the trace has no gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.bench.engines.native_worker.session import WorkerSession
from harness.native.job import time_command
from harness.native.protocol import Samples, State
from harness.records.telemetry import MachineState, Telemetry
from harness.worker.jobs import LatencyJob
from harness.worker.stopping import MAX_SAMPLES, Durations, Wanted, steady_from_of

LONGEST_STRETCH_S = 5.0
"""So often this side hears of the device while a long load is measured."""
SHORTEST_STRETCH_S = 0.1
ANSWER_S = 60.0
"""For one inference beyond the time of a stretch, which can be the first one, with kernels to be compiled."""


@dataclass
class Trace:
    """All inferences of a process so far, and the machine before and after.

    Attributes:
        starts: CLOCK_MONOTONIC of the device, in ns.
        durations: In ns.
        states: What the machine was read as, the first and the last of them count.
        steady_from: Index of the first steady inference; None where the trace has not settled.
    """

    starts: Durations = field(default_factory=lambda: np.empty(0, np.int64))
    durations: Durations = field(default_factory=lambda: np.empty(0, np.int64))
    states: list[State] = field(default_factory=list)
    steady_from: int | None = None

    @property
    def span_ns(self) -> int:
        """From the first inference's beginning to the last one's end."""
        return int(self.starts[-1] + self.durations[-1] - self.starts[0]) if self.starts.size else 0

    def add(self, states: list[State], samples: list[Samples]) -> None:
        """Take what one stretch gave."""
        self.states += states
        self.starts = np.concatenate([self.starts, *(one.starts_ns for one in samples)])
        self.durations = np.concatenate([self.durations, *(one.durations_ns for one in samples)])


def measure(session: WorkerSession, job: LatencyJob) -> Trace:
    """Time inferences until enough of them are steady and were watched for long enough, or until the time is up.

    Args:
        session: A worker that has compiled the model and has its inputs.
        job: How many, and for how long.

    Raises:
        MeasurementError: The worker failed, or hangs.
        DeviceError: The device went away.
    """
    trace, wanted = Trace(), Wanted(job.min_runs, job.min_seconds, job.watch_seconds)
    watch_ns = 0.0
    while True:
        runs, seconds = _missing(trace, job, watch_ns)
        left = max(job.max_seconds - trace.span_ns / 1e9, seconds, SHORTEST_STRETCH_S)
        command = session.deadline(ANSWER_S + left) + time_command(runs, seconds, left, hold=True)
        trace.add(*session.timed(command, ANSWER_S + left))
        out_of_time = trace.span_ns >= job.max_seconds * 1e9 or trace.durations.size >= MAX_SAMPLES
        if out_of_time or wanted.may_be_enough(trace.durations):
            trace.steady_from = steady_from_of(trace.durations)
            watch_ns = wanted.watch_ns(trace.starts, trace.steady_from)
            enough = wanted.is_enough(trace.durations, trace.steady_from)
            watched = trace.span_ns >= watch_ns or trace.durations.size >= MAX_SAMPLES
            if (enough and watched) or (out_of_time and not enough):
                return trace


def _missing(trace: Trace, job: LatencyJob, watch_ns: float) -> tuple[int, float]:
    """Return how many inferences, and seconds of them, the next stretch is to have."""
    runs = max(job.min_runs + 1 - trace.durations.size, 1)
    missing_s = job.min_seconds - float(trace.durations[1:].sum()) / 1e9
    to_watch_s = (watch_ns - trace.span_ns) / 1e9
    least = SHORTEST_STRETCH_S if trace.durations.size else 0.0
    return runs, min(max(missing_s, to_watch_s, least), LONGEST_STRETCH_S)


def telemetry(trace: Trace) -> Telemetry:
    """Return the machine around a trace."""
    if not trace.states:
        return Telemetry()
    before, after = trace.states[0], trace.states[-1]
    return Telemetry(before=_state(before), after=_state(after), other_load=_other_load(before, after))


def _state(state: State) -> MachineState:
    return MachineState(probe_ns=state.probe_ns, mhz=state.mhz, celsius=state.celsius)


def _other_load(before: State, after: State) -> float | None:
    """Return the CPU cores that other programs used meanwhile."""
    known = (before.busy_ns, after.busy_ns, before.process_cpu_ns, after.process_cpu_ns)
    span = after.clock_ns - before.clock_ns
    if None in known or span <= 100_000_000:
        return None
    busy, own = (
        (after.busy_ns or 0) - (before.busy_ns or 0),
        (after.process_cpu_ns or 0) - (before.process_cpu_ns or 0),
    )
    return max(0.0, (busy - own) / span)
