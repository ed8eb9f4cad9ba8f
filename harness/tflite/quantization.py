"""Identify how a model is quantized, with the evidence.

The evidence is the types that the file itself states: the outputs of the computing operators (float or quantized
integer), and the type and zero points in which their weights are stored. TF1's quantization-aware training (toco)
writes uint8 weights with one asymmetric range a tensor; the post-training quantizers of TF2 and LiteRT write int8
weights that are symmetric a channel (TensorFlow Lite 8-bit quantization specification).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.tflite.compiled import DISPATCH, is_dispatch
from harness.tflite.graph import EDGETPU, POSTPROCESS, Graph, Operator, Subgraph, Tensor
from harness.vocabulary import FLOAT_WEIGHTS, Quantization

MIXED_SHARE_OF_LAYERS = 0.10
"""A model is `mixed` when more than this share of its operators with weights uses the other kind of arithmetic, …"""
MIXED_SHARE_OF_ALL = 0.25
"""… or more than this share of all computing operators: a float sigmoid at the end does not make a model mixed."""
LEFT_IN_FLOAT_BELOW = 1024
"""TensorFlow's converter leaves weights of fewer elements in float (`quantize_weights.cc`); they are no evidence."""
MAIN_STORAGE = 0.90
"""Share of the weights' elements that the main kind of storage must have in a float model, else it is `mixed`."""

_WEIGHT_INPUT = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "CONV_3D": 1,
    "CONV_3D_TRANSPOSE": 1,
    "FULLY_CONNECTED": 1,
    "BATCH_MATMUL": 1,
    "EMBEDDING_LOOKUP": 1,
}
_CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY", "CAST"})
_MOVING = frozenset(
    {
        "SHAPE",
        "RANK",
        "RESHAPE",
        "EXPAND_DIMS",
        "SQUEEZE",
        "CONCATENATION",
        "PACK",
        "UNPACK",
        "SLICE",
        "STRIDED_SLICE",
        "SPLIT",
        "SPLIT_V",
        "TRANSPOSE",
        "PAD",
        "PADV2",
        "TILE",
        "GATHER",
        "GATHER_ND",
        "FILL",
        "RANGE",
        "BROADCAST_TO",
        "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE",
        "REVERSE_V2",
    }
)
_CONTROLLING = frozenset({"CALL", "CALL_ONCE", "IF", "WHILE"})
_SELECTING = frozenset({"NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "TOPK_V2", POSTPROCESS})
_NOT_COMPUTING = _CONVERTING | _MOVING | _CONTROLLING | _SELECTING
_PASSED_THROUGH = frozenset({"DEQUANTIZE", "DENSIFY", "RESHAPE", "TRANSPOSE"})
_INTEGERS = frozenset({"int2", "int4", "int8", "uint8", "int16"})
_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})


@dataclass(frozen=True)
class Weight:
    """A computing operator's weights as the file stores them.

    Attributes:
        tensor: The constant.
        dequantized: Whether a DEQUANTIZE lies between it and the operator.
    """

    tensor: Tensor
    dequantized: bool

    @property
    def kind(self) -> Quantization:
        """The quantization of an operator with such weights and float activations."""
        if self.tensor.dtype in _INTEGERS:
            return Quantization.WEIGHT_ONLY if self.dequantized else Quantization.DYNAMIC_RANGE
        return next((kind for kind in FLOAT_WEIGHTS if kind == self.tensor.dtype), Quantization.UNKNOWN)


@dataclass(frozen=True)
class Arithmetic:
    """The outputs of the computing operators, counted by type.

    Attributes:
        integer: Names of operators with quantized integer outputs, counted.
        floating: Names of operators with float outputs, counted.
        dtypes: Types of the integer outputs, counted.
    """

    integer: Counter[str]
    floating: Counter[str]
    dtypes: Counter[str]

    @property
    def float_share(self) -> float | None:
        """Share of the operators that are float; None when there is no operator of either kind."""
        return _share(self.floating.total(), self.integer.total())

    @property
    def is_mixed(self) -> bool:
        """Whether both kinds of arithmetic have a notable share."""
        layers = _share(_n_layers(self.floating), _n_layers(self.integer))
        shares = ((layers, MIXED_SHARE_OF_LAYERS), (self.float_share, MIXED_SHARE_OF_ALL))
        return any(share is not None and limit < share < 1 - limit for share, limit in shares)


def identify(graph: Graph) -> tuple[Quantization, tuple[str, ...]]:
    """Return the quantization (one of the values of the result column) and the evidence, a sentence each."""
    operators = list(graph.operators())
    if any(operator.name == EDGETPU for _, operator in operators):
        return _edgetpu(graph)
    if any(is_dispatch(operator) for _, operator in operators):
        return Quantization.UNKNOWN, (f"The graph is in {DISPATCH}, a vendor's binary, which does not tell.",)
    arithmetic = _arithmetic(operators)
    weights = _weights(graph)
    share = arithmetic.float_share
    if share is None:
        return Quantization.UNKNOWN, ("No operator computes on float or quantized tensors.",)
    if arithmetic.is_mixed:
        return Quantization.MIXED, (
            _arithmetic_sentence(arithmetic),
            _float_sentence(arithmetic),
            *_storage(weights),
        )
    if share < 0.5:
        return _integer(graph, arithmetic, weights)
    return _floating(arithmetic, weights)


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _n_layers(counts: Counter[str]) -> int:
    return sum(count for name, count in counts.items() if name in _WEIGHT_INPUT)


def _arithmetic(operators: Iterable[tuple[Subgraph, Operator]]) -> Arithmetic:
    """Sort the computing operators by the type of their first output."""
    result = Arithmetic(Counter(), Counter(), Counter())
    for subgraph, operator in operators:
        if operator.name in _NOT_COMPUTING or not operator.outputs:
            continue
        output = subgraph.tensors[operator.outputs[0]]
        if output.dtype in _FLOATS:
            result.floating[operator.name] += 1
        elif output.dtype in _INTEGERS and output.quantization is not None:
            result.integer[operator.name] += 1
            result.dtypes[output.dtype] += 1
    return result


def _weights(graph: Graph) -> list[Weight]:
    """Return the stored weights of all operators that have some; each constant once."""
    found: dict[tuple[int, int], Weight] = {}
    for number, subgraph in enumerate(graph.subgraphs):
        producers = subgraph.producers()
        for operator in subgraph.operators:
            position = _WEIGHT_INPUT.get(operator.name)
            if position is None or position >= len(operator.inputs):
                continue
            weight = _stored(subgraph, producers, operator.inputs[position])
            if weight is not None:
                found[number, weight.tensor.index] = weight
    return list(found.values())


def _stored(subgraph: Subgraph, producers: Mapping[int, Operator], index: int) -> Weight | None:
    """Follow an input back to the constant that it comes from, through at most four operators."""
    dequantized = False
    for _ in range(5):
        if index < 0:
            return None
        if subgraph.tensors[index].constant:
            return Weight(subgraph.tensors[index], dequantized)
        producer = producers.get(index)
        if producer is None or producer.name not in _PASSED_THROUGH or not producer.inputs:
            return None
        dequantized = dequantized or producer.name == "DEQUANTIZE"
        index = producer.inputs[0]
    return None


def _floating(arithmetic: Arithmetic, weights: list[Weight]) -> tuple[Quantization, tuple[str, ...]]:
    """Identify a model of float arithmetic: by how the most elements of its weights are stored."""
    elements = _elements(weights)
    first = _arithmetic_sentence(arithmetic)
    if not elements.total():
        return Quantization.FLOAT32, (first, "No operator has stored weights.")
    kind, n = elements.most_common(1)[0]
    evidence = (first, *_storage(weights), *_integer_operators(arithmetic))
    if n < MAIN_STORAGE * elements.total():
        shares = ", ".join(f"{count / elements.total():.0%} {name}" for name, count in elements.most_common())
        return Quantization.MIXED, (
            *evidence,
            f"No kind of storage has {MAIN_STORAGE:.0%} of the weights: {shares}.",
        )
    return kind, evidence


def _elements(weights: list[Weight]) -> Counter[Quantization]:
    """Count the weights' elements by kind, without those that a converter leaves in float because they are few."""
    large = [
        w for w in weights if w.kind != Quantization.FLOAT32 or w.tensor.n_elements >= LEFT_IN_FLOAT_BELOW
    ]
    elements: Counter[Quantization] = Counter()
    for weight in large or weights:
        elements[weight.kind] += weight.tensor.n_elements
    return elements


def _integer(
    graph: Graph, arithmetic: Arithmetic, weights: list[Weight]
) -> tuple[Quantization, tuple[str, ...]]:
    """Identify a model of integer arithmetic: weights tell training from post-training, inputs tell float I/O."""
    evidence = [_arithmetic_sentence(arithmetic), *_storage(weights)]
    if arithmetic.floating:
        evidence.append(_float_sentence(arithmetic))
    evidence.extend(_io(graph))
    unsigned = [w for w in weights if w.tensor.dtype == "uint8" and len(_zero_points(w)) == 1]
    asymmetric = [w for w in unsigned if _zero_points(w) != (128,)]
    if asymmetric and 2 * len(unsigned) > len(weights):
        evidence.append(
            f"{len(asymmetric)} of {len(weights)} weight tensors are uint8 with a zero point other than 128: "
            "trained ranges as TF1's quantization-aware training leaves them, not a post-training quantizer."
        )
        return Quantization.QAT_UINT8, tuple(evidence)
    return _by_input(graph), tuple(evidence)


def _by_input(graph: Graph) -> Quantization:
    return Quantization.FULL_INTEGER_FLOAT_IO if _has_float_input(graph) else Quantization.FULL_INTEGER


def _edgetpu(graph: Graph) -> tuple[Quantization, tuple[str, ...]]:
    """Identify a compiled model, which hides its weights: PostProcess's inputs tell TF1 training from post-training."""
    compiled = "The graph is in edgetpu-custom-op, whose compiler takes fully quantized models only."
    for subgraph, operator in graph.operators():
        if operator.name == POSTPROCESS and operator.inputs and operator.inputs[0] >= 0:
            fed = subgraph.tensors[operator.inputs[0]].dtype
            if fed == "uint8":
                reason = f"{POSTPROCESS} is fed uint8, as TF1's quantization-aware training exports it."
                return Quantization.QAT_UINT8, (compiled, reason)
    return _by_input(graph), (
        compiled,
        "Trained or quantized afterwards: a compiled file does not tell.",
    )


def _has_float_input(graph: Graph) -> bool:
    return any(graph.primary.tensors[index].dtype in _FLOATS for index in graph.primary.inputs)


def _zero_points(weight: Weight) -> tuple[int, ...]:
    quantization = weight.tensor.quantization
    return quantization.zero_points if quantization else ()


def _arithmetic_sentence(arithmetic: Arithmetic) -> str:
    n_integer, n_float = arithmetic.integer.total(), arithmetic.floating.total()
    types = (
        f" ({', '.join(name for name, _ in arithmetic.dtypes.most_common())})" if arithmetic.dtypes else ""
    )
    return (
        f"Of {n_integer + n_float} computing operators, {n_integer} give integers{types}, {n_float} floats."
    )


def _float_sentence(arithmetic: Arithmetic) -> str:
    names = ", ".join(f"{count} {name}" for name, count in arithmetic.floating.most_common(6))
    return f"In float: {names}."


def _integer_operators(arithmetic: Arithmetic) -> list[str]:
    names = ", ".join(f"{count} {name}" for name, count in arithmetic.integer.most_common(6))
    return [f"In integers: {names}."] if names else []


def _storage(weights: list[Weight]) -> list[str]:
    """Return a sentence about how many weight tensors are stored in which way."""
    ways = Counter(_way(weight) for weight in weights)
    return [f"{count} of {len(weights)} weight tensors are {way}." for way, count in ways.most_common()]


def _way(weight: Weight) -> str:
    n_scales = len(weight.tensor.quantization.scales) if weight.tensor.quantization else 0
    scales = {0: "", 1: ", one scale a tensor"}.get(n_scales, ", one scale a channel")
    return f"{weight.tensor.dtype}{scales}{', dequantized before use' if weight.dequantized else ''}"


def _io(graph: Graph) -> list[str]:
    """Return a sentence about the types of the primary subgraph's inputs and outputs."""
    tensors = graph.primary.tensors
    kinds = [
        ", ".join(sorted({tensors[index].dtype for index in indices})) or "nothing"
        for indices in (graph.primary.inputs, graph.primary.outputs)
    ]
    names = {operator.name for operator in graph.primary.operators}
    note = f"; {POSTPROCESS} puts out float by design" if POSTPROCESS in names else ""
    return [f"The model takes {kinds[0]} and gives {kinds[1]}{note}."]
