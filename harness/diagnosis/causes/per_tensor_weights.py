"""A layer's weights have one scale for all channels, and its channels differ in size: the small ones are lost."""

from __future__ import annotations

from harness.diagnosis import remedies, scratch
from harness.diagnosis.emulations import Emulations, open_emulations
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.hypotheses import gain_numbers
from harness.diagnosis.judging import judge, words
from harness.diagnosis.twin import Weights, by_channel, channel_axis, spread

CAUSE = "per-tensor-weights"


def examine(evidence: Evidence) -> Finding | None:
    """Emulate the model with one scale a channel in the layers that have one for all."""
    with scratch.folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None:
            return None
        layers = [layer for layer in emulations.twin.weights if _is_per_tensor(layer)]
        return _finding(evidence, emulations, layers) if layers else None


def _is_per_tensor(layer: Weights) -> bool:
    return layer.bits == 8 and layer.n_scales == 1 and layer.values.shape[channel_axis(layer.operator)] > 1


def _finding(evidence: Evidence, emulations: Emulations, layers: list[Weights]) -> Finding | None:
    better = {
        layer.float_index: by_channel(layer.float_values, channel_axis(layer.operator)) for layer in layers
    }
    gain = emulations.without(emulations.with_weights(better))
    verdict = judge(gain, evidence, seen=True)
    if verdict is None:
        return None
    depthwise = sum(layer.operator == "DEPTHWISE_CONV_2D" for layer in layers)
    largest = max(spread(layers))
    return Finding(
        CAUSE,
        verdict.confidence,
        verdict.rule,
        f"{len(layers)} layer(s), {depthwise} of them depthwise, have one scale for all channels, whose weights differ "
        f"up to {largest:.0f}-fold from the median channel's; with one scale a channel, {words(gain)} (emulated)",
        (
            Number("layers", len(layers)),
            Number("depthwise", depthwise),
            Number("largest channel against the median", largest),
            *gain_numbers(gain),
        ),
        gain,
        "requantize",
        remedies.requantize(evidence, "Quantize again with one scale a channel, as the command does."),
    )
