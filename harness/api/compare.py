"""`harness.compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import several

if TYPE_CHECKING:
    import pandas as pd


def compare(
    base: str | Path | Sequence[str | Path],
    new: str | Path | Sequence[str | Path] | None = None,
    *,
    match: str | Sequence[str] = (),
    across_engines: bool = False,
    fail_if: str | Sequence[str] = (),
    dataset: str | Path | Sequence[str | Path] | None = None,
    junit: str | Path | None = None,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Hold two results against each other, cell by cell, as `harness compare` does.

    Args:
        base: A run's id, the beginning of one, `latest`, or a folder with one or several runs; or several of them.
            `RUN:MODEL` is one model of a run.
        new: The same of what is judged; None where `base` was measured with `against`, or `match` names two of its
            models.
        match: `A=B`: the model A of `base` is held against the model B of `new`.
        across_engines: Also compare cells that two engines measured.
        fail_if: Changes that are not accepted, such as `latency_median_ms > 5%`; decided in the column `gate`.
        dataset: Where datasets are now, if they were moved since.
        junit: A file to write the findings to as JUnit XML.
        workspace: Folder with devices/ and models/.

    Returns:
        One row a matched cell: the keys, `base_…`, `new_…`, `difference_percent`, `low`, `high`, `p`, `decision`, the
        same of the mAP, and `gate`, with nullable dtypes. `frame.attrs["gate"]` is `pass`, `fail` or `undecided`, and
        `frame.attrs["remarks"]` says what was not compared and why.

    Raises:
        UsageError: No such run, a wrong expression, or nothing that can be compared.
        OutputError: The JUnit file cannot be written.

    Example:
        >>> import harness
        >>> quick = {"delegates": "cpu:1", "accuracy": False, "repetitions": 3, "min_seconds": 0.1}
        >>> base = harness.run("shapes-float32", output="base", **quick)
        >>> new = harness.run("shapes-float32", output="new", **quick)
        >>> changes = harness.compare("base", "new", fail_if="size_bytes > 0")
        >>> changes.attrs["gate"]
        'pass'
    """
    from harness import outputs
    from harness.comparison import compare as comparing
    from harness.comparison import expression, gate, rows
    from harness.comparison.sides import find_sides
    from harness.report import comparison_summary as summary
    from harness.workspace import find_workspace

    place = find_workspace(workspace)
    if junit is not None:
        outputs.check(junit, outputs.JUNIT_ENDINGS)
    conditions = [expression.parse(text) for text in several(fail_if)]
    sides = find_sides(several(base), several(new or ()), several(match), place.results)
    sides = replace(sides, across_engines=across_engines)
    datasets = [Path(path) for path in several(dataset or ())]
    compared = comparing.compare_sides(sides, datasets, place)
    if not conditions:
        comparing.refuse_nothing_in_common(compared)
    verdict = gate.judge(compared, conditions)
    if junit is not None:
        from harness.comparison.junit import to_junit

        outputs.write(Path(junit), to_junit(compared, verdict))
    result = rows.to_frame(rows.to_rows(compared, verdict))
    result.attrs["gate"] = str(verdict.outcome) if conditions else None
    result.attrs["remarks"] = list(summary.remarks(compared))
    return result
