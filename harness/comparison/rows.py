"""Turn a comparison into rows: one declarative table of columns for every format and the DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.comparison.accuracy import AccuracyDifference
from harness.comparison.compare import CellComparison, RunComparison
from harness.comparison.design import order
from harness.comparison.gate import Finding, GateResult, worst
from harness.rows.columns import BY_NAME, LIST, NUMBER, TEXT
from harness.statistics.comparing import Difference

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("model", "device", "delegate_requested", "threads", "dataset")
"""The columns that identify a matched cell."""
OWN_COLUMNS = (
    "run_id",
    "model",
    "model_sha256",
    "quantization",
    "size_bytes",
    "delegate_actual",
    "delegated_nodes",
    "runtime",
    "engine",
    "status",
    "verdict",
    "n_samples",
    "latency_median_ms",
    "latency_median_low_ms",
    "latency_median_high_ms",
    "fps",
    "peak_memory_mb",
    "n_images",
    "map",
)
"""The public columns that are shown of each of the two, as `base_…` and `new_…`."""
DIFFERENCE = {
    "order": TEXT,
    "difference_percent": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "p": NUMBER,
    "decision": TEXT,
    "reason": TEXT,
    "map_difference": NUMBER,
    "map_difference_low": NUMBER,
    "map_difference_high": NUMBER,
    "map_p": NUMBER,
    "map_decision": TEXT,
    "map_reason": TEXT,
    "gate": TEXT,
    "gate_findings": LIST,
}
"""The columns about both: the order of measuring, the differences of median latency and mAP, the gate's decision."""

DTYPES: dict[str, str] = {
    **{name: BY_NAME[name].dtype for name in KEYS},
    **{f"{side}_{name}": BY_NAME[name].dtype for name in OWN_COLUMNS for side in ("base", "new")},
    **DIFFERENCE,
}
"""Every column of a comparison with its pandas dtype, in the public order."""
COLUMNS = tuple(DTYPES)


def to_rows(compared: RunComparison, verdict: GateResult) -> list[dict[str, Any]]:
    """Return one row of plain values a matched cell; None where something is unknown."""
    decisions = compared.decisions
    cells = zip(compared.comparisons, decisions.latency, decisions.accuracy, verdict.of_cells, strict=True)
    return [to_row(*cell) for cell in cells]


def to_row(
    comparison: CellComparison,
    latency: Difference,
    accuracy: AccuracyDifference,
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return one matched cell as a row."""
    sides = {"base": comparison.base, "new": comparison.new}
    row: dict[str, Any] = {name: _either(comparison, name) for name in KEYS}
    row |= {f"{side}_{name}": sides[side][name] for name in OWN_COLUMNS for side in sides}
    row |= {"order": order(comparison.pair)}
    row |= {"difference_percent": latency.percent, "low": latency.low, "high": latency.high, "p": latency.p}
    row |= {"decision": latency.decision, "reason": latency.reason or None}
    row |= {"map_difference": accuracy.change, "map_difference_low": accuracy.low}
    row |= {"map_difference_high": accuracy.high, "map_p": accuracy.p, "map_decision": accuracy.decision}
    row |= {"map_reason": accuracy.reason or None}
    row |= {"gate": str(worst([f.outcome for f in findings])) if findings else None}
    row |= {"gate_findings": [f"{f.condition}: {f.outcome}: {f.text}" for f in findings]}
    return row


def _either(comparison: CellComparison, name: str) -> Any:
    """Return a key from whichever of the two knows it."""
    found = comparison.new[name]
    return comparison.base[name] if found is None else found


def to_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a DataFrame with pandas' nullable types."""
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in DTYPES.items()},
        columns=pd.Index(COLUMNS),
    )
