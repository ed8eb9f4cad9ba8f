"""Describe latency over a long run: the first minute against the last, and when it changed.

Phones throttle: a Tensor G3 went from 196 to about 400 ms in a long run. Minute 1 is not minute 30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.records.samples import Samples

Floats = npt.NDArray[np.float64]
WINDOW_S = 60.0
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
    """

    seconds: float
    window_s: float
    first_ms: float
    last_ms: float
    knee_s: float | None

    @property
    def change_percent(self) -> float:
        """The change from the first window to the last, in percent."""
        return 100 * (self.last_ms / self.first_ms - 1)


def analyze(samples: Samples) -> Sustained | None:
    """Describe a run over time; None where it is too short to have two ends (fewer than 8 inferences)."""
    if samples.size < 8:
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
    if times.size < 8:
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
