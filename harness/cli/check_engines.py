"""`harness run --check-engines`: the same cells by both engines, and what that makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.printing import note
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.session import Outcome, Prepared

BASE, NEW = "benchmark-model", "worker"
"""The independent tool is what our worker is held against."""
OF_THE_OTHER: Mapping[str, Mapping[str, None]] = {BASE: {"litert_library": None}, NEW: {"eval_binary": None}}
"""What one of them alone can use."""


def check_engines(
    prepare: Callable[[Mapping[str, Any]], Prepared],
    carry_out: Callable[[Prepared], Outcome],
    given: Mapping[str, Any],
    format_: str,
) -> int:
    """Measure cells twice, once with each engine, and print the differences; return the exit status.

    It is 1 where a cell failed with one of them, or nothing could be compared.

    Args:
        prepare: Makes the run of what is given.
        carry_out: Measures it.
        given: What the user gives.
        format_: Of the comparison.

    Raises:
        UsageError: It is asked for with an option that excludes it, or for what one engine measures in both runs.
    """
    if given.get("engine") is not None:
        raise UsageError("use just one of --engine and --check-engines")
    outcomes = []
    for engine in (BASE, NEW):
        note(f"measuring with --engine {engine}")
        prepared = prepare({**given, "engine": engine, **OF_THE_OTHER[engine]})
        _refuse_one_engine(prepared)
        outcomes.append(carry_out(prepared))
    differs = _print([outcome.folder for outcome in outcomes], format_)
    return max(differs, *(int(outcome.failed) for outcome in outcomes))


def _refuse_one_engine(prepared: Prepared) -> None:
    """Refuse what has no second engine: two runs of a vendor's emulator would agree, and show nothing."""
    from harness.session import let_go

    emulated = next((one.device.name for one in prepared.stations if one.info.is_emulated), None)
    if emulated is not None:
        let_go(prepared)
        raise UsageError(
            f"--check-engines: {emulated} has one engine, the vendor's emulator: nothing to compare"
        )


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
