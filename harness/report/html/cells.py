"""Collect the details of one cell: its samples reduced to a page's size, and its accuracy by class.

Rule for traces: a process's inferences, in the order they ran, are cut into at most `POINTS` runs of equal length; of
each, the page has the time of its middle inference and the 10th, 50th and 90th percentile of its durations. Histograms
are of all steady inferences up to the 99.5th percentile; the number above it is stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import units
from harness.errors import RecordError
from harness.records.records import ProcessFacts, Record, StoredRecord, SummaryFacts
from harness.records.samples import Samples
from harness.report.html.digits import quantile, rounded
from harness.rows import operators
from harness.rows.sustained import Sustained, analyze, analyze_processes, bursts_of
from harness.statistics.latency import interpolated
from harness.text import clean
from harness.vocabulary import NO_ACCURACY

POINTS, SUSTAINED_POINTS, BINS = 100, 400, 48
_TAIL = 0.995
_BAND = (0.1, 0.5, 0.9)
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_DIGITS = 4
Floats = npt.NDArray[np.float64]


def detail(stored: StoredRecord) -> dict[str, Any]:
    """Return the details of one cell."""
    record = stored.record
    try:
        samples = stored.samples()
    except RecordError:
        samples = []
    told = [process for process in record.processes if process.samples]
    pairs = list(zip(told, samples, strict=False))
    sustained = record.settings.get("sustained") is not None
    points = SUSTAINED_POINTS if sustained else POINTS
    traces = [trace(process, found, points) for process, found in pairs if found.size]
    return {
        "traces": traces or (_load_trace(record.processes) if sustained else []),
        "histogram": histogram([_steady_ms(found) for _, found in pairs if found["steady"].any()]),
        "boxes": [*map(_sample_box, pairs), *_summary_boxes(record)],
        "telemetry": [line for process in record.processes for line in _telemetry(process)],
        "sustained": _sustained(samples, record.processes) if sustained else None,
        "classes": _classes(record),
        "operators": operators.for_page(stored),
    }


def trace(process: ProcessFacts, samples: Samples, points: int) -> dict[str, Any]:
    """Return a process's durations over time, at most `points` of them (rule: see the module)."""
    size = -(-samples.size // points)
    starts = np.arange(0, samples.size, size)
    middles = np.minimum(starts + size // 2, samples.size - 1)
    levels = _levels(samples["duration_ns"] / units.NS_PER_MS, size)
    first_steady = int(np.argmax(samples["steady"])) if samples["steady"].any() else samples.size
    seconds, low, middle, high = rounded(np.vstack([samples["start_ns"][middles] / 1e9, levels]), _DIGITS)
    return {
        "process": process.index + 1,
        "each": size,
        "steady": int(-(-first_steady // size)),
        "s": seconds,
        "low": low,
        "mid": middle,
        "high": high,
    }


def _load_trace(processes: Sequence[ProcessFacts]) -> list[dict[str, Any]]:
    """Return the one trace of a load whose processes gave a summary each: a point a process."""
    found = bursts_of(processes)
    if found is None:
        return []
    return [
        {
            "process": 1,
            "each": 2,
            "steady": 0,
            "note": "a point: the median of one process; the band: its 5th to 95th percentile",
            "s": _short(found.middle_s),
            "low": _short(found.low_ms),
            "mid": _short(found.median_ms),
            "high": _short(found.high_ms),
        }
    ]


def _levels(durations: Floats, size: int) -> Floats:
    """Return percentiles of every `size` values in a row, shape (3, groups); the last group may be smaller."""
    whole = durations.size // size * size
    groups = np.sort(durations[:whole].reshape(-1, size))
    found = np.array([quantile(groups, q) for q in _BAND])
    rest = np.sort(durations[whole:])
    return np.hstack([found, [[interpolated(rest, q)] for q in _BAND]]) if rest.size else found


def histogram(processes: Sequence[Floats]) -> dict[str, Any] | None:
    """Return how many steady inferences lie in each of `BINS` equal bins, all processes together."""
    if not processes:
        return None
    values = np.sort(np.concatenate(processes))
    low, high = float(values[0]), interpolated(values, _TAIL)
    high = high if high > low else low * 1.01 + 1e-6
    counts, _ = np.histogram(values, BINS, (low, high))
    return {
        "low": _digits(low),
        "high": _digits(high),
        "counts": counts.tolist(),
        "above": units.count(int((values > high).sum())),
        "n": units.count(values.size),
    }


def _steady_ms(samples: Samples) -> Floats:
    steady: Floats = samples["duration_ns"][samples["steady"]] / units.NS_PER_MS
    return steady


def _sample_box(pair: tuple[ProcessFacts, Samples]) -> dict[str, Any]:
    process, samples = pair
    steady = np.sort(_steady_ms(samples))
    levels = [_digits(interpolated(steady, q)) for q in _LEVELS] if steady.size else None
    return _box(process, units.count(steady.size), levels)


def _summary_boxes(record: Record) -> list[dict[str, Any]]:
    """Return a native tool's summary of each process, without quartiles, where it does not give the samples."""
    return [
        _box(process, units.count(process.summary.count), _told_levels(process.summary))
        for process in record.processes
        if process.summary is not None and not process.samples
    ]


def _told_levels(summary: SummaryFacts) -> list[float | None]:
    found = (summary.p5_ns, None, summary.median_ns, None, summary.p95_ns)
    return [None if value is None else _digits(value / units.NS_PER_MS) for value in found]


def _box(process: ProcessFacts, n: str, levels: Sequence[float | None] | None) -> dict[str, Any]:
    median = None if levels is None else levels[2]
    return {
        "process": process.index + 1,
        "status": clean(process.status),
        "n": n,
        "levels": levels,
        "median": units.milliseconds(median),
        "init": units.milliseconds(None if process.init_ns is None else process.init_ns / units.NS_PER_MS),
        "reasons": list(map(clean, process.reasons)),
    }


def _telemetry(process: ProcessFacts) -> list[str]:
    """Return how long a process was watched, and its clock and temperature, as far as they are known."""
    states, lines = process.telemetry.states, []
    if process.watched_s is not None:
        lines.append(f"process {process.index + 1}: watched for {process.watched_s:.2g} s")
    for values, unit in (([s.mhz for s in states], "MHz"), ([s.celsius for s in states], "°C")):
        if any(value is not None for value in values):
            shown = " → ".join(units.MISSING if v is None else f"{v:,.0f}" for v in values)
            lines.append(f"process {process.index + 1}: {shown} {unit}")
    return lines


def _sustained(samples: Sequence[Samples], processes: Sequence[ProcessFacts]) -> dict[str, Any] | None:
    found = analyze(samples[0]) if samples else analyze_processes(processes)
    return None if found is None else _ends(found)


def _ends(found: Sustained) -> dict[str, Any]:
    n = found.n_processes
    return {
        "seconds": _digits(found.seconds),
        "window_s": _digits(found.window_s),
        "first_ms": _digits(found.first_ms),
        "last_ms": _digits(found.last_ms),
        "knee_s": found.knee_s,
        "text": (
            f"ran {units.duration(found.seconds)}; first {units.duration(found.window_s)} "
            f"{units.milliseconds(found.first_ms)} ms, last {units.milliseconds(found.last_ms)} ms "
            f"({units.percent(found.change_percent)})"
            + ("" if found.knee_s is None else f"; it began to change at {units.duration(found.knee_s)}")
            + ("" if n is None else f"; medians of {n} processes back to back")
        ),
    }


def _classes(record: Record) -> list[tuple[str, float, str]]:
    """Return AP by class, best first, without classes that have no ground truth."""
    accuracy = record.accuracy
    if accuracy is None or record.status in NO_ACCURACY:
        return []
    known = [(name, ap) for name, ap in accuracy.ap_per_category.items() if ap is not None]
    return [(clean(name), _digits(ap), units.metric(ap)) for name, ap in sorted(known, key=lambda p: -p[1])]


def _short(values: Floats) -> list[float]:
    return rounded(values, _DIGITS)


def _digits(value: float) -> float:
    """Round to four significant digits, more than a plot shows."""
    return float(f"{value:.{_DIGITS}g}")
