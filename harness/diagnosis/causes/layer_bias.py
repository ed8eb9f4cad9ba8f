"""The biases of single layers are lost, or have another size than the float model's."""

from __future__ import annotations

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.suspects import SEVERAL, find_suspects, pairs_of, words_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number

CAUSE = "layer-bias"


def examine(evidence: Evidence) -> Finding | None:
    """Put the float model's biases back in the layers that do better with them."""
    faults = find_suspects(evidence).biases
    chosen = put_back.helpful_layers(evidence, pairs_of(faults))
    told = [fault for fault in faults if fault.pair in chosen]
    several = (
        "" if len(told) < SEVERAL else ", as of batch norm with other statistics or of a wrong conversion"
    )
    heads = " (a head: its boxes hardly reach the threshold)" if any(f.pair.head for f in told) else ""
    return put_back.finding(
        evidence,
        CAUSE,
        chosen,
        f"{words_of(told)}{several}{heads}",
        "Quantize the float model again, as the command does, and find out what takes these biases.",
        (
            Number("layers", len(told)),
            Number("largest difference as a share", max((fault.pair.share for fault in told), default=None)),
        ),
    )
