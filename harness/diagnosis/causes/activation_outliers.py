"""A few activations have ranges far wider than their values: outliers, typically of linear layers without ReLU6."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.contradictions import misread_biases
from harness.diagnosis.causes.emulations import Emulations, layers_by_tensor, open_emulations
from harness.diagnosis.causes.fitting import fitting_ranges
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.ranges import fit_ranges, is_wrongly_calibrated, list_names
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number
from harness.diagnosis.layers.joined_outputs import find_joined_outputs
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.scratch import scratch_folder

CAUSE = "activation-outliers"


def examine(evidence: Evidence) -> Finding | None:
    """Emulate the model with ranges that fit for the tensors that use less than a quarter of theirs."""
    found = fit_ranges(evidence)
    if evidence.pair.float is None or is_wrongly_calibrated(evidence, found):
        return None
    joined = find_joined_outputs(evidence.pair.float)
    apart = set() if joined is None else {*joined.tensors, *joined.sources}
    wide = [layer for layer in found.wide if layer.pair.float not in apart]
    if not wide:
        return None
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        return None if emulations is None else _finding(evidence, emulations, wide)


def _finding(evidence: Evidence, emulations: Emulations, wide: list[Layer]) -> Finding | None:
    gain = emulations.compare_with(emulations.with_ranges(_of_one_range(evidence, wide)))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    worst = min(wide, key=lambda layer: layer.range_use or 0.0)
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{len(wide)} activation(s) use less than a quarter of their range ({list_names(wide)}): "
        f"{worst.name.split(';')[0]} is stored for {worst.range_low:.3g}…{worst.range_high:.3g} and holds "
        f"{worst.float_min:.3g}…{worst.float_max:.3g}; with ranges that fit, {gain_text(gain)} (emulated)",
        (
            Number("tensors", len(wide)),
            Number("least range in use", worst.range_use),
            *gain_numbers(gain),
        ),
        gain,
        "requantize",
        remedies.requantize(
            evidence,
            "Quantize again without the images that give outliers, or bound the layers (ReLU6); the command "
            "calibrates anew.",
        ),
        Correction(constants=misread_biases(evidence), activations=dict(fitting_ranges(evidence, wide))),
    )


def _of_one_range(evidence: Evidence, wide: list[Layer]) -> list[int]:
    """Return the tensors, and those that share their range because they only carry it on (a RESHAPE behind them)."""
    ranges = {(layer.range_low, layer.range_high) for layer in wide}
    return [
        i for i, layer in layers_by_tensor(evidence).items() if (layer.range_low, layer.range_high) in ranges
    ]
