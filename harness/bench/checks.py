"""Whether a row can be trusted: a verdict with reasons in sentences that carry the numbers and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from harness import units
from harness.bench.records import Record
from harness.bench.stats import LatencySummary

MIN_PROCESSES = 3
"""With fewer independent processes the spread from process to process is not known well enough for an interval."""
MAX_HALF_WIDTH_PERCENT = 5.0
"""Half the width of the 95 % interval of the median, against the median."""


@dataclass(frozen=True)
class Judgement:
    """A verdict of design.md (`trusted`, `noisy`, …; None where nothing was timed) and why."""

    verdict: str | None
    reasons: tuple[str, ...]


def judge(record: Record, summary: LatencySummary | None) -> Judgement:
    """Judge a cell's figures; the first check that speaks gives the verdict, all give their reasons."""
    if not record.processes or record.status not in {"ok", "partial"}:
        return Judgement(None, ())
    found = [
        *_unverified(record),
        *_noisy(record, summary),
        *_too_few(record, summary),
    ]
    if not found:
        return Judgement("trusted", ())
    return Judgement(found[0][0], tuple(reason for _, reason in found))


def _unverified(record: Record) -> list[tuple[str, str]]:
    if record.delegate.actual != "unknown":
        return []
    return [("unverified", f"what ran is not proven: {'; '.join(record.delegate.evidence) or 'no evidence'}")]


def _noisy(record: Record, summary: LatencySummary | None) -> list[tuple[str, str]]:
    unsettled = [p.index + 1 for p in record.processes if p.status == "ok" and p.steady_from is None]
    found = []
    if unsettled:
        which = ", ".join(map(str, unsettled))
        found.append(
            (
                "noisy",
                f"process {which} of {len(record.processes)} never settled and is left out: close other programs, "
                "or give it more time with --min-seconds",
            )
        )
    width = _half_width_percent(summary)
    if width is not None and width > MAX_HALF_WIDTH_PERCENT:
        found.append(
            (
                "noisy",
                f"the median is only known to ±{width:.0f}% (wanted ±{MAX_HALF_WIDTH_PERCENT:.0f}%): close other "
                "programs, or raise --repetitions",
            )
        )
    return found


def _half_width_percent(summary: LatencySummary | None) -> float | None:
    if summary is None or summary.median_low_ms is None or summary.median_high_ms is None:
        return None
    return 50.0 * (summary.median_high_ms - summary.median_low_ms) / summary.median_ms


def _too_few(record: Record, summary: LatencySummary | None) -> list[tuple[str, str]]:
    n_processes = 0 if summary is None else summary.n_processes
    if n_processes >= MIN_PROCESSES:
        return []
    missing = "" if record.complete else " so far (the run was ended early)"
    return [
        (
            "too-few-samples",
            f"{units.count(n_processes)} process(es) gave steady samples{missing}, {MIN_PROCESSES} are needed to see "
            "how much figures change from one to the next: raise --repetitions",
        )
    ]
