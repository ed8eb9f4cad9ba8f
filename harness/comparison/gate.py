"""Decide whether a forbidden change is shown, ruled out, or cannot be decided by the data.

For each matched cell and each condition the 95 % interval of the change is compared with the threshold, as a test of
superiority and one of equivalence at once (the three outcomes of an interval: Schuirmann, J. Pharmacokinet. Biopharm.
15, 1987; Walker & Nowacki, J. Gen. Intern. Med. 26, 2011):

* `fail`: the whole interval lies beyond the threshold. A change that large is real, up to an error of 2.5 %.
* `pass`: the whole interval lies on the near side of it, or on it. A change that large is ruled out.
* `undecided`: the interval holds the threshold, or there is no interval: fewer than three processes on a side, samples
  or annotations that are gone, a cell that has no such figure, whose times something else disturbed (heat, other
  programs, a clock that changes: `harness.rows.verdict.disturbances`), or that is missing from the new run.

A threshold of 0 forbids any change, and no data can rule that out; so there an interval that holds 0 passes. Such a
gate fails 2.5 % of all unchanged cells by chance; one with a threshold above the noise does not.

A cell without the figure on both sides for the same known reason (skipped, fell back, failed …) lost nothing: it is not
judged. If that is so of every cell, nothing was decided.

The gate fails (exit status 1) if any finding is `fail`; else it is undecided (3) if any is; else it passes (0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.comparison.compare import CellComparison, Row, RunComparison
from harness.comparison.expression import Condition
from harness.comparison.match import name_of
from harness.comparison.measures import MEASURES
from harness.rows.columns import BY_NAME
from harness.vocabulary import MEASURED, Status, Verdict, Word


class Outcome(Word):
    """A decision of the gate, as the module defines it."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNDECIDED = "undecided"


EXIT_STATUS = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNDECIDED: 3}


@dataclass(frozen=True)
class Estimate:
    """A change in the unit of a condition; `reason` says why an end is unknown."""

    change: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """The decision on one condition in one cell.

    Attributes:
        cell: Name of the cell.
        condition: The condition.
        outcome: The decision.
        text: Change, interval and conclusion, in words.
        judged: Whether there was anything to judge.
    """

    cell: str
    condition: Condition
    outcome: Outcome
    text: str
    judged: bool = True


@dataclass(frozen=True)
class GateResult:
    """The findings of a gate, those of matched cells by their place, and the outcome of all."""

    of_cells: tuple[tuple[Finding, ...], ...]
    others: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, cell by cell."""
        return (*(finding for cell in self.of_cells for finding in cell), *self.others)

    @property
    def outcome(self) -> Outcome:
        """The outcome of all findings; undecided where nothing at all could be judged."""
        if self.findings and not any(finding.judged for finding in self.findings):
            return Outcome.UNDECIDED
        return worst([finding.outcome for finding in self.findings])


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several decisions together."""
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.UNDECIDED if Outcome.UNDECIDED in outcomes else Outcome.PASS


def judge(compared: RunComparison, conditions: Sequence[Condition]) -> GateResult:
    """Judge every cell of the base by every condition."""
    cells = tuple(
        tuple(judge_cell(comparison, condition) for condition in conditions)
        for comparison in compared.comparisons
    )
    gone = [(name_of(stored.record), "missing from the new run") for stored in compared.matching.missing]
    gone += [(odd.pair.name, str(odd.error())) for odd in compared.matching.incomparable]
    others = [
        Finding(cell, condition, Outcome.UNDECIDED, why) for cell, why in gone for condition in conditions
    ]
    if conditions and not cells and not others:
        others = [
            Finding("no cell", condition, Outcome.UNDECIDED, "nothing was measured")
            for condition in conditions
        ]
    return GateResult(cells, tuple(others))


def judge_cell(comparison: CellComparison, condition: Condition) -> Finding:
    """Judge one matched cell by one condition."""
    estimate = estimate_of(comparison, condition)
    outcome = decide(estimate, condition)
    cell = comparison.pair.name
    status = comparison.base["status"]
    if estimate.change is None and status == comparison.new["status"] and status not in MEASURED:
        return Finding(cell, condition, Outcome.PASS, f"not judged: {status} before and after", judged=False)
    text = _text(estimate, condition, outcome)
    return Finding(cell, condition, outcome, text + _words(comparison, condition.column))


def _words(comparison: CellComparison, column: str) -> str:
    """Say which of the two is not ok, or not trusted: a figure of such a cell never stands without that word."""
    rows = {side: getattr(comparison, side) for side in ("base", "new")}
    is_time = MEASURES[column].is_time
    words = [f"the {side} is {word}" for side, row in rows.items() if (word := doubt(row, verdicts=is_time))]
    return f" ({', '.join(words)})" if words else ""


def doubt(row: Row, *, verdicts: bool = True) -> str:
    """Return the word for how far a row can be trusted: its status, or its verdict; nothing where it can be."""
    if row["status"] != Status.OK:
        return str(row["status"])
    return str(row["verdict"]) if verdicts and row["verdict"] not in {None, Verdict.TRUSTED} else ""


def decide(estimate: Estimate, condition: Condition) -> Outcome:
    """Compare an interval with a threshold by the rule of the module."""
    if estimate.low is None or estimate.high is None:
        return Outcome.UNDECIDED
    near, far = (estimate.low, estimate.high) if condition.rises else (-estimate.high, -estimate.low)
    threshold = abs(condition.threshold)
    if near > threshold:
        return Outcome.FAIL
    return Outcome.PASS if far <= threshold or threshold == 0 else Outcome.UNDECIDED


def estimate_of(comparison: CellComparison, condition: Condition) -> Estimate:
    """Return the change of a column in the unit of the condition."""
    kind = MEASURES[condition.column].kind
    if kind == "exact":
        return _exact(comparison, condition)
    if kind == "paired":
        return _of_accuracy(comparison, condition)
    return _of_processes(comparison, condition)


def _of_processes(comparison: CellComparison, condition: Condition) -> Estimate:
    """Return the change of a column with one number a process; absolute ones as percentage times the base's figure."""
    found = comparison.difference(condition.column)
    base = comparison.base[condition.column]
    if found.percent is None or base is None:
        return Estimate(None, reason=found.reason)
    factor = 1.0 if condition.relative else base / 100
    disturbance = comparison.disturbance(condition.column)
    if disturbance:
        return Estimate(found.percent * factor, reason=disturbance)
    low, high = (None if end is None else end * factor for end in (found.low, found.high))
    return Estimate(found.percent * factor, low, high, found.reason)


def _of_accuracy(comparison: CellComparison, condition: Condition) -> Estimate:
    found = comparison.accuracy
    base = comparison.base["map"]
    if found.change is None or (condition.relative and not base):
        return Estimate(None, reason=found.reason or "the mAP of the base is 0")
    factor = 100 / base if condition.relative else 1.0
    low, high = (None if end is None else end * factor for end in (found.low, found.high))
    return Estimate(found.change * factor, low, high, found.reason)


def _exact(comparison: CellComparison, condition: Condition) -> Estimate:
    base, new = (row[condition.column] for row in (comparison.base, comparison.new))
    if base is None or new is None:
        return Estimate(None, reason=f"{condition.column} is unknown")
    if condition.relative and not base:
        return Estimate(None, reason=f"{condition.column} of the base is 0")
    change = 100 * (new - base) / base if condition.relative else float(new - base)
    return Estimate(change, change, change)


def _text(estimate: Estimate, condition: Condition, outcome: Outcome) -> str:
    if estimate.change is None:
        return f"{condition.column} cannot be judged: {estimate.reason or 'unknown'}"
    change = f"{condition.column} changed by {_form(estimate.change, condition)}"
    if estimate.low is None or estimate.high is None:
        return f"{change}, and chance is unknown: {estimate.reason}"
    if estimate.low < estimate.high:
        change += f" (95 %: {_form(estimate.low, condition)} to {_form(estimate.high, condition)})"
    limit = _form(condition.threshold, condition)
    return {
        Outcome.FAIL: f"{change}, all of it beyond {limit}",
        Outcome.PASS: f"{change}, not beyond {limit}",
        Outcome.UNDECIDED: f"{change}, an interval that holds {limit}: {_remedy(condition)}",
    }[outcome]


def _remedy(condition: Condition) -> str:
    if condition.column == "map":
        return "evaluate more images"
    return "measure again with more --repetitions, or on a quieter machine"


def _form(value: float, condition: Condition) -> str:
    if condition.relative:
        return f"{value:+.2g}%" if abs(value) < 10 else f"{value:+.0f}%"
    unit = BY_NAME[condition.column].unit.split(" of ")[0]
    if unit == "0…1":
        return f"{value:+.4f}".rstrip("0").rstrip(".") if value else "0"
    return f"{value:+,.0f} {unit}" if unit in _WHOLE else f"{value:+.3g} {unit}"


_WHOLE = frozenset({"bytes", "nodes", "partitions"})
