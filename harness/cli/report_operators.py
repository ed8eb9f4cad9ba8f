"""`harness report --operators`: the recorded operators of the cells of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.printing import show, warn
from harness.errors import UsageError
from harness.report.content import FORMATS, Content, Row

if TYPE_CHECKING:
    from harness.report.operator_tables import OperatorTables


def print_operators(
    folders: Sequence[Path], format: str, output: Path | None, others: Mapping[str, object]
) -> bool:
    """Print one row a kind of operator of each cell, or write them to a file.

    Args:
        folders: Runs, or folders of runs.
        format: `table`, `json`, `csv` or `markdown`.
        output: The file; None for stdout.
        others: Further options by their names; none of them goes with this.

    Returns:
        Whether all could be read; what is damaged is named on stderr, and the rest is shown.

    Raises:
        UsageError: An option or format that does not go with it, or no operators were recorded at all.
    """
    from harness.rows import operators
    from harness.rows.frame import read_results

    _refuse(format, others)
    found = read_results(folders)
    kept, damaged = operators.readable(found.records)
    for text in (*found.warnings, *damaged, *operators.remarks(found.records)):
        warn(text)
    rows = operators.recorded_rows(kept, found.runs)
    show(Content(rows, operators.COLUMNS, own={"table": lambda: _tables(rows)}), format, output)
    return not (found.warnings or damaged)


def _tables(rows: Sequence[Row]) -> OperatorTables:
    from harness.report.operator_tables import OperatorTables

    return OperatorTables(rows)


def _refuse(format: str, others: Mapping[str, object]) -> None:
    for option, given in others.items():
        if given:
            raise UsageError(f"{option} does not go with --operators: leave one of them out")
    if format == "html":
        raise UsageError("the page shows the operators of its cells anyway: leave --operators out")
    if format not in FORMATS:
        raise UsageError(f"--operators is printed as {', '.join(FORMATS)}, not as {format}")
