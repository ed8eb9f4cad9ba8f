"""The float model with all of the file's constants and ranges does far better than the file: it is not quantization."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause, is_lossy, share_of_loss
from harness.diagnosis.causes.emulations import open_emulations
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.wrong_pair import counts
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.remedies.remedies import advice
from harness.diagnosis.runs.scratch import scratch_folder

CAUSE = "not-in-quantization"
MOST = 0.5
"""Share of the loss that the emulated model must not have, to say so."""


def examine(evidence: Evidence) -> Finding | None:
    """Compare the file with the float model that has everything of it that is quantized."""
    if evidence.pair.float is None or not is_lossy(evidence) or not evidence.pair.quantized.place.in_process:
        return None
    before, after, matched = counts(evidence.pair)
    if matched < max(before, after):
        return None  # what has no counterpart stays float in the emulation
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None:
            return None
        emulated = emulations.detections(emulations.quantization.parts())
    gain = evidence.runs.compare(evidence.loss.quantized.detections, emulated)
    grade, share = grade_cause(gain, evidence, seen=True), share_of_loss(gain.difference or 0.0, evidence)
    if grade is None or grade.confidence == "possible" or share is None or share < MOST:
        return None
    return Finding(
        CAUSE,
        "likely",
        grade.rule,
        f"the float model with this file's own constants and ranges, {gain_text(gain)}: weights, scales and ranges are "
        "not what costs mAP; the card, the runtime or operators of the file differ",
        gain_numbers(gain),
        gain,
        "setting",
        advice(
            "Compare both cards and both files: harness inspect FLOAT QUANT shows what they state otherwise."
        ),
    )
