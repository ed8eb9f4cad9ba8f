"""Find where the error arises: compare all tensors, and find the first that breaks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.diagnosis.layers import tensors
from harness.diagnosis.layers.layers import Layer, Layers
from harness.diagnosis.layers.matching import INPUT, MOVING, activations, ancestors, match_tensors
from harness.diagnosis.layers.stored_scales import wrong_scales
from harness.diagnosis.runs.model_pair import ModelPair
from harness.diagnosis.runs.runs import Runs
from harness.errors import JobError

MOST_VALUES, LEAST_IMAGES = 1_200_000_000, 8
"""Values to compare: those of 100 images of an SSD 300×300. Larger models are compared on fewer images."""
BROKEN_DB = 10.0
"""SNR below which a tensor counts as broken: a tenth of its power is noise."""
DROP_DB = 12.0
"""Loss of SNR at one layer from which it is to blame. Layers of sound models lose up to 11 dB, as depthwise ones whose
inputs are still good; 12 dB is sixteen times the power of the inputs' noise."""
ALIKE_DB = 100.0
"""SNR from which two tensors differ by rounding in float32 only."""
EQUAL_DB = 120.0
"""SNR given to tensors that are equal: more than float32 can resolve."""


def compare_layers(pair: ModelPair, runs: Runs, n_images: int) -> Layers | None:
    """Compare the tensors of both models; None where they cannot be read or nothing matches.

    A file that contradicts itself can be run by a delegate and not by the kernels that give access to all tensors.

    Raises:
        JobError: A model failed.
    """
    if pair.float is None or n_images < 1 or not _can_differ(pair):
        return None
    begin = time.perf_counter()
    before, after = pair.float.graph, pair.quantized.graph
    pairs = tensors.comparable(match_tensors(before, after), before.primary, after.primary)
    if not pairs:
        return None
    n_values = sum(found.first.tensor.n_elements for found in pairs)
    n_images = min(n_images, max(LEAST_IMAGES, MOST_VALUES // max(n_values, 1)))
    images = runs.dataset.images[:n_images]
    try:
        sums = tensors.compare(pair, pairs, images, runs.inputs, runs.on_step)
    except JobError:
        if wrong_scales(after):
            return None  # the builtin kernels refuse such a file; the cause of that name says why
        raise
    layers = with_drops(list(tensors.to_layers(pairs, sums)), pair)
    first, rule = first_break(layers)
    unmatched = len(activations(after.primary)) - len(pairs)
    seconds = time.perf_counter() - begin
    return Layers(tuple(layers), first, rule, NOT_MEASURED, sums.n_images, unmatched, seconds)


def _can_differ(pair: ModelPair) -> bool:
    """Whether the tensors can be read, and can differ: a delegate does not give access to its own."""
    here = all(model.place.in_process for model in pair.models)
    inputs = {model.card.input for model in pair.models}
    return here and not (pair.same_file and len(inputs) == 1)


NOT_MEASURED = "what single layers cost was not measured"


def with_drops(layers: Sequence[Layer], pair: ModelPair) -> list[Layer]:
    """Add to each layer the loss of SNR from the worst of its inputs; None where these are alike."""
    assert pair.float is not None
    by_tensor = {layer.pair.float: layer for layer in layers}
    near = ancestors(pair.float.graph.primary, list(by_tensor))
    found = []
    for layer in layers:
        worst = min((snr(by_tensor[index]) for index in near[layer.pair.float]), default=EQUAL_DB)
        found.append(replace(layer, drop_db=None if worst >= ALIKE_DB else worst - snr(layer)))
    return found


def snr(layer: Layer) -> float:
    """Return a layer's SNR as a number: `EQUAL_DB` for equal tensors, and for those that are all 0."""
    if layer.not_finite:
        return -EQUAL_DB
    return EQUAL_DB if layer.snr_db is None else layer.snr_db


def first_break(layers: Sequence[Layer]) -> tuple[Layer | None, str]:
    """Return the first tensor where the error exceeds what sound models show, and the rule that it meets.

    A part of a tensor that is better as a whole does not break: small scores beside large boxes look like that in every
    sound YOLO. Nor does an error that grows layer by layer break anywhere.
    """
    broken = [layer for layer in layers if snr(layer) < BROKEN_DB]
    computed = [layer for layer in broken if layer.pair.operator not in MOVING]
    sudden = [layer for layer in computed if layer.drop_db is None or layer.drop_db >= DROP_DB]
    if sudden and sudden[0].pair.operator == INPUT:
        return sudden[0], (
            f"the input itself is below {BROKEN_DB:g} dB: the sides are not fed the same, or the quantized one "
            "cannot hold what it is fed"
        )
    if sudden:
        lost = sudden[0].drop_db
        own = "all of it by itself" if lost is None else f"{lost:.0f} dB of it by itself"
        return (
            sudden[0],
            f"the first tensor below {BROKEN_DB:g} dB, {own}; layers of sound models lose less than {DROP_DB:g}",
        )
    if computed:
        return (
            None,
            f"the error grows layer by layer, and no single one loses {DROP_DB:g} dB, as one that is broken does",
        )
    if broken:
        return None, f"only parts of tensors that are better as a whole are below {BROKEN_DB:g} dB"
    return None, f"no tensor is below {BROKEN_DB:g} dB"
