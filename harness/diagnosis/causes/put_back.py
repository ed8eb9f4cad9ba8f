"""Put the float model's constants back into the quantized file, and measure what that brings.

So a difference is a cause only where it costs mAP: weights that are harmlessly rescaled, equalized or folded give a
worse model with the float model's own in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.causes.confidence import gain_text, grade_cause, share_of_loss
from harness.diagnosis.causes.fitting import all_fitting_ranges
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.constants import ConstantPair
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change, Detections
from harness.diagnosis.runs.patched_file import Affine, Floats, patched
from harness.diagnosis.runs.scratch import scratch_folder
from harness.tflite.reader import read_bytes

ENOUGH = 0.5
"""Share of the loss that constants alone should explain where they are those of the whole model."""
MOST_LAYERS = 8
"""Layers that are put back one by one; of more, all together."""
Sentence = Callable[[Sequence[str]], str]


def put_back(evidence: Evidence, pairs: Sequence[ConstantPair]) -> PairedDifference:
    """Return the gain of having the float model's constants in the quantized file.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    return try_patch(evidence, constants={pair.tensor: pair.first for pair in pairs})


def gain_of_ranges(evidence: Evidence, ranges: Mapping[int, Affine]) -> PairedDifference:
    """Return the gain of other ranges; where constants are not the float model's, beside the float model's.

    Ranges that were calibrated with wrong constants are a consequence of these, and no cause of their own.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    wrong = {pair.tensor: pair.first for pair in evidence.constants.differing("weights", "bias")}
    if not wrong:
        return try_patch(evidence, activations=ranges)
    before = _patched(evidence, wrong, None, None)
    return evidence.runs.compare(before, _patched(evidence, wrong, ranges, None))


def try_patch(
    evidence: Evidence,
    constants: Mapping[int, Floats] | None = None,
    activations: Mapping[int, Affine] | None = None,
    options: Mapping[int, Mapping[str, float | int | bool]] | None = None,
) -> PairedDifference:
    """Return the gain of other constants, scales, zero points and operators' options in the quantized file.

    Raises:
        HarnessError: The changed file cannot be made or run.
    """
    found = _patched(evidence, constants, activations, options)
    return evidence.runs.compare(evidence.loss.quantized.detections, found)


def _patched(
    evidence: Evidence,
    constants: Mapping[int, Floats] | None,
    activations: Mapping[int, Affine] | None,
    options: Mapping[int, Mapping[str, float | int | bool]] | None,
) -> Detections:
    """Return the detections of the quantized file after changes."""
    model = evidence.pair.quantized
    with scratch_folder() as folder:
        data = patched(read_bytes(model.file), model.graph, model.file, constants, activations, options)
        change = Change("other constants", file=folder.write("patched.tflite", data))
        return evidence.runs.detections(model, change)


def helpful_layers(evidence: Evidence, pairs: Sequence[ConstantPair]) -> list[ConstantPair]:
    """Return the constants of those layers that do better with the float model's, each tried for itself."""
    by_layer: dict[int, list[ConstantPair]] = {}
    for pair in pairs:
        by_layer.setdefault(pair.output, []).append(pair)
    if not 1 < len(by_layer) <= MOST_LAYERS:
        return list(pairs)
    helpful = [group for group in by_layer.values() if (put_back(evidence, group).difference or 0.0) > 0]
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
    gain = put_back(evidence, pairs)
    if whole and (share_of_loss(gain.difference or 0.0, evidence) or 0.0) < ENOUGH:
        constants = {pair.tensor: pair.first for pair in pairs}
        other = try_patch(evidence, constants, all_fitting_ranges(evidence))
        gain = max(gain, other, key=lambda one: one.difference or 0.0)
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
    )


def listed(words: Sequence[str], most: int = 3) -> str:
    """Return a few items for a sentence."""
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")
