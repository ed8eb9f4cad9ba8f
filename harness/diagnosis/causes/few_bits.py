"""Weights that are stored in 8 bits take only the values of fewer."""

from __future__ import annotations

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.put_back import listed
from harness.diagnosis.causes.suspects import find_suspects, pairs_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number

CAUSE = "few-bits"


def examine(evidence: Evidence) -> Finding | None:
    """Store the float model's weights in all 8 bits where the file uses fewer."""
    faults = find_suspects(evidence).few_bits
    bits = [fault.bits for fault in faults if fault.bits]
    if not bits:
        return None
    names = list(dict.fromkeys(fault.pair.layer for fault in faults))
    return put_back.finding(
        evidence,
        CAUSE,
        pairs_of(faults),
        f"{len(bits)} layer(s) have weights of {max(bits)} bits in 8-bit numbers ({listed(names)}): "
        f"no more than {2 ** max(bits)} different values",
        "Quantize the weights to 8 bits, as the command does.",
        (Number("layers", len(bits)), Number("bits", max(bits))),
    )
