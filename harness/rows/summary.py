"""Compute a record's latency figures from its samples (law 2: summaries are computed, not stored).

A native tool does not give its samples; its summary of each process then takes the place of the process's samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from harness.errors import RecordError
from harness.records.records import Record, StoredRecord
from harness.records.samples import Contents, Samples, joined, load_contents
from harness.rows import process_summaries as stats_summaries
from harness.statistics import bulk, mlperf
from harness.statistics import latency as stats
from harness.statistics.latency import Durations, LatencySummary
from harness.units import NS_PER_MS
from harness.vocabulary import CUT_SHORT

Found = LatencySummary | RecordError | None
"""A summary, why there is none, or None where nothing steady was measured."""
Files = list[Contents]
MOST_BYTES = 2**22
"""Samples that are summarized at once."""
_KEPT_BYTES = 2**24
MLPERF_QUANTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}


def steady_durations(stored: StoredRecord) -> list[Durations]:
    """Return the steady durations in ns of every process that ended well and settled.

    Raises:
        RecordError: A file of samples is missing or is not one of ours.
    """
    return list(steady_by_process(stored).values())


def steady_by_process(stored: StoredRecord) -> dict[int, Durations]:
    """Return the same by the number of the process, which is that of its round."""
    kept = [process for process in stored.record.processes if process.samples]
    return {
        process.index: samples["duration_ns"][steady]
        for process, samples in zip(kept, stored.samples(), strict=True)
        if process.status not in CUT_SHORT and (steady := samples["steady"]).any()
    }


def summarize_record(stored: StoredRecord) -> LatencySummary | None:
    """Summarize a record's latency; None where nothing steady was measured.

    Raises:
        RecordError: A file of samples is missing or is not one of ours.
    """
    told = stats_summaries.summaries_of(stored.record)
    if told:
        summary = stats_summaries.summarize_processes(told)
        return summary if stored.record.settings.get("sustained") is None else _of_one_load(summary)
    durations = steady_durations(stored)
    return _by_its_rule(stored.record, stats.summarize(durations), durations)


def summarize_records(stored: Iterable[StoredRecord]) -> Iterator[Found]:
    """Summarize many records as `summarize_record` does, in order, once all their files are held to their checksums."""
    several: list[tuple[Record, Files | Found]] = []
    size = 0
    _keep_freed_memory()
    for one in stored:
        read = _read(one)
        several.append((one.record, read))
        size += sum(len(file.data) for file in read) if isinstance(read, list) else 0
        if size > MOST_BYTES:
            yield from _summarized(several)
            several, size = [], 0
    yield from _summarized(several)


def _keep_freed_memory() -> None:
    """Let the C library keep blocks that are freed for the next ones.

    Each time that one of several MB is asked for anew, the system clears it page by page, which takes a tenth of a
    large report. glibc keeps blocks as large as the largest that was freed; elsewhere this does nothing.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def _read(stored: StoredRecord) -> Files | Found:
    """Return the bytes of a record's samples; of what a tool summarized itself, the summary."""
    try:
        stored.check_files()
        if stats_summaries.summaries_of(stored.record):
            return summarize_record(stored)
        return [load_contents(path, crc32) for path, crc32 in stored.sample_files()]
    except RecordError as error:
        return error


def _summarized(several: Sequence[tuple[Record, Files | Found]]) -> Iterator[Found]:
    measured = [(record, read) for record, read in several if isinstance(read, list)]
    cells = _steady(measured)
    summaries = map(_by_its_rule, (record for record, _ in measured), bulk.summarize_many(cells), cells)
    for _, read in several:
        yield next(summaries) if isinstance(read, list) else read


def _steady(measured: Sequence[tuple[Record, Files]]) -> list[list[Durations]]:
    """Return `steady_durations` of several records: samples of as many inferences are made one array."""
    files = [one for _, several in measured for one in several]
    alike: dict[tuple[int, int], list[int]] = {}
    for place, (data, start) in enumerate(files):
        alike.setdefault((len(data), start), []).append(place)
    durations: dict[int, Durations] = {}
    for places in alike.values():
        durations.update(zip(places, _steady_of(joined([files[place] for place in places])), strict=True))
    each = (durations[place] for place in range(len(files)))
    return [_whole_ones(record, list(islice(each, len(several)))) for record, several in measured]


def _steady_of(samples: Samples) -> list[Durations]:
    """Return the steady durations of processes, from their samples of shape (processes, samples)."""
    steady = np.ascontiguousarray(samples["steady"])
    durations = np.ascontiguousarray(samples["duration_ns"])
    counts = np.add.reduce(steady, axis=1, dtype=np.int64)
    n = steady.shape[1]
    if not n:
        return list(durations)
    last = n - counts[0]
    if (counts == counts[0]).all() and steady[:, last:].all():  # the last ones of each, as it should be
        return list(durations[:, last:])
    return [own[which] for own, which in zip(durations, steady, strict=True)]


def _whole_ones(record: Record, durations: Sequence[Durations]) -> list[Durations]:
    """Return the steady durations of the processes that ended well and settled."""
    kept = [process for process in record.processes if process.samples]
    return [
        own
        for process, own in zip(kept, durations, strict=True)
        if process.status not in CUT_SHORT and own.size
    ]


def _by_its_rule(
    record: Record, summary: LatencySummary | None, durations: Sequence[Durations]
) -> LatencySummary | None:
    """Return a summary with the quantiles by MLPerf's rule, where that was asked for."""
    if summary is None or not record.settings.get("mlperf"):
        return summary
    return _with_early_stopping(summary, np.concatenate(durations))


def _of_one_load(summary: LatencySummary | None) -> LatencySummary | None:
    """Leave out the interval: the processes of a sustained load follow each other and are not independent."""
    return None if summary is None else replace(summary, median_low_ms=None, median_high_ms=None)


def _with_early_stopping(summary: LatencySummary, durations: Durations) -> LatencySummary:
    """Replace the sample quantiles by LoadGen's early-stopping estimates."""
    found = {name: mlperf.early_stopping_estimate(durations, q) for name, q in MLPERF_QUANTILES.items()}
    estimates = {name: None if s.estimate is None else s.estimate / NS_PER_MS for name, s in found.items()}
    return replace(
        summary,
        p90_ms=estimates["p90"],
        p95_ms=estimates["p95"],
        p99_ms=estimates["p99"],
        runs_needed={name: stop.queries_needed for name, stop in found.items() if stop.estimate is None},
        worth={},
    )
