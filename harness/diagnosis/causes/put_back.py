"""Put the float model's constants back into the quantized file, and measure what that brings.

So a difference is a cause only where it costs mAP: weights that are harmlessly rescaled, equalized or folded give a
worse model with the float model's own in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.causes.confidence import gain_text, grade_cause, share_of_loss
from harness.diagnosis.causes.fitting import all_fitting_ranges, fitting_ranges
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number
from harness.diagnosis.layers.constants import ConstantPair
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change, Detections
from harness.diagnosis.runs.patched_file import Affine, Floats, patched
from harness.diagnosis.runs.scratch import scratch_folder
from harness.errors import HarnessError
from harness.tflite.reader import read_bytes

ENOUGH = 0.5
"""Share of the loss that constants alone should explain where they are those of the whole model."""
MOST_LAYERS = 8
"""Layers that are put back one by one; of more, all together."""


def put_back(evidence: Evidence, pairs: Sequence[ConstantPair]) -> tuple[PairedDifference, Correction]:
    """Return the gain of having the float model's constants in the quantized file, and what was changed.

    Behind constants that are all 0 the ranges have no width, and no kernel takes them with others: then ranges of the
    same layers that fit are put in, too.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    correction = Correction(constants=values_of(pairs))
    try:
        return try_correction(evidence, correction), correction
    except HarnessError:
        outputs = {pair.output for pair in pairs}
        layers = [] if evidence.layers is None else evidence.layers.layers
        behind = [layer for layer in layers if layer.pair.quantized in outputs]
        if not behind:
            raise
        correction = replace(correction, activations=dict(fitting_ranges(evidence, behind)))
        return try_correction(evidence, correction), correction


def values_of(pairs: Iterable[ConstantPair]) -> dict[int, Floats]:
    """Return the float model's values of constants, by the quantized file's tensors."""
    return {pair.tensor: pair.first for pair in pairs}


def try_ranges(
    evidence: Evidence, ranges: Mapping[int, Affine], biases: Mapping[int, Floats]
) -> tuple[PairedDifference, Correction]:
    """Return the gain of other ranges; where constants are not the float model's, beside the float model's.

    Ranges that were calibrated with wrong constants are a consequence of these, and no cause of their own.

    Args:
        evidence: The measurements.
        ranges: Tensor → how it shall be stored.
        biases: The float model's biases that are wrong because of a range: they belong to what is tried.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    wrong = values_of(
        pair for pair in evidence.constants.differing("weights", "bias") if pair.tensor not in biases
    )
    correction = Correction(constants={**wrong, **biases}, activations=ranges)
    if not wrong:
        return try_correction(evidence, correction), correction
    before = corrected(evidence, Correction(constants=wrong))
    return evidence.runs.compare(before, corrected(evidence, correction)), correction


def try_correction(evidence: Evidence, correction: Correction) -> PairedDifference:
    """Return the gain of a correction.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    return evidence.runs.compare(evidence.loss.quantized.detections, corrected(evidence, correction))


def corrected(evidence: Evidence, correction: Correction) -> Detections:
    """Return the detections of the quantized model with a correction.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    model, card = evidence.pair.quantized, correction.card
    parts = (correction.constants, correction.activations, correction.options)
    if not any(parts):
        return evidence.runs.detections(model, Change("another card", card=card))
    with scratch_folder() as folder:
        data = patched(read_bytes(model.file), model.graph, model.file, *parts)
        file = folder.write("patched.tflite", data)
        return evidence.runs.detections(model, Change("other constants", card=card, file=file))


def helpful_layers(evidence: Evidence, pairs: Sequence[ConstantPair]) -> list[ConstantPair]:
    """Return the constants of those layers that do better with the float model's, each tried for itself."""
    by_layer: dict[int, list[ConstantPair]] = {}
    for pair in pairs:
        by_layer.setdefault(pair.output, []).append(pair)
    if not 1 < len(by_layer) <= MOST_LAYERS:
        return list(pairs)
    helpful = [group for group in by_layer.values() if (put_back(evidence, group)[0].difference or 0.0) > 0]
    return [pair for group in helpful for pair in group]


def finding(
    evidence: Evidence,
    cause: str,
    pairs: Sequence[ConstantPair],
    sentence: str,
    advice: str,
    numbers: tuple[Number, ...] = (),
    whole: bool = False,
) -> Finding | None:
    """Return the finding that some constants are not the float model's, if putting them back brings mAP.

    Args:
        evidence: The measurements.
        cause: The cause's name.
        pairs: The constants.
        sentence: The fault in words.
        advice: What to do besides quantizing the float model again, as a sentence.
        numbers: Numbers behind the finding.
        whole: Whether the constants are those of nearly all layers, whose values others then are as well: where the
            file's ranges leave no room for them, ranges that fit are put in, too.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    if not pairs:
        return None
    gain, correction = put_back(evidence, pairs)
    if whole and (share_of_loss(gain.difference or 0.0, evidence) or 0.0) < ENOUGH:
        with_ranges = replace(correction, activations=all_fitting_ranges(evidence))
        other = try_correction(evidence, with_ranges)
        if (other.difference or 0.0) > (gain.difference or 0.0):
            gain, correction = other, with_ranges
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    return Finding(
        cause,
        grade.confidence,
        grade.rule,
        f"{sentence}; with the float model's in the file, {gain_text(gain)}",
        (*numbers, *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(evidence, advice),
        correction,
    )


def listed(words: Sequence[str], most: int = 3) -> str:
    """Return a few items for a sentence."""
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")
