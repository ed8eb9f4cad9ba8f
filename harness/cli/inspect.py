"""`harness inspect`: what a .tflite really is, and where it will run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.printing import note, show
from harness.paths import is_file
from harness.report.content import Content
from harness.text import clean


@click.command(
    "inspect",
    context_settings=CONTEXT,
    epilog=examples(
        "harness inspect ssd.tflite                 types, operators, costs, NMS, and where it will run",
        "harness inspect shapes-float16             the file of a model card",
        "harness inspect float.tflite int8.tflite   what differs between two models",
        "harness inspect ssd.tflite --format json   everything, for programs",
        "harness inspect tflite_graph.pb            a TensorFlow graph: its inputs, outputs and operators",
    ),
)
@click.argument("model", metavar="MODEL")
@click.argument("other", metavar="[OTHER]", required=False)
@format_option()
@click.pass_context
def command(ctx: click.Context, model: str, other: str | None, format_: str) -> None:
    """Look into a model: quantization, tensors, operators and their cost, NMS, and which delegates take it.

    MODEL is a .tflite file, a card's name or a card's path. Nothing is run. With OTHER: what differs. Of a TensorFlow
    graph (.pb, a SavedModel's folder): what `harness convert` would take.
    """
    from harness.recognize.find import find_file
    from harness.tflite.inspect.model import inspect

    if other is None and is_graph(Path(model)):
        _show_graph(Path(model), format_)
        return
    file = find_file(model, ctx.obj)
    found = inspect(file)
    if other is not None:
        files = (file, find_file(other, ctx.obj))
        stated = _stated((model, other), files, ctx.obj)
        _emit_difference(found, inspect(files[1]), stated, format_)
        return
    from harness.report.inspection_sheet import content

    show(content(found), format_)


def is_graph(path: Path) -> bool:
    """Whether a path is a frozen graph, or the folder of a SavedModel."""
    return (path.suffix.lower() == ".pb" and is_file(path)) or is_file(path / "saved_model.pb")


def _show_graph(path: Path, format_: str) -> None:
    from harness.conversion.graph_def import COLUMNS, inspect_graph

    row = inspect_graph(path)
    ordered = {key: row[key] for key in COLUMNS}
    show(Content([ordered], COLUMNS, own={"table": lambda: _sheet(ordered)}), format_)


def _sheet(row: Mapping[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in row.items():
        words = ", ".join(map(str, value)) if isinstance(value, list) else value
        if words not in {None, ""}:
            table.add_row(key.replace("_", " "), clean(str(words)))
    return table


def _stated(names: tuple[str, str], files: tuple[Path, Path], workspace: str | None) -> list[dict[str, Any]]:
    """Return what the files and, where cards are named, the cards state otherwise; nothing where one is unreadable."""
    from harness.diagnosis.stated import rows
    from harness.errors import HarnessError
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    try:
        bare = any(name.endswith((".tflite", ".lite")) for name in names)
        cards = (None, None) if bare else tuple(find_model(name, find_workspace(workspace)) for name in names)
        return [dict(row) for row in rows(cards[0], cards[1], files)]
    except HarnessError:
        return []


def _emit_difference(
    first: Mapping[str, Any], second: Mapping[str, Any], stated: list[dict[str, Any]], format_: str
) -> None:
    from harness.report.content import nested
    from harness.report.inspection_difference import sheet
    from harness.tflite.inspect.difference import COLUMNS, difference

    rows = [*difference(first, second), *stated]
    if rows or format_ != "table":
        show(nested(rows, COLUMNS, {"table": lambda: sheet(first, second, stated)}), format_)
    else:
        note("no difference: the two files are the same")
