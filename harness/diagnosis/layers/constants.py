"""Compare the constants of a quantized file with the float model's, without any inference: are they a rounding of them?

A healthy quantizer leaves a weight within half a step of its scale, and a bias within half a step of input scale ×
weight scale: the integer kernels read biases in that unit, whatever scale is written beside them (TFLite,
`GetQuantizedConvolutionMultipler`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.diagnosis.layers.layers import TensorPair
from harness.diagnosis.layers.matching import CONVERTING, FUSED, match_tensors
from harness.diagnosis.layers.quantization_map import READABLE, WEIGHTED, channel_axis
from harness.diagnosis.runs.model_pair import ModelPair
from harness.diagnosis.runs.patched_file import Doubles, Floats, LayerInputs, bias_steps, layer_inputs
from harness.errors import ModelError
from harness.tflite import postprocess
from harness.tflite.graph import Graph, Operator, Subgraph, Tensor
from harness.tflite.reader import malformed
from harness.tflite.values import channels_shape, real_values, stored

ROUGH, FAR = 1.0, 8.0
"""Steps by which weights are not a rounding: on average (rounding gives 0.29, any rounding up or down below 0.6), and
at most (the few weights that a quantizer cuts off to gain precision come that far)."""
HALF_PRECISION = 2.0**-10
"""Share of a value by which it may differ where one of the two files holds it as float16."""
VISIBLE = 0.25
"""Steps of the layer's own output from which a wrong bias can be seen in it."""


@dataclass(frozen=True)
class ConstantPair:
    """A constant of both graphs.

    Attributes:
        layer: The short name of the layer, by its output in the float graph.
        operator: The operator that reads it.
        part: `weights`, `bias`, `anchors`, or `constant` for a factor or term of another operator.
        tensor: Its index in the quantized graph.
        output: The quantized layer's output tensor.
        first: float32, of the float model.
        second: float32, of the quantized model, as its kernels read it.
        steps: float64, the size of a step for each value; a share of the value for float16.
        axis: The dimension of the output channels.
        integers: The stored numbers of the quantized one.
        output_scale: The scale of the layer's output; None for a float one.
        head: Whether no other layer with weights lies behind it.
    """

    layer: str
    operator: str
    part: str
    tensor: int
    output: int
    first: Floats
    second: Floats
    steps: Doubles
    axis: int
    integers: npt.NDArray[Any]
    output_scale: float | None
    head: bool = False

    @property
    def errors(self) -> Doubles:
        """The differences in steps, beyond what half precision explains."""
        slack = HALF_PRECISION * np.abs(self.first.astype(np.float64))
        found = np.abs(self.second.astype(np.float64) - self.first)
        return np.maximum(found - slack, 0) / np.maximum(self.steps, 1e-30)

    @property
    def worst(self) -> float:
        """The largest difference, in steps."""
        return float(self.errors.max(initial=0.0))

    @property
    def share(self) -> float:
        """The difference as a share of the float values: the norm of it over theirs."""
        norm = float(np.linalg.norm(self.first))
        return float(np.linalg.norm(self.second - self.first)) / max(norm, 1e-30)

    @property
    def is_rounding(self) -> bool:
        """Whether the quantized constant is a rounding of the float one."""
        if self.part == "bias":
            return not self._is_visible()
        errors = self.errors
        root = float(np.sqrt(np.mean(errors**2))) if errors.size else 0.0
        return root < ROUGH and self.worst < FAR

    def _is_visible(self) -> bool:
        """Whether a bias differs by more than its own steps, and so far that the output shows it."""
        errors = self.errors
        if self.output_scale is None:
            return bool((errors > ROUGH).any()) and self.share > 100 * HALF_PRECISION
        apart = np.abs(self.second.astype(np.float64) - self.first) / self.output_scale
        return bool(((errors > 2) & (apart > VISIBLE)).any())


@dataclass(frozen=True)
class Constants:
    """All constants that both graphs have.

    Attributes:
        pairs: In the order of the float graph.
        n_layers: Layers with weights in the float graph.
    """

    pairs: tuple[ConstantPair, ...]
    n_layers: int

    def of(self, *parts: str) -> list[ConstantPair]:
        """Return those of some parts."""
        return [pair for pair in self.pairs if pair.part in parts]

    def differing(self, *parts: str) -> list[ConstantPair]:
        """Return those of some parts that are no rounding."""
        return [pair for pair in self.of(*parts) if not pair.is_rounding]


NOTHING = Constants((), 0)


def compare_constants(pair: ModelPair) -> Constants:
    """Compare all constants; none without a float model, of one file with itself, or of a damaged file."""
    if pair.float is None or pair.same_file:
        return NOTHING
    before, after = pair.float.graph, pair.quantized.graph
    try:
        with malformed(pair.quantized.file):
            found = [*_of_layers(before, after), *_anchors(before, after)]
    except ModelError:
        return NOTHING
    heads = _heads(after.primary)
    found = [replace(one, head=one.output in heads) for one in found]
    return Constants(tuple(found), sum(o.name in WEIGHTED for o in before.primary.operators))


@dataclass(frozen=True)
class _Sources:
    """Both graphs with the operator that makes each tensor."""

    before: Graph
    after: Graph
    makers_before: Mapping[int, Operator]
    makers_after: Mapping[int, Operator]


def _of_layers(before: Graph, after: Graph) -> Iterator[ConstantPair]:
    sources = _Sources(before, after, before.primary.producers(), after.primary.producers())
    for found in match_tensors(before, after):
        if found.place < 0:
            continue
        first, second = before.primary.operators[found.place], _maker(found.quantized, sources)
        if second is not None and second.name == first.name:
            yield from _of_layer(found, first, second, sources)


def _maker(index: int, sources: _Sources) -> Operator | None:
    """Return the operator that computes a tensor, skipping a fused activation or a conversion behind it."""
    operator = sources.makers_after.get(index)
    while operator is not None and operator.name in FUSED | CONVERTING:
        operator = sources.makers_after.get(operator.inputs[0])
    return operator


def _of_layer(
    found: TensorPair, first: Operator, second: Operator, sources: _Sources
) -> Iterator[ConstantPair]:
    inputs = layer_inputs(second)
    for place, (a, b) in enumerate(zip(first.inputs, second.inputs, strict=False)):
        source = _constant(sources.before, a, sources.makers_before)
        target = _constant(sources.after, b, sources.makers_after)
        if source is None or target is None or not _is_comparable(source, target):
            continue
        made = _pair(found, second, _part(place, inputs), source, target, sources)
        if made is not None:
            yield made


def _part(place: int, inputs: LayerInputs | None) -> str:
    if inputs is None:
        return "constant"
    return {inputs.weights: "weights", inputs.bias: "bias"}.get(place, "constant")


def _constant(graph: Graph, index: int, makers: Mapping[int, Operator]) -> Tensor | None:
    """Return the constant behind a tensor, through the DEQUANTIZE of float16 files; None for an activation."""
    if index < 0:
        return None
    tensor, maker = graph.primary.tensors[index], makers.get(index)
    if maker is not None and maker.name in CONVERTING and maker.inputs:
        tensor = graph.primary.tensors[maker.inputs[0]]
    return tensor if tensor.constant else None


def _is_comparable(source: Tensor, target: Tensor) -> bool:
    """Whether two constants hold real values of the same shape; sizes and axes are none, packed ones cannot be read."""
    known = {source.dtype, target.dtype} <= READABLE
    real = source.dtype in {"float32", "float16"} or source.quantization is not None
    return known and real and source.shape == target.shape and source.n_elements > 0


def _pair(
    found: TensorPair, operator: Operator, part: str, source: Tensor, target: Tensor, sources: _Sources
) -> ConstantPair | None:
    first = real_values(sources.before, source)
    integers = stored(sources.after, target).reshape(target.shape)
    steps = _steps(operator, part, target, sources.after)
    if steps is None:
        second, steps = real_values(sources.after, target), _float_steps(first)
    elif part == "bias":
        second = (integers * steps).astype(np.float32)
    else:
        second = real_values(sources.after, target)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None  # a cause of its own: overflow
    output = sources.after.primary.tensors[found.quantized].quantization
    return ConstantPair(
        layer=short(found.name),
        operator=operator.name,
        part=part,
        tensor=target.index,
        output=found.quantized,
        first=first,
        second=second,
        steps=steps,
        axis=channel_axis(operator.name) if part == "weights" else 0,
        integers=integers,
        output_scale=output.scales[0] if output is not None and len(output.scales) == 1 else None,
    )


def _float_steps(first: Floats) -> Doubles:
    """Return what float16 resolves of each value; the smallest of a tensor count as 1 in 10,000 of its largest."""
    size = np.abs(first.astype(np.float64))
    return np.maximum(size * HALF_PRECISION, max(float(size.max(initial=0.0)) * 1e-4, 1e-30))


def _steps(operator: Operator, part: str, target: Tensor, graph: Graph) -> Doubles | None:
    """Return the step of each value; None for a float constant."""
    if target.dtype.startswith("float"):
        return None
    if part == "bias":
        return bias_steps(graph, operator)
    if target.quantization is None:
        return None
    shape = channels_shape(target.quantization, len(target.shape))
    scales = np.asarray(target.quantization.scales, np.float64).reshape(shape)
    return np.broadcast_to(scales, target.shape)


def _anchors(before: Graph, after: Graph) -> Iterator[ConstantPair]:
    """Yield the anchors of `TFLite_Detection_PostProcess`."""
    both = [postprocess.find(graph) for graph in (before, after)]
    if any(one is None or len(one[1].inputs) < 3 for one in both):
        return
    (_, first), (_, second) = both  # type: ignore[misc]
    sources = _Sources(before, after, before.primary.producers(), after.primary.producers())
    source = _constant(before, first.inputs[2], sources.makers_before)
    target = _constant(after, second.inputs[2], sources.makers_after)
    if source is None or target is None or not _is_comparable(source, target):
        return
    found = TensorPair(first.outputs[0], second.outputs[0], "anchors", "anchors", second.name, 0, "name")
    made = _pair(found, second, "anchors", source, target, sources)
    if made is not None:
        yield made


def _heads(graph: Subgraph) -> set[int]:
    """Return the tensors behind which no layer with weights lies."""
    before: set[int] = set()
    for operator in reversed(graph.operators):
        if operator.name in WEIGHTED or before.intersection(operator.outputs):
            before.update(operator.inputs)
    return {tensor.index for tensor in graph.tensors} - before


def short(name: str) -> str:
    """Return the significant part of a tensor's name: of several joined by `;` the first, without its last word."""
    text = name.split(";", maxsplit=1)[0]
    parts = [part for part in text.split("/") if part]
    return parts[-2] if len(parts) > 1 else text
