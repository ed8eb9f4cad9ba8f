"""Find where a process's warm-up ends.

The trace is cut into stretches of constant level by binary segmentation (Scott & Knott, Biometrics 30,
1974), as Barrett et al. ("Virtual Machine Warmup Blows Hot and Cold", OOPSLA 2017) classify warm-up from
change-points: isolated outliers are winsorized first, stretches of practically the same level count as one,
and a trace that still shifts in its last quarter has no steady state. Two things are added for phones: a
trace whose second part a straight line explains better than steps is drifting (throttling), and one that
goes to and fro between two levels (clock states) is steady, not shifting.

All levels are of the logarithm of the duration, so a step is a factor and the unit does not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SETTLED_SHARE = 0.25
"""The steady part must be at least this share of the trace (Barrett et al.: the last 500 of 2,000
iterations)."""
SAME_LEVEL = math.log(1.01)
"""Levels closer than 1 % are one level: real traces hold many shifts that are significant and do not
matter."""
FEWEST = 8
"""Shorter traces hold too little to tell a level from noise."""
_MAX_ROUNDS = 24


def steady_start(durations_ns: npt.NDArray[np.int64]) -> int | None:
    """Return the index of the first steady inference of a process.

    Args:
        durations_ns: Durations of all inferences, shape (n,), in the order they ran; any unit of time.

    Returns:
        The index; 0 when there is no warm-up; None when the trace never settles (it drifts or still shifts
        in its last quarter) or is shorter than `FEWEST`.
    """
    if len(durations_ns) < FEWEST:
        return None
    logs = np.log(np.maximum(np.asarray(durations_ns, dtype=np.float64), 1.0))
    tamed = _without_states(winsorize(logs))
    noise = noise_level(tamed)
    found = _segment(tamed, noise)
    start = _settled_from(found)
    if start is None or _drifts(found, start):
        return None
    return _past_first_outliers(logs, start, noise)


@dataclass(frozen=True)
class _Segments:
    """A trace cut into stretches of one level each: `starts` are their first indices, beginning with 0."""

    trace: Floats
    noise: float
    starts: Ints

    @property
    def ends(self) -> Ints:
        return np.append(self.starts[1:], self.trace.size)

    @property
    def lengths(self) -> Ints:
        return np.diff(np.append(self.starts, self.trace.size))

    @property
    def levels(self) -> Floats:
        sums: Floats = np.add.reduceat(self.trace, self.starts)
        return sums / self.lengths


def winsorize(logs: Floats, window: int = 7, limit: float = 3.5) -> Floats:
    """Pull samples far from their running median back to the limit; a median keeps steps where they are.

    The limit is 3.5 robust standard deviations (Iglewicz & Hoaglin, 1993) of the distances from the running
    median.
    """
    half = window // 2
    padded = np.pad(logs, half, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=-1)
    distance = logs - middle
    bound = limit * robust_sd(distance)
    tamed: Floats = middle + np.clip(distance, -bound, bound)
    return tamed


def robust_sd(values: Floats) -> float:
    """Return 1.4826 MAD: the standard deviation of normal data, blind to outliers."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def noise_level(logs: Floats) -> float:
    """Return the standard deviation of one sample around its level, of changes that last, from differences.

    Differences of the means of neighbouring blocks do not see a level or a trend, and a median of them does
    not see a few steps. The largest estimate over block lengths is taken, since autocorrelated noise looks
    small at lag 1.
    """
    estimates = [0.0]
    for block in (1, 2, 5, 10):
        count = logs.size // block
        if count < 20 and block > 1:
            break
        means = logs[logs.size - count * block :].reshape(count, block).mean(axis=1)
        estimates.append(robust_sd(np.diff(means)) * math.sqrt(block / 2.0))
    return max(*estimates, 1e-9)


def _segment(trace: Floats, noise: float) -> _Segments:
    """Split every segment at its best place, round by round, as long as the split is worth it."""
    starts = np.zeros(1, dtype=np.int64)
    threshold = _threshold(trace.size)
    for _ in range(_MAX_ROUNDS):
        added = _best_splits(trace, starts, noise, threshold)
        if not added.size:
            break
        starts = np.sort(np.concatenate([starts, added]))
    return _merge_equal(_refine(_Segments(trace, noise, starts)))


def _threshold(n: int) -> float:
    """Return what a standardized difference of means must exceed: the largest of n, and a margin."""
    return math.sqrt(2.0 * math.log(n)) + 1.0


def _best_splits(trace: Floats, starts: Ints, noise: float, threshold: float) -> Ints:
    """Return the best split of each segment (CUSUM) where it exceeds the threshold; all segments at once."""
    n = trace.size
    lengths = np.diff(np.append(starts, n))
    owner = np.repeat(np.arange(starts.size), lengths)
    total = np.add.reduceat(trace, starts)
    before = np.cumsum(trace) - trace  # the sum of everything left of each index
    left = np.arange(n) - starts[owner]
    size = lengths[owner]
    excess = (before - before[starts][owner]) - left * (total / lengths)[owner]
    weight = left * (size - left) / size
    score = np.abs(excess) / np.sqrt(np.where(left > 0, weight, np.inf)) / noise
    best = np.maximum.reduceat(score, starts)
    hits = np.flatnonzero((score == best[owner]) & (score > threshold))
    _, first = np.unique(owner[hits], return_index=True)
    return hits[first]


def _refine(found: _Segments) -> _Segments:
    """Move each change-point to the best place between its neighbours, unknown when it was first placed."""
    starts = found.starts.copy()
    for k in range(1, starts.size):
        low = starts[k - 1]
        high = starts[k + 1] if k + 1 < starts.size else found.trace.size
        piece = found.trace[low:high]
        left = np.arange(1, piece.size)
        excess = np.cumsum(piece)[:-1] - left * piece.mean()
        starts[k] = low + 1 + int(np.argmax(np.abs(excess) / np.sqrt(left * (piece.size - left))))
    return _Segments(found.trace, found.noise, starts)


def _merge_equal(found: _Segments) -> _Segments:
    """Join neighbours, the closest first, as long as two are practically or statistically the same level."""
    while found.starts.size > 1:
        gaps = np.abs(np.diff(found.levels))
        lengths = found.lengths
        blur = found.noise * np.sqrt(1.0 / lengths[1:] + 1.0 / lengths[:-1])
        surplus = gaps - np.maximum(SAME_LEVEL, 3.0 * blur)
        worst = int(np.argmin(surplus))
        if surplus[worst] > 0.0:
            break
        found = _Segments(found.trace, found.noise, np.delete(found.starts, worst + 1))
    return found


def _settled_from(found: _Segments) -> int | None:
    """Return where the last regime begins, one level or two that alternate; None when it is too short."""
    names = _level_names(found)
    last = names[-1]
    kept = len(names) - 1
    allowed = {last}
    while kept > 0 and (names[kept - 1] in allowed or (len(allowed) == 1 and last in names[: kept - 1])):
        kept -= 1
        allowed.add(names[kept])
    while names[kept] not in names[kept + 1 :] and len(names) - kept > 1:
        kept += 1  # a level that is left once and never taken again is warm-up
    start = int(found.starts[kept])
    return start if found.trace.size - start >= SETTLED_SHARE * found.trace.size else None


def _level_names(found: _Segments) -> list[int]:
    """Give segments of the same level the same name; each is compared with the first of its name."""
    names: list[int] = []
    levels, lengths = found.levels, found.lengths
    for k in range(levels.size):
        blur = 3.0 * found.noise * np.sqrt(1.0 / lengths[:k] + 1.0 / lengths[k])
        same = np.flatnonzero(np.abs(levels[:k] - levels[k]) <= np.maximum(2.0 * SAME_LEVEL, blur))
        names.append(names[int(same[0])] if same.size else k)
    return names


def _drifts(found: _Segments, start: int) -> bool:
    """Tell whether a straight line explains the trace up to its end better than the steps found do.

    Schwarz's criterion (Ann. Stat. 6, 1978) for a line (2 numbers) and for K levels (2 K - 1 numbers), from
    every change-point before the steady part and within the steady part itself.
    """
    before = found.starts[found.starts <= start]
    return any(_line_wins(found, int(begin)) for begin in before)


def _line_wins(found: _Segments, begin: int) -> bool:
    piece = found.trace[begin:]
    time = np.arange(piece.size) - (piece.size - 1) / 2.0
    spread = float(time @ time)
    slope = float(time @ piece) / spread
    if abs(slope) * piece.size <= 2.0 * SAME_LEVEL or abs(slope) * math.sqrt(spread) <= 4.0 * found.noise:
        return False
    kept = found.starts[found.starts >= begin]
    levels = np.add.reduceat(found.trace, kept) / np.diff(np.append(kept, found.trace.size))
    steps = piece - np.repeat(levels, np.diff(np.append(kept, found.trace.size)))
    line = piece - piece.mean() - slope * time
    cost = 2.0 * (kept.size - 1) - 1.0
    gain = (float(steps @ steps) - float(line @ line)) / found.noise**2
    return gain > -cost * math.log(piece.size)


def _without_states(logs: Floats) -> Floats:
    """Shift one of two alternating states onto the other when the trace keeps going to and fro."""
    split = _two_levels(logs)
    if split is None:
        return logs
    low, high, border = split
    upper = logs > border
    changes = np.flatnonzero(np.diff(upper.astype(np.int8)))
    if changes.size < 4 or changes[-1] - changes[0] < SETTLED_SHARE * logs.size:
        return logs
    inner = upper[changes[0] + 1 : changes[-1] + 1]
    if not 0.1 <= float(inner.mean()) <= 0.9 or changes[-1] < 0.5 * logs.size:
        return logs
    return np.where(upper, logs - (high - low), logs)


def _two_levels(logs: Floats) -> tuple[float, float, float] | None:
    """Split the values in two groups (Otsu, IEEE Trans. SMC 9, 1979); None unless the gap is clear."""
    ordered = np.sort(logs)
    n = ordered.size
    left = np.arange(1, n)
    sums = np.cumsum(ordered)[:-1]
    between = (sums - left * ordered.mean()) ** 2 / (left * (n - left))
    cut = int(np.argmax(between)) + 1
    low, high = float(ordered[:cut].mean()), float(ordered[cut:].mean())
    inside = math.sqrt((float(ordered[:cut].var()) * cut + float(ordered[cut:].var()) * (n - cut)) / n)
    if high - low <= max(4.0 * inside, 2.0 * SAME_LEVEL):
        return None
    return low, high, 0.5 * (float(ordered[cut - 1]) + float(ordered[cut]))


def _past_first_outliers(logs: Floats, start: int, noise: float) -> int:
    """Leave out slow inferences right at the start: winsorizing hides a warm-up of one or two inferences."""
    level = float(np.median(logs[start:]))
    limit = level + max(5.0 * max(noise, robust_sd(logs[start:])), SAME_LEVEL)
    while start < logs.size - 1 and start < 5 and logs[start] > limit:
        start += 1
    return start
