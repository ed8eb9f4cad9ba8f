"""What a user asks for, from the command line, a plan file or Python; kept in `run.json` so that it can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness import schema
from harness.bench.rules import Override, Rule
from harness.cards import ResizeMethod
from harness.errors import UsageError
from harness.option import ACCURACY, FARM, HOW_LONG, OUTPUT, PHONES, WHAT, Option, declared
from harness.paths import absolute, expand_user, is_file, resolved
from harness.recognize.find import split_name
from harness.schema import Strict
from harness.settings import DEFAULT_MIN_SECONDS, MLPERF_MIN_SECONDS, Settings

NmsKind = Literal["regular", "fast", "class-aware"]
EngineChoice = Literal["auto", "worker", "benchmark-model"]
QUICK: Mapping[str, Any] = {"repetitions": 1, "limit": 20}
"""What `--quick` sets beside the one CPU delegate of `bench.cells`; what a user gives goes before it."""
MOST_BOXES = 1_000_000
DEFAULT_FARM_WAIT_S = 300.0
DEFAULT_DEVICE_WAIT_S = 60.0


# fmt: off
class NmsAxes(Strict, frozen=True, kw_only=True):
    """Values of the settings of suppression to cross; an empty list leaves the model's own."""

    kind: Annotated[tuple[NmsKind, ...], Option(
        "Suppression to set; may be repeated. Each combination with the next four is a row of its own.",
        keyword="nms", metavar="KIND", group=WHAT, default="the model's own")] = ()
    score_threshold: Annotated[tuple[float, ...], Option(
        "NMS: lowest score; several with commas.", least=0, most=1,
        group=WHAT, default="the model's own")] = ()
    iou_threshold: Annotated[tuple[float, ...], Option(
        "NMS: most overlap; several with commas.", least=0, most=1,
        group=WHAT, default="the model's own")] = ()
    max_detections: Annotated[tuple[int, ...], Option(
        "NMS: boxes an image; several with commas.", least=1, most=MOST_BOXES,
        group=WHAT, default="the model's own")] = ()
    detections_per_class: Annotated[tuple[int, ...], Option(
        "NMS: boxes a class; several with commas.", least=1, most=MOST_BOXES,
        group=WHAT, default="the model's own")] = ()

    def __bool__(self) -> bool:
        """Whether anything is set."""
        return any(getattr(self, name) for name in self.__struct_fields__)


class Tls(Strict, frozen=True, kw_only=True):
    """Files in PEM format: the authority that signed both sides, and this side's certificate and key."""

    ca: Annotated[str | None, Option(
        "The authority that signed both sides (PEM).", keyword="tls_ca", form="path", group=FARM,
        default="no TLS")] = None
    cert: Annotated[str | None, Option(
        "This side's certificate (PEM).", keyword="tls_cert", form="path", group=FARM, default="no TLS")] = None
    key: Annotated[str | None, Option(
        "This side's key (PEM).", keyword="tls_key", form="path", group=FARM, default="no TLS")] = None

    def __bool__(self) -> bool:
        """Whether TLS is asked for."""
        return any((self.ca, self.cert, self.key))


class FarmChoice(Strict, frozen=True, kw_only=True):
    """The farm to measure on; without a scheduler, this computer alone."""

    scheduler: Annotated[str | None, Option(
        "A farm's Dask scheduler (extra `cluster`).", metavar="ADDRESS", group=FARM,
        default="this computer alone")] = None
    wait_s: Annotated[float, Option(
        "Wait so long for a device that went away.", keyword="farm_wait", form="duration", least=0, group=FARM
    )] = DEFAULT_FARM_WAIT_S
    tls: Tls = msgspec.field(default_factory=Tls)


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        models: Names of cards, paths of cards or .tflite files; empty for the bundled example.
        workspace: Folder with devices/ and models/; None to look it up.
        settings: How to measure.
        repetitions: Independent processes a cell; None for the device profile's.
        exclude: Cells that are left out.
        override: Other settings for some cells; later ones win.
        nms: Settings of the models' suppression to cross; each combination is a cell.
        farm: The device farm that measures; `devices` are then those of the farm.
        command: The command line, for the record.
        against: The base that is measured in turn with the models: one model, or a plan.
    """

    models: tuple[str, ...] = ()
    devices: Annotated[tuple[str, ...], Option(
        "A profile, serial, adb:HOST:PORT, ssh://USER@HOST[:PORT], coral-usb, all-android, emulator:qualcomm-SM8650.",
        "-d --device", "device", metavar="DEVICE", group=WHAT)] = ("local",)
    delegates: Annotated[tuple[str, ...], Option(
        "What executes the graph, such as cpu:4, gpu, nnapi, edgetpu or external:PATH; may be repeated.", "--delegate",
        metavar="DELEGATE", group=WHAT, default="the device profile's")] = ()
    delegate_options: Annotated[tuple[tuple[str, str], ...], Option(
        "What an external delegate or the Edge TPU's library is told; may be repeated.",
        "--delegate-option", group=WHAT, default="nothing")] = ()
    against: Annotated[str | None, Option(
        "Also measure this model, or those of this plan, in turn with the others: the base of harness compare.",
        metavar="MODEL|PLAN", form="path", group=WHAT, default="nothing")] = None
    dataset: Annotated[str | None, Option(
        "Dataset: a folder (COCO, YOLO, VOC, an export), data.yaml or a card.", form="path", group=ACCURACY,
        default="the one of the model's card")] = None
    resize: Annotated[ResizeMethod | None, Option(
        "How images are resized, whatever the cards say; YOLO's published figures use opencv-bilinear.",
        metavar="METHOD", group=ACCURACY, default="as the card says")] = None
    engine: Annotated[EngineChoice, Option(
        "What measures: auto, our own worker (every sample), or benchmark-model.", metavar="NAME",
        group=PHONES, override=False)] = "auto"
    litert_library: Annotated[str | None, Option(
        "libLiteRt.so for our own worker on phones and boards without Python.", form="path", group=PHONES,
        default="the profile's, one beside the native tool, or the published one")] = None
    benchmark_binary: Annotated[str | None, Option(
        "TFLite's native benchmark_model to measure with.", form="path", group=PHONES,
        default="the profile's, or the published one")] = None
    eval_binary: Annotated[str | None, Option(
        "TFLite's eval_coco_object_detection, for accuracy there.", form="path", group=PHONES,
        default="outputs are evaluated here")] = None
    cpu_mask: Annotated[str | None, Option(
        "CPUs for the native tool, as taskset takes it.", metavar="MASK", group=PHONES, default="the fastest",
        pattern=r"(0[xX])?0*[1-9a-fA-F][0-9a-fA-F]{0,255}", example="a mask in hexadecimal such as f0")] = None
    max_start_temp: Annotated[float | None, Option(
        "Wait until the phone's battery is at most so warm.", metavar="°C", least=-40, most=100, group=PHONES,
        default="do not wait")] = None
    device_wait: Annotated[float, Option(
        "Wait so long for a device that went away (0: do not).", form="duration", least=0,
        group=PHONES)] = DEFAULT_DEVICE_WAIT_S
    quick: Annotated[bool, Option(
        "A look, no measurement: one process, one CPU delegate and 20 images, unless said otherwise.",
        group=HOW_LONG)] = False
    name: Annotated[str | None, Option(
        "What the run is called in `harness runs`.", metavar="TEXT", group=OUTPUT, default="nothing")] = None
    keep: Annotated[int | None, Option(
        "Most to keep there of files for the next runs; the least used go first.",
        metavar="SIZE", form="size", least=0, group=PHONES, default="4GB")] = None
    output: Annotated[str | None, Option(
        "Folder for the runs.", form="path", group=OUTPUT,
        default="results/ of the workspace that you are in, else ./results")] = None
    workspace: str | None = None
    settings: Settings = field(default_factory=Settings)
    repetitions: int | None = None
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    nms: NmsAxes = field(default_factory=NmsAxes)
    farm: FarmChoice = field(default_factory=FarmChoice)
    command: tuple[str, ...] = ()
# fmt: on


def with_given(request: Request, given: Mapping[str, Any]) -> Request:
    """Put what a user gives on top of a request.

    Args:
        request: A plan file's, or an empty one.
        given: Values by the keywords of the options; None and empty ones are as if they were not there.

    Raises:
        UsageError: A value out of range, or two that exclude each other.
    """
    if given.get("quick"):
        given = {**QUICK, **{name: value for name, value in given.items() if value is not None}}
    settings = _part(Settings, given)
    for one in declared(Settings):
        one.check(settings.get(one.name))
    repetitions = settings.pop("repetitions", request.repetitions)
    nms = {name: tuple(dict.fromkeys(values)) for name, values in _part(NmsAxes, given).items()}
    return _checked(
        replace(
            request,
            **_part(Request, given),
            settings=with_settings(request.settings, settings),
            repetitions=repetitions,
            nms=msgspec.structs.replace(request.nms, **nms),
            farm=with_farm(request.farm, given),
        )
    )


def _checked(request: Request) -> Request:
    """Refuse values out of range, from a plan or on top of it.

    Raises:
        UsageError: Names the option.
    """
    holders: tuple[tuple[type, object], ...] = (
        (Request, request),
        (NmsAxes, request.nms),
        (FarmChoice, request.farm),
    )
    for kind, holder in holders:
        for one in declared(kind):
            one.check(getattr(holder, one.name))
    if request.against is not None and not request.models:
        raise UsageError(
            "--against is the base of a comparison: name the MODEL that is held against it, or a PLAN"
        )
    if request.farm.scheduler is not None:
        _refuse_on_a_farm(request)
    return request


def _refuse_on_a_farm(request: Request) -> None:
    asked = {"--engine": request.engine != "auto", "--litert-library": request.litert_library is not None}
    for option, is_asked in asked.items():
        if is_asked:
            raise UsageError(f"{option}: on a farm each host measures with what it has: leave it out")


def with_farm(farm: FarmChoice, given: Mapping[str, Any]) -> FarmChoice:
    """Put what a user gives on top of a farm; paths become absolute, because a run may be resumed from elsewhere."""
    files = {name: str(absolute(expand_user(path))) for name, path in _part(Tls, given).items()}
    tls = msgspec.structs.replace(farm.tls, **files)
    return msgspec.structs.replace(farm, **_part(FarmChoice, given), tls=tls)


def with_settings(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Put what is given on top of settings; `mlperf` brings its minute, unless another time was asked for.

    Raises:
        UsageError: A value out of range, or two that exclude each other.
    """
    asks_for_time = "min_seconds" in given or settings.min_seconds != DEFAULT_MIN_SECONDS
    if given.get("mlperf") and not asks_for_time:
        given = {**given, "min_seconds": MLPERF_MIN_SECONDS}
    return replace(settings, **given)


def _part(holder: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given of the fields of one table.

    Raises:
        UsageError: A place without a name, which is a variable that a script forgot to set.
    """
    for one in declared(holder):
        if one.option.form == "path" and given.get(one.keyword) == "":
            raise UsageError(f"{one.spelling}: found '', expected the name of a file or folder")
    values = {one.name: given.get(one.keyword) for one in declared(holder)}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def request_facts(request: Request) -> dict[str, Any]:
    """The request as data for `run.json`, with absolute paths, so that it means the same from another folder."""
    facts: dict[str, Any] = msgspec.to_builtins(request)
    facts["models"] = [_from_anywhere(text) for text in request.models]
    paths = [one.name for one in declared(Request) if one.option.form == "path"]
    for name in (*paths, "workspace"):
        facts[name] = None if facts[name] is None else str(resolved(facts[name]))
    facts["against"] = None if request.against is None else _from_anywhere(request.against)
    return facts


def _from_anywhere(text: str) -> str:
    """A model as it is named from any folder: files by their absolute path."""
    if is_file(text):
        return str(resolved(text))
    name, file = split_name(text)
    return text if name is None or not is_file(file) else f"{name}={resolved(file)}"


def request_from_facts(facts: dict[str, Any], where: Path) -> Request:
    """Read a request back.

    Raises:
        SchemaError: It was written by another version of this program.
    """
    known = {f.name for f in fields(Request)}
    return schema.convert({key: value for key, value in facts.items() if key in known}, Request, where)
