"""Summaries of many cells at once: `latency.summarize` of each to the last bit, in a third of its time.

NumPy takes longer to begin than to work through the samples of one process. Cells with as many processes therefore go
through together, in blocks that a processor's cache holds. Where processes have different numbers of samples, the
shorter ones are filled up, and what fills them is never counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.statistics import latency
from harness.statistics.distributions import t_quantile
from harness.statistics.drift import drifts, middles
from harness.statistics.latency import CONFIDENCE, QUANTILES, Durations, Floats, LatencySummary, runs_needed
from harness.units import NS_PER_MS

BLOCK = 2**17
"""Samples of a block, and more than a cell has that gains anything in one."""
MOST_FILLING = 1.5
"""Places of a block for each of its samples."""
NEEDED = {name: runs_needed(q) for name, q in QUANTILES.items()}
_MOST = 2.0**62
"""Nanoseconds that still are a whole number of 64 bits: some hundred years."""
_FILL = np.iinfo(np.int64).max
Cell = Sequence[Durations]
Counts = npt.NDArray[np.int64]
Interval = tuple[float, float]


def summarize_many(cells: Sequence[Cell]) -> list[LatencySummary | None]:
    """Summarize cells: each the steady durations of its processes, none of them empty, as `latency.summarize` does."""
    found: list[LatencySummary | None] = [None] * len(cells)
    for block in _blocks(cells):
        several = [cells[index] for index in block]
        alone = len(block) == 1
        made = [latency.summarize(several[0])] if alone else _Block(several).summaries()
        for index, summary in zip(block, made, strict=True):
            found[index] = summary
    return found


def _blocks(cells: Sequence[Cell]) -> Iterator[list[int]]:
    """Yield places of cells that go through together: with as many processes, and about as many samples in each."""
    shapes = [(len(cell), max(map(len, cell), default=0), sum(map(len, cell))) for cell in cells]
    block: list[int] = []
    samples = 0
    for index in sorted(range(len(cells)), key=shapes.__getitem__):
        k, widest, n = shapes[index]
        places = (len(block) + 1) * k * widest
        fits = k > 1 and places <= min(BLOCK, MOST_FILLING * (samples + n))
        if block and not (fits and shapes[block[0]][0] == k):
            yield block
            block, samples = [], 0
        block.append(index)
        samples += n
    if block:
        yield block


class _Tail(NamedTuple):
    """A quantile of each cell in ms, None where its samples cannot bound it.

    `unbounded` says how many independent ones its samples are worth, where only so many could bound it.
    """

    ms: list[float]
    bounded: list[float | None]
    unbounded: dict[int, int]


class _Block:
    """Cells with k processes each: an array of shape (cells, k, samples)."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._sizes: Counts = np.array([[len(one) for one in cell] for cell in cells])
        self._n: Counts = self._sizes.sum(axis=1)
        self._joined = np.concatenate([one for cell in cells for one in cell])
        self._shape = (*self._sizes.shape, int(self._sizes.max()))
        is_full = self._joined.size == math.prod(self._shape)
        self._valid = None if is_full else np.arange(self._shape[2]) < self._sizes[..., None]
        self._rows = self._filled()
        self._medians = self._middles(self._rows)

    def summaries(self) -> Iterator[LatencySummary]:
        """Yield the summary of each cell."""
        ordered = self._with_ordered_tails()
        lowest = (ordered.min(axis=1) / NS_PER_MS).tolist()
        highest = (ordered[np.arange(len(self._cells)), self._n - 1] / NS_PER_MS).tolist()
        tails = {name: self._tail(ordered, name) for name in QUANTILES}
        far = self._far().sum(axis=1).tolist()
        means, intervals = self._means_and_stds(), self._intervals()
        bounded = list(zip(*(tail.bounded for tail in tails.values()), strict=True))
        medians = (middles(self._medians) / NS_PER_MS).tolist()
        changes = drifts(self._medians)
        for i, n in enumerate(self._n.tolist()):
            (mean, std), (low, high), change = means[i], intervals[i], changes[i]
            quantiles = dict(zip(tails, bounded[i], strict=True))
            every = None not in bounded[i]
            yield LatencySummary(
                n_samples=n,
                n_processes=self._shape[1],
                mean_ms=mean,
                std_ms=std,
                median_ms=medians[i],
                median_low_ms=low / NS_PER_MS,
                median_high_ms=high / NS_PER_MS,
                p90_ms=quantiles["p90"],
                p95_ms=quantiles["p95"],
                p99_ms=quantiles["p99"],
                min_ms=lowest[i],
                max_ms=highest[i],
                fps=1000.0 / mean if mean > 0 else math.inf,
                outlier_share=far[i] / n,
                runs_needed={}
                if every
                else {name: NEEDED[name] for name in tails if quantiles[name] is None},
                worth={}
                if every
                else {name: t.unbounded[i] for name, t in tails.items() if i in t.unbounded},
                slow_tenth_ms=tails["p90"].ms[i] if n >= NEEDED["p90"] else None,
                drift_percent=None if change is None else change.percent,
                drift_p=None if change is None else change.p,
            )

    def _filled(self) -> Durations:
        """Return all samples in their places."""
        if self._valid is None:
            return self._joined.reshape(self._shape).copy()
        rows = np.full(self._shape, _FILL)
        rows[self._valid] = self._joined
        return rows

    def _middles(self, rows: npt.NDArray[Any]) -> Floats:
        """Return the median of each process, `latency.middle`; what fills a row up is no less than its samples."""
        if self._valid is None:
            return _middles_of_full(rows)
        rows.sort(axis=2)
        half = (self._sizes // 2)[..., None]
        high = np.take_along_axis(rows, half, axis=2)[..., 0]
        low = np.take_along_axis(rows, np.maximum(half - 1, 0), axis=2)[..., 0]
        found: Floats = np.where(self._sizes % 2, high, (low + high) / 2)
        return found

    def _with_ordered_tails(self) -> Durations:
        """Return the samples of each cell, from its lowest quantile on in ascending order."""
        every = self._rows.reshape(len(self._cells), -1).copy()
        first = 0 if self._valid is not None else math.floor((every.shape[1] - 1) * min(QUANTILES.values()))
        every.partition(first, axis=1)
        every[:, first:].sort(axis=1)
        return every

    def _counted(self, which: npt.NDArray[np.bool_]) -> Counts:
        """Return how many samples of each process are so."""
        valid = which if self._valid is None else which & self._valid
        # Where it holds the sum, in a quarter of the time.
        small = np.uint8 if self._shape[2] < 2**8 else np.int64
        counted: Counts = np.add.reduce(valid.view(np.uint8), axis=2, dtype=small).astype(np.int64)
        return counted

    def _far(self) -> Counts:
        """Return how many samples of each process `latency.spread` finds far from its median."""
        distances = np.abs(self._rows - self._medians[..., None])
        if self._valid is not None:
            distances[~self._valid] = math.inf
        scales = self._middles(distances) / 0.6745
        far = self._counted(distances > 3.5 * scales[..., None])
        for cell, process in np.argwhere(scales == 0.0):
            far[cell, process] = latency.spread(self._cells[cell][process]).n_far
        return far

    def _means_and_stds(self) -> list[tuple[float, float | None]]:
        """Return mean and deviation of each cell in ms: the sums of `latency` in the order of its samples."""
        pooled = self._joined / NS_PER_MS
        n = int(self._n[0])
        if not (self._n == n).all():
            return [latency.mean_and_std(one) for one in np.split(pooled, self._n.cumsum()[:-1])]
        of_cells = pooled.reshape(-1, n)
        means = np.add.reduce(of_cells, axis=1) / n
        # In place, as the squares: to ask for memory takes longer than to subtract.
        of_cells -= means[:, None]
        of_cells *= of_cells
        stds = np.sqrt(np.add.reduce(of_cells, axis=1) / (n - 1))
        return list(zip(means.tolist(), stds.tolist(), strict=True))

    def _intervals(self) -> list[Interval]:
        """Return the 95 % interval of each cell's median in ns."""
        ordered = np.sort(self._medians, axis=1)
        k = ordered.shape[1]
        if k >= latency.FEWEST_FOR_ORDER_INTERVAL:
            return list(map(latency.interpolated_interval, ordered))
        logs = np.log(np.maximum(ordered, 1.0))
        centers = np.add.reduce(logs, axis=1) / k
        from_center = logs - centers[:, None]
        stds = np.sqrt(np.add.reduce(from_center * from_center, axis=1) / (k - 1))
        halves = t_quantile(0.5 + CONFIDENCE / 2, k - 1) * stds / math.sqrt(k)
        each = zip(
            centers.tolist(), halves.tolist(), ordered[:, 0].tolist(), ordered[:, -1].tolist(), strict=True
        )
        return [
            (min(math.exp(center - half), first), max(math.exp(center + half), last))
            for center, half, first, last in each
        ]

    def _tail(self, ordered: Durations, name: str) -> _Tail:
        """Return a quantile of each cell, where its samples can bound it."""
        values = self._interpolated(ordered, QUANTILES[name])
        limits = np.floor(np.minimum(values * NS_PER_MS + 0.5, _MOST)).astype(np.int64)  # sooner compared
        above = self._counted(self._rows > limits[:, None, None])
        shares = np.add.reduce(above, axis=1) / self._n
        from_shares = above - shares[:, None] * self._sizes
        squares = np.add.reduce(from_shares * from_shares, axis=1)
        independent = _effective(self._n, self._shape[1], shares, squares)
        many = self._n >= NEEDED[name]
        enough = many & (independent >= NEEDED[name])
        found = values.tolist()
        bounded = [
            one if is_bounded else None for one, is_bounded in zip(found, enough.tolist(), strict=True)
        ]
        few = np.flatnonzero(many & ~enough).tolist()
        return _Tail(found, bounded, {cell: int(independent[cell]) for cell in few})

    def _interpolated(self, ordered: Durations, q: float) -> Floats:
        """Return `latency`'s quantile of each cell in ms."""
        places = (self._n - 1) * q
        ranks = np.floor(places).astype(np.int64)
        rows = np.arange(len(ordered))
        low = ordered[rows, ranks] / NS_PER_MS
        high = ordered[rows, np.minimum(ranks + 1, self._n - 1)] / NS_PER_MS
        share = places - ranks
        values: Floats = np.where(share >= 0.5, high - (high - low) * (1 - share), low + (high - low) * share)
        return values


def _effective(n: Counts, k: int, shares: Floats, squares: Floats) -> Floats:
    """Return `latency.effective` of each cell."""
    inside = (shares > 0) & (shares < 1)
    share = np.where(inside, shares, 0.5)
    effect = k / (k - 1) * squares / (n * share * (1 - share))
    found: Floats = np.where(inside, n / np.maximum(effect, 1.0), n)
    return found


def _middles_of_full(rows: npt.NDArray[Any]) -> Floats:
    """Return the median along the last axis; only as much is put in order as that takes."""
    size = rows.shape[2]
    half = size // 2
    rows.partition(half, axis=2)
    high = rows[..., half]
    found: Floats = high.astype(np.float64) if size % 2 else (rows[..., :half].max(axis=2) + high) / 2
    return found
