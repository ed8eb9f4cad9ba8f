"""The model was calibrated with the wrong images: of another range, one again and again, too few."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.emulations import open_emulations
from harness.diagnosis.causes.fitting import all_fitting_ranges
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.ranges import (
    WIDE,
    RangeFit,
    describe_shape,
    fit_ranges,
    input_range_problem,
    is_wrongly_calibrated,
    list_names,
)
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number, Remedy, unmeasured
from harness.diagnosis.remedies import remedies, samples
from harness.diagnosis.runs import input_values
from harness.diagnosis.runs.scratch import scratch_folder
from harness.errors import DatasetError
from harness.quantization.findings import Finding as Fault

CAUSE = "representative-data"


def examine(evidence: Evidence) -> Finding | None:
    """Compare the stored ranges with the float values, and emulate the model with ranges that fit."""
    if evidence.pair.float is None:
        return _of_file_alone(evidence)
    found, faults = fit_ranges(evidence), _faults(evidence)
    if not is_wrongly_calibrated(evidence, found) and not faults:
        return None
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None or not found.layers:
            return _unmeasured(evidence, faults) if faults else None
        gain = emulations.compare_with(emulations.with_ranges(emulations.quantization.activations))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{_what(evidence, found, faults)}; with ranges from the evaluated images, {gain_text(gain)} (emulated)",
        (*_numbers(evidence, found), *gain_numbers(gain)),
        gain,
        "requantize",
        _remedy(evidence),
        Correction(activations=all_fitting_ranges(evidence)),
    )


def _faults(evidence: Evidence) -> tuple[Fault, ...]:
    """Return the errors in the representative data itself, where it was given."""
    try:
        return tuple(fault for fault in samples.given_faults(evidence) if fault.severity == "error")
    except DatasetError:
        return ()


def _what(evidence: Evidence, found: RangeFit, faults: tuple[Fault, ...]) -> str:
    if faults:
        return f"the representative data: {faults[0].message.rstrip('.')}"
    of_input = input_range_problem(evidence)
    if of_input is not None:
        return of_input
    cut, unused = len(found.narrow), len(found.wide)
    if cut >= unused:
        worst = sorted(found.narrow, key=lambda layer: -(layer.clipped or 0.0))
        return (
            f"{cut} of {len(found.layers)} activations are cut off (worst: {list_names(worst)}), "
            f"{describe_shape(found)}"
        )
    names = list_names(found.wide)
    return f"{unused} of {len(found.layers)} activations use less than a quarter of their range ({names})"


def _numbers(evidence: Evidence, found: RangeFit) -> tuple[Number, ...]:
    low, high = input_values.storable_range(evidence.pair.quantized.description.image_input) or (None, None)
    return (
        Number("activations", len(found.layers)),
        Number("cut off", len(found.narrow)),
        Number("using less than a quarter", len(found.wide)),
        Number("input range, low", low),
        Number("input range, high", high),
    )


def _remedy(evidence: Evidence) -> Remedy:
    return remedies.requantize(
        evidence,
        "Quantize again with 100 to 500 different images, prepared exactly as the card says (the command does that).",
    )


def _of_file_alone(evidence: Evidence) -> Finding | None:
    """Compare the input's range with the card's values; other ranges tell nothing without a float model."""
    model = evidence.pair.quantized
    info = model.description.image_input
    asked = input_values.card_values(model.card.input, info)
    held = input_values.storable_range(info)
    if asked is None or held is None or WIDE * (held[1] - held[0]) < asked.high - asked.low:
        return _unmeasured(evidence, _faults(evidence)) if _faults(evidence) else None
    levels = max(1, round((asked.high - asked.low) / (info.scale or 1.0)) + 1)
    return _possible(
        evidence,
        f"the input was calibrated for {held[0]:.3g}…{held[1]:.3g}, and the card feeds {asked}: {levels} of 256 levels",
        (Number("levels in use", levels), Number("scale", info.scale)),
    )


def _unmeasured(evidence: Evidence, faults: tuple[Fault, ...]) -> Finding:
    messages = " ".join(fault.message for fault in faults)
    return _possible(evidence, f"the representative data: {messages}", (Number("faults", len(faults)),))


def _possible(evidence: Evidence, sentence: str, numbers: tuple[Number, ...]) -> Finding:
    return unmeasured(
        CAUSE,
        sentence,
        numbers,
        _remedy(evidence),
        seen_in="what was given",
    )
