"""`harness run --check-engines`: the same cells by both engines, and what that makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.printing import note
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.session import Prepared

BASE, NEW = "benchmark-model", "worker"
"""The independent tool is what our worker is held against."""


def check_engines(
    prepare: Callable[[Mapping[str, Any]], Prepared],
    carry_out: Callable[[Prepared], Path],
    given: Mapping[str, Any],
    format_: str,
) -> int:
    """Measure cells twice, once with each engine, and print the differences; return the exit status.

    Args:
        prepare: Makes the run of what is given.
        carry_out: Measures it, and returns its folder.
        given: What the user gives.
        format_: Of the comparison.

    Raises:
        UsageError: It is asked for with an option that excludes it.
    """
    if given.get("engine") is not None:
        raise UsageError("use just one of --engine and --check-engines")
    folders = []
    for engine in (BASE, NEW):
        note(f"measuring with --engine {engine}")
        folders.append(carry_out(prepare({**given, "engine": engine})))
    return _print(folders, format_)


def _print(folders: Sequence[Path], format_: str) -> int:
    """Print what differs; 1 where nothing could be compared."""
    from harness.cli.compare import print_comparison
    from harness.comparison import compare, gate, rows
    from harness.comparison.sides import Sides
    from harness.rows.frame import read_results

    base, new = (read_results([folder]) for folder in folders)
    sides = Sides(base.records, new.records, across_engines=True, warnings=(*base.warnings, *new.warnings))
    compared = compare.compare_sides(sides)
    compare.refuse_nothing_in_common(compared)
    verdict = gate.judge(compared, [])
    print_comparison(compared, verdict, rows.to_rows(compared, verdict), format_)
    note(f"base: {BASE} ({folders[0]}); new: {NEW} ({folders[1]})")
    return int(bool(compared.warnings) or not compared.comparisons)
