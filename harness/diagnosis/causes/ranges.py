"""Compare the ranges that a quantized model stores with the values that the float model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.diagnosis.causes.contradictions import is_input_contradicted
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.layers.matching import INPUT
from harness.diagnosis.runs import input_values
from harness.diagnosis.runs.model_pair import ComparedModel

WIDE = 0.25
"""A tensor that spans less than a quarter of its range has lost two bits or more."""
CLIPPED, NARROW = 0.002, 0.85
"""A tensor is cut off where 2 in 1000 values lie outside, or the range is 15 % shorter than that of the values."""
MANY = 0.25
"""From a quarter of the tensors on the images are to blame; single tensors are outliers."""
SOME = 0.1
"""Where the input itself was calibrated for another range, a tenth of the tensors cut off confirms it."""
OTHER = 0.1
"""Ends of a calibrated input that differ by a tenth of the range: real images hold nearly black and nearly white."""
DULL = 0.7
"""Share of the input's values below which the images that calibrated it were dull: dark, pale, or one."""
NOISY = 0.8
"""Median share of the last layers' values that ranges of noise hold; those of one picture hold nine tenths."""
PIXELS = 100.0
"""A value that only pixels of 0…255 reach: normalized ones are below 3."""
MOVING = frozenset(
    {"RESHAPE", "SLICE", "STRIDED_SLICE", "SPLIT", "TRANSPOSE", "SQUEEZE", "PAD", "MAX_POOL_2D"}
)
"""Operators that only move values: their outputs have the range of their inputs and add no evidence."""


@dataclass(frozen=True)
class RangeFit:
    """How the stored ranges of the tensors fit their values.

    Attributes:
        layers: The stored activations that count: computed ones, and the input where the card normalizes it.
        wide: Those that span less than a quarter of their range.
        narrow: Those that are cut off.
    """

    layers: tuple[Layer, ...]
    wide: tuple[Layer, ...]
    narrow: tuple[Layer, ...]

    @property
    def share(self) -> float:
        """Share of the tensors whose range does not fit."""
        return (len(self.wide) + len(self.narrow)) / len(self.layers) if self.layers else 0.0

    @property
    def input(self) -> Layer | None:
        """The input, where its range does not fit."""
        return next((layer for layer in (*self.wide, *self.narrow) if layer.pair.operator == INPUT), None)


def fit_ranges(evidence: Evidence) -> RangeFit:
    """Compare every stored range with the float values of the same tensor over the evaluated images."""
    if evidence.layers is None:
        return RangeFit((), (), ())
    informative = [
        layer for layer in evidence.layers.layers if _is_informative(layer, evidence.pair.quantized)
    ]
    if is_input_contradicted(evidence):  # then it was calibrated well, and changed afterwards
        informative = [layer for layer in informative if layer.pair.operator != INPUT]
    wide = [layer for layer in informative if (layer.range_use or 0.0) < WIDE]
    narrow = [layer for layer in informative if layer not in wide and _is_cut_off(layer)]
    return RangeFit(tuple(informative), tuple(wide), tuple(narrow))


def _is_informative(layer: Layer, model: ComparedModel) -> bool:
    if layer.range_low is None or layer.range_high is None or layer.scale is None:
        return False
    if layer.pair.operator == INPUT:
        return model.card.input.mean is not None  # pixels without a normalization fill any range
    return layer.pair.operator not in MOVING | {"LOGISTIC", "SOFTMAX", "TANH"}  # those ranges are fixed


def _is_cut_off(layer: Layer) -> bool:
    width = (layer.range_high or 0.0) - (layer.range_low or 0.0)
    return (layer.clipped or 0.0) > CLIPPED or width < NARROW * (layer.float_max - layer.float_min)


def is_wrongly_calibrated(evidence: Evidence, found: RangeFit) -> bool:
    """Whether the model was calibrated on wrong images, so that not only a few outliers or the input misfit."""
    if found.input is not None or found.share >= MANY:
        return True
    cut_off = len(found.narrow) / len(found.layers) if found.layers else 0.0
    return cut_off >= SOME and input_range_problem(evidence) is not None


def input_range_problem(evidence: Evidence) -> str | None:
    """Return in words the range the input was calibrated for, where the float network gets another one."""
    reference, model = evidence.pair.float, evidence.pair.quantized
    held = input_values.storable_range(model.description.image_input)
    if reference is None or held is None or is_input_contradicted(evidence):
        return None
    wanted = input_values.values_of(reference)
    slack = OTHER * (wanted.high - wanted.low)
    if max(abs(held[0] - wanted.low), abs(held[1] - wanted.high)) <= slack:
        return None
    like = " (pixels that nobody normalized)" if held[1] > PIXELS else ""
    if held[1] - held[0] < DULL * (wanted.high - wanted.low):
        like = " (images of little contrast, or of one brightness)"
    return (
        f"the input was calibrated for {held[0]:.3g}…{held[1]:.3g}{like}, and the float network gets {wanted}"
    )


def describe_shape(found: RangeFit) -> str:
    """Return in words what images, or what calibrator, leave ranges that are cut off in this way.

    A calibrator that leaves out the largest values cuts off from the first layer on; images of another kind reach the
    first layers' values and not those of the last ones.
    """
    layers = [layer for layer in found.layers if layer.pair.operator != INPUT]
    third = max(1, len(layers) // 3)
    early, late = (
        [_width_share(layer) for layer in layers[:third]],
        [_width_share(layer) for layer in layers[-third:]],
    )
    if sum(share < NARROW for share in early) >= 0.5 * len(early):
        return (
            "from the first layer on, with the input's range right: as of a calibrator that leaves out the largest "
            "values (percentile, or entropy), or of images with less contrast"
        )
    if sorted(late)[len(late) // 2] < NOISY:
        return "the later the layer the more, and the first ones not: as of random numbers, or of images unlike these"
    return (
        "single layers more than others, and the first ones not: as of too few images, or one again and again"
    )


def _width_share(layer: Layer) -> float:
    """Return the width of a range as a share of that of the values."""
    values = max(layer.float_max, 0.0) - min(layer.float_min, 0.0)
    return ((layer.range_high or 0.0) - (layer.range_low or 0.0)) / values if values > 0 else 1.0


def list_names(layers: Sequence[Layer], most: int = 3) -> str:
    """Return the names of a few layers, for a sentence."""
    names = ", ".join(layer.pair.name.split(";")[0] for layer in layers[:most])
    return f"{names}, …" if len(layers) > most else names
