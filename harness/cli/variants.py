"""What `harness prune` and `harness resize` share: the options of the measurement and the columns of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from harness.cli.printing import note, show, warn
from harness.cli.types import Place
from harness.report.content import Content
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.cards import Model
    from harness.quantization.measure import How

F = TypeVar("F", bound=Callable[..., Any])
TABLE = (
    "pareto",
    "model",
    "input",
    "sparsity",
    "size_bytes",
    "compressed_bytes",
    "latency_median_ms",
    "verdict",
    "map",
    "ap50",
)
"""What a terminal shows; the other formats have all columns."""


def measuring_options(command: F) -> F:
    """Add the options that say what is measured."""
    for option in (
        click.option(
            "--repetitions",
            type=int,
            help="Independent processes that time a file. [default: the device profile's]",
        ),
        click.option("--no-accuracy", is_flag=True, help="Only latency."),
        click.option("--no-latency", is_flag=True, help="Only accuracy."),
        click.option("--limit", type=int, help="Only the first so many images. [default: all]"),
        click.option("--dataset", type=Place(), help="COCO dataset for mAP. [default: the card's own]"),
    ):
        command = option(command)
    return command


def subject(workspace: str | None, options: dict[str, Any]) -> tuple[Model, How]:
    """Find the model and what is to be measured of it.

    Raises:
        ModelError: The model is not on this computer.
    """
    from harness.recognize.find import find_available
    from harness.workspace import find_workspace

    model = find_available(options["model"], find_workspace(workspace))
    return model, what_is_measured(model, workspace, options)


def what_is_measured(model: Model, workspace: str | None, options: dict[str, Any]) -> How:
    """Return what is to be measured of a model, as far as its outputs can be decoded."""
    from harness.quantization.measure import How, can_be_evaluated

    dataset = Path(options["dataset"]) if options["dataset"] else model.dataset_path
    if options["no_accuracy"]:
        dataset = None
    elif dataset is not None and not can_be_evaluated(model):
        warn(f"model {model.name!r}: its outputs cannot be decoded; only latency is measured")
        dataset = None
    return How(dataset, not options["no_latency"], options["limit"], options["repetitions"], workspace)


def show_rows(rows: Sequence[Mapping[str, Any]], format_: str) -> bool:
    """Print the table, and on stderr what qualifies its rows; return whether a row failed.

    A reason that holds of all rows is told once.
    """
    from harness.quantization.variants import COLUMNS

    show(Content(rows, COLUMNS, in_table=TABLE), format_)
    told: dict[str, list[str]] = {}
    for row in rows:
        for reason in row.get("reasons") or ():
            told.setdefault(reason, []).append(str(row["model"]))
    for reason, names in told.items():
        note(f"{'all' if len(names) == len(rows) else ', '.join(names)}: {reason}")
    return any(row.get("status") == Status.FAILED for row in rows)
