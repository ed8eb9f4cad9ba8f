"""What a user asks for, from the command line, a plan file or Python; kept in `run.json` so that it can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.schema import Strict

if TYPE_CHECKING:
    pass

from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from harness import schema
from harness.bench.nms_axis import NmsAxes
from harness.errors import SchemaError
from harness.settings import CocoEngine, Settings


class Tls(Strict, frozen=True, kw_only=True):
    """Files in PEM format: the authority that signed both sides, and this side's certificate and key."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __bool__(self) -> bool:
        """Whether TLS is asked for."""
        return any((self.ca, self.cert, self.key))


class Rule(Strict, frozen=True, kw_only=True):
    """Which cells something applies to: patterns such as `shapes-*` for model, device and delegate."""

    model: str = "*"
    device: str = "*"
    delegate: str = "*"

    def fits(self, model: str, device: str, delegate: str) -> bool:
        """Whether a cell is meant."""
        pairs = ((model, self.model), (device, self.device), (delegate, self.delegate))
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


class Tuning(Strict, frozen=True, kw_only=True):
    """Settings that a plan file or an override may give; None leaves them as they are."""

    repetitions: int | None = None
    min_runs: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    precision: float | None = None
    mlperf: bool | None = None
    sustained: float | None = None
    latency: bool | None = None
    accuracy: bool | None = None
    operators: bool | None = None
    limit: int | None = None
    coco_engine: CocoEngine | None = None
    memory_limit_mb: int | None = None
    switch_models: bool | None = None

    def given(self) -> dict[str, Any]:
        """The settings that are given."""
        names = (name for name in _TUNABLE if getattr(self, name) is not None)
        return {name: getattr(self, name) for name in names}


_TUNABLE = tuple(f.name for f in msgspec.structs.fields(Tuning))


class Override(Rule, frozen=True, kw_only=True):
    """Other settings for some cells."""

    set: Tuning


DEFAULT_FARM_WAIT_S = 300.0


class FarmChoice(Strict, frozen=True, kw_only=True):
    """The farm to measure on: a Dask scheduler's address; None for this computer alone.

    `wait_s` is how long to wait for a device or a host that went away.
    """

    scheduler: str | None = None
    wait_s: float = DEFAULT_FARM_WAIT_S
    tls: Tls = msgspec.field(default_factory=Tls)


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        models: Names of cards, paths of cards or .tflite files; empty for the bundled example.
        devices: Names of profiles, serials or addresses.
        delegates: Spellings; empty for the ones of each device's profile.
        delegate_options: Further `key=value` for external delegates.
        dataset: A dataset's folder or card; None for each card's own.
        benchmark_binary: TFLite's native benchmark_model to measure with; None for our worker or a fetched one.
        eval_binary: TFLite's eval_coco_object_detection, for the accuracy of models that it can take.
        cpu_mask: CPUs to run the native tool on, as `taskset` takes it; None for the fastest cores.
        max_start_temp: On phones, wait before each process until the battery is at most so warm (°C).
        output: Folder for the runs; None for the workspace's `results/`.
        workspace: Folder with devices/ and models/; None to look it up.
        settings: How to measure.
        repetitions: Independent processes a cell; None for the device profile's.
        exclude: Cells that are left out.
        override: Other settings for some cells; later ones win.
        nms: Settings of the models' suppression to cross; each combination is a cell.
        farm: The device farm that measures; `devices` are then those of the farm.
        command: The command line, for the record.
    """

    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("local",)
    delegates: tuple[str, ...] = ()
    delegate_options: tuple[tuple[str, str], ...] = ()
    dataset: str | None = None
    benchmark_binary: str | None = None
    eval_binary: str | None = None
    cpu_mask: str | None = None
    max_start_temp: float | None = None
    output: str | None = None
    workspace: str | None = None
    settings: Settings = field(default_factory=Settings)
    repetitions: int | None = None
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    nms: NmsAxes = field(default_factory=NmsAxes)
    farm: FarmChoice = field(default_factory=FarmChoice)
    command: tuple[str, ...] = ()


class PlanFile(Tuning, frozen=True, kw_only=True):
    """A plan as a TOML file; its keys are documented in the README."""

    models: tuple[str, ...]
    devices: tuple[str, ...] = ("local",)
    delegates: tuple[str, ...] = ()
    delegate_options: dict[str, str] = msgspec.field(default_factory=dict)
    dataset: str | None = None
    seed: int = 0
    scheduler: str | None = None
    farm_wait: float = DEFAULT_FARM_WAIT_S
    description: str = ""
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    nms: NmsAxes = msgspec.field(default_factory=NmsAxes)


def is_plan(path: Path) -> bool:
    """Whether a TOML file is a plan and not a model's card: a plan names models."""
    return path.suffix == ".toml" and path.is_file() and "models" in schema.load_toml(path)


def load_plan(path: Path) -> Request:
    """Read a plan file. Paths in it are relative to the file.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
    """
    data = schema.convert(schema.load_toml(path), PlanFile, path)
    if not data.models:
        raise SchemaError(f"{path}: key 'models': found an empty list, expected at least one model")
    settings = replace(
        Settings(seed=data.seed), **{k: v for k, v in data.given().items() if k != "repetitions"}
    )
    return Request(
        models=tuple(_beside(path, text) for text in data.models),
        devices=data.devices,
        delegates=data.delegates,
        delegate_options=tuple(data.delegate_options.items()),
        dataset=None if data.dataset is None else str(path.parent / data.dataset),
        settings=settings,
        repetitions=data.repetitions,
        exclude=data.exclude,
        override=data.override,
        nms=data.nms,
        farm=FarmChoice(scheduler=data.scheduler, wait_s=data.farm_wait),
    )


def _beside(path: Path, text: str) -> str:
    """A model given as a file lies relative to the plan; a card's name stays a name."""
    return str(path.parent / text) if Path(text).suffix in {".tflite", ".toml", ".lite"} else text


def request_facts(request: Request) -> dict[str, Any]:
    """The request as data for `run.json`, with absolute paths, so that it means the same from another folder."""
    facts: dict[str, Any] = msgspec.to_builtins(request)
    facts["models"] = [str(Path(m).resolve()) if Path(m).is_file() else m for m in request.models]
    for name in ("dataset", "benchmark_binary", "eval_binary", "output", "workspace"):
        facts[name] = None if facts[name] is None else str(Path(facts[name]).resolve())
    return facts


def request_from_facts(facts: dict[str, Any], where: Path) -> Request:
    """Read a request back.

    Raises:
        SchemaError: It was written by another version of this program.
    """
    known = {f.name for f in fields(Request)}
    return schema.convert({key: value for key, value in facts.items() if key in known}, Request, where)
