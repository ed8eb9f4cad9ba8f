"""The weights of single layers are not the float model's: clipped, permuted, rescaled, BGR, or others."""

from __future__ import annotations

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.suspects import find_suspects, pairs_of, words_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number

CAUSE = "layer-weights"


def examine(evidence: Evidence) -> Finding | None:
    """Put the float model's weights back in the layers that do better with them."""
    faults = find_suspects(evidence).weights
    chosen = put_back.helpful_layers(evidence, pairs_of(faults))
    told = [fault for fault in faults if fault.pair in chosen and fault.pair.part == "weights"]
    return put_back.finding(
        evidence,
        CAUSE,
        chosen,
        words_of(told),
        "Quantize the float model again, as the command does, and find out what changes these layers.",
        (
            Number("layers", len(told)),
            Number("largest difference in steps", max((fault.pair.worst for fault in told), default=None)),
        ),
    )
