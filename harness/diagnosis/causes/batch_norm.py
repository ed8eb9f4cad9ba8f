"""Batch norm was folded into the layers with other statistics than the float model's."""

from __future__ import annotations

from statistics import median

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.put_back import listed
from harness.diagnosis.causes.suspects import find_suspects, pairs_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number

CAUSE = "batch-norm-statistics"


def examine(evidence: Evidence) -> Finding | None:
    """Put the float model's biases back where several differ and the weights agree, but for a factor a channel."""
    found = pairs_of(find_suspects(evidence).statistics)
    if not found:
        return None
    layers = list(dict.fromkeys(pair.layer for pair in found))
    biases = [pair for pair in found if pair.part == "bias"] or found
    share = median(pair.share for pair in biases)
    return put_back.finding(
        evidence,
        CAUSE,
        found,
        f"the biases of {len(layers)} layers differ by {share:.0%} from the float model's ({listed(layers)}), and the "
        "weights do not, or only by a factor a channel: batch norm was folded with other statistics, as of another "
        "checkpoint or of training mode",
        "Export with the moving averages of the checkpoint (inference mode), then quantize, as the command does from "
        "the float model.",
        (Number("layers", len(layers)), Number("median difference", share)),
        whole=True,
    )
