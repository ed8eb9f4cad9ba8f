"""Compare two results cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.comparison import measures
from harness.comparison.accuracy import AccuracyDifference, AnnotationFinder, accuracy_difference
from harness.comparison.match import Matching, RecordPair, match
from harness.errors import RecordError, UsageError
from harness.records.records import StoredRecord
from harness.rows import frame
from harness.statistics.comparing import Difference
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
    """

    pair: RecordPair
    base: Row
    new: Row
    accuracy: AccuracyDifference

    @cached_property
    def latency(self) -> Difference:
        """The difference of the median latencies."""
        return self.difference("latency_median_ms")

    def difference(self, column: str, least: int = 2) -> Difference:
        """Return the difference of a column that has one number a process, or why there is none.

        Args:
            column: One of `measures.MEASURES` that is not exact or paired.
            least: Number of processes on each side below which the difference has no interval.
        """
        for side, row in (("base", self.base), ("new", self.new)):
            problem = _problem(row, column)
            if problem:
                return Difference(None, None, None, None, "~", f"the {side} {problem}")
        try:
            return measures.difference(column, self.pair.base, self.pair.new, least)
        except RecordError as error:
            return Difference(None, None, None, None, "~", str(error))


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
    matching = match(found[0].records, found[1].records)
    annotations = AnnotationFinder(tuple(datasets), workspace)
    compared = tuple(_compare(pair, annotations) for pair in matching.pairs)
    return RunComparison(compared, matching, (*found[0].warnings, *found[1].warnings))


def _compare(pair: RecordPair, annotations: AnnotationFinder) -> CellComparison:
    return CellComparison(pair, _row(pair.base), _row(pair.new), accuracy_difference(pair, annotations))


def _row(stored: StoredRecord) -> Row:
    return frame.to_rows([stored])[0]


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
    from harness.comparison.match import name_of

    names = [name_of(stored.record) for stored in side]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'; '.join(names[:3])}{more}" or "no cell at all"
