"""The cells of a plan: devices, models and delegates crossed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.bench.against import MIN_SECONDS, REPETITIONS
from harness.bench.plan import Cell
from harness.bench.request import Request, with_settings
from harness.bench.skips import why_no_samples, why_skip
from harness.bench.stations import Station
from harness.bench.subjects import Subject
from harness.bench.unused import refuse_unused
from harness.delegates import CPU, CPU_REFERENCE, KINDS, OPTION, Delegate, available_cores, parse_delegate
from harness.drivers.coral.delegate import bind_tpu
from harness.errors import UsageError
from harness.profiles import EMULATORS, ON_HOST, Profile
from harness.settings import DEFAULT_MIN_SECONDS, FAR_WINDOW_S, Settings
from harness.tflite.runnable import check_runnable

EXAMPLE_THREADS = 2
"""The bundled example is so small that more threads only slow it down."""


def make_cells(
    request: Request, subjects: Sequence[Subject], stations: Sequence[Station]
) -> tuple[Cell, ...]:
    """Cross devices, models and delegates, leave out what is excluded, and set what is overridden.

    A delegate that a device does not offer, or that is known not to work there, makes a skipped cell with the reason.

    Raises:
        UsageError: A misspelt delegate, nothing is left to measure, or an option that nothing there would use.
    """
    wanted = list(_cross(request, subjects, stations))
    cells = [_make_cell(index, *parts, request) for index, parts in enumerate(wanted, 1)]
    if not cells:
        raise UsageError("nothing is left to measure: every cell is excluded")
    _refuse_options_for_none(cells, request)
    _refuse_cpu_alone(cells)
    _refuse_single_processes(cells)
    _refuse_without_samples(wanted, cells, request)
    refuse_unused(request, stations, cells)
    return tuple(_with_other(cell, cells) for cell in cells)


def _cross(
    request: Request, subjects: Sequence[Subject], stations: Sequence[Station]
) -> Iterator[tuple[Subject, Station, Delegate]]:
    """Yield what is to be measured on what, in the order of the plan, without what is excluded."""
    for station in stations:
        delegates = _delegates(request, station.profile)
        for subject, delegate in itertools.product(subjects, delegates):
            names = (subject.stands_for or subject.model.name, station.device.name, str(delegate))
            if not any(rule.fits(*names) for rule in request.exclude):
                yield subject, station, delegate


def _delegates(request: Request, profile: Profile) -> list[Delegate]:
    """Return those that are asked for, else the profile's: its own kernels without XNNPACK for the example only.

    A quick look takes the CPU with the most threads.
    """
    if request.delegates:
        return [parse_delegate(text) for text in request.delegates]
    threads = available_cores() if request.models else EXAMPLE_THREADS
    own = [parse_delegate(text) for text in profile.data.delegates_with(threads)]
    chosen = [one for one in own if one.kind != CPU_REFERENCE or not request.models] or own
    if not request.quick:
        return chosen
    return sorted(chosen, key=lambda one: (one.kind == CPU, one.threads or 0))[-1:]


def _make_cell(index: int, subject: Subject, station: Station, delegate: Delegate, request: Request) -> Cell:
    names = (subject.stands_for or subject.model.name, station.device.name, str(delegate))
    bound = bind_tpu(delegate, station.profile.data.connection)
    settings = _settings(request, station.profile, names)
    skip = None
    if subject.problem is None:
        skip = why_skip(station, subject, bound, request) or why_no_samples(station, settings, request, bound)
    return Cell(
        index,
        subject.model,
        subject.facts,
        station.device.name,
        _with_options(bound, request),
        settings,
        subject.dataset,
        skip,
        subject.matching,
        problem=subject.problem,
        against=subject.against,
    )


def _with_other(cell: Cell, cells: Sequence[Cell]) -> Cell:
    """With `--switch-models`: the next model of the plan on the same device and delegate that can be used.

    Raises:
        UsageError: No other was named, so there is nothing to switch to.
    """
    if not (cell.settings.switch_models and cell.wants_latency):
        return cell
    place = (cell.device, str(cell.delegate))
    same = [one for one in cells if (one.device, str(one.delegate)) == place and one.wants_latency]
    others = [one.model for one in same[same.index(cell) :] + same if one.facts.sha256 != cell.facts.sha256]
    named = {one.model.name for one in cells if (one.device, str(one.delegate)) == place}
    if not others and len(named) > 1:
        return cell  # see `nothing_to_switch_to`
    if not others:
        raise UsageError(
            f"--switch-models: {cell.model.name} is the only model on {cell.device} with {cell.delegate}: name two"
        )
    return replace(cell, other=others[0])


def nothing_to_switch_to(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each cell that is timed without the switch that was asked for: its others are odd."""
    alone = [c for c in cells if c.settings.switch_models and c.wants_latency and c.other is None]
    return [
        f"--switch-models: {cell.model.name} is timed on {cell.device} with {cell.delegate}, and no switch: none of "
        "the other models can be used there"
        for cell in alone
    ]


def _refuse_options_for_none(cells: Sequence[Cell], request: Request) -> None:
    """Refuse options that no delegate of the plan would be told.

    Raises:
        UsageError: Names the delegates that take options.
    """
    if request.delegate_options and not any(cell.delegate.given_options for cell in cells):
        known = ", ".join(sorted(kind.name for kind in KINDS.values() if kind.from_library))
        raise UsageError(f"--delegate-option: none of the delegates takes options, only {known}")


def _refuse_cpu_alone(cells: Sequence[Cell]) -> None:
    """Refuse a model that is compiled for the Edge TPU where nothing but CPUs was asked to run it.

    Raises:
        ModelError: Names the file and the delegate that it needs.
    """
    compiled = {cell.facts.path: cell.facts for cell in cells if cell.facts.edgetpu}
    for path, facts in compiled.items():
        if all(cell.delegate.is_cpu for cell in cells if cell.facts.path == path):
            check_runnable(facts)


def _refuse_without_samples(
    wanted: Sequence[tuple[Subject, Station, Delegate]], cells: Sequence[Cell], request: Request
) -> None:
    """Refuse what needs every sample where no cell could give them.

    Raises:
        UsageError: Names the setting, the device, and what measures it.
    """
    reasons = [
        why_no_samples(one[1], cell.settings, request, cell.delegate)
        for one, cell in zip(wanted, cells, strict=True)
    ]
    first = next(filter(None, reasons), None)
    if first is not None and all(cell.skip is not None for cell in cells):
        raise UsageError(first)


def _settings(request: Request, profile: Profile, names: tuple[str, str, str]) -> Settings:
    settings = replace(
        request.settings,
        repetitions=request.repetitions or profile.data.repetitions,
        cores=available_cores(),
    )
    if request.against is not None and request.repetitions is None:
        settings = replace(settings, repetitions=max(settings.repetitions, REPETITIONS))
    for override in request.override:
        if override.fits(*names):
            settings = with_settings(settings, override.set.given())
    if profile.data.connection.kind in EMULATORS:  # it has no latency, whatever is asked for; see `why_skip`
        return replace(settings, latency=False, accuracy=True, operators=False)
    return _with_windows(settings, request, profile)


def _with_windows(settings: Settings, request: Request, profile: Profile) -> Settings:
    """Return settings with the time of a cell that its processes take, unless another was asked for.

    On a phone or board each is watched for a second at least, since clocks there change within tenths of one; in a
    comparison of many rounds each as long as ever.
    """
    if settings.min_seconds != DEFAULT_MIN_SECONDS or settings.processes == 1:
        return settings
    least = MIN_SECONDS if request.against is not None else DEFAULT_MIN_SECONDS
    if profile.data.connection.kind not in ON_HOST:
        least = max(least, settings.processes * FAR_WINDOW_S)
    return replace(settings, min_seconds=least)


def _refuse_single_processes(cells: Sequence[Cell]) -> None:
    """Refuse to hold cells of one process each against each other.

    Raises:
        UsageError: Names the setting.
    """
    for cell in cells:
        if cell.against is None or not (cell.settings.mlperf or cell.settings.sustained is not None):
            continue
        name = "--mlperf" if cell.settings.mlperf else "--sustained"
        raise UsageError(
            f"use just one of --against and {name}: {name} measures one process a cell, and a comparison takes several "
            "in turn"
        )


def _with_options(delegate: Delegate, request: Request) -> Delegate:
    extra = tuple((f"{OPTION}{key}", value) for key, value in request.delegate_options)
    return (
        replace(delegate, options=(*delegate.options, *extra)) if delegate.traits.from_library else delegate
    )
