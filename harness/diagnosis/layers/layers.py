"""The errors of tensors, from the input to the outputs, over real images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Matched = Literal["name", "order"]


@dataclass(frozen=True)
class TensorPair:
    """A tensor of the float graph and the corresponding one of the quantized graph.

    Attributes:
        float: Index in the float graph.
        quantized: Index in the quantized graph.
        name: Name of the float tensor.
        quantized_name: Name of the quantized tensor.
        operator: The operator that computes it in the float graph; `INPUT` for the model's input.
        place: The operator's place in the float graph; -1 for the input.
        matched: Whether by the same name, or by the order of the operators.
    """

    float: int
    quantized: int
    name: str
    quantized_name: str
    operator: str
    place: int
    matched: Matched


@dataclass(frozen=True)
class Layer:
    """The error of one tensor over all images, in real units: integers are dequantized.

    Attributes:
        pair: The tensor in both graphs.
        shape: Its shape.
        dtype: Its type in the quantized graph.
        scale: Of the quantized tensor; the largest where there is one a channel; None for a float tensor.
        zero_point: Of the quantized tensor; None for a float tensor or one with several.
        snr_db: 10·log10(Σ float² / Σ (float − quantized)²); None where the two are equal or the float one is 0.
        cosine: Cosine of the angle between the two; None where one of them is all 0.
        mean_error: Mean of quantized − float.
        range_low: Least value that the quantized tensor can hold; None for a float tensor.
        range_high: Greatest value that it can hold.
        float_min: Least value of the float tensor over all images.
        float_max: Greatest value of the float tensor.
        quantized_min: Least value of the quantized tensor, dequantized.
        quantized_max: Greatest value of the quantized tensor.
        range_use: Share of the quantized range that the float values span, 0…1; None for a float tensor.
        clipped: Share of the float values outside the quantized range; None for a float tensor.
        drop_db: Loss of SNR from the worst of its inputs to this tensor; None where its inputs are alike in both
            models, so that all the error is its own.
        not_finite: Share of the quantized model's values that are not finite.
        loss: mAP that is lost when only this layer is quantized; None where it was not measured.
        loss_low: Lower end of its 95 % interval.
        loss_high: Upper end.
    """

    pair: TensorPair
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None
    snr_db: float | None
    cosine: float | None
    mean_error: float
    range_low: float | None
    range_high: float | None
    float_min: float
    float_max: float
    quantized_min: float
    quantized_max: float
    range_use: float | None
    clipped: float | None
    drop_db: float | None
    not_finite: float = 0.0
    loss: float | None = None
    loss_low: float | None = None
    loss_high: float | None = None

    @property
    def name(self) -> str:
        """The float tensor's name."""
        return self.pair.name


@dataclass(frozen=True)
class Layers:
    """The errors of all matched tensors.

    Attributes:
        layers: In the order of the float graph's execution, the input first.
        first_break: The first tensor where the error exceeds the limits of `rule`; None where there is none.
        rule: The rule of the first break, with its numbers.
        method: How each layer's share of the loss was measured, or why it was not.
        n_images: Number of images that were compared.
        unmatched: Number of tensors of the quantized graph without a counterpart.
        seconds: Duration of the comparison.
    """

    layers: tuple[Layer, ...]
    first_break: Layer | None
    rule: str
    method: str
    n_images: int
    unmatched: int
    seconds: float

    def ranked(self) -> tuple[Layer, ...]:
        """Return the layers by their share of the loss, the largest first; those not measured at the end."""
        return tuple(sorted(self.layers, key=lambda layer: -(layer.loss if layer.loss is not None else -1.0)))

    def named(self, name: str) -> Layer | None:
        """Return the layer with a float or quantized tensor's name; None without it."""
        return next(
            (layer for layer in self.layers if name in {layer.pair.name, layer.pair.quantized_name}), None
        )
