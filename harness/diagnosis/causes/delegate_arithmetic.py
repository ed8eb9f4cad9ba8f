"""The delegate computes another result than the CPU with the same file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.delegates import CPU
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.loss.loss import known_faults_of
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.model_pair import ComparedModel, Place

CAUSE = "delegate-arithmetic"
REFERENCE_DELEGATE = f"{CPU}:1"


def examine(evidence: Evidence) -> Finding | None:
    """Run the same file and card on one thread of this computer's CPU."""
    model = evidence.pair.quantized
    if model.place.device == Place().device and model.place.delegate in {CPU, REFERENCE_DELEGATE}:
        return None
    there = evidence.loss.quantized.detections
    here = evidence.runs.detections(
        replace(model, place=replace(model.place, device=Place().device, delegate=REFERENCE_DELEGATE))
    )
    same = np.array_equal(there.table.rows, here.table.rows)
    gain = evidence.runs.compare(there, here)
    grade = grade_cause(gain, evidence, seen=not same)
    if same or grade is None:
        return None
    counts = len(there.table), len(here.table)
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"the same file gives other detections on {model.place} ({counts[0]}) than on this computer's CPU "
        f"({counts[1]}); there, {gain_text(gain)}",
        (Number("detections there", counts[0]), Number("detections here", counts[1]), *gain_numbers(gain)),
        gain,
        "setting",
        remedies.advice(_advice(model)),
    )


def _advice(model: ComparedModel) -> str:
    place, known = model.place, [one.sentence for one in known_faults_of(model)]
    if known:
        return f"{'; '.join(known)}."
    if place.in_process:
        return "Run it on one thread (cpu:1), and report the operator to the runtime's makers."
    return (
        f"Use another delegate than {place.delegate}, or let it compute in more bits (gpu:fp32); report the operator "
        "to its maker."
    )
