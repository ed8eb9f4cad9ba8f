"""From what a user asks for to a run: find everything, check everything, then measure.

All bad input is found in `prepare`, before anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import harness
from harness.accuracy.dataset import Dataset, find_dataset
from harness.accuracy.prepare import Preparation
from harness.bench.environment import describe_environment
from harness.bench.plan import Plan, Settings, limited, make_cells, plan_facts
from harness.bench.python_worker import PythonWorker
from harness.bench.records import FORMAT, Record, RunFacts
from harness.bench.run import Observer, Runner
from harness.bench.store import RunStore, new_run_folder, now
from harness.cards import Model, find_model
from harness.delegates import available_cores, parse_delegate
from harness.detectors.registry import make_decoder
from harness.drivers.base import Device, DeviceInfo
from harness.drivers.registry import find_device
from harness.errors import HarnessError, ModelError, UnknownNameError, UsageError
from harness.tflite.model import ModelDescription, describe
from harness.tflite.runnable import check_runnable
from harness.workspace import Workspace, bundled_workspace, ensure_writable, find_workspace

EXAMPLE = ("shapes-float32", "shapes-float16", "shapes-dynamic-range", "shapes-full-integer")
"""What `harness run` measures when it is given nothing."""
NO_DECODER = "none"


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        models: Names of cards, paths of cards or .tflite files; empty for the bundled example.
        device: A profile's name.
        delegates: Spellings; empty for the ones of the device's profile.
        dataset: A dataset's folder or card; None for each card's own.
        output: Folder for the runs; None for the workspace's `results/`.
        workspace: Folder with devices/ and models/; None to look it up.
        settings: How to measure; its `repetitions` and `cores` are filled in here.
        repetitions: Independent processes a cell; None for the device profile's.
        command: The command line, for the record.
    """

    models: tuple[str, ...] = ()
    device: str = "local"
    delegates: tuple[str, ...] = ()
    dataset: Path | None = None
    output: Path | None = None
    workspace: Path | None = None
    settings: Settings = field(default_factory=Settings)
    repetitions: int | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A plan that can be carried out: everything it needs is there."""

    plan: Plan
    device: Device
    info: DeviceInfo
    results: Path
    command: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A run that was carried out."""

    folder: Path
    records: tuple[Record, ...]

    @property
    def failed(self) -> bool:
        """Whether a cell failed; one that was skipped or fell back did not."""
        return any(record.status in {"failed", "timeout", "incorrect"} for record in self.records)


def prepare(request: Request) -> Prepared:
    """Find the models, the device and the data and make the plan.

    Raises:
        UsageError: Anything that is wrong with the request or with what it names.
    """
    workspace = find_workspace(request.workspace)
    profile, device = find_device(request.device, workspace)
    delegates = [parse_delegate(text) for text in request.delegates or profile.data.delegates]
    models = [find_model(name, workspace) for name in request.models] or _example(workspace)
    described = [(model, _described(model)) for model in models]
    _check_distinct(models)
    notes: list[str] = []
    sources = _datasets(described, request, notes)
    info = device.describe()
    settings = replace(
        request.settings,
        repetitions=request.repetitions or profile.data.repetitions,
        cores=available_cores(),
    )
    cells = make_cells(
        [(model, facts, data) for (model, facts), data in zip(described, sources, strict=True)],
        device.name,
        delegates,
        info.delegates,
    )
    results = request.output or workspace.results
    ensure_writable(results)
    return Prepared(Plan(cells, settings), device, info, results, request.command, tuple(notes))


def carry_out(prepared: Prepared, observer: Observer) -> Outcome:
    """Measure what was prepared; every record is on disk when this returns or is ended from outside."""
    store = RunStore(new_run_folder(prepared.results))
    store.save_run(
        RunFacts(
            format=FORMAT,
            run_id=store.run_id,
            started_at=now(),
            harness_version=harness.__version__,
            command=prepared.command,
            seed=prepared.plan.settings.seed,
            plan=plan_facts(prepared.plan),
            environment=describe_environment(),
        )
    )
    try:
        records = Runner(
            prepared.plan,
            PythonWorker(prepared.device, prepared.plan.settings),
            prepared.info,
            store,
            observer,
        ).run()
    finally:
        prepared.device.close()
    return Outcome(store.folder, tuple(records))


def _example(workspace: Workspace) -> list[Model]:
    """The bundled example: from the user's workspace where it holds it, else the copy that came with the program."""
    try:
        return [find_model(name, workspace) for name in EXAMPLE]
    except UnknownNameError:
        bundled = bundled_workspace()
        return [find_model(name, bundled) for name in EXAMPLE]


def _described(model: Model) -> ModelDescription:
    """Read the file and refuse what cannot run here.

    Raises:
        ModelError: It is not there, not a model, not the one the card speaks of, or has operators that nobody
            knows.
    """
    source = model.card.source
    if not model.available:
        remedy = (
            f"run `harness models fetch {model.name}`" if source.url else "correct the card's source.path"
        )
        raise ModelError(f"model {model.name!r}: {model.file} is not on this computer; {remedy}")
    facts = describe(model.file)
    if source.sha256 is not None and source.sha256 != facts.sha256:
        raise ModelError(
            f"model {model.name!r}: {model.file} has the sha256 {facts.sha256}, the card says {source.sha256}; "
            "correct the card or restore the file"
        )
    check_runnable(facts)
    return facts


def _check_distinct(models: Iterable[Model]) -> None:
    """Two models of one name could not be told apart in a table."""
    seen: dict[str, Path] = {}
    for model in models:
        if model.name in seen:
            raise UsageError(f"two models are called {model.name!r}: {seen[model.name]} and {model.file}")
        seen[model.name] = model.file


def _datasets(
    described: Iterable[tuple[Model, ModelDescription]], request: Request, notes: list[str]
) -> list[Dataset | None]:
    """Find each model's dataset, each path read once, and check that the model can be evaluated on it."""
    settings = request.settings
    if settings.limit is not None and settings.limit < 1:
        raise UsageError(f"--limit: found {settings.limit}, expected at least 1 image")
    known: dict[Path, Dataset] = {}
    found: list[Dataset | None] = []
    for model, facts in described:
        path = request.dataset or model.dataset_path
        if path is not None and path not in known:
            known[path] = limited(find_dataset(path), settings.limit)
        problem = _why_no_accuracy(model, facts, path) if settings.accuracy else None
        if problem is not None and not settings.latency:
            raise UsageError(problem)
        if problem is not None:
            notes.append(f"{problem}; only latency is measured")
        found.append(None if path is None or problem is not None else known[path])
    return found


def _why_no_accuracy(model: Model, facts: ModelDescription, dataset: Path | None) -> str | None:
    """Return why a model's accuracy cannot be measured; None when it can.

    Raises:
        ModelError: The card and the file do not fit together.
    """
    if dataset is None:
        return f"model {model.name!r} has no dataset (give one with --dataset)"
    if model.card.decoder.name == NO_DECODER:
        return f"model {model.name!r}: its outputs are of no known family, so there is no decoder ({facts.outputs})"
    try:
        Preparation(model.card.input, facts.inputs[0])
        make_decoder(model.card.decoder, facts.outputs)
    except HarnessError as error:
        raise ModelError(f"model {model.name!r}: {error}") from error
    return None
