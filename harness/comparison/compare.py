"""Compare two results cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.comparison import design, measures
from harness.comparison.accuracy import AccuracyDifference, AnnotationFinder, accuracy_difference
from harness.comparison.match import Matching, RecordPair, match, name_of
from harness.comparison.sides import Sides
from harness.comparison.together import Decisions, decide_together
from harness.errors import RecordError, UsageError
from harness.records.records import StoredRecord
from harness.rows import frame
from harness.rows.summary import summarize_record
from harness.rows.verdict import Finding, disturbances
from harness.statistics.comparing import Difference
from harness.statistics.latency import median_interval, median_of
from harness.units import NS_PER_MS
from harness.vocabulary import MEASURED
from harness.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class CellComparison:
    """The comparison of one matched cell.

    Attributes:
        pair: The two records.
        base: The public columns of the base.
        new: The public columns of the new run.
        accuracy: The difference of the mAPs.
        disturbed: What disturbed the times of either side, one sentence each.
    """

    pair: RecordPair
    base: Row
    new: Row
    accuracy: AccuracyDifference
    disturbed: tuple[str, ...] = ()

    @cached_property
    def by_round(self) -> bool:
        """Whether the two were measured in turn, so that each round is a sample."""
        return design.by_round(self.pair)

    @cached_property
    def latency(self) -> Difference:
        """The difference of the median latencies."""
        return self.difference("latency_median_ms")

    def difference(self, column: str) -> Difference:
        """Return the difference of a column that has one number a process, or why there is none.

        Nothing is decided where something else than the model changed the times of a side.

        Args:
            column: One of `measures.MEASURES` that is not exact or paired.
        """
        for side, row in (("base", self.base), ("new", self.new)):
            problem = _problem(row, column)
            if problem:
                return Difference(None, None, None, None, "~", f"the {side} {problem}")
        compare = measures.difference_in_turn if self.by_round else measures.difference
        try:
            found = compare(column, *self.pair.sides.values())
        except RecordError as error:
            return Difference(None, None, None, None, "~", str(error))
        disturbance = self.disturbance(column)
        return found.undecided(disturbance) if disturbance and found.p is not None else found

    def disturbance(self, column: str) -> str:
        """Say what disturbed a column of either side; nothing where nothing did."""
        return "; ".join(self.disturbed) if measures.MEASURES[column].is_time else ""


def _problem(row: Row, column: str) -> str:
    if row["status"] not in MEASURED:
        return f"is {row['status']}{_because(row)}"
    if row[column] is None:
        return f"has no {column}{_because(row)}"
    return ""


def _because(row: Row) -> str:
    reasons = row["reasons"] or ()
    return f": {'; '.join(reasons)}" if reasons else ""


@dataclass(frozen=True)
class RunComparison:
    """The comparison of two results.

    Attributes:
        comparisons: One a matched cell, in the order of the base.
        matching: The cells that were matched, and those that could not be.
        warnings: One sentence for each file that could not be read.
    """

    comparisons: tuple[CellComparison, ...]
    matching: Matching
    warnings: tuple[str, ...] = ()

    @cached_property
    def decisions(self) -> Decisions:
        """What all cells together decide."""
        cells = self.comparisons
        return decide_together(
            [cell.latency for cell in cells],
            [cell.accuracy for cell in cells],
            [bool(cell.disturbed) for cell in cells],
        )


def compare_results(
    base: Sequence[Path],
    new: Sequence[Path],
    datasets: Iterable[Path] = (),
    workspace: Workspace | None = None,
) -> RunComparison:
    """Compare runs, or folders of runs.

    Args:
        base: Folders of the reference.
        new: Folders of the runs to judge.
        datasets: Folders or cards of the annotations, if they were moved since.
        workspace: Workspace whose model cards name datasets.

    Raises:
        RecordError: A folder holds no run at all.
    """
    found = [frame.read_results(side) for side in (base, new)]
    warnings = (*found[0].warnings, *found[1].warnings)
    return compare_sides(Sides(found[0].records, found[1].records, warnings=warnings), datasets, workspace)


def compare_sides(
    sides: Sides, datasets: Iterable[Path] = (), workspace: Workspace | None = None
) -> RunComparison:
    """Compare what was chosen as the two sides; further arguments are those of `compare_results`.

    Raises:
        UnknownNameError: A side has no model of a name that was given.
    """
    matching = match(sides.base, sides.new, sides.names, only=sides.only, across_engines=sides.across_engines)
    annotations = AnnotationFinder(tuple(datasets), workspace)
    damaged: list[str] = []
    compared = tuple(_compare(pair, annotations, damaged) for pair in matching.pairs)
    return RunComparison(compared, matching, (*sides.warnings, *damaged))


def _compare(pair: RecordPair, annotations: AnnotationFinder, damaged: list[str]) -> CellComparison:
    """Compare two cells; what is damaged of them is added to `damaged`."""
    in_turn = design.by_round(pair)
    sides = {side: _Side.of(records, in_turn=in_turn) for side, records in pair.sides.items()}
    damaged += [text for side in sides.values() for text in side.damaged]
    disturbed = [f"the {name} is {said}" for name, side in sides.items() for said in side.disturbed]
    base, new = (side.row for side in sides.values())
    return CellComparison(pair, base, new, accuracy_difference(pair, annotations), tuple(disturbed))


@dataclass(frozen=True)
class _Side:
    """The public columns of one side, what disturbed its times, and what of it is damaged."""

    row: Row
    disturbed: tuple[str, ...]
    damaged: tuple[str, ...] = ()

    @staticmethod
    def of(records: Sequence[StoredRecord], *, in_turn: bool = False) -> _Side:
        """Summarize one side; of several runs each counts once for the median."""
        rows, damaged = frame.checked_rows(records)
        found = [finding for stored in records for finding in _disturbances(stored, in_turn=in_turn)]
        row = rows[-1] | (_median_of([row["latency_median_ms"] for row in rows]) if len(rows) > 1 else {})
        disturbed = dict.fromkeys(f"{verdict}: {reason}" for verdict, reason in found)
        return _Side(row, tuple(disturbed), tuple(damaged))


def _disturbances(stored: StoredRecord, *, in_turn: bool) -> tuple[Finding, ...]:
    try:
        return disturbances(stored.record, summarize_record(stored), in_turn=in_turn)
    except RecordError:
        return ()


def _median_of(medians: Sequence[float | None]) -> Row:
    """Return the median of runs' medians with its interval from run to run."""
    known = [np.array([round(value * NS_PER_MS)]) for value in medians if value is not None]
    if not known:
        return {}
    low, high = median_interval(known) or (None, None)
    ends = {"latency_median_low_ms": low, "latency_median_high_ms": high}
    found = {"latency_median_ms": median_of(known), **ends}
    return {name: None if value is None else value / NS_PER_MS for name, value in found.items()}


def refuse_nothing_in_common(compared: RunComparison) -> None:
    """Check that at least one cell of the two results could be compared.

    Raises:
        IncomparableError: They have cells in common that were not measured alike; names the key and both values.
        UsageError: They have no cell in common.
    """
    matching = compared.matching
    if compared.comparisons:
        return
    if matching.incomparable:
        raise matching.incomparable[0].error()
    sides = [_names(side) for side in (matching.missing, matching.added)]
    raise UsageError(f"no cell in common: base has {sides[0]}; new has {sides[1]}")


def _names(side: Sequence[StoredRecord]) -> str:
    names = [name_of(stored.record) for stored in side]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'; '.join(names[:3])}{more}" or "no cell at all"
