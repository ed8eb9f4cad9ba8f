"""Find where a process's warm-up ends.

The trace is cut into stretches of one level by binary segmentation (Scott & Knott, Biometrics 30, 1974), and
warm-up is read from the change-points as in Barrett et al., "Virtual Machine Warmup Blows Hot and Cold"
(OOPSLA 2017): isolated outliers are winsorized first, stretches of practically the same level count as one,
and a trace that still shifts in its last quarter has no steady state. Three rules are added, since phones
do not warm up like virtual machines:

* Levels that are left and taken again (two clock states) are one regime, not endless shifting.
* A straight line that explains the trace better than the steps do is a drift (throttling): never steady.
* A warm-up that decays ends where its excess falls below the noise of one inference, or below 1 %.

All levels are of the logarithm of the duration, so a step is a factor and the unit does not matter.

What it cannot do (figures in `tests/benchmarks/bench_statistics.py`): a step no higher than the noise cannot
be located to 5 samples by any method, and a short one is not seen; the end of a slow decay is known to a part
of its time constant; noise that wanders (lag-1 correlation of 0.9) looks like shifts below 5,000 samples, and
one of 0.5 below 100; levels that change every 10 samples or less are taken for noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SETTLED_SHARE = 0.25
"""Least share of the trace that must be steady (Barrett et al.: the last 500 of 2,000 iterations)."""
SAME_LEVEL = math.log(1.01)
"""Levels closer than 1 % count as one: long traces hold many shifts that are significant but too small to matter."""
FEWEST = 8
"""Shorter traces hold too few samples to tell a level from noise."""
_EXCURSION_SHARE = 0.1
_WINDOW = 7
_INSIDE = 10
_MAX_ROUNDS = 24


@dataclass(frozen=True)
class _Segments:
    """A trace cut into stretches of one level: `starts` are their first indices, `noise` is of one sample."""

    trace: Floats
    noise: float
    starts: Ints

    @property
    def lengths(self) -> Ints:
        return np.diff(np.append(self.starts, self.trace.size))

    @property
    def levels(self) -> Floats:
        sums: Floats = np.add.reduceat(self.trace, self.starts)
        return sums / self.lengths


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
    smooth = _running_median(logs)
    states = _state_shift(logs, smooth)
    trace = _winsorize(logs - states, smooth - states)
    found = _segment(trace, _noise(trace))
    start = _regime_start(found)
    if not _settled(found, start) or _drifts(found, start):
        return None
    start = _decay_end(found, start)
    if not _settled(found, start):
        return None
    return _past_first_outliers(logs, start, found.noise)


def _settled(found: _Segments, start: int) -> bool:
    return found.trace.size - start >= SETTLED_SHARE * found.trace.size


def _running_median(logs: Floats) -> Floats:
    # The first sample is repeated, so that a steep warm-up is kept; the last is not, it may be an outlier.
    half = _WINDOW // 2
    padded = np.concatenate([np.full(half, logs[0]), logs, logs[-half - 1 : -1][::-1]])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    middle: Floats = np.partition(windows, _WINDOW // 2, axis=-1)[:, _WINDOW // 2]
    return middle


def _winsorize(logs: Floats, smooth: Floats) -> Floats:
    """Clip samples far from their running median to the limit; a median keeps steps where they are.

    The limit is 3.5 robust standard deviations of the distances (Iglewicz & Hoaglin, 1993).
    """
    distance = logs - smooth
    bound = 3.5 * _robust_sd(distance)
    tamed: Floats = smooth + np.clip(distance, -bound, bound)
    return tamed


def _robust_sd(values: Floats) -> float:
    """Return 1.4826 MAD: the standard deviation of normal data, robust to outliers."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _noise(trace: Floats) -> float:
    """Return the standard deviation of a sample around its level, as it affects means of many.

    Differences of the means of neighboring blocks cancel the level and a trend, and their median ignores a few
    steps. The largest estimate over block lengths is taken, since autocorrelated noise looks small from one
    sample to the next, and states that change every few samples only show within blocks. Few samples estimate
    it badly, so a margin is added.
    """
    blocks = [block for block in (1, 2, 5, 10, 20) if 8 * block**2 <= max(trace.size, 8)]
    estimates = [_block_noise(trace, block) for block in blocks]
    if trace.size >= 20 * _INSIDE:
        inside = trace[trace.size % _INSIDE :].reshape(-1, _INSIDE).var(axis=1, ddof=1)
        estimates.append(math.sqrt(float(np.median(inside))))
    return max(1e-9, *estimates) * (1.0 + 1.0 / math.sqrt(trace.size))


def _block_noise(trace: Floats, block: int) -> float:
    means = trace[trace.size % block :].reshape(-1, block).mean(axis=1)
    return _robust_sd(np.diff(means)) * math.sqrt(block / 2.0)


def _state_shift(logs: Floats, smooth: Floats) -> Floats:
    """Return the shift between two states that alternate throughout the trace; 0 without such states.

    Levels are told apart by Otsu's threshold (IEEE Trans. SMC 9, 1979) on the running median.
    """
    split = _two_levels(smooth)
    if split is None or not _alternates(logs, smooth > split[1], split[0]):
        return np.zeros(logs.size)
    return np.where(smooth > split[1], split[0], 0.0)


def _alternates(logs: Floats, upper: npt.NDArray[np.bool_], gap: float) -> bool:
    """Whether there are two states in both halves of the trace, and in the samples themselves.

    A step holds the second state in one half only. A running median of states that change every few samples
    has levels of its own.
    """
    half = logs.size // 2
    shares = (float(upper[:half].mean()), float(upper[half:].mean()))
    if np.count_nonzero(np.diff(upper)) < 4 or not all(0.1 <= share <= 0.9 for share in shares):
        return False
    return float(logs[upper].mean() - logs[~upper].mean()) > 0.5 * gap


def _two_levels(smooth: Floats) -> tuple[float, float] | None:
    """Return the gap between two groups of values and the border; None where there is no clear gap."""
    ordered = np.sort(smooth)
    n = ordered.size
    left = np.arange(1, n)
    sums = np.cumsum(ordered)[:-1]
    cut = int(np.argmax((sums - left * ordered.mean()) ** 2 / (left * (n - left)))) + 1
    low, high = ordered[:cut], ordered[cut:]
    gap = float(high.mean() - low.mean())
    inside = math.sqrt((float(low.var()) * low.size + float(high.var()) * high.size) / n)
    # Normal noise without states has a ratio of 2.6, a uniform drift 3.5.
    return (gap, 0.5 * float(low[-1] + high[0])) if gap > max(4.0 * inside, SAME_LEVEL) else None


def _segment(trace: Floats, noise: float) -> _Segments:
    """Split every segment at its best place, round by round, as long as the split is significant.

    Long traces are first searched by the means of a few samples; the places are refined on all.
    """
    width = 1 + trace.size // 1250
    means = trace[: trace.size // width * width].reshape(-1, width).mean(axis=1)
    starts = np.zeros(1, dtype=np.int64)
    for _ in range(_MAX_ROUNDS):
        added = _best_splits(means, noise / math.sqrt(width), starts)
        if not added.size:
            break
        starts = np.sort(np.concatenate([starts, added]))
    placed = _refine(_merge_equal(_Segments(trace, noise, starts * width)))
    kept = _merge_equal(placed)  # a change-point that was moved may turn out to divide nothing
    return placed if kept is placed else _refine(kept)


def _best_splits(trace: Floats, noise: float, starts: Ints) -> Ints:
    """Return the best split of each segment (CUSUM) where it is beyond chance; all segments at once."""
    n = trace.size
    lengths = np.diff(np.append(starts, n))
    owner = np.repeat(np.arange(starts.size), lengths)
    means = np.add.reduceat(trace, starts) / lengths
    centered = trace - means[owner]
    excess = np.cumsum(centered) - centered  # of everything left of each index; each segment sums to 0
    left = np.arange(n) - starts[owner]
    weight = left * (lengths[owner] - left) / lengths[owner]
    score = np.abs(excess) / np.sqrt(np.where(left > 0, weight, np.inf)) / noise
    best = np.maximum.reduceat(score, starts)
    hits = np.flatnonzero((score == best[owner]) & (score > _chance(n)))
    return hits[np.unique(owner[hits], return_index=True)[1]]


def _chance(n: int) -> float:
    """Return a bound that the largest of n standard normal numbers rarely exceeds: sqrt(2 ln n), plus 1."""
    return math.sqrt(2.0 * math.log(n)) + 1.0


def _refine(found: _Segments) -> _Segments:
    """Move each change-point to the best place between its present neighbors, which came later than it."""
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
    """Join neighbors, the closest first, as long as two are practically or statistically one level."""
    while found.starts.size > 1:
        lengths = found.lengths
        blur = _chance(found.trace.size) * found.noise * np.sqrt(1.0 / lengths[1:] + 1.0 / lengths[:-1])
        surplus = np.abs(np.diff(found.levels)) - np.maximum(SAME_LEVEL, blur)
        closest = int(np.argmin(surplus))
        if surplus[closest] > 0.0:
            break
        found = _Segments(found.trace, found.noise, np.delete(found.starts, closest + 1))
    return found


def _regime_start(found: _Segments) -> int:
    """Return the start of the longest stretch up to the end that is one regime.

    It is one when every level is left and taken again, or all but one are short excursions from that.
    """
    names, lengths = _level_names(found), found.lengths.tolist()
    start, counts, home, total = len(names) - 1, dict.fromkeys(names, 0), 0, 0
    for k in reversed(range(len(names))):
        counts[names[k]] += names[k : k + 1] != names[k + 1 : k + 2]  # neighbors of one name are one visit
        total += lengths[k]
        home += lengths[k] if names[k] == names[-1] else 0
        seen = [count for count in counts.values() if count]
        excursions = names[k] == names[-1] and total - home <= _EXCURSION_SHARE * total
        if len(seen) == 1 or min(seen) > 1 or excursions:
            start = k
    return int(found.starts[start])


def _level_names(found: _Segments) -> list[int]:
    """Give segments of the same level the same name; each is compared with the first of its name.

    A segment too short for the running median to see, a cluster of outliers, takes the name before it.
    """
    names: list[int] = []
    levels, lengths = found.levels, found.lengths
    for k in range(levels.size):
        blur = 3.0 * found.noise * np.sqrt(1.0 / lengths[:k] + 1.0 / lengths[k])
        same = np.flatnonzero(np.abs(levels[:k] - levels[k]) <= np.maximum(SAME_LEVEL, blur))
        if k and lengths[k] <= _WINDOW // 2:
            names.append(names[-1])
        else:
            names.append(names[int(same[0])] if same.size else k)
    return names


def _drifts(found: _Segments, start: int) -> bool:
    """Whether a straight line to the end, from any change up to the steady part, fits better than the steps.

    A line (2 numbers) is compared with K levels (2 K - 1) by Schwarz's criterion (Ann. Stat. 6, 1978).
    """
    n = found.trace.size
    begins = found.starts[found.starts <= min(start, n - FEWEST)]
    levels_left = found.starts.size - np.arange(begins.size)
    m = n - begins
    time, trace = np.arange(n) - (n - 1.0), found.trace - found.trace.mean()
    sum_t, sum_y = _from(begins, time), _from(begins, trace)
    spread = _from(begins, time * time) - sum_t**2 / m
    product = _from(begins, time * trace) - sum_t * sum_y / m
    slope = product / spread
    line_error = _from(begins, trace * trace) - sum_y**2 / m - slope * product
    gain = (line_error - _from(begins, _rest(found) ** 2)) / found.noise**2
    clear = (np.abs(slope) * m > 2.0 * SAME_LEVEL) & (np.abs(slope) * np.sqrt(spread) > 4.0 * found.noise)
    return bool(np.any(clear & (gain < (2 * levels_left - 3) * np.log(m))))


def _from(begins: Ints, values: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return the sum of the values from each index to the end."""
    sums: Floats = np.cumsum(values[::-1])[::-1][begins]
    return sums


def _rest(found: _Segments) -> Floats:
    """Return the residual of each sample from its level."""
    rest: Floats = found.trace - np.repeat(found.levels, found.lengths)
    return rest


def _decay_end(found: _Segments, start: int) -> int:
    """Return where an exponential warm-up falls below the noise; `start` if steps describe it better."""
    end = min(found.trace.size, 4 * start + 40)
    changes = int(np.count_nonzero(found.starts[1:] < end))
    if start == 0 or not changes:
        return start
    curve, height, constant = _fit_decay(found.trace[:end], start)
    decay_error = float(np.sum((found.trace[:end] - curve) ** 2))
    step_error = float(np.sum(_rest(found)[:end] ** 2))
    if (decay_error - step_error) / found.noise**2 > (2 * changes - 2) * math.log(end):
        return start
    limit = max(_robust_sd(found.trace[start:]), math.expm1(SAME_LEVEL))
    return math.ceil(constant * math.log(height / limit)) if height > limit else start


def _fit_decay(piece: Floats, start: int) -> tuple[Floats, float, float]:
    """Fit level * (1 + height * exp(-t / constant)) by least squares over a grid of constants, twice.

    Returns:
        The logarithm of the curve, its height, and its time constant in samples.
    """
    ratio = np.exp(piece - piece.mean())
    time = np.arange(piece.size)
    step = 1 + piece.size // 400  # every so many samples are enough for the constant
    grid = np.geomspace(max(start / 16.0, 0.5), 2.0 * start + 1.0, 24)
    for _ in range(2):
        basis = np.exp(-time[::step] / grid[:, None])
        basis -= basis.mean(axis=1, keepdims=True)
        best = int(np.argmax((basis @ ratio[::step]) ** 2 / np.einsum("ij,ij->i", basis, basis)))
        constant = float(grid[best])
        grid = np.geomspace(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)], 24)
    decay = np.exp(-time / constant)
    centered = decay - decay.mean()
    slope = float(centered @ ratio) / float(centered @ centered)
    level = float(ratio.mean()) - slope * float(decay.mean())
    curve = np.log(np.maximum(level + slope * decay, 1e-3)) + piece.mean()
    return curve, slope / level if level > 0 else 0.0, constant


def _past_first_outliers(logs: Floats, start: int, noise: float) -> int:
    """Skip slow inferences right at the start: winsorizing hides a warm-up of one or two."""
    level = float(np.median(logs[start:]))
    limit = level + max(5.0 * max(noise, _robust_sd(logs[start:])), SAME_LEVEL)
    late = min(start + 5, logs.size - 1)
    while start < late and logs[start] > limit:
        start += 1
    return start
