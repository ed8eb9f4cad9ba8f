"""The quantized file was made from another checkpoint than the float model: nearly all weights differ."""

from __future__ import annotations

from statistics import median

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.suspects import find_suspects, pairs_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number

CAUSE = "other-checkpoint"


def examine(evidence: Evidence) -> Finding | None:
    """Put all of the float model's weights into the file where most of its own are no rounding of them."""
    found = pairs_of(find_suspects(evidence).checkpoint)
    weights = [pair for pair in found if pair.part == "weights"]
    if not weights:
        return None
    n_all, share = len(evidence.constants.of("weights")), median(pair.share for pair in weights)
    return put_back.finding(
        evidence,
        CAUSE,
        evidence.constants.of("weights", "bias"),
        f"the weights of {len(weights)} of {n_all} layers are no rounding of the float model's, and differ by "
        f"{share:.0%}: the file was made from another checkpoint, or trained on",
        "Export and quantize the checkpoint that the float model is of, as the command does, or give the float model "
        "of the quantized one.",
        (
            Number("layers that differ", len(weights)),
            Number("layers", n_all),
            Number("median difference", share),
        ),
        whole=True,
    )
