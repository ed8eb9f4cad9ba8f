"""Summaries of timed inferences: pure functions of the raw samples; no summary is ever stored.

A benchmark has two levels: inferences inside a process, and processes. Inferences of one process share its
memory layout, its core and its clock, so thousands of them say little about the next process (Kalibera &
Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013; Georges et al., "Statistically Rigorous Java
Performance Evaluation", OOPSLA 2007). The process is therefore the unit of the median's interval:

* What is estimated: the median latency of a typical process, that is the median over processes of a
  process's median. The estimate is the median of the process medians: one process on a slow core does not
  move it, and it equals the median of all inferences wherever processes differ only at random.
* 2 to 5 processes: no distribution-free 95 % interval exists (the widest, minimum to maximum, misses with
  probability 2^(1-n), 6.25 % for 5), so a shape must be assumed: Student t on the logarithms of the process
  medians, which is exact where these are normal, but at least from the smallest to the largest process
  median, which keeps 5 processes at 93.75 % whatever the distribution (two states of a device, for instance).
* 6 and more: order statistics of the process medians, interpolated between two ranks so that the confidence
  is 95 % and not the next possible value above (Hettmansperger & Sheather, Stat. Probab. Lett. 4, 1986). No
  shape is assumed.
* 1 process: order statistics of the samples, with the number of samples that independent ones would be
  worth. Nothing is known of other processes then; callers say so.

What it cannot do (figures in `tests/benchmarks/bench_statistics.py`): with fewer than 5 processes, each of
them in one of two states, all may be in the same one and the interval does not know of the other. With one
process, states that last a good part of the trace leave too few visits to judge from. And where some
processes are slow, the typical process is not the median of all inferences: that median lies higher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.statistics.distributions import binomial_cdf, binomial_quantile, t_quantile
from harness.statistics.drift import drift
from harness.units import NS_PER_MS

Durations = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
QUANTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
FEWEST_FOR_ORDER_INTERVAL = 6
"""2^(1-n) <= 5 % from here on: minimum to maximum holds the median with 95 % whatever the distribution."""


@dataclass(frozen=True)
class LatencySummary:
    """The latency of a cell. Unknown is None; every time is in ms.

    `n_samples` and `mean_ms` … `max_ms` are of all steady inferences of all processes together, except the
    median and its 95 % interval, which respect the processes (see the module). `std_ms` is the sample
    standard deviation (divisor n-1). A quantile is that of these processes' inferences, and None when the sample is too
    small to bound it from above with 95 % confidence: `runs_needed` then says how many inferences would do, by the
    quantile's name (`p90`, `p95`, `p99`), and `worth` how many independent ones these are worth where there are
    enough of them but processes differ (see `worth`). `slow_tenth_ms` is what a tenth of the inferences at hand took
    or more, whether or not the next processes would. `drift_percent` is the change over the rounds, `drift_p` the p of
    there being none (`harness.statistics.drift`).
    `outlier_share` is 0…1 (see `spread`). `fps` is 1000 / mean: inferences divided by the time they took, the rate that
    back-to-back inference sustains.
    """

    n_samples: int
    n_processes: int
    mean_ms: float
    std_ms: float | None
    median_ms: float
    median_low_ms: float | None
    median_high_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    min_ms: float
    max_ms: float
    fps: float
    outlier_share: float | None = None
    runs_needed: dict[str, int] = field(default_factory=dict)
    worth: dict[str, int] = field(default_factory=dict)
    slow_tenth_ms: float | None = None
    drift_percent: float | None = None
    drift_p: float | None = None


def summarize(processes: Sequence[Durations]) -> LatencySummary | None:
    """Summarize the steady durations of each independent process.

    Args:
        processes: One array a process, shape (n,), in ns, in the order they ran. Empty ones are skipped.

    Returns:
        The summary, or None when there is no sample at all.
    """
    measured = [np.asarray(durations, dtype=np.int64) for durations in processes if len(durations)]
    if not measured:
        return None
    joined = np.concatenate(measured)
    pooled = joined / NS_PER_MS
    mean, std = mean_and_std(pooled)
    inside, ordered = _spreads(measured)
    medians = np.array([one.median for one in inside])
    interval = _interval_of(measured, medians)
    low, high = (None, None) if interval is None else (bound / NS_PER_MS for bound in interval)
    pooled = ordered / NS_PER_MS
    change = drift(medians.tolist())
    tails, worths = _quantiles(pooled, joined, np.array([durations.size for durations in measured]))
    return LatencySummary(
        n_samples=pooled.size,
        n_processes=len(measured),
        mean_ms=mean,
        std_ms=std,
        median_ms=middle(medians) / NS_PER_MS,
        median_low_ms=low,
        median_high_ms=high,
        p90_ms=tails["p90"],
        p95_ms=tails["p95"],
        p99_ms=tails["p99"],
        min_ms=float(pooled[0]),
        max_ms=float(pooled[-1]),
        fps=1000.0 / mean if mean > 0 else math.inf,
        outlier_share=sum(one.n_far for one in inside) / pooled.size,
        runs_needed={name: runs_needed(QUANTILES[name]) for name, value in tails.items() if value is None},
        worth=worths,
        drift_percent=None if change is None else change.percent,
        drift_p=None if change is None else change.p,
        slow_tenth_ms=interpolated(pooled, 0.9) if pooled.size >= runs_needed(0.9) else None,
    )


def mean_and_std(values: Floats) -> tuple[float, float | None]:
    """Return `mean()` and `std(ddof=1)`, to the last bit, in a third of their time on short arrays."""
    n = values.size
    mean = np.add.reduce(values) / n
    if n < 2:
        return float(mean), None
    from_mean = values - mean
    return float(mean), math.sqrt(np.add.reduce(from_mean * from_mean) / (n - 1))


def _quantiles(
    ordered: Floats, joined: Durations, sizes: npt.NDArray[np.int64]
) -> tuple[dict[str, float | None], dict[str, int]]:
    """Return the quantiles that the samples can bound (linear interpolation, Hyndman & Fan type 7).

    `joined` are the samples in ns, of one process after another, and `sizes` how many each of these has. The second
    dictionary says how many samples they are worth for those that differing processes alone do not bound.
    """
    found: dict[str, float | None] = dict.fromkeys(QUANTILES)
    values = {
        name: interpolated(ordered, q) for name, q in QUANTILES.items() if ordered.size >= runs_needed(q)
    }
    independent = _worths(joined, sizes, [value * NS_PER_MS for value in values.values()])
    worths: dict[str, int] = {}
    for (name, value), number in zip(values.items(), independent, strict=True):
        if number >= runs_needed(QUANTILES[name]):
            found[name] = value
        else:
            worths[name] = int(number)
    return found, worths


def worth(processes: Sequence[Durations], limit: float) -> float:
    """Return how many independent samples would tell the share above a limit as well as these do, at most all.

    That is n divided by the design effect of samples that come in clusters: the variance of the share, as the
    processes' own shares show it, against that of as many independent samples (Kish, Survey Sampling, 1965, § 5.4). One
    process shows no such variance.
    """
    kept = [durations for durations in processes if durations.size]
    sizes = np.array([durations.size for durations in kept])
    return _worths(np.concatenate(kept), sizes, [limit])[0]


def _worths(joined: Durations, sizes: npt.NDArray[np.int64], limits: Sequence[float]) -> list[float]:
    """Return `worth` for several limits, of processes that stand one after another: all are counted at once."""
    n, k = joined.size, sizes.size
    if k < 2 or not limits:
        return [float(n)] * len(limits)
    higher = joined > np.array(limits)[:, None] + 0.5
    above = np.add.reduceat(higher, sizes.cumsum() - sizes, axis=1, dtype=np.int64)
    shares = np.add.reduce(above, axis=1) / n
    from_shares = above - shares[:, None] * sizes
    squares = np.add.reduce(from_shares * from_shares, axis=1).tolist()
    return [effective(n, k, *each) for each in zip(shares.tolist(), squares, strict=True)]


def effective(n: int, k: int, share: float, squares: float) -> float:
    """Return n divided by the design effect of a share; `squares` is the sum of those of the k processes' distances."""
    if not 0 < share < 1:
        return float(n)
    variance = k / (k - 1) * squares
    return n / max(variance / (n * share * (1 - share)), 1.0)


def interpolated(ordered: Floats, q: float) -> float:
    """Return NumPy's quantile of sorted values to the last bit, in a tenth of its time on a short sample."""
    place = (ordered.size - 1) * q
    rank = math.floor(place)
    low, high = float(ordered[rank]), float(ordered[min(rank + 1, ordered.size - 1)])
    share = place - rank
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def median_of(processes: Sequence[Durations]) -> float:
    """Return the median of the process medians, in the unit of the samples; every process must have some."""
    return middle(np.array([middle(durations) for durations in processes]))


def middle(values: npt.NDArray[Any]) -> float:
    """Return the median of a non-empty array without NaN: np.median's number in a fifth of its time on short ones."""
    return _middle_of_sorted(np.sort(values))


def _middle_of_sorted(ordered: npt.NDArray[Any]) -> float:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float((ordered.item(half - 1) + ordered.item(half)) / 2)


def median_interval(processes: Sequence[Durations]) -> tuple[float, float] | None:
    """Return the 95 % interval of the median (see the module for what is estimated and how).

    Args:
        processes: One non-empty array a process, shape (n,), any unit of time.

    Returns:
        (low, high) in the unit of the samples, or None when one process has too few samples for it.
    """
    return _interval_of(processes, np.array([middle(durations) for durations in processes]))


def _interval_of(processes: Sequence[Durations], medians: Floats) -> tuple[float, float] | None:
    if len(processes) == 1:
        return _within_process(processes[0])
    if medians.size < FEWEST_FOR_ORDER_INTERVAL:
        return _student_interval(np.sort(medians))
    return interpolated_interval(np.sort(medians))


def _student_interval(medians: Floats) -> tuple[float, float]:
    """Return Student's t interval on logarithms (latencies differ by factors), no narrower than the process medians."""
    logs = np.log(np.maximum(medians, 1.0))
    center, std = mean_and_std(logs)
    half = t_quantile(0.5 + CONFIDENCE / 2, logs.size - 1) * (std or 0.0) / math.sqrt(logs.size)
    return min(math.exp(center - half), float(medians[0])), max(math.exp(center + half), float(medians[-1]))


def interpolated_interval(ordered: Floats) -> tuple[float, float]:
    """Return Hettmansperger & Sheather's interval (1986, eq. 1-2), between the ranks just above and just below 95 %."""
    n = ordered.size
    rank, weight = _rank_and_weight(n)
    low = (1.0 - weight) * ordered[rank - 1] + weight * ordered[rank]
    high = (1.0 - weight) * ordered[n - rank] + weight * ordered[n - rank - 1]
    return float(low), float(high)


@cache
def _rank_and_weight(n: int) -> tuple[int, float]:
    """Return the lower of the two ranks, and how much the other one counts."""
    rank = max(order_ranks(n, 0.5)[0], 1)
    wide, narrow = (1.0 - 2.0 * binomial_cdf(k - 1, n, 0.5) for k in (rank, rank + 1))
    share = (wide - CONFIDENCE) / (wide - narrow)
    return rank, (n - rank) * share / (rank + (n - 2 * rank) * share)


def _within_process(durations: Durations) -> tuple[float, float] | None:
    """Return the interval of one process, with ranks for the effective number of independent samples."""
    n = len(durations)
    effective = min(n, max(1, int(effective_samples(durations))))
    low, high = order_ranks(effective, 0.5)
    if low < 1 or high > effective:
        return None
    stretch = (n + 1) / (effective + 1)
    ranks = max(math.floor(low * stretch), 1), min(math.ceil(high * stretch), n)
    found = np.partition(durations, [rank - 1 for rank in ranks])
    return float(found[ranks[0] - 1]), float(found[ranks[1] - 1])


def order_ranks(n: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Return the ranks (1-based) of the order statistics that hold quantile `q` with at least `confidence`.

    David & Nagaraja, Order Statistics (3rd ed., 2003), § 7.1: the number of samples below the quantile is
    binomial. A rank of 0 or n + 1 means that the sample of `n` cannot bound the quantile on that side.
    """
    tail = (1.0 - confidence) / 2.0
    return binomial_quantile(tail, n, q), binomial_quantile(1.0 - tail, n, q) + 1


@cache
def runs_needed(q: float, confidence: float = CONFIDENCE) -> int:
    """Return the smallest n whose largest sample bounds quantile `q`: 1 - q^n >= (1 + confidence) / 2.

    This is where the upper rank of `order_ranks` stops being n + 1. It counts independent samples: where slow
    inferences come in bursts even more are needed.
    """
    return max(1, math.ceil(math.log((1.0 - confidence) / 2.0) / math.log(q) - 1e-12))


def effective_samples(durations: Durations) -> float:
    """Return how many independent samples would determine the median as well as these do: n / tau, at most n.

    A quantile depends on the autocorrelation of the indicator "at most the median" (Heidelberger &
    Lewis, "Quantile Estimation in Dependent Sequences", Oper. Res. 32, 1984). tau = 1 + 2 sum(rho_k) is cut
    off by Geyer's initial monotone sequence ("Practical Markov Chain Monte Carlo", Stat. Sci. 7, 1992).
    Negative correlation is not credited.
    """
    n = len(durations)
    if n < 4:
        return float(n)
    below = (durations <= np.median(durations)).astype(np.float64)
    covariance = _autocovariance(below - below.mean())
    if covariance[0] <= 0.0:
        return float(n)
    pairs = covariance[: n // 2 * 2].reshape(-1, 2).sum(axis=1) / covariance[0]
    negative = np.flatnonzero(pairs <= 0.0)
    positive = pairs[: negative[0]] if negative.size else pairs
    tau = 2.0 * float(np.minimum.accumulate(positive).sum()) - 1.0
    return n / max(tau, 1.0)


def _autocovariance(centered: Floats) -> Floats:
    """Return the autocovariance of every lag (Wiener-Khinchin; padded so that nothing wraps around)."""
    size = 1 << (2 * centered.size - 1).bit_length()
    spectrum = np.fft.rfft(centered, size)
    full: Floats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)
    return full[: centered.size] / centered.size


def half_width_percent(summary: LatencySummary) -> float | None:
    """Return the distance of the median from the farther end of its interval, in percent."""
    if summary.median_low_ms is None or summary.median_high_ms is None or summary.median_ms <= 0:
        return None
    reach = max(summary.median_high_ms - summary.median_ms, summary.median_ms - summary.median_low_ms)
    return 100.0 * reach / summary.median_ms


class Spread(NamedTuple):
    """The median of a process's samples, and the number of them far from it."""

    median: float
    n_far: int


def spread(durations: Durations) -> Spread:
    """Return the median of a process, and the number of its samples with a modified z-score above 3.5.

    Iglewicz & Hoaglin, How to Detect and Handle Outliers (ASQC, 1993): |0.6745 (x - median) / MAD| > 3.5;
    where more than half of the samples are equal (MAD = 0) the mean absolute deviation takes its place, with
    the factor 0.7979. A share of more than a few percent does not mean outliers but a second state of the
    device.
    """
    median = middle(durations)
    distance = np.sort(np.abs(durations - median))
    scale = _middle_of_sorted(distance) / 0.6745
    if scale == 0.0:
        scale = float(distance.mean()) / 0.7979
    return Spread(median, len(distance) - int(distance.searchsorted(3.5 * scale, side="right")))


def _spreads(processes: Sequence[Durations]) -> tuple[list[Spread], Durations]:
    """Return the spread of each process, and all samples in ascending order.

    Processes of as many samples, the usual ones, are done at once. Each is sorted by itself first: then the samples of
    all, and each one's distances, are a few runs in order, which a stable sort needs only to merge.
    """
    n, k = processes[0].size, len(processes)
    joined = np.concatenate(processes)
    if k < 2 or joined.size != n * k or any(durations.size != n for durations in processes):
        return [spread(durations) for durations in processes], np.sort(joined)
    rows = joined.reshape(k, n)
    rows.sort(axis=1)
    medians = _middles(rows)
    distances = np.abs(rows - medians[:, None])
    distances.sort(axis=1, kind="stable")
    scales = _middles(distances) / 0.6745
    far = np.add.reduce(distances > 3.5 * scales[:, None], axis=1, dtype=np.int64)
    each = zip(medians.tolist(), far.tolist(), scales.tolist(), processes, strict=True)
    found = [Spread(middle, n_far) if scale else spread(own) for middle, n_far, scale, own in each]
    return found, np.sort(joined, kind="stable")


def _middles(ordered: npt.NDArray[Any]) -> Floats:
    """Return the median of each row, its numbers ascending: `_middle_of_sorted` of each."""
    half = ordered.shape[1] // 2
    if ordered.shape[1] % 2:
        return ordered[:, half].astype(np.float64)
    middles: Floats = (ordered[:, half - 1] + ordered[:, half]) / 2
    return middles
