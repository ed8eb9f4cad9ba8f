"""Find what a request names, and refuse what cannot be measured, before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.accuracy.dataset import Dataset, find_dataset
from harness.accuracy.prepare import Preparation
from harness.bench.nms_axis import NmsAxes, expand
from harness.bench.plan import Cell
from harness.bench.request import Request
from harness.cards import Model
from harness.delegates import OPTION, Delegate, available_cores, parse_delegate
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.drivers.base import Device, DeviceInfo
from harness.drivers.coral.device import bind, why_not, why_not_model
from harness.errors import HarnessError, ModelError, UnknownNameError, UsageError
from harness.fetch import verify
from harness.profiles import Profile
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.graph import EDGETPU
from harness.tflite.model import ModelDescription, describe
from harness.tflite.runnable import RUNTIME_CUSTOM_OPERATORS, check_runnable
from harness.workspace import Workspace, bundled_workspace

EXAMPLE = ("shapes-float32", "shapes-float16", "shapes-dynamic-range", "shapes-full-integer")
"""What `harness run` measures when it is given nothing."""
NO_DECODER = "none"
TAKE_OPTIONS = frozenset({"external", "edgetpu", "qnn"})
"""Delegates that come from a library, which can be told things."""


@dataclass(frozen=True)
class Subject:
    """A model with all that is needed to measure it."""

    model: Model
    facts: ModelDescription
    dataset: Dataset | None


@dataclass(frozen=True)
class Station:
    """A device that was reached; `far` where it is part of another computer."""

    profile: Profile
    device: Device
    info: DeviceInfo
    far: bool = False


def find_subjects(request: Request, workspace: Workspace) -> tuple[list[Subject], list[str]]:
    """Find the models and their data; return them with remarks for the user.

    Raises:
        UsageError: A model or dataset that cannot be used; says what and why.
    """
    models = [find_model(name, workspace) for name in request.models] or _example(workspace)
    _check_distinct(models)
    described, remarks = _with_nms([(model, _described(model)) for model in models], request.nms)
    known: dict[Path, Dataset] = {}
    subjects = []
    for model, facts in described:
        path = Path(request.dataset) if request.dataset else model.dataset_path
        if path is not None and path not in known:
            known[path] = find_dataset(path).limited(request.settings.limit)
        problem = _why_no_accuracy(model, facts, path) if request.settings.accuracy else None
        if problem is not None and not request.settings.latency:
            raise UsageError(problem)
        if problem is not None:
            remarks.append(f"{problem}; only latency is measured")
        usable = path is not None and problem is None
        subjects.append(Subject(model, facts, known[path] if usable and path else None))
    return subjects, remarks


def _with_nms(
    described: list[tuple[Model, ModelDescription]], axes: NmsAxes
) -> tuple[list[tuple[Model, ModelDescription]], list[str]]:
    """Put every combination of NMS settings in the place of its model; return them with remarks."""
    if not axes:
        return described, []
    expanded, remarks = [], []
    for model, facts in described:
        variants, remark = expand(model, facts, axes)
        expanded += variants
        remarks += [remark] if remark else []
    _check_distinct([model for model, _ in expanded])
    return expanded, remarks


def make_cells(
    request: Request, subjects: Sequence[Subject], stations: Sequence[Station]
) -> tuple[Cell, ...]:
    """Cross devices, models and delegates, leave out what is excluded, and set what is overridden.

    A delegate that a device does not offer, or that is known not to work there, makes a skipped cell with the reason.

    Raises:
        UsageError: A misspelt delegate, or nothing is left to measure.
    """
    cells: list[Cell] = []
    for station in stations:
        delegates = [parse_delegate(text) for text in request.delegates or station.profile.data.delegates]
        for subject in subjects:
            for delegate in delegates:
                names = (subject.model.name, station.device.name, str(delegate))
                if not any(rule.fits(*names) for rule in request.exclude):
                    cells.append(_make_cell(len(cells) + 1, subject, station, delegate, request))
    if not cells:
        raise UsageError("nothing is left to measure: every cell is excluded")
    if request.delegate_options and not any(cell.delegate.given_options for cell in cells):
        known = ", ".join(sorted(TAKE_OPTIONS))
        raise UsageError(f"--delegate-option: none of the delegates takes options, only {known}")
    _refuse_cpu_alone(cells)
    return tuple(_with_other(cell, cells) for cell in cells)


def _make_cell(index: int, subject: Subject, station: Station, delegate: Delegate, request: Request) -> Cell:
    names = (subject.model.name, station.device.name, str(delegate))
    bound = bind(delegate, station.profile.data.connection)
    return Cell(
        index,
        subject.model,
        subject.facts,
        station.device.name,
        _with_options(bound, request),
        _settings(request, station.profile, names),
        subject.dataset,
        _why_skip(station, subject, bound, request),
    )


def _with_other(cell: Cell, cells: Sequence[Cell]) -> Cell:
    """With `--switch-models`: the next model of the plan on the same device and delegate.

    Raises:
        UsageError: There is none, so there is nothing to switch to.
    """
    if not (cell.settings.switch_models and cell.wants_latency):
        return cell
    place = (cell.device, str(cell.delegate))
    same = [one for one in cells if (one.device, str(one.delegate)) == place and one.wants_latency]
    others = [one.model for one in same[same.index(cell) :] + same if one.facts.sha256 != cell.facts.sha256]
    if not others:
        raise UsageError(
            f"--switch-models: {cell.model.name} is the only model on {cell.device} with {cell.delegate}: name two"
        )
    return replace(cell, other=others[0])


def _refuse_cpu_alone(cells: Sequence[Cell]) -> None:
    """Refuse a model that is compiled for the Edge TPU where nothing but CPUs was asked to run it.

    Raises:
        ModelError: Names the file and the delegate that it needs.
    """
    compiled = {cell.facts.path: cell.facts for cell in cells if cell.facts.edgetpu}
    for path, facts in compiled.items():
        if all(cell.delegate.is_cpu for cell in cells if cell.facts.path == path):
            check_runnable(facts)


def _settings(request: Request, profile: Profile, names: tuple[str, str, str]) -> Settings:
    settings = replace(
        request.settings,
        repetitions=request.repetitions or profile.data.repetitions,
        cores=available_cores(),
    )
    for override in request.override:
        if override.fits(*names):
            settings = replace(settings, **override.set.given())
    return settings


def _with_options(delegate: Delegate, request: Request) -> Delegate:
    extra = tuple((f"{OPTION}{key}", value) for key, value in request.delegate_options)
    return (
        replace(delegate, options=(*delegate.options, *extra)) if delegate.kind in TAKE_OPTIONS else delegate
    )


def _why_skip(station: Station, subject: Subject, delegate: Delegate, request: Request) -> str | None:
    """Say why a cell is known not to work; a native tool that was given is asked itself what it can do."""
    mismatch = why_not_model(subject.model.file.name, subject.facts.edgetpu, delegate)
    if mismatch is not None:
        return mismatch
    for fact in station.profile.data.facts:
        if not fact.works and parse_delegate(fact.delegate).kind == delegate.kind:
            source = f" ({fact.source})" if fact.source else ""
            return f"{delegate.kind} on {station.device.name}: {fact.reason}{source}"
    if delegate.kind == "external":
        return None  # its library is the user's own; whether it works shows when it is loaded
    if request.benchmark_binary or station.profile.data.benchmark_binary:
        return None
    return _why_not_offered(station, delegate)


def _why_not_offered(station: Station, delegate: Delegate) -> str | None:
    """Say why a device does not offer a delegate; a TPU of this computer is looked for when it is asked for."""
    if delegate.kind == "edgetpu" and station.info.on_host_hardware and not station.far:
        return why_not(delegate)
    offered = {parse_delegate(text).kind for text in station.info.delegates}
    if delegate.kind in offered:
        return None
    return f"{station.device.name} offers {', '.join(station.info.delegates)}, not {delegate.kind}"


def _example(workspace: Workspace) -> list[Model]:
    """The bundled example: from the user's workspace where it is, else the copy that came with the program."""
    try:
        return [find_model(name, workspace) for name in EXAMPLE]
    except UnknownNameError:
        bundled = bundled_workspace()
        return [find_model(name, bundled) for name in EXAMPLE]


def _described(model: Model) -> ModelDescription:
    """Read the file and refuse what cannot run here.

    Raises:
        ModelError: It is not there, not a model, not the one the card speaks of, or has operators nobody knows.
    """
    if not model.available:
        raise ModelError(f"model {model.name!r}: {model.why_missing}")
    verify(model)
    facts = describe(model.file)
    check_runnable(facts, RUNTIME_CUSTOM_OPERATORS | {EDGETPU})
    return facts


def _check_distinct(models: Iterable[Model]) -> None:
    """Two models of one name could not be told apart in a table."""
    seen: dict[str, Path] = {}
    for model in models:
        if model.name in seen:
            raise UsageError(f"two models are called {model.name!r}: {seen[model.name]} and {model.file}")
        seen[model.name] = model.file


def _why_no_accuracy(model: Model, facts: ModelDescription, dataset: Path | None) -> str | None:
    """Return why a model's accuracy cannot be measured; None when it can.

    Raises:
        ModelError: The card and the file do not fit together.
    """
    if dataset is None:
        return f"model {model.name!r} has no dataset (give one with --dataset)"
    if model.card.decoder.name == NO_DECODER:
        evidence = "; ".join(model.evidence) or "its card names no decoder"
        return f"model {model.name!r}: its outputs cannot be decoded ({evidence})"
    try:
        Preparation(model.card.input, facts.inputs[0])
        context = ModelContext(model.card.input.width, model.card.input.height, model.file)
        make_decoder(model.card.decoder, facts.outputs, context)
    except HarnessError as error:
        raise ModelError(f"model {model.name!r}: {error}") from error
    return None
