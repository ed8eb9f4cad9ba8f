"""`harness run`: measure models on devices."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.bench.request import FarmChoice, NmsAxes, Request, Tls
from harness.cli import completion
from harness.cli.common import CONTEXT, examples, format_option, option_groups
from harness.cli.farm_options import farm_options
from harness.cli.options import given_of, options_of
from harness.cli.printing import console_err, note, tell, warn
from harness.cli.progress import progress
from harness.cli.signals import ignore_signals
from harness.errors import UsageError
from harness.option import GROUPS, OUTPUT
from harness.report.progress import Progress
from harness.report.run_progress import Shown, planned_tasks
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.session import Outcome, Prepared, RunInterrupted


@click.command(
    "run",
    context_settings=CONTEXT,
    panels=option_groups(*GROUPS),
    epilog=examples(
        "harness run                                       the bundled example on this computer",
        "harness run ssd.tflite --dataset coco/            a bare model: its card is worked out and shown",
        "harness run old=a/best.tflite new=b/best.tflite --quick   a first look at two files under names of yours",
        "harness run my-card --delegate cpu:4 --limit 500  one delegate, the first 500 images",
        "harness run a.tflite b.tflite --no-accuracy       latency only",
        "harness run ssd.tflite --nms regular --nms fast --score-threshold 1e-8,0.3   NMS as an axis: four rows",
        "harness run new.tflite --against old.tflite       both in turn, round by round, for harness compare",
        "harness run plan.toml --dry-run                   what a plan would measure, and how long",
        "harness run --resume                              go on with the run that was interrupted last",
        "harness run my-card -d phone --check-engines       our worker and benchmark_model on the same cells",
        "harness run plan.toml --scheduler rack1:8786      the same plan on a device farm",
    ),
)
@click.argument("models", nargs=-1, metavar="[MODEL|PLAN.toml]...", shell_complete=completion.models)
@options_of(Request, until="dataset")
@options_of(Settings, until="operators")
@options_of(NmsAxes)
@options_of(Settings, after="operators")
@options_of(Request, after="dataset")
@click.option(
    "--dry-run", is_flag=True, panel=OUTPUT, help="Show the cells and the time they take; measure nothing."
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="latest",
    metavar="[RUN]",
    panel=OUTPUT,
    help="Go on with an interrupted run: this one, or the last.",
)
@click.option(
    "--check-engines",
    is_flag=True,
    panel=OUTPUT,
    help="Measure twice, with benchmark_model and our own worker, and show the difference.",
)
@farm_options
@options_of(FarmChoice, after="scheduler")
@format_option(panel=OUTPUT)
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Measure models on devices: latency, memory and COCO accuracy.

    MODEL is a card's name, a card's path or a .tflite file, and NAME=FILE gives a file a name. Without one, the bundled
    example is measured. What was measured goes to results/ of the workspace that you are in (a folder with devices/ and
    models/), else to ./results; `harness report results` shows all of it.
    """
    from harness import session

    given = given_of(options, Request, Settings, NmsAxes, FarmChoice, Tls)
    if options["check_engines"]:
        ctx.exit(_check_engines(ctx, options, given, format_))
    prepared = session.prepare_asked(
        options["models"], given, ctx.obj, _command_line(), options["resume"], outline=options["dry_run"]
    )
    _show_what_was_inferred(prepared)
    if options["dry_run"]:
        from harness.cli.dry_run import print_plan

        try:
            print_plan(prepared, format_)
        finally:
            session.let_go(prepared)
        return
    outcome = _carried_out(prepared)
    from harness.cli.report import print_results

    whole = print_results([outcome.folder], format_)
    if prepared.request.against is not None:
        note(f"both sides against each other: harness compare {session.run_name(outcome.folder)}")
    if not whole or outcome.failed:
        ctx.exit(1)


def _carried_out(prepared: Prepared) -> Outcome:
    """Carry a run out; where it is interrupted, say how it goes on."""
    from harness import session

    try:
        with progress() as shown:
            return session.carry_out(prepared, _observer(prepared, shown))
    except BaseException as error:
        interrupted = _interrupted_run(error)
        if interrupted is None:
            raise
        ignore_signals()  # a third Ctrl-C must not take the line away that says how it goes on
        _say_how_to_resume(interrupted.folder)
        raise interrupted from None


def _check_engines(
    ctx: click.Context, options: dict[str, Any], given: Mapping[str, Any], format_: str
) -> int:
    """Measure with both engines."""
    from harness import session
    from harness.cli.check_engines import check_engines

    excluded = {"--dry-run": options["dry_run"], "--resume": options["resume"]}
    for name, asked in excluded.items():
        if asked:
            raise UsageError(f"use just one of {name} and --check-engines")

    def prepare(given: Mapping[str, Any]) -> Prepared:
        return session.prepare_asked(options["models"], given, ctx.obj, _command_line())

    return check_engines(prepare, _carried_out, given, format_)


def _command_line() -> tuple[str, ...]:
    """The command as it was given, without the path of the interpreter."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])


def _observer(prepared: Prepared, shown: Progress) -> Any:
    """What shows the progress: of this computer, or of a whole farm."""
    if prepared.farm is None:
        return Shown(shown, planned_tasks(prepared))
    from harness.cli.farm_progress import FarmShown

    farm = prepared.farm
    farm.say = shown.say
    if farm.link.dashboard is not None:
        note(f"Dask's dashboard: {farm.link.dashboard}")
    return FarmShown(shown, len(prepared.plan.cells), len(farm.offers))


def _interrupted_run(error: BaseException | None) -> RunInterrupted | None:
    """Find the run that was interrupted, also behind a second Ctrl-C while its progress was put away."""
    from harness.session import RunInterrupted

    while error is not None and not isinstance(error, RunInterrupted):
        error = error.__context__
    return error


def _say_how_to_resume(folder: Path) -> None:
    """Print the command alone on its line, so that it can be copied; a terminal that is gone is no reason to fail."""
    from harness.session import resume_command

    with contextlib.suppress(OSError):
        tell(f"Interrupted. What was measured is in {folder}; go on with:")
        tell(f"  {resume_command(folder)}")


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
    _show_classes(prepared)


def _show_classes(prepared: Prepared) -> None:
    """Say which classes were matched, once before the figures; ids are a warning, as they may mean anything."""
    from harness.report import class_match

    for by, say in (("name", note), ("id", warn)):
        found = [(name, facts) for name, facts in prepared.matches if facts.matched_by == by]
        for text in class_match.lines(found, console_err().width - (0 if say is note else len("warning: "))):
            say(text)
