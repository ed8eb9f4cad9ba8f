"""`harness compare`: two runs against each other, and a gate for pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness import outputs
from harness.cli import completion
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit_bytes, note, show, warn
from harness.cli.types import OutputFile

if TYPE_CHECKING:
    from harness.comparison.compare import RunComparison
    from harness.comparison.gate import GateResult


@click.command(
    "compare",
    context_settings=CONTEXT,
    epilog=examples(
        "harness compare latest --fail-if 'latency_median_ms > 5%'   both sides of a run made with --against",
        "harness compare 20261120 latest                  what changed since that run",
        "harness compare latest:yolo-fp16 latest:yolo-int8   two models of one run",
        "harness compare 20261120 latest --match yolo=yolo-v2   a model under another name, the others by theirs",
        "harness compare base/ new/ --fail-if 'latency_median_ms > 5%' --fail-if 'map < -0.005'",
        "harness compare base/ new/ --fail-if 'size_bytes > 0' --junit gate.xml --format markdown",
        "harness compare base/ new/ --format json         one object a matched cell",
    ),
)
@click.argument("base", shell_complete=completion.runs)
@click.argument("new", required=False, shell_complete=completion.runs)
@click.option(
    "--match",
    "match",
    multiple=True,
    metavar="A=B",
    help="Hold BASE's model A against NEW's model B, whatever they are called; may be repeated. "
    "[default: models of one name]",
)
@click.option(
    "--across-engines",
    is_flag=True,
    help="Also compare cells that two engines measured, such as our worker and benchmark_model.",
)
@click.option(
    "--fail-if",
    "fail_if",
    multiple=True,
    metavar="EXPR",
    help="A change that is not accepted, such as 'latency_median_ms > 5%', 'map < -0.005' or 'fps < -10%'. "
    "[default: no gate]",
)
@click.option(
    "--junit",
    type=OutputFile(outputs.JUNIT_ENDINGS),
    metavar="FILE",
    help="Write the findings as JUnit XML too. [default: not written]",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="Where the dataset is now, if it was moved since: the mAPs are compared image by image. "
    "[default: where the runs found it]",
)
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    base: str,
    new: str | None,
    match: tuple[str, ...],
    across_engines: bool,
    fail_if: tuple[str, ...],
    junit: Path | None,
    datasets: tuple[Path, ...],
    format_: str,
) -> None:
    """Compare two runs, cell by cell: what became slower, faster, better or worse, and what cannot be told.

    BASE and NEW are runs' ids, the beginning of one, `latest`, or folders with one or several runs; RUN:MODEL is one
    model of a run. Without NEW, BASE holds both sides: it was measured with `harness run NEW --against BASE`, or
    --match names two of its models. Cells are matched by model, device, delegate, threads and dataset; the model's file
    and the runtime may differ.

    Cells of one run are paired round by round, which rules out what lasts longer than a round: it is in both. Of
    folders with several runs on both sides, the runs are the samples; measured in turn, A B A B, they rule out what
    lasts longer than a run.

    All cells are decided together (Benjamini-Hochberg). Nothing is decided where heat, other programs or the clock
    disturbed either side, or with fewer than three processes.

    With --fail-if the exit status is 1 if a change is beyond its threshold with its whole 95 % interval, 3 if an
    interval holds a threshold or a cell cannot be judged, and 0 if every interval stays on the near side. A threshold
    of 0 is passed by any interval that holds 0.

    EXPR is COLUMN > NUMBER or COLUMN < NUMBER, the number in the column's unit or with % of the base. COLUMN is one of
    latency_median_ms, latency_mean_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms, fps, init_ms,
    first_inference_ms, peak_memory_mb, size_bytes, delegated_nodes, total_nodes, npu_taken, npu_partitions and map.
    """
    from harness.comparison import compare, expression, gate, rows
    from harness.comparison.sides import find_sides
    from harness.workspace import find_workspace

    conditions = [expression.parse(text) for text in fail_if]
    workspace = find_workspace(ctx.obj)
    sides = find_sides([base], [] if new is None else [new], match, workspace.results)
    sides = replace(sides, across_engines=across_engines)
    compared = compare.compare_sides(sides, datasets, workspace)
    if not conditions:
        compare.refuse_nothing_in_common(compared)
    verdict = gate.judge(compared, conditions)
    if junit is not None:
        from harness.comparison.junit import to_junit

        emit_bytes(to_junit(compared, verdict), junit)
    print_comparison(compared, verdict, rows.to_rows(compared, verdict), format_)
    ctx.exit(gate.EXIT_STATUS[verdict.outcome] or int(bool(compared.warnings)))


def print_comparison(
    compared: RunComparison, verdict: GateResult, rows: Sequence[dict[str, Any]], format_: str
) -> None:
    """Print a comparison, with what was not compared and why."""
    from harness.comparison.gate import Outcome
    from harness.report import comparison_summary as summary

    show(summary.content(compared, verdict, rows), format_)
    for remark in summary.remarks(compared):
        warn(remark)
    if format_ == "table":
        count = compared.decisions.sentence()
        changed = dict.fromkeys(summary.changed_things(rows))
        pairing = summary.pairing_of(compared)
        for line in (*summary.undecided_reasons(rows), *changed, count, *pairing):
            if line:
                note(line)
    for finding in verdict.findings:
        if finding.outcome != Outcome.PASS:
            note(f"{finding.outcome}: {finding.condition}: {summary.describe(finding)}")
    if verdict.findings:
        note(f"gate {summary.WORDS[verdict.outcome]}")
