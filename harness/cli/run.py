"""`harness run`: measure models on devices."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli import completion
from harness.cli.common import CONTEXT, Progress, examples, format_option, note, progress, warn
from harness.cli.farm_options import farm_choice, farm_options
from harness.cli.run_progress import Shown
from harness.cli.types import Duration, KeyValue, Numbers, Percent
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.bench.request import Request
    from harness.session import Prepared

LATEST = "latest"


@click.command(
    "run",
    context_settings=CONTEXT,
    epilog=examples(
        "harness run                                       the bundled example on this computer",
        "harness run ssd.tflite --dataset coco/            a bare model: its card is worked out and shown",
        "harness run my-card --delegate cpu:4 --limit 500  one delegate, the first 500 images",
        "harness run a.tflite b.tflite --no-accuracy       latency only",
        "harness run ssd.tflite --nms regular --nms fast --score-threshold 1e-8,0.3   NMS as an axis: four rows",
        "harness run plan.toml --dry-run                   what a plan would measure, and how long",
        "harness run --resume                              go on with the run that was interrupted last",
        "harness run plan.toml --scheduler rack1:8786      the same plan on a device farm",
    ),
)
@click.argument("models", nargs=-1, metavar="[MODEL|PLAN.toml]...", shell_complete=completion.models)
@click.option(
    "-d",
    "--device",
    "devices",
    multiple=True,
    shell_complete=completion.devices,
    help="A profile, a serial, adb:HOST:PORT, ssh://USER@HOST[:PORT], coral-usb or all-android; may be repeated.",
)
@click.option("--delegate", "delegates", multiple=True, help="What executes the graph; may be repeated.")
@click.option(
    "--delegate-option",
    "delegate_options",
    multiple=True,
    type=KeyValue(),
    help="What an external delegate or the Edge TPU's library is told; may be repeated.",
)
@click.option("--dataset", type=click.Path(), help="COCO dataset: a folder or a TOML card.")
@click.option("--limit", type=int, help="Only the first so many images.")
@click.option("--no-accuracy", is_flag=True, help="Only latency.")
@click.option("--no-latency", is_flag=True, help="Only accuracy.")
@click.option("--min-seconds", type=float, help="At least so many seconds of steady inferences a cell.")
@click.option("--min-runs", type=int, help="At least so many steady inferences a cell.")
@click.option("--repetitions", type=int, help="Independent processes a cell.")
@click.option("--precision", type=Percent(), help="Measure until the median is known to ± so many percent …")
@click.option("--max-seconds", type=float, help="… or for so many seconds a cell.")
@click.option("--mlperf", is_flag=True, help="Stop and estimate quantiles as MLPerf's LoadGen does.")
@click.option(
    "--switch-models",
    is_flag=True,
    help="Also time each model right after another one: what switching costs.",
)
@click.option("--sustained", type=Duration(), help="Measure for so long (10m) and show latency over time.")
@click.option(
    "--operators",
    is_flag=True,
    help="Record the time of each operator too, in one more process that is not timed; see report --operators.",
)
@click.option(
    "--nms",
    "nms_kind",
    multiple=True,
    type=click.Choice(["regular", "fast", "class-aware"]),
    help="Suppression to set; may be repeated. Each combination with the next four is a row of its own.",
)
@click.option("--score-threshold", type=Numbers(float), help="NMS: lowest score; several with commas.")
@click.option("--iou-threshold", type=Numbers(float), help="NMS: most overlap; several with commas.")
@click.option("--max-detections", type=Numbers(int), help="NMS: boxes an image; several with commas.")
@click.option("--detections-per-class", type=Numbers(int), help="NMS: boxes a class; several with commas.")
@click.option("--seed", type=int, help="Of the order of the cells.")
@click.option("--memory-limit", "memory_limit_mb", type=int, help="MiB of memory that a worker may use.")
@click.option(
    "--coco-engine",
    type=click.Choice(["hotcoco", "pycocotools"]),
    help="What computes the COCO figures; both give the same.",
)
@click.option(
    "--benchmark-binary", type=click.Path(), help="TFLite's native benchmark_model to measure with."
)
@click.option(
    "--eval-binary", type=click.Path(), help="TFLite's eval_coco_object_detection, for accuracy there."
)
@click.option("--cpu-mask", help="CPUs for the native tool, as taskset takes it (default: the fastest).")
@click.option("--max-start-temp", type=float, help="Phones: wait until the battery is at most so warm (°C).")
@click.option("--output", type=click.Path(), help="Folder for the runs (default: results/).")
@click.option("--dry-run", is_flag=True, help="Show the cells and the time they take; measure nothing.")
@click.option(
    "--resume", is_flag=False, flag_value=LATEST, metavar="[RUN]", help="Go on with an interrupted run."
)
@farm_options
@click.option("--farm-wait", type=Duration(), help="Farm: wait so long for a device that went away (5m).")
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Measure models on devices: latency, memory and COCO accuracy.

    MODEL is a card's name, a card's path or a bare .tflite file; without one, the bundled example is measured.
    """
    from harness import session

    if options["resume"] is not None:
        prepared = session.prepare_resume(_unfinished(ctx.obj, options), _other_farm(options))
    else:
        prepared = session.prepare(_request(ctx.obj, options))
    _show_what_was_inferred(prepared)
    if options["dry_run"]:
        from harness.cli.dry_run import print_plan

        print_plan(prepared, format_)
        return
    try:
        with progress() as shown:
            outcome = session.carry_out(prepared, _observer(prepared, shown))
    except session.RunInterrupted as error:
        _say_how_to_resume(error.folder)
        raise
    from harness.cli.report import print_results

    print_results([outcome.folder], format_)
    if outcome.failed:
        ctx.exit(1)


def _request(workspace: str | None, options: dict[str, Any]) -> Request:
    """Make the request: a plan file's, or an empty one, with what the options say on top."""
    from harness.bench.request import Request, is_plan, load_plan

    models = options["models"]
    plans = [Path(text) for text in models if is_plan(Path(text))]
    if plans and len(models) > 1:
        raise UsageError("a plan names its models itself: give one plan and no other MODEL")
    request = load_plan(plans[0]) if plans else Request(models=models)
    names = (
        *("devices", "delegates", "delegate_options", "dataset", "output", "repetitions"),
        *("benchmark_binary", "eval_binary", "cpu_mask", "max_start_temp"),
    )
    given = {name: options[name] for name in names if options[name]}
    return replace(
        request,
        **given,
        nms=_nms(request, options),
        farm=farm_choice(options["scheduler"], options["farm_wait"], options, request.farm),
        settings=_settings(request, options),
        workspace=workspace,
        command=_command_line(),
    )


def _command_line() -> tuple[str, ...]:
    """The command as it was given, without the path of the interpreter."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])


def _other_farm(options: dict[str, Any]) -> Any:
    """The farm that a resumed run goes on with, where one is given; None for the one it was begun on."""
    given = options["scheduler"] is not None
    return farm_choice(options["scheduler"], options["farm_wait"], options) if given else None


def _observer(prepared: Prepared, shown: Progress) -> Any:
    """What shows the progress: of this computer, or of a whole farm."""
    if prepared.farm is None:
        return Shown(shown)
    from harness.cli.farm_progress import FarmShown

    farm = prepared.farm
    farm.say = shown.say
    if farm.link.dashboard is not None:
        note(f"Dask's dashboard: {farm.link.dashboard}")
    return FarmShown(shown, len(prepared.plan.cells), len(farm.offers))


def _nms(request: Request, options: dict[str, Any]) -> Any:
    """The plan file's NMS settings with those of the options on top."""
    import msgspec

    given = {
        name: options[name] for name in request.nms.__struct_fields__ if name != "kind" and options[name]
    }
    if options["nms_kind"]:
        given["kind"] = tuple(dict.fromkeys(options["nms_kind"]))
    return msgspec.structs.replace(request.nms, **given)


def _settings(request: Request, options: dict[str, Any]) -> Any:
    names = (
        *("limit", "min_seconds", "min_runs", "precision", "max_seconds", "sustained", "seed"),
        *("memory_limit_mb", "coco_engine"),
    )
    given = {name: options[name] for name in names if options[name] is not None}
    for flag, name, value in (
        ("no_latency", "latency", False),
        ("no_accuracy", "accuracy", False),
        ("mlperf", "mlperf", True),
        ("switch_models", "switch_models", True),
        ("operators", "operators", True),
    ):
        if options[flag]:
            given[name] = value
    if options["repetitions"] is not None and options["repetitions"] < 1:
        raise UsageError(f"--repetitions: found {options['repetitions']}, expected at least 1")
    settings = replace(request.settings, **given)
    if settings.mlperf and options["min_seconds"] is None:
        from harness.settings import MLPERF_MIN_SECONDS

        settings = replace(settings, min_seconds=MLPERF_MIN_SECONDS)
    return settings


def _unfinished(workspace: str | None, options: dict[str, Any]) -> Path:
    """Find the run to go on with: the one that is named, else the newest that is not finished."""
    from harness.records.records import is_finished
    from harness.rows.selection import find_folders
    from harness.workspace import find_workspace

    if options["models"]:
        raise UsageError("--resume goes on with a run as it was begun: give no MODEL")
    results = Path(options["output"]) if options["output"] else find_workspace(workspace).results
    if options["resume"] != LATEST:
        return find_folders([options["resume"]], results)[0]
    runs = sorted((path.parent for path in results.glob("*/run.json")), reverse=True)
    for run in runs:
        if not is_finished(run):
            return run
    raise UsageError(f"{results}: no run there was interrupted; nothing to resume")


def _say_how_to_resume(folder: Path) -> None:
    note(f"Interrupted. What was measured is in {folder}; go on with:\n  harness run --resume {folder.name}")


def _show_what_was_inferred(prepared: Prepared) -> None:
    """A card that was worked out from the file is shown before its figures are, once for all its NMS settings."""
    seen = set()
    for model in (cell.model for cell in prepared.plan.cells):
        name = model.name.partition("[")[0]
        if not model.evidence or (name, model.evidence) in seen:
            continue
        seen.add((name, model.evidence))
        note(f"card of {name}, worked out from the file:" if model.origin is None else f"{name}:")
        for sentence in model.evidence:
            note(f"  - {sentence}")
    for text in prepared.remarks:
        warn(text)
