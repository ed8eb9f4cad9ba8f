"""The input's scale and zero point give pixels other values than the network was trained on.

They are written by `quantized_input_stats` = (mean, std): real = (q − mean) / std, so the scale is 1 / std and the zero
point the mean.
"""

from __future__ import annotations

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.causes.confidence import Grade, gain_text, grade_cause
from harness.diagnosis.causes.contradictions import is_input_contradicted
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.ranges import fit_ranges, is_wrongly_calibrated
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs import input_values
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.input_scale import with_input_scale
from harness.diagnosis.runs.input_values import InputValues
from harness.diagnosis.runs.scratch import scratch_folder
from harness.tflite.reader import read_bytes
from harness.tflite.values import EIGHT_BIT, input_stats

CAUSE = "input-stats"


def examine(evidence: Evidence) -> Finding | None:
    """Write a scale and zero point into the file that give pixels the float network's values."""
    wanted = _wanted(evidence)
    if wanted is None:
        return None
    scale, zero_point = _stored(wanted, evidence.pair.quantized.description.image_input.dtype)
    difference = _trial(evidence, scale, zero_point)
    grade = grade_cause(difference, evidence, seen=True)
    return None if grade is None else _finding(evidence, grade, wanted, difference, (scale, zero_point))


def _wanted(evidence: Evidence) -> InputValues | None:
    """Return the float network's input values, where the quantized one gets others and cannot store these.

    Where its input can store them, feeding the pixels so is the simpler remedy: `input-quantization`; not where the
    biases of the first layer were stored for another scale of the input.
    """
    model, reference = evidence.pair.quantized, evidence.pair.float
    if reference is None or not input_values.is_integer(model):
        return None
    if is_input_contradicted(evidence):
        return input_values.values_of(reference)
    if model.card.input.mean is not None:
        return None
    wanted, found = input_values.values_of(reference), input_values.values_of(model)
    if found.is_close_to(wanted) or input_values.can_store(model.description.image_input, wanted):
        return None
    return None if is_wrongly_calibrated(evidence, fit_ranges(evidence)) else wanted


def _trial(evidence: Evidence, scale: float, zero_point: int) -> PairedDifference:
    """Compare the model with another scale and zero point of its input to the model as it is."""
    model = evidence.pair.quantized
    with scratch_folder() as folder:
        data = with_input_scale(read_bytes(model.file), scale, zero_point, model.file)
        return evidence.trial(Change("other input scale", file=folder.write("input.tflite", data))).difference


def _finding(
    evidence: Evidence, grade: Grade, wanted: InputValues, gain: PairedDifference, right: tuple[float, int]
) -> Finding:
    model, (scale, zero_point) = evidence.pair.quantized, right
    info, found = model.description.image_input, input_values.values_of(model)
    mean, std = input_stats(info.dtype, info.scale or 1.0, info.zero_point) or (0.0, 1.0)
    right_mean, right_std = input_stats(info.dtype, scale, zero_point) or (0.0, 1.0)
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"the input's scale {info.scale:.4g} and zero point {info.zero_point}, quantized_input_stats ({mean:.4g}, "
        f"{std:.4g}), let pixels mean {found}; the float network gets {wanted}, which is ({right_mean:.4g}, "
        f"{right_std:.4g}); so written into the file, {gain_text(gain)}",
        (
            Number("scale", info.scale),
            Number("zero point", info.zero_point),
            Number("right scale", scale),
            Number("right zero point", zero_point),
            *gain_numbers(gain),
        ),
        gain,
        "requantize",
        remedies.requantize(
            evidence,
            f"Convert again with quantized_input_stats ({right_mean:.4g}, {right_std:.4g}), or quantize the float "
            "model again, as the command does.",
        ),
    )


def _stored(wanted: InputValues, dtype: str) -> tuple[float, int]:
    """Return the scale and zero point that map pixel 0 to the least and 255 to the greatest value."""
    scale = (wanted.high - wanted.low) / 255
    return scale, round(EIGHT_BIT[dtype][0] - wanted.low / scale)
