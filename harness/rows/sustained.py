"""Describe latency over a long run: the first minute against the last, and when it changed.

Phones throttle: a Tensor G3 went from 196 to about 400 ms in a long run. Minute 1 is not minute 30.

Where a tool keeps its samples to itself, the load is one process right after the other, and each is one point: its
median, in the middle of the time that it took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from harness.records.records import ProcessFacts, StoredRecord
from harness.records.samples import Samples
from harness.units import NS_PER_MS

Floats = npt.NDArray[np.float64]
WINDOW_S = 60.0
LEAST_POINTS = 8
"""A course of fewer points has no ends."""
LEAST_GAIN = 0.5
"""A knee is reported only where two lines leave at most half of one line's squared error."""


@dataclass(frozen=True)
class Sustained:
    """Latency at both ends of a long run.

    Attributes:
        seconds: Length of the run.
        window_s: Length of the windows at its ends: a minute, or a quarter of a run shorter than four.
        first_ms: Median of the first window.
        last_ms: Median of the last window.
        knee_s: Time at which the course changed most; None where one straight line describes it as well.
        n_processes: Number of processes whose medians these are of; None where they are of single inferences.
    """

    seconds: float
    window_s: float
    first_ms: float
    last_ms: float
    knee_s: float | None
    n_processes: int | None = None

    @property
    def basis(self) -> str:
        """What the medians are of."""
        return "inferences" if self.n_processes is None else "process medians"

    @property
    def change_percent(self) -> float:
        """The change from the first window to the last, in percent."""
        return 100 * (self.last_ms / self.first_ms - 1)


def analyze_cell(stored: StoredRecord) -> Sustained | None:
    """Describe a cell over time, by its inferences or by its processes; None where it is too short.

    Raises:
        RecordError: A file of samples is missing, or is not one of ours.
    """
    samples = stored.samples()
    return analyze(samples[0]) if samples else analyze_processes(stored.record.processes)


def analyze(samples: Samples) -> Sustained | None:
    """Describe a run over time; None where it is too short to have two ends (fewer than 8 inferences)."""
    if samples.size < LEAST_POINTS:
        return None
    times = samples["start_ns"] / 1e9
    durations = samples["duration_ns"] / 1e6
    seconds = float(times[-1] - times[0] + durations[-1] / 1e3)
    window = min(WINDOW_S, seconds / 4)
    first, last = durations[times < times[0] + window], durations[times >= times[-1] - window]
    centers, medians = _course(times, durations, max(1.0, seconds / 300))
    return Sustained(
        seconds=seconds,
        window_s=window,
        first_ms=float(np.median(first)),
        last_ms=float(np.median(last)),
        knee_s=find_knee(centers, medians),
    )


@dataclass(frozen=True)
class Bursts:
    """The processes of a load, one after the other.

    Attributes:
        seconds: Length of the whole.
        middle_s: The middle of each process, since the first began.
        median_ms: The median that each gave.
        low_ms: The 5th percentile; the median where that is unknown.
        high_ms: The 95th percentile; the same.
    """

    seconds: float
    middle_s: Floats
    median_ms: Floats
    low_ms: Floats
    high_ms: Floats


def bursts_of(processes: Sequence[ProcessFacts]) -> Bursts | None:
    """Return the processes of a load that gave summaries in place of samples; None where there are none."""
    known = [
        (
            _time(p.started_at),
            p.duration_s,
            s.median_ns,
            _or(s.p5_ns, s.median_ns),
            _or(s.p95_ns, s.median_ns),
        )
        for p in processes
        if (s := p.summary) is not None and s.median_ns is not None and p.duration_s is not None
    ]
    if not known:
        return None
    starts, durations, *levels = (np.array(values, np.float64) for values in zip(*known, strict=True))
    starts -= starts[0]
    whole = float(starts[-1] + durations[-1])
    return Bursts(whole, starts + durations / 2, *(level / NS_PER_MS for level in levels))


def _or(value: int | None, instead: int) -> int:
    return instead if value is None else value


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def analyze_processes(processes: Sequence[ProcessFacts]) -> Sustained | None:
    """Describe a load by the medians of its processes; None where there are fewer than 8 of them."""
    found = bursts_of(processes)
    if found is None or found.middle_s.size < LEAST_POINTS:
        return None
    window = min(WINDOW_S, found.seconds / 4)
    middles, medians = found.middle_s, found.median_ms
    first = medians[middles < max(window, middles[0] + 1e-9)]
    last = medians[middles >= min(found.seconds - window, middles[-1])]
    return Sustained(
        seconds=found.seconds,
        window_s=window,
        first_ms=float(np.median(first)),
        last_ms=float(np.median(last)),
        knee_s=find_knee(middles, medians),
        n_processes=medians.size,
    )


def _course(times: Floats, durations: Floats, step_s: float) -> tuple[Floats, Floats]:
    """Return the median latency of each step of time, (centers in s, medians in ms); empty steps are left out."""
    bins = ((times - times[0]) // step_s).astype(np.int64)
    edges = np.flatnonzero(np.diff(bins, prepend=-1))
    groups = np.split(durations, edges[1:])
    centers = (bins[edges] + 0.5) * step_s
    return centers, np.array([np.median(group) for group in groups])


def find_knee(times: Floats, values: Floats) -> float | None:
    """Return where two straight lines that meet describe the course best; None where one line does as well.

    A least-squares fit of a continuous two-phase regression (Hudson, JASA 61, 1966), with every time tried as the
    joint.
    """
    if times.size < LEAST_POINTS:
        return None
    single = _residual(np.column_stack([np.ones_like(times), times]), values)
    joints = times[2:-2]
    errors = [
        _residual(np.column_stack([np.ones_like(times), times, np.maximum(times - joint, 0.0)]), values)
        for joint in joints
    ]
    best = int(np.argmin(errors))
    noise = 1e-12 * float((values**2).sum())
    return float(joints[best]) if errors[best] + noise < LEAST_GAIN * single else None


def _residual(design: Floats, values: Floats) -> float:
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(((design @ solution - values) ** 2).sum())
