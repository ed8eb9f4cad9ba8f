"""Judge whether a row can be trusted: a verdict, with reasons that state the numbers and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from statistics import median
from typing import Any

from harness import units
from harness.delegates import UNKNOWN
from harness.firmware import FLAGS, NOW, SINCE_START, UNDER_VOLTAGE
from harness.profiles import EMULATORS
from harness.records.records import ProcessFacts, Record
from harness.records.status import has_own_times
from harness.records.telemetry import Telemetry
from harness.rows.sustained import analyze_processes
from harness.settings import MLPERF_MIN_SECONDS
from harness.statistics.latency import LatencySummary, half_width_percent
from harness.vocabulary import CUT_SHORT, FLOAT_ARITHMETIC, MEASURED, Status, Verdict

MIN_PROCESSES = 3
"""With fewer independent processes the spread from one to the next is too uncertain for an interval."""
MAX_HALF_WIDTH_PERCENT = 5.0
"""Half the width of the 95 % interval of the median, in percent of the median."""
MAX_SPREAD = 0.5
"""(p90 - median) / median; pyperf warns when the extremes are 50 % off."""
MAX_OUTLIERS = 0.10
"""Share of samples with a modified z-score above 3.5 (Iglewicz & Hoaglin, see `latency.spread`)."""
HOT_CHARGING_C = 35.0
"""A battery this warm while it is charged heats the phone by itself."""
THROTTLED = 1.10
"""A CPU probe this much slower than its best means throttling (Jetpack Microbenchmark's rule)."""
MAX_OTHER_LOAD = 0.10
"""CPU cores that other programs used during the run."""

DRIFT_P, LEAST_DRIFT_PERCENT = 0.01, 1.0
"""A change over the rounds that chance hardly makes, and that is not too small to matter."""

Finding = tuple[Verdict, str]
"""(verdict, reason)."""


@dataclass(frozen=True)
class Judgment:
    """A verdict of design.md (`trusted`, `noisy`, …; None where nothing was timed) and its reasons."""

    verdict: Verdict | None
    reasons: tuple[str, ...]


def judge(record: Record, summary: LatencySummary | None) -> Judgment:
    """Judge a cell's figures: the first check that objects gives the verdict, all of them give their reasons."""
    if record.device.kind in EMULATORS:
        if record.status in CUT_SHORT | {Status.SKIPPED}:
            return Judgment(None, ())  # nothing was computed
        return Judgment(Verdict.EMULATED, tuple(_emulated(record)) if record.accuracy else ())
    if not record.processes or not has_own_times(record):
        return Judgment(None, ())
    checks = CHECKS if _was_watched(record) else _OF_FIGURES
    found = [finding for check in checks for finding in check(record, summary)]
    reasons = (
        *(reason for _, reason in found),
        *_unbounded(record, summary),
        *(_switching(record, summary) if checks is CHECKS else ()),
        *(_in_bursts(record) if record.settings else ()),
        *(_short_mlperf(record) if record.settings else ()),
    )
    return Judgment(found[0][0] if found else Verdict.TRUSTED, tuple(dict.fromkeys(reasons)))


def _was_watched(record: Record) -> bool:
    """Whether anything is known of the machine around the processes."""
    return any(process.telemetry != _NOTHING for process in record.processes)


def _emulated(record: Record) -> Iterator[str]:
    """Say what an emulator's figure is worth, and in which precision a float model was computed."""
    soc, floats = record.device.soc, record.device.facts.get("floats")
    yield (
        f"computed by the vendor's emulator of {soc}: no measurement, without a latency, and never ranked with rows "
        "that were measured"
    )
    kind = record.model.quantization.partition("[")[0].partition(" ")[0]
    if kind not in FLOAT_ARITHMETIC:
        return
    if floats == "float16":
        yield f"its float operators were computed in half precision, as the emulator does for {soc}"
    elif floats == "float32":
        yield (
            f"its float operators were computed in full float32, which the NPU of {soc} does not do: this figure "
            "speaks of no chip"
        )
    else:
        yield f"in which precision the emulator computes float operators for {soc} is not known"


def _unbounded(record: Record, summary: LatencySummary | None) -> Iterator[str]:
    """Say why a quantile is unknown, and how many inferences it would take."""
    if summary is None or not summary.runs_needed:
        return
    few = {name: n for name, n in summary.runs_needed.items() if name not in summary.worth}
    if few:
        needed = [f"{name} {units.count(n)}" for name, n in few.items()]
        found = units.count(summary.n_samples)
        yield f"too few inferences ({found}) to bound a quantile: needed for {', '.join(needed)}"
    if summary.worth:
        name, n = min(summary.worth.items(), key=lambda found: found[1])
        yield (
            f"{summary.n_processes} processes that differ so much cannot bound {', '.join(summary.worth)}: for {name} "
            f"the {units.count(summary.n_samples)} inferences are worth {units.count(n)} independent ones, and "
            f"{units.count(summary.runs_needed[name])} are needed: {_more_processes(record)}"
        )


def _switching(record: Record, summary: LatencySummary | None) -> Iterator[str]:
    """Say how long an inference takes right after another model's, where that was measured (`--switch-models`)."""
    others = [process.telemetry.after_other_model for process in record.processes]
    measured = [other for other in others if other is not None]
    durations = [duration for other in measured for duration in other.durations_ns]
    if not durations or summary is None:
        return
    name = measured[0].model
    yield (
        f"right after {name} an inference takes {units.milliseconds(median(durations) / 1e6)} ms (median of "
        f"{len(durations)}) instead of {units.milliseconds(summary.median_ms)} ms: what switching models costs"
    )


def _in_bursts(record: Record) -> Iterator[str]:
    """Say that a sustained load was one process after the other, where a tool keeps its samples to itself."""
    if record.settings.get("sustained") is None or not any(p.summary for p in record.processes):
        return
    yield (
        f"the load was {len(record.processes)} processes back to back: what is said over time is of the medians of "
        "processes, because the tool keeps its samples to itself"
    )


def _short_mlperf(record: Record) -> Iterator[str]:
    """Say that less time was asked for than MLPerf's rule wants."""
    seconds = record.settings.get("min_seconds")
    if record.settings.get("mlperf") and isinstance(seconds, (int, float)) and seconds < MLPERF_MIN_SECONDS:
        yield f"MLPerf's rule wants at least {MLPERF_MIN_SECONDS:g} s, and {seconds:g} s were asked for"


def _under_load(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    """Compare both ends of a sustained load whose processes gave medians; of samples, the CPU probe tells more."""
    sustained = record.settings.get("sustained")
    found = None if sustained is None else analyze_processes(record.processes)
    if found is None or found.last_ms <= THROTTLED * found.first_ms:
        return
    before, after = record.processes[0].telemetry.states[0], record.processes[-1].telemetry.states[1]
    machine = [
        f"{a:,.0f} → {b:,.0f} {unit}"
        for a, b, unit in ((before.celsius, after.celsius, "°C"), (before.mhz, after.mhz, "MHz"))
        if a is not None and b is not None
    ]
    knee = [] if found.knee_s is None else [f"it began to change at {units.duration(found.knee_s)}"]
    window, first, last = (
        units.duration(found.window_s),
        units.milliseconds(found.first_ms),
        units.milliseconds(found.last_ms),
    )
    yield (
        Verdict.THROTTLED,
        f"under load the median of a process went from {first} ms in the first {window} to {last} ms in the last "
        f"({'; '.join([*knee, *machine]) or 'no sensor was read'}): "
        "what lasts is the last figure",
    )


def _unverified(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    if record.delegate.actual == UNKNOWN:
        evidence = "; ".join(record.delegate.evidence) or "no evidence"
        yield Verdict.UNVERIFIED, f"what ran is not proven: {evidence}"
    if record.delegate.software:
        yield (
            Verdict.UNVERIFIED,
            f"{record.delegate.hardware or 'the adapter'} is a program that computes on the CPU in a GPU's place: this "
            "latency says nothing of a GPU",
        )


def _throttled(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    ratios = [ratio for process in record.processes if (ratio := _slow_down(process)) is not None]
    if ratios and median(ratios) > THROTTLED:
        yield (
            Verdict.THROTTLED,
            f"a CPU probe right after took {median(ratios):.2f}× its best time in this run (limit {THROTTLED:.2f}×): "
            "let the device cool down, or fix its clock, and measure again",
        )
    drops = [drop for process in record.processes if (drop := _clock_drop(process)) is not None]
    if drops and median(drops) > THROTTLED - 1:
        yield (
            Verdict.THROTTLED,
            f"the clock fell by {median(drops):.0%} during the measurement: let the device cool down",
        )


def _slow_down(process: ProcessFacts) -> float | None:
    """Compare the CPU probe after a process with the best of the run."""
    after, best = process.telemetry.after, process.telemetry.fastest_probe_ns
    return after.probe_ns / best if after is not None and after.probe_ns and best else None


def _clock_drop(process: ProcessFacts) -> float | None:
    before, after = process.telemetry.states
    return 1 - after.mhz / before.mhz if before.mhz and after.mhz else None


def _firmware(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    """Report what a Raspberry Pi's firmware says of its clock (`harness.firmware`)."""
    told = [_flags_of(process) for process in record.processes if _has_flags(process)]
    meanwhile = _any(now | fresh for now, fresh, _ in told)
    if meanwhile:
        words = ", ".join(text for bit, text in FLAGS if meanwhile >> bit & 1)
        remedy = "use the power supply made for the board" if meanwhile & UNDER_VOLTAGE else "cool it better"
        yield Verdict.THROTTLED, f"the board's firmware says that during the measurement {words}: {remedy}"
    elif _any(past for _, _, past in told) & UNDER_VOLTAGE:
        yield (
            Verdict.NOISY,
            "the board's firmware says that its voltage was too low at some time since it was started: use the power "
            "supply made for it, and start it again",
        )


def _has_flags(process: ProcessFacts) -> bool:
    before, after = process.telemetry.states
    return before.firmware_flags is not None or after.firmware_flags is not None


def _flags_of(process: ProcessFacts) -> tuple[int, int, int]:
    """Return the firmware's flags of a process: set before or after it, newly set meanwhile, and ever set."""
    before, after = (state.firmware_flags for state in process.telemetry.states)
    known = [flags for flags in (before, after) if flags is not None]
    past = _any(flags >> SINCE_START & NOW for flags in known)
    fresh = (after & ~before) >> SINCE_START & NOW if before is not None and after is not None else 0
    return _any(flags & NOW for flags in known), fresh, past


def _any(flags: Iterable[int]) -> int:
    return reduce(or_, flags, 0)


def _noisy(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    unsettled = [
        str(p.index + 1)
        for p in record.processes
        if p.status == Status.OK and p.samples and p.steady_from is None
    ]
    if unsettled:
        remedy = _longer(record)
        yield (
            Verdict.NOISY,
            f"process {', '.join(unsettled)} of {len(record.processes)} never settled and is left out: {remedy}",
        )
    if summary is None:
        return
    width = half_width_percent(summary)
    limit = record.settings.get("precision") or MAX_HALF_WIDTH_PERCENT
    if width is not None and width > limit:
        yield (
            Verdict.NOISY,
            f"the median is only known to ±{width:.1f}% (wanted ±{limit:g}%): {_more_processes(record)}",
        )


def _disturbed(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    """Say how other programs and the clock disturb single inferences."""
    if summary is None:
        return
    if summary.slow_tenth_ms is not None and summary.slow_tenth_ms > (1 + MAX_SPREAD) * summary.median_ms:
        times = summary.slow_tenth_ms / summary.median_ms
        yield (
            Verdict.NOISY,
            f"one inference in ten took {times:.1f}× the median or more: other programs or a changing clock disturb it",
        )
    elif summary.outlier_share is not None and summary.outlier_share > MAX_OUTLIERS:
        yield (
            Verdict.NOISY,
            f"{summary.outlier_share:.0%} of the inferences are outliers (modified z-score above 3.5): other programs "
            "or a changing clock disturb them",
        )


def _drifting(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    """Say that processes became slower or faster over the rounds of the run."""
    if summary is None or summary.drift_p is None or summary.drift_percent is None:
        return
    if summary.drift_p < DRIFT_P and abs(summary.drift_percent) >= LEAST_DRIFT_PERCENT:
        yield (
            Verdict.NOISY,
            f"processes changed by {summary.drift_percent:+.1f}% from the first rounds to the last (rank test, p = "
            f"{summary.drift_p:.1g}): let the device come to its lasting temperature, or measure with --sustained",
        )


def _other_load(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    known = (process.telemetry.other_load for process in record.processes)
    loads = [load for load in known if load is not None]
    if loads and median(loads) > MAX_OTHER_LOAD:
        yield Verdict.NOISY, f"other programs used {median(loads):.1f} CPU cores meanwhile: close them"


def _too_few(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    n_processes = 0 if summary is None else summary.n_processes
    if _is_single(record.settings):
        if record.settings.get("mlperf") and summary is not None and summary.p90_ms is None:
            needed = summary.runs_needed.get("p90")
            yield (
                Verdict.TOO_FEW_SAMPLES,
                f"MLPerf's rule needs {needed} queries for p90, found {summary.n_samples}",
            )
        return
    if n_processes < MIN_PROCESSES:
        so_far = "" if record.complete else " so far (the run was ended early)"
        yield (
            Verdict.TOO_FEW_SAMPLES,
            f"{units.count(n_processes)} process(es) gave steady samples{so_far}, {MIN_PROCESSES} are needed to see "
            f"how much figures change from one to the next: {_more_processes(record)}",
        )


def _is_single(settings: dict[str, Any]) -> bool:
    """Whether one process was measured on purpose, as MLPerf's mode and sustained load do."""
    return bool(settings.get("mlperf")) or settings.get("sustained") is not None


def _power(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    states = [process.telemetry for process in record.processes]
    governors = {state.governor for state in states if state.governor is not None}
    slow = sorted(governors - {"performance"})
    if slow:
        yield (
            Verdict.NOISY,
            f"the CPU governor is {', '.join(slow)}: set it to performance for figures that repeat",
        )
    if any(state.on_battery for state in states):
        yield Verdict.NOISY, "the machine ran on its battery, which lowers clocks: plug it in"


def _phone(record: Record, summary: LatencySummary | None) -> Iterator[Finding]:
    facts = record.device.facts
    if facts.get("screen_on") == "yes":
        yield Verdict.NOISY, "the phone's screen was on, which takes power and heats: turn it off"
    celsius = facts.get("battery_temperature_c")
    if facts.get("charging") == "yes" and isinstance(celsius, (int, float)) and celsius > HOT_CHARGING_C:
        yield Verdict.NOISY, f"the phone was charging at {celsius:g} °C: let it cool, or use --max-start-temp"


def _longer(record: Record) -> str:
    """Return the remedy for a process that does not settle, given what was done already."""
    from harness.settings import DEFAULT_MIN_SECONDS

    if record.settings.get("min_seconds", 0) > DEFAULT_MIN_SECONDS:
        return "close other programs (it was given more time already)"
    return "close other programs, or give it more time with --min-seconds"


def _more_processes(record: Record) -> str:
    """Return the remedy for a wide interval, given how many processes were used already."""
    repetitions = record.settings.get("repetitions", 0)
    if record.settings.get("precision") is not None:
        return f"--max-seconds {record.settings.get('max_seconds'):g} was reached first; raise it"
    if repetitions >= 2 * MIN_PROCESSES:
        return f"close other programs ({repetitions} processes were used already)"
    return "close other programs, or raise --repetitions"


CHECKS: tuple[Callable[[Record, LatencySummary | None], Iterator[Finding]], ...] = (
    _unverified,
    _throttled,
    _under_load,
    _firmware,
    _too_few,
    _noisy,
    _disturbed,
    _drifting,
    _other_load,
    _power,
    _phone,
)
"""In the order of their weight: the first that objects gives the verdict."""

_NOTHING = Telemetry()
_OF_FIGURES = tuple(check for check in CHECKS if check not in {_throttled, _firmware, _other_load, _power})
"""Those that have something to say where nothing is known of the machine."""

DISTURBANCES: tuple[Callable[[Record, LatencySummary | None], Iterator[Finding]], ...] = (
    _throttled,
    _firmware,
    _disturbed,
    _drifting,
    _other_load,
    _power,
    _phone,
)
"""Those that say that something else than the model changed the times, which no interval between processes knows of."""


def disturbances(
    record: Record, summary: LatencySummary | None, *, in_turn: bool = False
) -> tuple[Finding, ...]:
    """Return what disturbed the times of a cell, as `judge` says it.

    `in_turn`: a drift over the rounds is in what it was measured in turn with, too, and disturbs no comparison of both.
    """
    if record.status not in MEASURED:
        return ()
    checks = [check for check in DISTURBANCES if not (in_turn and check is _drifting)]
    return tuple(finding for check in checks for finding in check(record, summary))
