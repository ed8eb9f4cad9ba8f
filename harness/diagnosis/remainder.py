"""What no cause explains: how much of the loss is left, where it lies, what was looked for, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.diagnosis.causes.confidence import LEAST_GAIN, is_lossy
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Remedy
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.loss.attribution import Part
from harness.diagnosis.remedies import remedies
from harness.vocabulary import FLOAT_WEIGHTS

MOST_LEFT = 1 / 3
"""Share of the loss that a remedy may leave and still be called one that mends it."""


@dataclass(frozen=True)
class Remainder:
    """The part of the loss that no finding explains.

    Attributes:
        lost: mAP that is left to explain.
        share: Its share of the whole loss.
        part: The largest part of the loss; None where it was not attributed.
        layer: The layer that costs most alone; None where none was measured or costs anything.
        looked_for: Causes that were tested and not found.
        step: What to do next.
    """

    lost: float
    share: float
    part: Part | None
    layer: Layer | None
    looked_for: tuple[str, ...]
    step: Remedy


def find_remainder(
    evidence: Evidence, findings: Sequence[Finding], looked_for: tuple[str, ...]
) -> Remainder | None:
    """Return what is left of a loss beyond chance; None where a finding explains two thirds of it.

    Args:
        evidence: The measurements.
        findings: The causes that explain something.
        looked_for: The causes that were tested and not found.
    """
    loss = evidence.loss.difference
    if loss is None or loss.difference is None or not is_lossy(evidence):
        return None
    if any(one.confidence == "certain" and one.gain is None for one in findings):
        return None  # such as files that are not of one network: there is no remainder to speak of
    won = max((one.gain.difference or 0.0 for one in findings if one.gain is not None), default=0.0)
    lost = -loss.difference
    left = max(0.0, lost - won)
    if left <= MOST_LEFT * lost:
        return None
    layer = _costliest(evidence)
    parts = () if evidence.attribution is None else evidence.attribution.parts
    part = max(parts, key=lambda one: one.loss, default=None)
    return Remainder(left, left / lost, part, layer, looked_for, _next_step(evidence, findings, layer, left))


def _costliest(evidence: Evidence) -> Layer | None:
    """Return the layer that costs most alone, where that is half a point or more."""
    measured = (
        [] if evidence.layers is None else [one for one in evidence.layers.layers if one.loss is not None]
    )
    layer = max(measured, key=lambda one: one.loss or 0.0, default=None)
    return layer if layer is not None and (layer.loss or 0.0) >= LEAST_GAIN else None


def _next_step(evidence: Evidence, findings: Sequence[Finding], layer: Layer | None, left: float) -> Remedy:
    if findings:
        return remedies.advice(
            f"Do what stands above first, and diagnose the result: the other {left:.3f} may have a cause of its own."
        )
    model = evidence.pair.float
    if model is None or model.description.quantization not in FLOAT_WEIGHTS:
        return remedies.advice(
            "Name the float model that this file was made from: what differs can then be told."
        )
    if evidence.pair.same_file:
        return remedies.advice("Both sides are one file: look at where and how each of them runs.")
    why = "where the new file is well, the fault lies in how this one was made."
    kept = [layer.name.split(";")[0]] if layer is not None and (layer.loss or 0.0) >= left / 2 else []
    apart = f" {kept[0]} stays float, for it costs most." if kept else ""
    return remedies.requantize(
        evidence, f"Quantize the float model again, and diagnose the new file: {why}{apart}", kept
    )
