"""The float model itself finds next to nothing: data, labels or its card are wrong, and no quantization is to blame."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from harness.diagnosis.causes.ranking import rank
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.loss.loss import Loss
from harness.diagnosis.remedies.remedies import advice
from harness.diagnosis.runs.model_pair import ModelPair
from harness.errors import HarnessError

CAUSE = "reference-fails"
NOTHING, OBJECTS = 0.02, 10
"""mAP below which a model finds next to nothing, over at least so many objects."""
BETTER = 0.05
"""mAP by which no quantization makes a model better."""
TRIED = (
    "label_offset",
    "output_order",
    "input_normalization",
    "channel_order",
    "input_geometry",
    "nms_settings",
)
"""Causes that one model alone can show, by their module."""


def examine(evidence: Evidence) -> Finding | None:
    """Try other labels and other cards for the float model where it finds next to nothing."""
    accuracy = evidence.loss.float
    figure = None if accuracy is None else accuracy.interval.map
    if accuracy is None or figure is None or len(evidence.truth.ids) < OBJECTS:
        return None
    if figure >= NOTHING:
        return _worse(evidence)
    found = _of_float_alone(evidence)
    start = f"the float side itself has mAP {figure:.3f}, so quantization is not what is wrong"
    numbers = (Number("float side", figure, "mAP"),)
    if found is None:
        return Finding(
            CAUSE, "certain", "seen in the float side's mAP", f"{start}: data, labels or its card are", numbers, None,
            "setting", advice("Check with `harness detect` what the float model finds, then labels and card."),
        )  # fmt: skip
    return replace(
        found, cause=CAUSE, sentence=f"{start}; {found.sentence}", numbers=(*numbers, *found.numbers)
    )


def _worse(evidence: Evidence) -> Finding | None:
    """Tell where the float side is worse than the quantized one, beyond chance and far."""
    found = evidence.loss.difference
    if found is None or found.low is None or found.low <= 0 or (found.difference or 0.0) < BETTER:
        return None
    layers = {pair.layer for pair in evidence.constants.differing("weights", "bias")}
    others = f"; their constants differ in {len(layers)} layer(s)" if layers else ""
    return Finding(
        CAUSE,
        "certain",
        "seen in both sides' mAP, beyond chance",
        f"the float side is worse than the quantized one (mAP {found.first:.3f} against {found.second:.3f}), so it is "
        f"not the model that this one was made from, or is fed or read wrongly{others}",
        (Number("float side", found.first, "mAP"), Number("quantized side", found.second, "mAP")),
        None,
        "setting",
        advice("Give the float model that the quantized one was made from, with the card that fits it."),
    )


def _of_float_alone(evidence: Evidence) -> Finding | None:
    """Return the best finding about the float model, judged by the annotations alone."""
    model, accuracy = evidence.pair.float, evidence.loss.float
    assert model is not None and accuracy is not None
    alone = replace(
        evidence,
        pair=ModelPair(None, replace(model, role="quantized")),
        loss=Loss(None, accuracy, None, evidence.loss.n_images),
        attribution=None,
        layers=None,
    )
    found = []
    for name in TRIED:
        try:
            one = import_module(f"harness.diagnosis.causes.{name}").examine(alone)
        except HarnessError:
            continue
        found += [one] if one is not None else []
    return rank(found)[0] if found else None
