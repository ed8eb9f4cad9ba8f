"""`harness run`: measure models on devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, Progress, examples, format_option, note, progress, warn

if TYPE_CHECKING:
    from harness.bench.plan import Task
    from harness.bench.records import Record
    from harness.bench.session import Outcome, Prepared, Request


@click.command(
    "run",
    context_settings=CONTEXT,
    epilog=examples(
        "harness run                                       the bundled example on this computer",
        "harness run ssd.tflite --dataset coco/            a bare model: its card is worked out and shown",
        "harness run my-card --delegate cpu:4 --limit 500  one delegate, the first 500 images",
        "harness run a.tflite b.tflite --no-accuracy       latency only",
        "harness run --format json > rows.json             the rows for a script",
    ),
)
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--device", default="local", show_default=True, help="A device profile's name.")
@click.option(
    "--delegate", "delegates", multiple=True, help="What executes the graph; may be given several times."
)
@click.option("--dataset", type=click.Path(path_type=Path), help="COCO dataset: a folder or a TOML card.")
@click.option("--limit", type=int, help="Only the first so many images.")
@click.option("--no-accuracy", is_flag=True, help="Only latency.")
@click.option("--no-latency", is_flag=True, help="Only accuracy.")
@click.option("--min-seconds", type=float, help="At least so many seconds of steady inferences a cell.")
@click.option("--min-runs", type=int, help="At least so many steady inferences a cell.")
@click.option("--repetitions", type=int, help="Independent processes a cell.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the cells.")
@click.option(
    "--coco-engine",
    type=click.Choice(["hotcoco", "pycocotools"]),
    default="hotcoco",
    show_default=True,
    help="What computes the COCO figures; both give the same.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the runs (default: results/).")
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Measure models on a device: latency, memory and COCO accuracy.

    MODEL is a card's name, a card's path or a bare .tflite file; without one, the bundled example is
    measured.
    """
    from harness.bench import session

    prepared = session.prepare(_request(ctx.obj, options))
    _show_what_was_inferred(prepared)
    with progress() as shown:
        outcome = session.carry_out(prepared, Shown(shown))
    _print(outcome, format_)
    if outcome.failed:
        ctx.exit(1)


def _request(workspace: str | None, options: dict[str, Any]) -> Request:
    from harness.bench.plan import Settings
    from harness.bench.run import command_line
    from harness.bench.session import Request

    asked = {key: options[key] for key in ("min_seconds", "min_runs") if options[key] is not None}
    settings = Settings(
        latency=not options["no_latency"],
        accuracy=not options["no_accuracy"],
        limit=options["limit"],
        seed=options["seed"],
        coco_engine=options["coco_engine"],
        **asked,
    )
    return Request(
        models=options["models"],
        device=options["device"],
        delegates=options["delegates"],
        dataset=options["dataset"],
        output=options["output"],
        workspace=None if workspace is None else Path(workspace),
        settings=settings,
        repetitions=options["repetitions"],
        command=command_line(),
    )


def _show_what_was_inferred(prepared: Prepared) -> None:
    """A card that was worked out from the file is shown before its figures are."""
    seen = set()
    for cell in prepared.plan.cells:
        model = cell.model
        if model.evidence and model.name not in seen:
            seen.add(model.name)
            note(f"card of {model.file.name}, worked out from the file:")
            for sentence in model.evidence:
                note(f"  - {sentence}")
    for text in prepared.notes:
        warn(text)


class Shown:
    """Shows a run's progress."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self._done, self._total, self._text = shown, 0.0, 1.0, ""

    def begin(self, total_tasks: int) -> None:
        """The run starts."""
        self._total = float(max(total_tasks, 1))

    def task(self, task: Task, n_repetitions: int) -> None:
        """A task starts."""
        what = f"latency {task.repetition + 1}/{n_repetitions}" if task.kind == "latency" else "accuracy"
        self._text = f"{task.cell.model.name} {task.cell.delegate} {what}"
        self._shown.update(self._done, self._total, self._text)

    def images(self, done: int, total: int) -> None:
        """An accuracy task goes on."""
        self._shown.update(self._done + done / total, self._total, f"{self._text}, image {done}/{total}")

    def done(self, task: Task, record: Record) -> None:
        """A task ended; a failure is told at once."""
        self._done += 1
        part = record.processes[-1] if task.kind == "latency" and record.processes else record.accuracy
        if part is not None and part.status not in {"ok"}:
            self._shown.say(
                f"{task.cell.model.name} {task.cell.delegate}: {part.status}: {'; '.join(part.reasons)}"
            )


def _print(outcome: Outcome, format_: str) -> None:
    from harness.cli.report import print_results

    print_results([outcome.folder], format_)
