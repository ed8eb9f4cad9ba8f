"""A plan as a TOML file: what to measure, with keys for all settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from harness import schema
from harness.bench.request import (
    DEFAULT_FARM_WAIT_S,
    FarmChoice,
    NmsAxes,
    Request,
    with_given,
    with_settings,
)
from harness.bench.rules import OVERRIDABLE, GivenSettings, Override, Rule
from harness.cards import ResizeMethod
from harness.errors import SchemaError, UsageError
from harness.option import declared
from harness.paths import is_file
from harness.recognize.find import split_name
from harness.settings import Settings


class PlanKeys(GivenSettings, frozen=True, kw_only=True):
    """The keys of a plan beside the settings; they are documented in results/README.md."""

    models: tuple[str, ...]
    devices: tuple[str, ...] = ("local",)
    delegates: tuple[str, ...] = ()
    delegate_options: dict[str, str] = msgspec.field(default_factory=dict)
    against: str | None = None
    dataset: str | None = None
    resize: ResizeMethod | None = None
    scheduler: str | None = None
    farm_wait: float = DEFAULT_FARM_WAIT_S
    description: str = ""
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    nms: NmsAxes = msgspec.field(default_factory=NmsAxes)


if TYPE_CHECKING:
    PlanFile: TypeAlias = PlanKeys
else:
    _OF_THE_RUN = [
        (one.name, one.kind, getattr(Settings, one.name))
        for one in declared(Settings)
        if not one.option.override
    ]
    PlanFile = msgspec.defstruct(
        "PlanFile",
        [*OVERRIDABLE, *_OF_THE_RUN],
        bases=(PlanKeys,),
        frozen=True,
        kw_only=True,
        module=__name__,
    )


def make_request(
    models: Sequence[str], given: Mapping[str, Any], workspace: str | None, command: tuple[str, ...] = ()
) -> Request:
    """Make a request: a plan file's, or one of models, with what a user gives on top.

    Args:
        models: Models, or one plan; nothing for the bundled example.
        given: Values by the keywords of the options.
        workspace: Folder with devices/ and models/; None to look it up.
        command: The command line, for the record.

    Raises:
        UsageError: A plan beside models, or a value out of range.
        SchemaError: The plan does not fit the schema.
    """
    plans = [Path(text) for text in models if is_plan(Path(text))]
    if plans and len(models) > 1:
        raise UsageError("a plan names its models itself: give one plan and no other MODEL")
    request = load_plan(plans[0]) if plans else Request(models=tuple(models))
    return replace(with_given(request, given), workspace=workspace, command=command)


def is_plan(path: Path) -> bool:
    """Whether a TOML file is a plan and not a model's card: a plan names models."""
    return path.suffix == ".toml" and is_file(path) and "models" in schema.load_toml(path)


def load_plan(path: Path) -> Request:
    """Read a plan file. Paths in it are relative to the file.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
    """
    data = schema.convert(schema.load_toml(path), PlanFile, path)
    if not data.models:
        raise SchemaError(f"{path}: key 'models': found an empty list, expected at least one model")
    settings = data.given()
    for given in (settings, *(override.set.given() for override in data.override)):
        _check(given, path)
    repetitions = settings.pop("repetitions", None)
    return Request(
        models=tuple(_beside(path, text) for text in data.models),
        devices=tuple(_profile_beside(path, text) for text in data.devices),
        delegates=data.delegates,
        delegate_options=tuple(data.delegate_options.items()),
        against=None if data.against is None else _beside(path, data.against),
        dataset=None if data.dataset is None else str(path.parent / data.dataset),
        resize=data.resize,
        settings=with_settings(Settings(), settings),
        repetitions=repetitions,
        exclude=data.exclude,
        override=data.override,
        nms=data.nms,
        farm=FarmChoice(scheduler=data.scheduler, wait_s=data.farm_wait),
    )


def _check(given: Mapping[str, Any], path: Path) -> None:
    """Refuse a number that is too small, by the key that holds it."""
    for one in declared(Settings):
        try:
            one.check(given.get(one.name))
        except UsageError as error:
            expected = str(error).partition(": ")[2]
            raise SchemaError(f"{path}: key {one.name!r}: {expected}") from error


def _profile_beside(path: Path, text: str) -> str:
    """A device profile given as a file lies relative to the plan; any other spelling of a device stays."""
    return str(path.parent / text) if Path(text).suffix == ".toml" else text


def _beside(path: Path, text: str) -> str:
    """A model given as a file lies relative to the plan; a card's name stays a name, as does NAME= before either."""
    name, file = split_name(text)
    found = str(path.parent / file) if Path(file).suffix in {".tflite", ".toml", ".lite"} else file
    return found if name is None else f"{name}={found}"
